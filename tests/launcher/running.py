"""A product started the way a person starts it: as a process, on a port, with a data folder of its own."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Self

import httpx2

from launcher.folders import PROJECT

SECONDS_TO_START = 120.0
SECONDS_TO_END = 30.0


def free_port() -> int:
    """A port of the loopback interface that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Started:
    """`python -m launcher COMMAND` on this data folder, on a free port unless the settings name one."""

    def __init__(self, command: str, data: Path, **settings: str) -> None:
        self.data = data
        self.port = int(settings.get("PORT") or free_port())
        self.url = f"http://127.0.0.1:{self.port}"
        self._output = data.parent / f"{command}-{self.port}-{time.monotonic_ns()}.txt"
        self._client = httpx2.Client(base_url=self.url, trust_env=False, timeout=20.0)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("LINLI_")}
        environment.pop("DATABASE_URL", None)
        environment |= {"LINLI_DATA_FOLDER": str(data), "PORT": str(self.port), **settings}
        with self._output.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "launcher", command],
                cwd=PROJECT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        """What it has printed so far."""
        return self._output.read_text()

    def until_ready(self) -> Self:
        """Returns once it has introduced itself."""
        gives_up_at = time.monotonic() + SECONDS_TO_START
        while "Linli is ready" not in self.output:
            assert self.process.poll() is None, self.output
            assert time.monotonic() < gives_up_at, self.output
            time.sleep(0.05)
        return self

    def ends(self) -> int:
        """Its exit code, once it has ended by itself."""
        return self.process.wait(SECONDS_TO_END)

    def stop(self, kind: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to stop; its exit code."""
        self.process.send_signal(kind)
        return self.ends()

    def kill(self) -> None:
        """kill -9: it can do nothing about it."""
        self.process.kill()
        self.process.wait(SECONDS_TO_END)
        self._client.close()

    def get(self, path: str, *, token: str | None = None) -> httpx2.Response:
        return self._client.get(path, headers={"Authorization": f"Bearer {token}"} if token else {})

    def is_ready(self) -> bool:
        """Whether it says so now; not while nobody answers."""
        with suppress(httpx2.TransportError):
            return self.get("/ready").status_code == httpx2.codes.OK
        return False

    def sign_in(self, persona: str) -> str:
        """A fresh access token of one of the demo's people."""
        answer = self._client.post("/v1/sign-in/demo", json={"persona": persona})
        assert answer.status_code == httpx2.codes.OK, answer.text
        return str(answer.json()["access_token"])

    def is_signed_in(self, token: str) -> bool:
        """Whether the token is taken for what it is."""
        return self.get("/v1/me", token=token).status_code == httpx2.codes.OK

    def children(self) -> dict[int, str]:
        """Process id and command of every process it has started, and of those that these started."""
        found: dict[int, str] = {}
        parents = {self.process.pid}
        while parents:
            young = {row.process_id: row.command for row in running_processes() if row.parent_id in parents}
            parents = young.keys() - found.keys()
            found |= young
        return found


class Row(NamedTuple):
    """One process of this machine."""

    process_id: int
    parent_id: int
    command: str


def running_processes() -> list[Row]:
    """All there are now, but for dead ones nobody has waited for."""
    asked = ["ps", "-A", "-ww", "-o", "pid=,ppid=,stat=,args="]
    listing = subprocess.run(asked, check=True, capture_output=True, text=True).stdout
    rows = (line.split(None, 3) for line in listing.splitlines())
    return [Row(int(pid), int(parent), command) for pid, parent, state, command in rows if not state.startswith("Z")]


def are_gone(process_ids: Iterable[int]) -> bool:
    """Whether none of these processes runs."""
    return not set(process_ids) & {row.process_id for row in running_processes()}
