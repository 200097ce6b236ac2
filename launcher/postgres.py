"""An embedded Postgres server that belongs to one folder.

A caller may rely on:

* It listens on a Unix socket in a folder that only its account (and root) may enter, never on TCP.
* Whoever starts it first owns it and stops it; others attach to it, also from other processes.
* On Linux it shuts down cleanly by itself when its owner dies, even by kill -9: to be exact, when the *thread* that
  called `start()` ends, so call it from one that stays.
* Whatever was killed, the next `start()` recovers by itself.
* As root it runs as `nobody` (see launcher.accounts).
"""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self
from urllib.parse import quote

from launcher.accounts import (
    make_folder,
    make_socket_folder,
    reachable_home,
    server_account,
    temporary_root,
    user_name,
)
from launcher.postmaster import is_live_postgres, is_running, read_postmaster_file
from launcher.programs import SUPER_USER, PostgresNotStarted, Programs, locked

__all__ = ["EmbeddedPostgres", "PostgresNotStarted"]

MAX_CONNECTIONS = 200

READY_TIMEOUT_SECONDS = 120.0  # after a crash the server first replays its log
RETRY_SECONDS = 15.0  # a predecessor may still be going down
STALE_AFTER_SECONDS = 3.0
STOP_TIMEOUT_SECONDS = 30.0
POLL_SECONDS = 0.02
WATCH_SECONDS = 0.25
LARGEST_LOG_BYTES = 5_000_000
SOCKET_NAME = ".s.PGSQL.5432"

_PREDECESSOR_STILL_THERE = re.compile(r'lock file ".+" already exists|pre-existing shared memory|is already in use')
_NOT_DURABLE = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
_EPHEMERAL_PREFIX = "linli-postgres-"


