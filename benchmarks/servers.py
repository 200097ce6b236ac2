"""The product as it is measured: a service alone, all in one process, or every service a process of its own."""

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO

import httpx2

from benchmarks.cores import pinned_to
from launcher.folders import PROJECT
from launcher.single import SERVICES

READY_TIMEOUT_SECONDS = 60.0
END_TIMEOUT_SECONDS = 20.0


class Setup(StrEnum):
    """What stands between the load and Postgres."""

    SERVICE = "the service alone"
    ALL_IN_ONE = "gateway, all in one process"
    SEPARATE = "gateway, separate processes"


class ServerNotReady(RuntimeError):
    """The text ends with what the server said."""


@dataclass(frozen=True)
class Server:
    """A running server."""

    port: int
    process_ids: list[int]


@asynccontextmanager
async def serving(
    setup: Setup, service: str, environment: Mapping[str, str], *, core: int | None
) -> AsyncIterator[Server]:
    """A server whose processes share one core, and have ended on leaving. Raises ServerNotReady.

    `service` says which one, where it is measured alone.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        socket.create_server(("127.0.0.1", 0)) as listener,
        tempfile.TemporaryFile("w+") as log,
    ):
        processes = [
            _start(arguments, {**os.environ, **environment, **urls}, listener, core, log)
            for arguments, urls in _processes(setup, service, Path(folder), listener)
        ]
        try:
            port = listener.getsockname()[1]
            if not await _gets_ready(f"http://127.0.0.1:{port}", processes):
                log.seek(0)
                raise ServerNotReady(f"{setup} did not get ready: {log.read()[-3000:]}")
            yield Server(port, [process.pid for process in processes])
        finally:
            await asyncio.to_thread(_end, processes)


def _processes(
    setup: Setup, service: str, folder: Path, listener: socket.socket
) -> list[tuple[list[str], dict[str, str]]]:
    """What to serve, and what it has to know about the others."""
    public = ["--descriptor", str(listener.fileno())]
    if setup is Setup.SERVICE:
        return [([service, *public], {})]
    if setup is Setup.ALL_IN_ONE:
        return [(["all-in-one", *public], {})]
    urls = {f"{name.upper()}_URL": f"unix:{folder / name}" for name in SERVICES}
    return [*(([name, "--path", str(folder / name)], urls) for name in SERVICES), (["gateway", *public], urls)]


def _start(
    arguments: list[str], environment: Mapping[str, str], listener: socket.socket, core: int | None, log: IO[str]
) -> "subprocess.Popen[bytes]":
    with pinned_to(core):
        return subprocess.Popen(
            [sys.executable, "-m", "launcher", "serve", *arguments, "--end-with-parent"],
            stdin=subprocess.PIPE,  # closed when we end, however we end: that ends the server
            stdout=log,
            stderr=log,
            env=environment,
            cwd=PROJECT,
            pass_fds=[listener.fileno()],
            start_new_session=True,
        )


def _end(processes: list["subprocess.Popen[bytes]"]) -> None:
    for process in reversed(processes):
        process.terminate()
    for process in reversed(processes):
        with process:  # closes its standard input
            process.wait(END_TIMEOUT_SECONDS)


async def _gets_ready(url: str, processes: list["subprocess.Popen[bytes]"]) -> bool:
    gives_up_at = time.monotonic() + READY_TIMEOUT_SECONDS
    async with httpx2.AsyncClient(trust_env=False, timeout=5.0) as client:
        while all(process.poll() is None for process in processes) and time.monotonic() < gives_up_at:
            with suppress(httpx2.HTTPError):
                if (await client.get(f"{url}/ready")).status_code == httpx2.codes.OK:
                    return True
            await asyncio.sleep(0.05)
    return False
