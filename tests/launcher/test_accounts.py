"""Whom Postgres runs as, and where that account gets to."""

import os
import stat
from pathlib import Path

import pytest

from launcher import accounts
from launcher.accounts import LONGEST_SOCKET_PATH, Account, can_reach, make_folder, make_socket_folder, reachable_home

STRANGER = Account("stranger", 64_001, 64_001)


class TestCanReach:
    def test_ourselves_always(self, home: Path) -> None:
        home.chmod(0o700)

        assert can_reach(None, home)

    def test_a_stranger_only_what_is_open_to_all(self, home: Path) -> None:
        inner = home / "inner"
        inner.mkdir(0o755)

        assert can_reach(STRANGER, inner)
        home.chmod(0o700)
        assert not can_reach(STRANGER, inner)
        assert not can_reach(STRANGER, home)

    def test_a_file_has_to_be_readable_too(self, home: Path) -> None:
        program = home / "program"
        program.touch(0o700)

        assert not can_reach(STRANGER, program)
        program.chmod(0o755)
        assert can_reach(STRANGER, program)

    def test_what_does_not_exist_yet_counts_by_what_leads_to_it(self, home: Path) -> None:
        assert can_reach(STRANGER, home / "a" / "b")
        home.chmod(0o700)
        assert not can_reach(STRANGER, home / "a" / "b")

    def test_a_link_is_followed(self, home: Path) -> None:
        hidden = home / "hidden"
        hidden.mkdir(0o700)
        (home / "link").symlink_to(hidden)

        assert not can_reach(STRANGER, home / "link")


class TestReachableHome:
    def test_stays_where_it_was_wanted(self, home: Path) -> None:
        assert reachable_home(STRANGER, home / "postgres") == home / "postgres"

    def test_moves_when_it_cannot_be_reached(self, home: Path) -> None:
        home.chmod(0o700)
        moved = reachable_home(STRANGER, home / "postgres")

        assert moved.parent == accounts.STATE_ROOT
        assert moved == reachable_home(STRANGER, home / "postgres")
        assert moved != reachable_home(STRANGER, home / "other")

    def test_changes_no_permission(self, home: Path) -> None:
        home.chmod(0o700)
        reachable_home(STRANGER, home / "postgres")

        assert stat.S_IMODE(home.stat().st_mode) == 0o700


class TestMakeFolder:
    def test_has_exactly_the_mode_whatever_the_umask(self, home: Path) -> None:
        before = os.umask(0o077)
        try:
            make_folder(home / "a" / "b", 0o711)
        finally:
            os.umask(before)

        assert stat.S_IMODE((home / "a" / "b").stat().st_mode) == 0o711
        assert stat.S_IMODE((home / "a").stat().st_mode) == 0o755

    def test_leaves_an_existing_folder_as_it_is(self, home: Path) -> None:
        make_folder(home / "a", 0o700)
        make_folder(home / "a", 0o755)

        assert stat.S_IMODE((home / "a").stat().st_mode) == 0o700

    def test_refuses_a_link_somebody_put_there(self, home: Path) -> None:
        (home / "link").symlink_to(home)

        with pytest.raises(PermissionError, match="belongs to"):
            make_folder(home / "link", 0o700)

    def test_refuses_a_folder_of_another_user(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "geteuid", lambda: home.stat().st_uid + 1)

        with pytest.raises(PermissionError, match="start Linli as that user"):
            make_folder(home, 0o700)


class TestSocketFolder:
    def test_is_at_home_and_for_nobody_else(self, home: Path) -> None:
        folder = make_socket_folder(home, "name")

        assert folder.parent == home
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700

    def test_is_elsewhere_always_the_same_where_paths_get_too_long(self, home: Path) -> None:
        deep = home / ("deep" * 30)
        deep.mkdir()
        folder = make_socket_folder(deep, "name")
        try:
            assert folder == make_socket_folder(deep, "name")
            assert len(str(folder / "name")) < LONGEST_SOCKET_PATH
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        finally:
            folder.rmdir()
