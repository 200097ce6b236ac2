"""The product as it is measured: a service alone, all in one process, or every service a process of its own."""

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import StrEnum
from pathlib import Path

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


@asynccontextmanager
async def serving(setup: Setup, service: str, environment: dict[str, str], *, core: int | None) -> AsyncIterator[int]:
    """The port of a running server, whose processes share one core; all of them have ended on leaving."""
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as listener:
        processes = [
            _start(arguments, {**environment, **urls}, listener, core)
            for arguments, urls in _processes(setup, service, Path(folder), listener)
        ]
        try:
            port = listener.getsockname()[1]
            await _until_ready(f"http://127.0.0.1:{port}", processes)
            yield port
        finally:
            for process in reversed(processes):
                process.terminate()
            for process in reversed(processes):
                await asyncio.to_thread(process.wait, END_TIMEOUT_SECONDS)


def _processes(
    setup: Setup, service: str, folder: Path, listener: socket.socket
) -> list[tuple[list[str], dict[str, str]]]:
    public = ["--descriptor", str(listener.fileno())]
    if setup is Setup.SERVICE:
        return [([service, *public], {})]
    if setup is Setup.ALL_IN_ONE:
        return [(["all-in-one", *public], {})]
    urls = {f"{name.upper()}_URL": f"unix:{folder / name}" for name in SERVICES}
    return [*(([name, "--path", str(folder / name)], urls) for name in SERVICES), (["gateway", *public], urls)]


def _start(
    arguments: list[str], environment: dict[str, str], listener: socket.socket, core: int | None
) -> "subprocess.Popen[bytes]":
    with pinned_to(core):
        return subprocess.Popen(
            [sys.executable, "-m", "launcher", "serve", *arguments, "--end-with-parent"],
            stdin=subprocess.PIPE,  # closed when we end, however we end: that ends the server
            stdout=subprocess.DEVNULL,
            env={**os.environ, **environment},
            cwd=PROJECT,
            pass_fds=[listener.fileno()],
            start_new_session=True,
        )


async def _until_ready(url: str, processes: list["subprocess.Popen[bytes]"]) -> None:
    gives_up_at = time.monotonic() + READY_TIMEOUT_SECONDS
    async with httpx2.AsyncClient(trust_env=False, timeout=5.0) as client:
        while not await _is_ready(client, url):
            if any(process.poll() is not None for process in processes) or time.monotonic() > gives_up_at:
                raise RuntimeError("the server did not get ready; what it says stands above")
            await asyncio.sleep(0.05)


async def _is_ready(client: httpx2.AsyncClient, url: str) -> bool:
    try:
        return (await client.get(f"{url}/ready")).status_code == httpx2.codes.OK
    except httpx2.HTTPError:
        return False
