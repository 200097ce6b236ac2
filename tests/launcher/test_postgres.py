"""The embedded Postgres: started, shared, killed in every way, and there again."""

import os
import signal
import stat
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from launcher import postgres
from launcher.postgres import EmbeddedPostgres, PostgresNotStarted
from launcher.postmaster import is_live_postgres, is_running
from tests.launcher.conftest import Eventually, OtherProcess

StartOther = Callable[[], OtherProcess]


async def ask(url: str, statement: str) -> Any:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


@pytest.fixture(scope="module")
def running() -> Iterator[EmbeddedPostgres]:
    """A server nobody kills."""
    with EmbeddedPostgres.ephemeral() as server:
        yield server


class TestWhatRuns:
    async def test_listens_only_where_its_account_may_enter(self, running: EmbeddedPostgres) -> None:
        url = running.url()

        assert await ask(url, "SELECT 1") == 1
        assert await ask(url, "SHOW listen_addresses") == ""
        sockets = Path(await ask(url, "SHOW unix_socket_directories"))
        assert stat.S_IMODE(sockets.stat().st_mode) == 0o700

    async def test_has_room_for_every_service(self, running: EmbeddedPostgres) -> None:
        assert int(await ask(running.url(), "SHOW max_connections")) == postgres.MAX_CONNECTIONS

    async def test_sorts_by_code_point_and_knows_unicode(self, running: EmbeddedPostgres) -> None:
        url = running.url()

        assert await ask(url, "SELECT datlocale FROM pg_database WHERE datname = current_database()") == "C.UTF-8"
        assert await ask(url, "SELECT upper('é')") == "É"

    def test_keeps_its_log_to_itself(self, running: EmbeddedPostgres) -> None:
        assert stat.S_IMODE((running.folder / "log").stat().st_mode) == 0o600


class TestStart:
    async def test_keeps_data_between_runs_and_safe(self, server: EmbeddedPostgres) -> None:
        await ask(server.start(), "CREATE TABLE kept AS SELECT 7 AS number")
        server.stop()

        assert await ask(server.start(), "SELECT number FROM kept") == 7
        assert [await ask(server.url(), f"SHOW {name}") for name in ("fsync", "synchronous_commit")] == ["on", "on"]

    async def test_a_path_too_long_for_a_socket_gets_a_short_one(self, home: Path) -> None:
        deep = home / ("deep" * 30)
        deep.mkdir()
        deep.chmod(0o711)
        with EmbeddedPostgres(deep / "postgres") as server:
            sockets = await ask(server.url(), "SHOW unix_socket_directories")

            assert not sockets.startswith(str(home))
        os.rmdir(sockets)

    def test_refuses_data_of_another_version(self, server: EmbeddedPostgres) -> None:
        server.start()
        server.stop()
        (server.folder / "data" / "PG_VERSION").write_text("12\n")

        with pytest.raises(PostgresNotStarted, match="is of Postgres 12"):
            server.start()

    def test_says_why_it_cannot_start(self, server: EmbeddedPostgres) -> None:
        server.start()
        server.stop()
        (server.folder / "data" / "postgresql.conf").write_text("nonsense = 1\n")

        with pytest.raises(PostgresNotStarted, match="nonsense"):
            server.start()


class TestSharing:
    def test_the_second_attaches_and_leaves_it_running(
        self, server: EmbeddedPostgres, other_process: StartOther
    ) -> None:
        server.start()
        second = other_process()

        assert second.role() == "guest"
        assert second.server_process_id == server.process_id
        second.leave()
        assert server.process_id is not None
        assert is_live_postgres(server.process_id)

    def test_of_three_at_once_one_owns_it(self, other_process: StartOther) -> None:
        processes = [other_process() for _ in range(3)]

        assert Counter(process.role() for process in processes) == {"owner": 1, "guest": 2}
        assert len({process.server_process_id for process in processes}) == 1

    def test_a_guest_takes_over_when_the_owner_leaves(
        self, server: EmbeddedPostgres, other_process: StartOther, eventually: Eventually
    ) -> None:
        owner = other_process()
        assert owner.role() == "owner"
        server.start()
        server.watch()
        owner.leave()

        eventually(lambda: server.owner)


