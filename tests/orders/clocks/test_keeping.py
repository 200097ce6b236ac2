"""The keeper: many at once, once in effect, in nobody's way, and with the same few statements however many orders."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from services.chassis import clock
from services.chassis.database import Database, driver_url, tenant_statement
from services.chassis.settings import Settings
from services.orders.clocks import keeping
from services.orders.clocks.keeping import ClockKeeper, keep_batch
from services.orders.clocks.national import load_national_calendars
from tests.orders.clocks.conftest import Keep, after_grace, anew, at, clocks, promise
from tests.world import World

WORKERS = 4


@pytest.fixture
async def keepers(settings: Settings) -> AsyncIterator[list[ClockKeeper]]:
    """As many as in so many processes: each with connections of its own."""
    databases = [Database(settings.database_url, service="orders", pool_size=2) for _ in range(WORKERS)]
    for database in databases:
        await database.open()
    yield [ClockKeeper(database, poll_seconds=60) for database in databases]
    for database in databases:
        await database.close()


async def count(world: World, table: str, condition: str = "true") -> int:
    return int(
        await world.fetch_value(f"SELECT count(*) FROM {table} WHERE tenant_id = $1 AND {condition}", world.tenant_id)
    )


async def test_many_keepers_tell_everything_once(world: World, keepers: list[ClockKeeper], keep: Keep) -> None:
    with at("2026-03-16T09:00"):
        await anew(world)
        await promise(world)
        for _ in range(12):
            await world.order()
        await asyncio.gather(*(keeper.keep() for keeper in keepers))
    for due in ("2026-03-16T10:00", "2026-03-16T11:00"):
        with after_grace(due):
            await asyncio.gather(*(keeper.keep() for keeper in keepers for _ in range(3)))
            await keep()
    for kind in ("warned", "missed"):
        assert await count(world, "order_clock_firings", f"kind = '{kind}'") == 12
        assert await count(world, "outbox_events", f"kind = 'order_clock_{kind}'") == 12
    assert await count(world, "order_clock_work") == 0


async def test_what_two_tell_at_once_the_key_lets_pass_once(world: World, keep: Keep) -> None:
    """Where the lock failed, the key of the table would still stand."""
    with at("2026-03-16T09:00"):
        await anew(world)
        await promise(world)
        order = (await world.order())["id"]
        await keep()
    with after_grace("2026-03-16T11:00"):
        await keep()
        events = await count(world, "outbox_events")
        row = dict((await world.fetch("SELECT * FROM order_clock_firings WHERE kind = 'missed'"))[0])
        with pytest.raises(asyncpg.UniqueViolationError):
            await world.insert("order_clock_firings", **{name: row[name] for name in row if name != "tenant_id"})
        await world.connection.execute("UPDATE order_clocks SET next_at = $1 WHERE order_id = $2", clock.now(), order)
    with after_grace("2026-03-16T11:01"):
        await keep()
        assert await count(world, "outbox_events") == events


async def test_who_acts_does_not_wait_for_the_keeper(world: World, settings: Settings, keep: Keep) -> None:
    """The keeper is in the middle of a batch with the order; it is dispatched all the same, and computed again."""
    await promise(world)
    order = (await world.order())["id"]
    keeper = await asyncpg.connect(driver_url(settings.database_url), server_settings={"role": "linli_orders"})
    try:
        async with keeper.transaction():
            await keeper.execute(tenant_statement(world.tenant_id))
            await keeper.execute("SELECT pg_advisory_xact_lock(hashtextextended('clocks of ' || $1, 0))", order)
            await keeping.recount_orders(keeper, world.tenant_id, [order])
            async with asyncio.timeout(1.5):  # less than the time after which a lock is given up
                await world.act(order, "dispatcher", "dispatch", {})
    finally:
        await keeper.close()
    await keep()
    assert await count(world, "order_clocks", "target = 'accept' AND state = 'running'") == 1


async def test_two_may_pause_at_once_and_one_does(world: World) -> None:
    await promise(world)
    order = (await world.order())["id"]
    answers = await asyncio.gather(
        *(world.dispatcher.post(f"/v1/orders/{order}/clocks/pause", {"reason": "停水"}) for _ in range(8))
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7
    assert await count(world, "order_clock_pauses") == 1


async def test_it_stores_what_a_reader_reads(world: World, keep: Keep) -> None:
    with at("2026-03-16T09:00"):
        await anew(world)
        await promise(world)
        order = (await world.order())["id"]
        await world.act(order, "dispatcher", "dispatch", {"assignee_id": str(world.member.account_id)})
        await world.act(order, "member", "accept")
        await keep()
        read = await clocks(world, order)
        stored = await world.fetch("SELECT * FROM order_clocks WHERE tenant_id = $1", world.tenant_id)
    assert {f"{row['target']}{row['round']}": row["state"] for row in stored} == {
        key: one["state"] for key, one in read.items()
    }
    assert {row["assignee_id"] for row in stored} == {world.member.account_id}


class _Counted:
    """A connection that counts statements."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self.statements = 0

    def __getattr__(self, name: str) -> Any:
        self.statements += 1
        return getattr(self._connection, name)


async def test_a_batch_takes_the_same_statements_however_many_orders(world: World, orders_database: Database) -> None:
    taken: list[int] = []
    await promise(world)
    for orders in (1, 15):
        for _ in range(orders):
            await world.order()
        ids = [row["id"] for row in await world.fetch("SELECT id FROM orders WHERE tenant_id = $1", world.tenant_id)]
        async with orders_database.hot_transaction(world.tenant_id) as connection:
            counted = _Counted(connection)
            await keeping.recount_orders(counted, world.tenant_id, ids)
            taken.append(counted.statements)
    assert taken[0] == taken[1] <= 14


async def test_calendars_are_loaded_once(orders_database: Database) -> None:
    await load_national_calendars(orders_database)
    assert await load_national_calendars(orders_database) == 0


async def test_one_that_is_at_work_leaves_the_order_to_nobody_else(
    world: World, orders_database: Database, settings: Settings
) -> None:
    await promise(world)
    order = (await world.order())["id"]
    other = await asyncpg.connect(driver_url(settings.database_url))
    try:
        async with other.transaction():
            await other.execute("SELECT pg_advisory_xact_lock(hashtextextended('clocks of ' || $1, 0))", order)
            async with orders_database.hot_transaction(world.tenant_id) as connection:
                assert await keep_batch(connection, world.tenant_id) == 0
    finally:
        await other.close()
