"""A folder for a server, and other processes that use it."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest

from launcher.accounts import make_folder, server_account, temporary_root
from launcher.folders import PROJECT
from launcher.postgres import EmbeddedPostgres

SECONDS_TO_HAPPEN = 30.0

OWNER = """
import sys
from pathlib import Path
from launcher.postgres import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]))
server.start()
print("owner" if server.owner else "guest", server.process_id, flush=True)
sys.stdin.read()
server.stop()
"""


class Eventually(Protocol):
    def __call__(self, holds: Callable[[], object]) -> None: ...


@pytest.fixture
def eventually() -> Eventually:
    """Waits until something holds; fails when it takes too long."""

    def wait(holds: Callable[[], object]) -> None:
        gives_up_at = time.monotonic() + SECONDS_TO_HAPPEN
        while not holds():
            assert time.monotonic() < gives_up_at, "it did not happen in time"
            time.sleep(0.05)

    return wait


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder that the server's account can reach, also when the tests run as root."""
    root = temporary_root(server_account())
    if not root.exists():
        make_folder(root, 0o755)
    folder = Path(tempfile.mkdtemp(prefix="linli-test-", dir=root))
    folder.chmod(0o711)
    yield folder
    while folder.exists():  # a server whose owner was killed may still be tidying up
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def server(home: Path) -> Iterator[EmbeddedPostgres]:
    """Not started."""
    server = EmbeddedPostgres(home / "postgres")
    yield server
    server.stop()


class OtherProcess:
    """Another process that starts the server, or attaches to it, and stays until told to leave."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", OWNER, str(folder)],
            cwd=PROJECT,
            env={**os.environ, "PYTHONPATH": str(PROJECT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.server_process_id = 0

    def role(self) -> str:
        """`owner` or `guest`, once it has the server."""
        assert self._process.stdout is not None
        role, process_id = self._process.stdout.readline().split()
        self.server_process_id = int(process_id)
        return role

    def leave(self) -> None:
        self._process.communicate(timeout=SECONDS_TO_HAPPEN)

    def kill(self) -> None:
        self._process.kill()
        self.leave()


@pytest.fixture
def other_process(home: Path) -> Iterator[Callable[[], OtherProcess]]:
    """Starts another process on the same folder."""
    started: list[OtherProcess] = []

    def start() -> OtherProcess:
        started.append(OtherProcess(home / "postgres"))
        return started[-1]

    yield start
    for process in started:
        process.kill()
