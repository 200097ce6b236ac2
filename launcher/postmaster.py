"""What a Postgres server says of itself in its data folder, and whether that is still true."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Postmaster:
    """The server that holds, or held, a data folder."""

    process_id: int
    sockets: Path


def read_postmaster_file(data: Path) -> Postmaster | None:
    """From `postmaster.pid`: process id on line 1, socket folder on line 5. None when there is none or not yet."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
        return Postmaster(int(lines[0]), Path(lines[4]))
    except (FileNotFoundError, IndexError, ValueError):
        return None


def is_running(process_id: int) -> bool:
    """Whether any process has this id."""
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def is_live_postgres(process_id: int) -> bool:
    """Whether the process with this id is a Postgres program, and not a dead one nobody has waited for."""
    state, name = _from_proc(process_id) if sys.platform == "linux" else _from_ps(process_id)
    return "postgres" in name and not state.startswith("Z")


def _from_proc(process_id: int) -> tuple[str, str]:
    try:
        status = Path(f"/proc/{process_id}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return "", ""
    name, _, rest = status.partition("(")[2].rpartition(") ")
    return rest, name


def _from_ps(process_id: int) -> tuple[str, str]:
    answer = subprocess.run(
        ["ps", "-o", "stat=,comm=", "-p", str(process_id)], check=False, capture_output=True, text=True
    )
    state, _, name = answer.stdout.strip().partition(" ")
    return state, name
