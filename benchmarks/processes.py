"""How much of the processor processes have used. Other work on the machine disturbs this less than it does any rate."""

import os
from collections.abc import Iterable
from pathlib import Path

_PROC = Path("/proc")
_AFTER_NAME = {"parent": 1, "user": 11, "system": 12}
"""Places in /proc/PID/stat behind the name in brackets (man 5 proc)."""


def processor_seconds(process_ids: Iterable[int]) -> float | None:
    """Of those that run, user and system time together; None on systems without /proc."""
    if not _PROC.is_dir():
        return None
    ticks = sum(
        int(fields[_AFTER_NAME["user"]]) + int(fields[_AFTER_NAME["system"]])
        for process_id in process_ids
        if (fields := _fields(process_id))
    )
    return ticks / os.sysconf("SC_CLK_TCK")


def children_of(process_id: int) -> list[int]:
    """Those that run now; empty on systems without /proc."""
    if not _PROC.is_dir():
        return []
    running = [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit()]
    return [one for one in running if (fields := _fields(one)) and int(fields[_AFTER_NAME["parent"]]) == process_id]


def _fields(process_id: int) -> list[str]:
    try:
        text = (_PROC / str(process_id) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return text.rpartition(")")[2].split()
