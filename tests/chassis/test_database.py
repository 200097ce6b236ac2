"""The database as one service sees it: its own role, one tenant per transaction, nothing left over for the next one."""

import asyncio
import contextlib
import logging
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import text

from services.chassis.database import Database, NothingCommitted, driver_url, tenant_statement
from services.chassis.schemas import new_id
from tests.chassis.conftest import effects_of
from tests.chassis.probe import SERVICE
from tests.world import World

INSERT = "INSERT INTO effects (tenant_id, note) VALUES ($1, $2)"
INSERT_COLD = text("INSERT INTO effects (tenant_id, note) VALUES (:tenant, 'cold')")


class TestRole:
    async def test_is_the_services_own_on_every_connection(self, database: Database) -> None:
        """Both pools, and the connections outside of them."""
        outside = await database.connect()
        async with database.transaction(None) as session:
            roles = [
                await database.pool.fetchval("SELECT CURRENT_USER"),
                await outside.fetchval("SELECT CURRENT_USER"),
                await session.scalar(text("SELECT CURRENT_USER")),
            ]
        await outside.close()
        assert roles == [f"linli_{SERVICE}"] * 3

    async def test_stays_after_a_reset(self, database: Database) -> None:
        """RESET ROLE goes back to what the connection began with, and that is the service's."""
        outside = await database.connect()
        await outside.execute("RESET ALL; RESET ROLE")
        assert await outside.fetchval("SELECT CURRENT_USER") == f"linli_{SERVICE}"
        await outside.close()


class TestPool:
    async def test_a_transaction_left_open_does_not_swallow_the_next_command(
        self, database: Database, world: World
    ) -> None:
        """As after a request that was cancelled between BEGIN and its end: what comes next is really committed."""
        async with database.pool.acquire() as connection:
            await connection.execute(f"BEGIN; {tenant_statement(world.tenant_id)}")
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(database.pool.get_size()):
                again = await stack.enter_async_context(database.pool.acquire())
                assert not again.is_in_transaction()


class TestTransaction:
    async def test_commits_on_leaving(self, database: Database, world: World) -> None:
        async with database.hot_transaction(world.tenant_id) as connection:
            await connection.execute(INSERT, world.tenant_id, "hot")
        async with database.transaction(world.tenant_id) as session:
            await session.execute(INSERT_COLD, {"tenant": world.tenant_id})
        assert await effects_of(world) == ["cold", "hot"]

    async def test_rolls_back_on_an_error(self, database: Database, world: World) -> None:
        async def fail_hot() -> None:
            async with database.hot_transaction(world.tenant_id) as connection:
                await connection.execute(INSERT, world.tenant_id, "hot")
                raise ZeroDivisionError

        async def fail_cold() -> None:
            async with database.transaction(world.tenant_id) as session:
                await session.execute(INSERT_COLD, {"tenant": world.tenant_id})
                raise ZeroDivisionError

        for fail in (fail_hot, fail_cold):
            with pytest.raises(ZeroDivisionError):
                await fail()
        assert await effects_of(world) == []

    async def test_never_says_committed_of_what_was_rolled_back(self, database: Database, world: World) -> None:
        """Postgres answers COMMIT after an overlooked error with a quiet ROLLBACK."""

        async def overlook_an_error() -> None:
            async with database.hot_transaction(world.tenant_id) as connection:
                await connection.execute(INSERT, world.tenant_id, "hot")
                with contextlib.suppress(asyncpg.DivisionByZeroError):
                    await connection.execute("SELECT 1 / 0")

        with pytest.raises(NothingCommitted):
            await overlook_an_error()
        assert await effects_of(world) == []

    async def test_leaves_no_tenant_behind(self, database: Database, world: World) -> None:
        """Whoever gets the connection next sees nothing until it says for whom."""
        await world.insert("effects", note="ours")
        async with database.hot_transaction(world.tenant_id) as connection:
            assert len(await connection.fetch("SELECT * FROM effects")) == 1
        for _ in range(database.pool.get_size()):
            assert await database.pool.fetch("SELECT * FROM effects") == []
        async with database.transaction(None) as session:
            assert (await session.execute(text("SELECT * FROM effects"))).all() == []

    @pytest.mark.parametrize("turns", [0, 1, 2, 3, 5, 8])
    async def test_that_was_cancelled_leaves_nothing_open(
        self, database: Database, world: World, turns: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Wherever the request was cut off, what the next one writes on its connection is committed."""

        async def write() -> None:
            async with database.hot_transaction(world.tenant_id) as connection:
                await connection.execute(INSERT, world.tenant_id, "cut off")
                await asyncio.sleep(10)

        with caplog.at_level(logging.CRITICAL):
            requests = [asyncio.create_task(write()) for _ in range(4)]
            for _ in range(turns):
                await asyncio.sleep(0.001)
            for request in requests:
                request.cancel()
            await asyncio.wait(requests)
        commands = [
            database.pool.fetchrow("SELECT * FROM effect_make($1, $2)", world.tenant_id, _command()) for _ in range(8)
        ]
        await asyncio.gather(*commands)
        assert await effects_of(world) == ["next"] * 8

    async def test_more_than_there_are_connections_wait_in_line(self, database: Database, world: World) -> None:
        """Nobody is refused because many come at once."""

        async def ask(number: int) -> int:
            async with database.transaction(world.tenant_id) as session:
                return int(await session.scalar(text("SELECT CAST(:number AS int)"), {"number": number}) or 0)

        assert await asyncio.gather(*(ask(number) for number in range(1, 100))) == list(range(1, 100))


def _command() -> str:
    return f'{{"account": "{UUID(int=1)}", "idempotency_key": "{new_id()}", "request_hash": "00", "note": "next"}}'


class TestStatements:
    def test_a_tenant_is_a_uuid_and_nothing_else(self) -> None:
        """The only value that is written into SQL as text."""
        assert tenant_statement(UUID(int=7)) == "SET LOCAL linli.tenant = '00000000-0000-0000-0000-000000000007'"
        with pytest.raises(ValueError, match="badly formed"):
            tenant_statement("'; DROP TABLE orders; --")  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        ("given", "understood"),
        [
            ("postgresql://db/linli", "postgresql://db/linli"),
            ("postgresql+asyncpg://db/linli", "postgresql://db/linli"),
            ("postgres://u:p%2B+x@db/linli?host=/run", "postgres://u:p%2B+x@db/linli?host=/run"),
        ],
    )
    def test_any_driver_may_stand_in_the_url(self, given: str, understood: str) -> None:
        assert driver_url(given) == understood