class EmbeddedPostgres:
    """The server on one folder. Methods block; use an instance from one thread.

    `folder` is made if need be; when the server's account cannot reach it, `self.folder` is another one, and `say` is
    told so. `durable=False` turns fsync off and is for tests only: a power cut may then lose everything.
    """

    def __init__(self, folder: Path, *, durable: bool = True, say: Callable[[str], None] = lambda _line: None) -> None:
        self._account = server_account()
        self._programs = Programs(self._account)
        self._durable = durable
        self._say = say
        self._ephemeral = False
        self._sockets: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        self._watcher: threading.Thread | None = None
        self.folder = reachable_home(self._account, folder.absolute())
        if self._account and self.folder != folder.absolute():
            say(f"Root may not run Postgres and {self._account.name} cannot reach {folder}: data is in {self.folder}")

    @classmethod
    def ephemeral(cls) -> Self:
        """A server for tests: a fresh temporary folder, not durable, all of it removed by `stop()`.

        What earlier processes of this user left behind when they were killed is removed now.
        """
        root = temporary_root(server_account())
        if not root.exists():
            make_folder(root, 0o755)
        _remove_leftovers(root)
        folder = Path(tempfile.mkdtemp(prefix=f"{_EPHEMERAL_PREFIX}{os.getpid()}-", dir=root))
        folder.chmod(0o711)
        server = cls(folder, durable=False)
        server._ephemeral = True
        return server

    @property
    def owner(self) -> bool:
        """Whether this instance started the server, and will stop it, rather than attached to a running one."""
        return self._process is not None

    @property
    def process_id(self) -> int | None:
        """The server's process id, whoever owns it; None when none is known."""
        running = read_postmaster_file(self._data)
        return running.process_id if running else None

    def start(self) -> str:
        """Start the server, or attach to the one that runs on this folder; return the URL of its first database.

        When this returns the server accepts connections. Raises PostgresNotStarted.
        """
        make_folder(self.folder, 0o711 if self._account else 0o700)
        with locked(self.folder / "lock"):
            self._bring_up()
        return self.url()

    def stop(self) -> None:
        """Shut the server down if this instance owns it: sessions are ended, what was committed is on disk."""
        self._stopping.set()
        if self._watcher:
            self._watcher.join()
            self._watcher = None
        if self._process:
            _shut_down(self._process)
            self._process = None
        self._sockets = None
        if self._ephemeral:
            shutil.rmtree(self.folder, ignore_errors=True)

    def watch(self) -> None:
        """From now on a thread starts the server again whenever it ends unasked; `stop()` ends the thread.

        When the owner of a server we attached to stops it, we start it again and own it from then on.
        """
        if self._watcher is None:
            self._watcher = threading.Thread(target=self._restart_when_ended, name="postgres-watcher", daemon=True)
            self._watcher.start()

    def url(self, database: str = "postgres") -> str:
        """`postgresql://postgres@/DATABASE?host=FOLDER`. Raises PostgresNotStarted before `start()`."""
        return f"postgresql://{SUPER_USER}@/{quote(database)}?host={quote(str(self._started()))}"

    def create_database(self, name: str, template: str | None = None) -> str:
        """Create a database, a copy of `template` if given (to which nobody may be connected); return its URL.

        Takes about 20 ms. Raises PostgresNotStarted when the server refuses.
        """
        copy_of = f" TEMPLATE {_quoted(template)} STRATEGY wal_log" if template else ""
        self._programs.execute(self._started(), f"CREATE DATABASE {_quoted(name)}{copy_of}")
        return self.url(name)

    def ensure_database(self, name: str) -> str:
        """Create a database unless it is there; return its URL."""
        if name not in self._programs.execute(self._started(), "SELECT datname FROM pg_database").splitlines():
            self.create_database(name)
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Drop a database, if it exists, and end the sessions in it."""
        self._programs.execute(self._started(), f"DROP DATABASE IF EXISTS {_quoted(name)} WITH (FORCE)")

    def program(self, name: str) -> Path:
        """One of the wheel's client programs, for example `pgbench`."""
        return self._programs.path(name)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    @property
    def _log(self) -> Path:
        return self.folder / "log"

    def _started(self) -> Path:
        if self._sockets is None:
            raise PostgresNotStarted("Postgres was not started.")
        return self._sockets

    def _bring_up(self) -> None:
        """Attach or start until the server answers. The caller holds the folder's lock."""
        if self._data.exists():
            self._check_data()
        else:
            self._create_data()
        begun_at = time.monotonic()
        while not self._attach():
            failure = self._start_own()
            if failure is None:
                return
            waited_seconds = time.monotonic() - begun_at
            if not _PREDECESSOR_STILL_THERE.search(failure) or waited_seconds > RETRY_SECONDS:
                raise PostgresNotStarted(f"Postgres did not start. Its log ({self._log}) ends with:\n{failure}")
            if waited_seconds > STALE_AFTER_SECONDS:
                self._remove_stale_postmaster_file()
            time.sleep(0.1)

    def _check_data(self) -> None:
        owner, expected = self._data.stat().st_uid, self._account.uid if self._account else os.geteuid()
        if owner != expected:
            raise PostgresNotStarted(
                f"The database in {self._data} belongs to another user ({user_name(owner)}): start Linli as whoever "
                "started it first, or remove that folder."
            )
        found = (self._data / "PG_VERSION").read_text().strip()
        if found != self._programs.major_version:
            raise PostgresNotStarted(
                f"The database in {self._data} is of Postgres {found}, and this is {self._programs.major_version}."
            )

    def _create_data(self) -> None:
        """Made beside its place and then renamed: a kill in between leaves nothing half made."""
        fresh = self.folder / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        make_folder(fresh, 0o700, self._account)
        self._programs.create_data(fresh, durable=self._durable)
        fresh.rename(self._data)

    def _attach(self) -> bool:
        running = read_postmaster_file(self._data)
        if running is None or not self._programs.accepts_connections(running.sockets):
            return False
        self._sockets = running.sockets
        return True

    def _start_own(self) -> str | None:
        """None once a server of our own answers; else the last it wrote to its log before it ended."""
        sockets = make_socket_folder(self.folder, SOCKET_NAME, self._account)
        if self._log.exists() and self._log.stat().st_size > LARGEST_LOG_BYTES:
            self._log.replace(self._log.with_name("log.1"))
        self._log.touch(0o600)  # what it refuses it quotes, values and all
        log_start = self._log.stat().st_size
        process = self._programs.start_server(self._data, self._settings(sockets), self._log)
        if not self._wait_until_ready(process, sockets):
            return self._log.read_bytes()[log_start:].decode(errors="replace").strip()[-2000:]
        self._process, self._sockets = process, sockets
        return None

    def _settings(self, sockets: Path) -> dict[str, str]:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(sockets),
            "unix_socket_permissions": "0700",
            "max_connections": str(MAX_CONNECTIONS),
            "timezone": "UTC",
            "log_timezone": "UTC",
            "cluster_name": "linli",
        }
        return settings if self._durable else settings | _NOT_DURABLE

    def _wait_until_ready(self, process: subprocess.Popen[bytes], sockets: Path) -> bool:
        """False when the server ended instead; raises when it takes too long."""
        gives_up_at = time.monotonic() + READY_TIMEOUT_SECONDS
        while process.poll() is None:
            if self._is_of(process) and self._programs.accepts_connections(sockets):
                return True
            if time.monotonic() > gives_up_at:
                _shut_down(process)
                raise PostgresNotStarted(f"Postgres takes longer than {READY_TIMEOUT_SECONDS:.0f} s: see {self._log}.")
            time.sleep(POLL_SECONDS)
        return False

    def _is_of(self, process: subprocess.Popen[bytes]) -> bool:
        """Whether the server on the data is this process: on a busy machine another's may be what answers."""
        running = read_postmaster_file(self._data)
        return running is not None and running.process_id == process.pid

    def _remove_stale_postmaster_file(self) -> None:
        """After a crash of the machine the file may name a dead process, or one that is something else by now."""
        running = read_postmaster_file(self._data)
        if running and not is_live_postgres(running.process_id):
            (self._data / "postmaster.pid").unlink(missing_ok=True)

    def _is_alive(self) -> bool:
        if self._process:
            return self._process.poll() is None
        running = read_postmaster_file(self._data)
        return running is not None and is_live_postgres(running.process_id)

    def _restart_when_ended(self) -> None:
        while not self._stopping.wait(WATCH_SECONDS):
            if self._is_alive():
                continue
            self._say("Postgres has ended: starting it again")
            self._process = None
            try:
                self.start()
            except (PostgresNotStarted, OSError) as error:
                self._say(str(error))


def _shut_down(process: subprocess.Popen[bytes]) -> None:
    """Fast (sessions are ended, a checkpoint is written), then immediate, then hard."""
    for kind in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        process.send_signal(kind)
        try:
            process.wait(STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        return


def _remove_leftovers(root: Path) -> None:
    for folder in root.glob(f"{_EPHEMERAL_PREFIX}*-*"):
        process_id = folder.name.removeprefix(_EPHEMERAL_PREFIX).partition("-")[0]
        if folder.stat().st_uid == os.geteuid() and process_id.isdigit() and not is_running(int(process_id)):
            shutil.rmtree(folder, ignore_errors=True)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
