"""Whom the embedded Postgres runs as, and folders that account can reach.

Postgres refuses to run as root, so root starts it as `nobody`. What `nobody` cannot reach is kept under `STATE_ROOT`;
no permission of a folder that already exists is ever changed.
"""

import hashlib
import os
import pwd
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

STATE_ROOT = Path("/var/lib/linli")
"""Where a server started by root keeps what its account cannot reach elsewhere."""

LONGEST_SOCKET_PATH = 103 if sys.platform == "darwin" else 107


@dataclass(frozen=True)
class Account:
    """Another user of this machine, whom only root may become."""

    name: str
    uid: int
    gid: int


def server_account() -> Account | None:
    """The account Postgres runs as: `nobody` when we are root, None for ourselves."""
    if os.geteuid() != 0:
        return None
    entry = pwd.getpwnam("nobody")
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def can_reach(account: Account | None, path: Path) -> bool:
    """Whether the account may read and enter `path` and enter all that leads to it; ourselves (None): always.

    What does not exist yet is judged by what leads to it.
    """
    if account is None:
        return True
    resolved = path.resolve()
    if resolved.exists() and not _allows(account, resolved, 0o5):
        return False
    return all(_allows(account, parent, 0o1) for parent in resolved.parents if parent.exists())


def reachable_home(account: Account | None, wanted: Path) -> Path:
    """`wanted`, or a folder of its own under STATE_ROOT when the account cannot get there."""
    return wanted if can_reach(account, wanted / "data") else STATE_ROOT / _short_name(wanted)


def temporary_root(account: Account | None) -> Path:
    """A folder for temporary folders, which the account can reach."""
    usual = Path(tempfile.gettempdir())
    return usual if can_reach(account, usual) else STATE_ROOT


def make_socket_folder(home: Path, longest_name: str, account: Account | None = None) -> Path:
    """A folder for Unix sockets, which only the account may enter: in `home`, or elsewhere if paths get too long there.

    Always the same for the same `home`.
    """
    folder = home / "sockets"
    if len(os.fsencode(folder / longest_name)) > LONGEST_SOCKET_PATH:
        folder = _short_runtime_folder(home, account)
    make_folder(folder, 0o700, account)
    return folder


def make_folder(path: Path, mode: int, account: Account | None = None) -> None:
    """Make `path` with exactly `mode` for `account`; missing parents become 0755. An existing folder is only checked.

    Raises PermissionError for a folder (or link) that somebody else has put there.
    """
    owner = account.uid if account else os.geteuid()
    if not path.parent.exists():
        make_folder(path.parent, 0o755)
    try:
        path.mkdir(0o700)
    except FileExistsError:
        _refuse_foreign(path, owner)
        return
    if account:
        os.chown(path, account.uid, account.gid)
    path.chmod(mode)


def user_name(uid: int) -> str:
    """The user's name, or the number as text when the machine knows none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _short_runtime_folder(home: Path, account: Account | None) -> Path:
    if account:
        return STATE_ROOT / "run" / _short_name(home)
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    root = Path(runtime) if os.path.isdir(runtime) else Path("/tmp")  # gettempdir() can be long itself
    return root / f"linli-{os.getuid()}-{_short_name(home)}"


def _allows(account: Account, path: Path, wanted: int) -> bool:
    status = path.stat()
    if status.st_uid == account.uid:
        granted = status.st_mode >> 6
    elif status.st_gid == account.gid:
        granted = status.st_mode >> 3
    else:
        granted = status.st_mode
    return granted & wanted == wanted


def _refuse_foreign(path: Path, owner: int) -> None:
    if path.is_symlink() or not path.is_dir() or path.stat().st_uid != owner:
        somebody = user_name(path.lstat().st_uid)
        raise PermissionError(f"{path} belongs to {somebody}: start Linli as that user, or remove it.")


def _short_name(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path.absolute())).hexdigest()[:12]
