"""One running product per data folder, and one program per port."""

import errno
import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from launcher.terminal import CannotStart

DEFAULT_PORT = 8000
LOCK_NAME = "running"
SECONDS_FOR_A_PREDECESSOR = 1.0  # killed a moment ago, its children may still hold the port


class Instance:
    """The one running product of a data folder."""

    def __init__(self, descriptor: int, facts: dict[str, str]) -> None:
        self._descriptor = descriptor
        self._facts = facts
        self.note()

    def note(self, **facts: str) -> None:
        """Let others who look at the data folder know this too, for as long as it runs."""
        self._facts |= facts
        text = json.dumps(self._facts).encode()
        os.pwrite(self._descriptor, text, 0)
        os.ftruncate(self._descriptor, len(text))


@contextmanager
def only_instance(data: Path, *, url: str) -> Iterator[Instance]:
    """Hold the data folder for this process; its death releases it. Raises CannotStart, naming who holds it."""
    descriptor = os.open(data / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            other = _facts(descriptor)
            where = f" (pid {other['process_id']}, {other['url']})" if other else ""
            raise CannotStart(f"Linli is already running here{where}.") from None
        yield Instance(descriptor, {"process_id": str(os.getpid()), "url": url})
    finally:
        os.close(descriptor)


def running_instance(data: Path) -> dict[str, str]:
    """What the product that runs on this data folder noted of itself; empty when none runs, or another user's."""
    try:
        descriptor = os.open(data / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, PermissionError):
        return {}
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _facts(descriptor)
    finally:
        os.close(descriptor)
    return {}


@contextmanager
def reserved_port(host: str, port: int) -> Iterator[socket.socket]:
    """A bound socket that does not listen yet, so that nobody takes the port while we prepare. Raises CannotStart."""
    gives_up_at = time.monotonic() + SECONDS_FOR_A_PREDECESSOR
    while _is_answered(host, port) and time.monotonic() < gives_up_at:
        time.sleep(0.1)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as reserved:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            if _is_answered(host, port):
                raise OSError(errno.EADDRINUSE, "taken")
            reserved.bind((host, port))
        except OSError as error:
            raise CannotStart(_why(error, host, port)) from None
        yield reserved


def port_from_environment() -> int:
    """PORT, else DEFAULT_PORT. Raises CannotStart."""
    text = os.environ.get("PORT") or str(DEFAULT_PORT)
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65535):
        raise CannotStart(f"PORT must be a number from 1 to 65535, and it is '{text}'.")
    return int(text)


def _facts(descriptor: int) -> dict[str, str]:
    try:
        return dict(json.loads(os.pread(descriptor, 10_000, 0)))
    except ValueError:  # read in the middle of a note
        return {}


def _is_answered(host: str, port: int) -> bool:
    # Where a wildcard address is taken, some systems would still let us bind a specific one.
    with suppress(OSError), socket.create_connection(("127.0.0.1" if host == "0.0.0.0" else host, port), 1):
        return True
    return False


def _why(error: OSError, host: str, port: int) -> str:
    another = f"choose one with PORT={port + 1 if port < 65535 else port - 1} make run"
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} is taken by another program; {another}."
    if error.errno == errno.EACCES:
        return f"Port {port} may only be opened by root; {another}."
    return f"Cannot listen on {host} port {port}: {error.strerror or error}."