class TestRecovery:
    async def test_the_owner_is_killed(
        self, server: EmbeddedPostgres, other_process: StartOther, eventually: Eventually
    ) -> None:
        owner = other_process()
        assert owner.role() == "owner"
        url = server.start()
        await ask(url, "CREATE TABLE kept AS SELECT 7 AS number")
        owner.kill()

        assert await ask(server.start(), "SELECT number FROM kept") == 7
        if sys.platform == "linux":
            eventually(lambda: not is_live_postgres(owner.server_process_id) and server.start() and server.owner)

    async def test_the_server_is_killed_and_started_again_by_its_watcher(
        self, server: EmbeddedPostgres, eventually: Eventually
    ) -> None:
        url = server.start()
        await ask(url, "CREATE TABLE kept AS SELECT 7 AS number")
        server.watch()
        killed = server.process_id
        assert killed is not None
        os.kill(killed, signal.SIGKILL)

        eventually(lambda: server.owner and server.process_id != killed)
        assert await ask(server.url(), "SELECT number FROM kept") == 7

    def test_owner_and_server_are_killed(self, server: EmbeddedPostgres, other_process: StartOther) -> None:
        owner = other_process()
        assert owner.role() == "owner"
        os.kill(owner.server_process_id, signal.SIGKILL)
        owner.kill()

        server.start()
        assert server.owner

    def test_a_stale_file_names_a_process_that_is_something_else(
        self, server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(postgres, "STALE_AFTER_SECONDS", 0.1)
        server.start()
        lines = (server.folder / "data" / "postmaster.pid").read_text().splitlines()
        server.stop()
        (server.folder / "data" / "postmaster.pid").write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")

        server.start()
        assert server.owner

    async def test_a_kill_while_the_data_folder_is_made_leaves_nothing_half_made(
        self, server: EmbeddedPostgres
    ) -> None:
        half_made = server.folder / "data.new"
        half_made.mkdir(parents=True)
        (half_made / "PG_VERSION").write_text("18\n")

        assert await ask(server.start(), "SELECT 1") == 1


class TestDatabases:
    async def test_a_copy_holds_what_its_template_held(self, running: EmbeddedPostgres) -> None:
        await ask(running.create_database('odd "name"'), "CREATE TABLE kept AS SELECT 7 AS number")

        assert await ask(running.create_database("copy", 'odd "name"'), "SELECT number FROM kept") == 7

    async def test_ensuring_twice_keeps_the_first(self, running: EmbeddedPostgres) -> None:
        await ask(running.ensure_database("linli"), "CREATE TABLE kept AS SELECT 7 AS number")

        assert await ask(running.ensure_database("linli"), "SELECT number FROM kept") == 7

    async def test_dropping_ends_the_sessions_in_it(self, running: EmbeddedPostgres) -> None:
        connection = await asyncpg.connect(running.create_database("short_lived"))

        running.drop_database("short_lived")
        with pytest.raises(asyncpg.PostgresConnectionError):
            await connection.execute("SELECT 1")

    def test_the_server_says_why_it_refuses(self, running: EmbeddedPostgres) -> None:
        with pytest.raises(PostgresNotStarted, match="already exists"):
            running.create_database("postgres")

    def test_nothing_before_the_start(self, server: EmbeddedPostgres) -> None:
        with pytest.raises(PostgresNotStarted, match="was not started"):
            server.url()


class TestEphemeral:
    def test_leaves_nothing_behind(self) -> None:
        with EmbeddedPostgres.ephemeral() as server:
            assert server.folder.exists()

        assert not server.folder.exists()

    def test_removes_what_the_dead_left(self) -> None:
        dead = _unused_process_id()
        with EmbeddedPostgres.ephemeral() as server:
            left = server.folder.with_name(f"linli-postgres-{dead}-left")
            left.mkdir()
            with EmbeddedPostgres.ephemeral():
                assert not left.exists()
                assert server.folder.exists()


def _unused_process_id() -> int:
    return next(number for number in range(4_000_000, 1, -1) if not is_running(number))
