"""What the gateway answers itself: a greeting, its health, the document and the documentation of the API."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import ClassVar, Final

from starlette.responses import FileResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import docs
from services.chassis.application import VERSION, Liveness, Readiness
from services.chassis.errors import MethodNotAllowed, Problem

logger = logging.getLogger(__name__)

READY_SECONDS: Final = 5.0
"""A service that does not say by then that it is ready is not."""

DOCUMENT: Final = Path(__file__).resolve().parents[1] / "openapi" / "gateway.json"


class PageIsReadOnly(MethodNotAllowed):
    code = "page_is_read_only"
    headers: ClassVar[Mapping[str, str]] = {"Allow": "GET, HEAD"}


Page = Callable[[Scope], Awaitable[Response]]


class OwnPages:
    """An ASGI app for `paths`; each answers GET and HEAD. Raises PageIsReadOnly."""

    def __init__(self, services: Mapping[str, ASGIApp]) -> None:
        self._services = services
        self._pages: dict[str, Page] = {
            "/": self._greet,
            "/health": self._tell_health,
            "/ready": self._tell_readiness,
            "/openapi.json": self._show_document,
            **dict.fromkeys(docs.PATHS, self._show_docs),
        }
        self.paths = frozenset(self._pages)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in {"GET", "HEAD"}:
            raise PageIsReadOnly
        page = await self._pages[scope["path"]](scope)
        await page(scope, receive, send)

    async def _greet(self, scope: Scope) -> Response:
        return JSONResponse(
            {"name": "Linli", "version": VERSION, "docs": "/docs", "openapi": "/openapi.json", "ready": "/ready"}
        )

    async def _tell_health(self, scope: Scope) -> Response:
        return JSONResponse(Liveness().model_dump())

    async def _tell_readiness(self, scope: Scope) -> Response:
        answers = await asyncio.gather(*(_readiness_of(service, scope) for service in self._services.values()))
        ready = set(answers) <= {"ok"}
        readiness = Readiness(
            status="ready" if ready else "not_ready", checks=dict(zip(self._services, answers, strict=True))
        )
        return JSONResponse(readiness.model_dump(), 200 if ready else 503)

    async def _show_document(self, scope: Scope) -> Response:
        return FileResponse(DOCUMENT, media_type="application/json", headers={"Cache-Control": "no-cache"})

    async def _show_docs(self, scope: Scope) -> Response:
        return docs.docs_page(scope["path"])


async def _readiness_of(service: ASGIApp, scope: Scope) -> str:
    """`ok`, or in a word why not."""
    statuses: list[int] = []

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    question = {
        **scope,
        "method": "GET",
        "path": "/ready",
        "raw_path": b"/ready",
        "query_string": b"",
        "headers": [header for header in scope["headers"] if header[0] == b"x-request-id"],
    }
    try:
        async with asyncio.timeout(READY_SECONDS):
            await service(question, never, send)
    except TimeoutError:
        return "timed_out"
    except Problem as problem:
        return problem.code
    except Exception:
        logger.exception("a service broke when asked whether it is ready")
        return "failed"
    return "ok" if statuses == [200] else "not_ready"


async def never() -> Message:
    """Nobody sends a body with this question, and nobody goes away before it is answered."""
    never: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
    return await never
