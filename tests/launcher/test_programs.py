"""The programs of the wheel, copied to where another account can run them."""

import os
import stat
import subprocess
from pathlib import Path

import pytest

from launcher import programs
from launcher.accounts import Account, can_reach
from launcher.programs import Programs

STRANGER = Account("stranger", 64_001, 64_001)


@pytest.fixture
def out_of_reach(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Makes the wheel unreachable for every other account; returns the folder copies go to."""
    monkeypatch.setattr(programs, "can_reach", lambda account, _path: account is None)
    monkeypatch.setattr(programs, "STATE_ROOT", home / "state")
    return home / "state"


def test_are_used_where_they_are_when_they_can_be_reached() -> None:
    assert "site-packages" in str(Programs(None).path("postgres"))


def test_are_copied_when_they_cannot_and_find_their_libraries_there(out_of_reach: Path) -> None:
    copy = Programs(STRANGER).path("psql")

    assert copy.is_relative_to(out_of_reach)
    assert b"PostgreSQL" in subprocess.run([copy, "--version"], check=True, capture_output=True).stdout


def test_the_copy_is_open_to_all_even_if_the_wheel_was_not(out_of_reach: Path) -> None:
    out_of_reach.mkdir(0o755)
    before = os.umask(0o077)
    try:
        copy = Programs(STRANGER).path("postgres")
    finally:
        os.umask(before)

    assert stat.S_IMODE(copy.stat().st_mode) == 0o755
    assert can_reach(STRANGER, copy)


def test_the_copy_is_made_once(out_of_reach: Path) -> None:
    first = Programs(STRANGER).path("postgres").stat().st_ino

    assert Programs(STRANGER).path("postgres").stat().st_ino == first
    assert len([entry for entry in out_of_reach.iterdir() if entry.is_dir()]) == 1
