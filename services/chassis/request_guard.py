"""The outermost layer of a service: the request id, a limit on bodies, and an answer even when something breaks."""

import logging
from typing import Any

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.chassis.errors import PROBLEM_JSON, InternalError, problem_body
from services.chassis.request_context import request_id
from services.chassis.schemas import new_id

logger = logging.getLogger(__name__)

REQUEST_ID_HEADER = "X-Request-Id"
LONGEST_REQUEST_ID = 128


def sane_request_id(offered: str) -> str:
    """What the client offers if it is short visible ASCII, else a fresh id."""
    if 0 < len(offered) <= LONGEST_REQUEST_ID and all("!" <= character <= "~" for character in offered):
        return offered
    return str(new_id())


class RequestGuard:
    """Pure ASGI middleware: an exception nobody expected is logged by its type and answered as a 500 problem.

    Reading a body of more than `limit_bytes` raises HTTPException 413.
    """

    def __init__(self, app: ASGIApp, limit_bytes: int) -> None:
        self._app = app
        self._limit_bytes = limit_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        identifier = scope.get("linli.request_id") or sane_request_id(headers.get("x-request-id", ""))
        token = request_id.set(identifier)
        answer = _Answer(send, identifier)
        try:
            await self._app(scope, _limited(receive, self._limit_bytes), answer)
        except Exception:
            logger.exception("unforeseen error in %s %s", scope["method"], _route_of(scope))
            if answer.has_started:
                raise
            await _answer_internal_error(scope, headers, answer)
        finally:
            request_id.reset(token)


def _limited(receive: Receive, limit_bytes: int) -> Receive:
    received_bytes = 0

    async def receive_within_limit() -> Message:
        nonlocal received_bytes
        message = await receive()
        received_bytes += len(message.get("body", b""))
        if received_bytes > limit_bytes:
            raise HTTPException(413)
        return message

    return receive_within_limit


class _Answer:
    def __init__(self, send: Send, identifier: str) -> None:
        self._send = send
        self._header = (REQUEST_ID_HEADER.lower().encode(), identifier.encode())
        self.has_started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.has_started = True
            message["headers"] = [*message.get("headers", []), self._header]
        await self._send(message)


def _route_of(scope: Scope) -> str:
    """The route's template, never the path itself: paths may carry what a log must not."""
    route: Any = scope.get("route")
    return str(getattr(route, "path", "unknown"))


async def _answer_internal_error(scope: Scope, headers: Headers, send: Send) -> None:
    body = problem_body(InternalError(), accept_language=headers.get("accept-language", ""), instance=scope["path"])
    await send(
        {
            "type": "http.response.start",
            "status": 500,
            "headers": [(b"content-type", PROBLEM_JSON.encode()), (b"content-length", str(len(body)).encode())],
        }
    )
    await send({"type": "http.response.body", "body": body})
