"""Servers on loopback for the gateway to meet: uvicorn as in production, and raw ones that misbehave as told."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Self

import uvicorn
from starlette.types import ASGIApp, Receive, Send

from api.main import Upstream, create_gateway
from api.routes import SERVICES
from services.chassis.settings import Settings


def settings_for(**changes: Any) -> Settings:
    """Settings of a gateway under test; no database is ever asked."""
    return Settings.model_validate({"mode": "test", "database_url": "postgresql://nowhere/linli", **changes})


def gateway_over(upstream: Upstream, settings: Settings | None = None) -> ASGIApp:
    """A gateway whose services are all the same one."""
    return create_gateway(settings or settings_for(), dict.fromkeys(SERVICES, upstream))


async def live_without_resources(receive: Receive, send: Send) -> None:
    """The lifespan of an app that has nothing to open."""
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


class _QuietServer(uvicorn.Server):
    """Leaves the signals to pytest, and stops at once when told to."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.stopping = asyncio.Event()

        self.running = asyncio.Event()

    async def main_loop(self) -> None:
        await self.on_tick(0)
        self.running.set()
        await self.stopping.wait()

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield


@asynccontextmanager
async def serving(app: ASGIApp, *, unix: str | None = None) -> AsyncIterator[str]:
    """`app` on a real socket in this event loop; gives its URL."""
    config = uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        loop="none",
        proxy_headers=False,
        log_config=None,
        timeout_graceful_shutdown=1,
    )
    listener = socket.socket(socket.AF_UNIX) if unix else socket.socket(socket.AF_INET, proto=socket.IPPROTO_TCP)
    listener.bind(unix or ("127.0.0.1", 0))
    server = _QuietServer(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    await server.running.wait()
    try:
        yield f"unix:{unix}" if unix else f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.stopping.set()
        await task
        listener.close()


@dataclass
class Heard:
    """A request as it came over the wire."""

    line: str
    headers: list[tuple[str, str]]
    body: bytes = b""
    is_whole: bool = True

    def all(self, name: str) -> list[str]:
        return [value for given, value in self.headers if given == name]


class Line:
    """One connection, in raw bytes: the client's end or the server's."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def say(self, *texts: str | bytes) -> None:
        self.writer.write(b"".join(text.encode() if isinstance(text, str) else text for text in texts))
        await self.writer.drain()

    async def head(self) -> Heard:
        """Up to the empty line."""
        lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        fields = [line.partition(":") for line in lines[1:] if line]
        return Heard(lines[0], [(name.lower(), value.strip()) for name, _, value in fields])

    async def message(self) -> Heard:
        """Head and body; `is_whole` is False if the connection ended in between."""
        heard = await self.head()
        try:
            if "chunked" in heard.all("transfer-encoding"):
                while chunk := await self.chunk():
                    heard.body += chunk
            elif length := heard.all("content-length"):
                heard.body = await self.reader.readexactly(int(length[0]))
        except asyncio.IncompleteReadError as error:
            heard.body += error.partial
            heard.is_whole = False
        return heard

    async def chunk(self) -> bytes:
        size = int((await self.reader.readuntil(b"\r\n")).strip(), 16)
        return (await self.reader.readexactly(size + 2))[:-2]

    async def ended(self) -> bool:
        """Whether the other side hangs up within two seconds, and says nothing more."""
        try:
            async with asyncio.timeout(2):
                return await self.reader.read(1) == b""
        except TimeoutError:
            return False
        except ConnectionError:
            return True

    def reset(self) -> None:
        self.writer.transport.abort()


Behaviour = Callable[[Line], Awaitable[None]]


class RawServer:
    """Listens on loopback and does with every connection what `behave` says; then it hangs up."""

    def __init__(self, behave: Behaviour) -> None:
        self._behave = behave
        self.connections = 0
        self.lost = 0
        self.heard: list[Heard] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._meet, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            await self._behave(Line(reader, writer))
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
            self._tasks.discard(task)


@asynccontextmanager
async def calling(url: str) -> AsyncIterator[Line]:
    """A raw client connection to `url`."""
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield Line(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
