"""A service in the gateway's own process: its ASGI app, and its life from start-up to shutdown."""

import asyncio
from types import TracebackType
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class ServiceDidNotStart(RuntimeError):
    """A service refused to start; the text says why."""


class InProcess:
    """Hands requests straight to a service's app. As a context manager it runs the app's lifespan.

    Nobody else runs it: the server only knows the gateway. Raises ServiceDidNotStart on entering.
    """

    def __init__(self, name: str, app: ASGIApp) -> None:
        self._name = name
        self._app = app
        self._state: dict[str, Any] = {}
        self._inbox: asyncio.Queue[Message] = asyncio.Queue()
        self._outbox: asyncio.Queue[Message] = asyncio.Queue()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Changes `scope`."""
        scope["state"] = self._state.copy()
        await self._app(scope, receive, send)

    async def __aenter__(self) -> "InProcess":
        self._life = asyncio.create_task(self._live(), name=f"{self._name}-lifespan")
        answer = await self._say("lifespan.startup")
        if answer["type"] != "lifespan.startup.complete":
            await asyncio.wait([self._life])
            error = self._life.exception()
            raise ServiceDidNotStart(f"{self._name} did not start: {error or answer.get('message')}") from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._say("lifespan.shutdown")
        await self._life

    async def _say(self, event: str) -> Message:
        await self._inbox.put({"type": event})
        return await self._outbox.get()

    async def _live(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self._state}
        try:
            await self._app(scope, self._inbox.get, self._outbox.put)
        finally:
            # Only read if the app ended without a word: what it said itself comes first.
            self._outbox.put_nowait({"type": "lifespan.ended", "message": "its lifespan ended"})
