"""Serves one ASGI app as well as Python can: uvloop, httptools, and a collector that leaves the built app alone."""

import gc
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from launcher.terminal import CannotStart

GRACE_SECONDS = 10
"""How long requests in flight may take to end once the process is asked to stop."""


def listen(listener: socket.socket) -> None:
    """Raises CannotStart when another program listens there: uvloop would not say so, and serve nobody."""
    try:
        listener.listen(2048)
    except OSError as error:
        raise CannotStart(f"The port was taken meanwhile: {error.strerror}.") from None


def serve(
    app: ASGIApp,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    path: Path | None = None,
    sockets: Sequence[socket.socket] | None = None,
    when_ready: Callable[[], None] = lambda: None,
) -> None:
    """Serve until SIGINT or SIGTERM, then finish what is in flight and leave by KeyboardInterrupt.

    Listens on `sockets`, else on the Unix socket `path`, else on `host` and `port`. Raises CannotStart when the app
    does not start.
    """
    for listener in sockets or ():
        listen(listener)
    server = _Server(_config(app, host=host, port=port, uds=str(path) if path else None), when_ready)
    try:
        server.run(list(sockets) if sockets else None)
    except SystemExit as error:  # how uvicorn ends when the lifespan fails or the address is taken
        raise CannotStart("The application did not start; the lines above say why.") from error


@contextmanager
def served_beside(app: ASGIApp, listener: socket.socket) -> Iterator[None]:
    """Serve a small app on `listener`, which listens already, from a thread that ends on leaving."""
    server = uvicorn.Server(
        _config(app, loop="asyncio")
    )  # uvloop outside of the main thread has crashed on the way out
    thread = threading.Thread(target=server.run, args=([listener],), name="served-beside")
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()


def _config(app: ASGIApp, *, loop: str = "uvloop", **where: Any) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        loop=loop,
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers="FORWARDED_ALLOW_IPS" in os.environ,
        timeout_graceful_shutdown=GRACE_SECONDS,
        **where,
    )


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, when_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._when_ready = when_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and not self.should_exit:
            settle_garbage_collector()
            self._when_ready()


def settle_garbage_collector() -> None:
    """Take the built application out of every later collection: walking it is what makes the slowest requests slow."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 1_000)


def stop_by_keyboard_interrupt() -> None:
    """Make SIGTERM, and a terminal that closes, do what Ctrl-C does; also where Ctrl-C was switched off for us."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))


@contextmanager
def stopping_later() -> Iterator[None]:
    """Who asks to stop meanwhile is heard on leaving: Python may crash when SQLAlchemy's greenlets are interrupted.

    In another thread than the main one, which nothing interrupts, it changes nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard: list[int] = []
    before = {
        kind: signal.signal(kind, lambda number, _frame: heard.append(number))
        for kind in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
        for number in heard[:1]:
            signal.raise_signal(number)


def ignore_stop_signals() -> None:
    """From here on nothing interrupts the way out."""
    for kind in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(kind, signal.SIG_IGN)


def end_with_parent(descriptor: int = 0) -> None:
    """End this process at once when the other end of `descriptor`, which the parent holds, is closed."""

    def wait_for_the_end() -> None:
        while os.read(descriptor, 1000):
            pass
        logging.getLogger(__name__).warning("the parent process is gone")
        os._exit(1)

    threading.Thread(target=wait_for_the_end, name="parent-watcher", daemon=True).start()
