"""The first screen of a client in one request: every service answers its own part, all of them side by side."""

import asyncio
import logging
from collections.abc import Mapping
from typing import ClassVar, Final

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.pages import never
from api.routes import HOME, ROUTES
from services.chassis.errors import InvalidToken, MethodNotAllowed, Problem, Unauthenticated

logger = logging.getLogger(__name__)

PART_SECONDS: Final = 3.0
"""A part that is not there by then is left out."""

PASSED_ON: Final = frozenset({b"authorization", b"accept-language", b"x-request-id"})


class HomeIsReadOnly(MethodNotAllowed):
    code = "home_is_read_only"
    headers: ClassVar[Mapping[str, str]] = {"Allow": "GET"}


class Home:
    """An ASGI app for `HOME`: `{"<service>": its part or null, …, "unavailable": [services without one]}`.

    Raises HomeIsReadOnly, and Unauthenticated or InvalidToken when a service does not take the caller.
    """

    def __init__(self, services: Mapping[str, ASGIApp]) -> None:
        self._parts = {name: app for name, app in services.items() if ROUTES.get(f"{HOME}/{name}") == name}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "GET":
            raise HomeIsReadOnly
        answers = await asyncio.gather(*(_part_of(name, app, scope) for name, app in self._parts.items()))
        parts = dict(zip(self._parts, answers, strict=True))
        unavailable = ",".join(f'"{name}"' for name, part in parts.items() if part is None)
        body = b"".join(f'"{name}":'.encode() + (part or b"null") + b"," for name, part in parts.items())
        answer = Response(b"{" + body + f'"unavailable":[{unavailable}]}}'.encode(), media_type="application/json")
        await answer(scope, receive, send)


async def _part_of(name: str, service: ASGIApp, scope: Scope) -> bytes | None:
    """The service's JSON as it stands; None when there is none."""
    path = f"{HOME}/{name}"
    question = {
        **scope,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [header for header in scope["headers"] if header[0] in PASSED_ON],
    }
    heard = _Heard()
    try:
        async with asyncio.timeout(PART_SECONDS):
            await service(question, never, heard.send)
    except TimeoutError:
        return None
    except Problem as problem:
        logger.warning("the home of %s is missing: %s", name, problem.code)
        return None
    except Exception:
        logger.exception("a service broke when asked for its part of the home")
        return None
    if heard.status == Unauthenticated.status:
        raise _refusal(scope)
    return heard.body if heard.status == 200 else None


def _refusal(scope: Scope) -> Problem:
    has_token = any(name == b"authorization" for name, _ in scope["headers"])
    return InvalidToken() if has_token else Unauthenticated()


class _Heard:
    """An answer, taken down."""

    def __init__(self) -> None:
        self.status = 0
        self.body = b""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")
