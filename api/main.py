"""The gateway: one public origin in front of the services."""

import logging
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Final

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.forwarding import AnswerCutShort, Forwarder
from api.home import Home
from api.in_process import InProcess
from api.intake import BodyGuard, Intake, read_headers
from api.pages import OwnPages
from api.routes import HOME, ROUTES, SERVICES, UPLOADS, WITHOUT_CALLER, prefix_of
from services.chassis.errors import PROBLEM_JSON, BodyTooLarge, InternalError, NotFound, Problem, problem_body
from services.chassis.request_context import request_id
from services.chassis.settings import Settings
from services.chassis.tokens import TokenVerifier, key_source

logger = logging.getLogger(__name__)

OWN_SCOPE: Final = "linli."
"""What the gateway tells the services in the ASGI scope begins so; nobody else's word under it is passed on."""

MULTIPART_ROOM_BYTES: Final = 100_000
"""What the wrapping of one file in multipart/form-data may take on top of the file."""

Upstream = ASGIApp | str
"""A service: its own app in this process, or `http://host:port` or `unix:/path` of another one."""


def create_gateway(settings: Settings, upstreams: Mapping[str, Upstream]) -> ASGIApp:
    """The gateway as a pure ASGI app over one upstream per service of `api.routes`.

    Its lifespan is that of the in-process services and of the connections to the others: run it. Raises ValueError if
    a service is missing or unknown.
    """
    if wrong := upstreams.keys() ^ set(SERVICES):
        raise ValueError(f"one upstream for each service is needed; wrong are: {', '.join(sorted(wrong))}")
    services = {name: _service(name, upstreams[name], settings) for name in SERVICES}
    return Gateway(settings, services)


Service = Forwarder | InProcess


def _service(name: str, upstream: Upstream, settings: Settings) -> Service:
    if isinstance(upstream, str):
        return Forwarder(name, upstream, timeout_seconds=settings.upstream_timeout_seconds)
    return InProcess(name, upstream)


class Gateway:
    """Sees to request ids, tokens and body sizes, and hands each request to the service that answers it."""

    def __init__(self, settings: Settings, services: Mapping[str, Service]) -> None:
        self._settings = settings
        self._services = services
        self._answering: dict[str, ASGIApp] = {prefix: services[name] for prefix, name in ROUTES.items()}
        self._pages = OwnPages(services)
        self._home = Home(services)
        self._verifier = TokenVerifier(key_source(settings))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._answer(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            await send({"type": "websocket.close", "code": 1000, "reason": "Linli has no WebSockets"})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        intake = read_headers(scope["headers"])
        request_id.set(intake.request_id)
        reply = _Reply(scope, intake, send)
        try:
            await self._hand_on(scope, intake, receive, reply.send)
        except Problem as problem:
            await reply.refuse(problem)
        except AnswerCutShort as error:
            # To return without the rest makes the server close the connection: so the client sees that it is not whole.
            logger.warning("an answer of %s was cut short: %r", prefix_of(scope["path"]), error.__cause__)
        except Exception:
            if reply.has_begun:
                raise  # the server logs it and closes the connection
            logger.exception("unforeseen error in the gateway")
            await reply.refuse(InternalError())

    async def _hand_on(self, scope: Scope, intake: Intake, receive: Receive, send: Send) -> None:
        prefix = prefix_of(scope["path"])
        limit_bytes = self._limit_bytes(prefix)
        answering = self._answering_app(prefix, scope["path"])
        if intake.content_length > limit_bytes:
            raise BodyTooLarge(limit_bytes=limit_bytes)
        handed = {name: value for name, value in scope.items() if not name.startswith(OWN_SCOPE)}
        handed["headers"] = intake.headers
        handed["linli.request_id"] = intake.request_id
        if intake.token is not None and _asks_for_a_caller(prefix, scope["path"]):
            handed["linli.claims"] = await self._verifier.verify(intake.token)
        if intake.has_body:
            await BodyGuard(receive, send, limit_bytes=limit_bytes).run(answering, handed)
        else:
            await answering(handed, receive, send)

    def _answering_app(self, prefix: str | None, path: str) -> ASGIApp:
        if prefix is not None:
            return self._answering[prefix]
        if path == HOME:
            return self._home
        if path in self._pages.paths:
            return self._pages
        raise NotFound

    def _limit_bytes(self, prefix: str | None) -> int:
        if prefix == UPLOADS:
            return self._settings.max_upload_bytes + MULTIPART_ROOM_BYTES
        return self._settings.max_body_bytes

    async def _live(self, receive: Receive, send: Send) -> None:
        """Runs the services' lives and the connections to them inside the gateway's own."""
        await receive()
        started = False
        try:
            async with AsyncExitStack() as running:
                for service in self._services.values():
                    await running.enter_async_context(service)
                started = True
                await send({"type": "lifespan.startup.complete"})
                await receive()
        except Exception as error:
            stage = "shutdown" if started else "startup"
            await send({"type": f"lifespan.{stage}.failed", "message": str(error)})
            raise
        await send({"type": "lifespan.shutdown.complete"})


def _asks_for_a_caller(prefix: str | None, path: str) -> bool:
    return path == HOME if prefix is None else prefix not in WITHOUT_CALLER


class _Reply:
    """The answer to one request, under its request id."""

    def __init__(self, scope: Scope, intake: Intake, send: Send) -> None:
        self._scope = scope
        self._intake = intake
        self._send = send
        self.has_begun = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.has_begun = True
            headers = [header for header in message.get("headers", ()) if header[0] != b"x-request-id"]
            headers.append((b"x-request-id", self._intake.request_id.encode("ascii")))
            message["headers"] = headers
        await self._send(message)

    async def refuse(self, problem: Problem) -> None:
        """Raises the problem again if an answer has begun: two cannot be given."""
        if self.has_begun:
            raise problem
        body = problem_body(problem, accept_language=self._intake.accept_language, instance=self._scope["path"])
        answer = Response(body, problem.status, problem.headers, media_type=PROBLEM_JSON)
        await answer(self._scope, _nothing, self.send)


async def _nothing() -> Message:
    return {"type": "http.disconnect"}
