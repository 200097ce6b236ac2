"""Every fact reaches every listener and has its effect once, whoever dies, fails, is late or does not hear the bell."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from services.chassis import clock
from services.chassis.application import running
from services.chassis.database import Database
from services.chassis.outbox import LONGEST_PAUSE_SECONDS, DeliveryWorker, Effect
from services.chassis.schemas import new_id
from services.chassis.settings import Settings
from services.events import OrderRated
from tests.chassis.conftest import effects_of, end_sessions
from tests.migrations.catalog import connected
from tests.world import World


@pytest.fixture(scope="session")
async def points(probe_settings: Settings) -> AsyncIterator[Database]:
    """The database as the listener sees it."""
    database = Database(probe_settings.database_url, service="points", pool_size=10)
    await database.open()
    yield database
    await database.close()


@pytest.fixture
async def world(world: World) -> AsyncIterator[World]:
    """Nothing stays due for the next test."""
    yield world
    await world.connection.execute("DELETE FROM outbox_deliveries")


@pytest.fixture
async def other_world(other_world: World) -> AsyncIterator[World]:
    yield other_world
    await other_world.connection.execute("DELETE FROM outbox_deliveries")


async def reward(connection: Any, tenant_id: UUID, event: OrderRated) -> None:
    """An effect that can be counted: one row, named after the order."""
    await connection.execute("INSERT INTO effects (tenant_id, note) VALUES ($1, $2)", tenant_id, str(event.number))


def worker_of(points: Database, effect: Effect = reward, *, poll_seconds: float = 60.0) -> DeliveryWorker:
    return DeliveryWorker(points, listener="points", effects={OrderRated: effect}, poll_seconds=poll_seconds)


_RECORD = "SELECT outbox_record($1, $2, $3, $4, $5, $6)"


async def record(
    world: World,
    number: int = 1,
    *,
    kind: str = "order_rated",
    listeners: tuple[str, ...] = ("points",),
    connection: asyncpg.Connection | None = None,
) -> UUID:
    """A rated order, told the way orders tell it."""
    event_id = new_id()
    await (connection or world.connection).execute(
        _RECORD, world.tenant_id, event_id, kind, rated(number), list(listeners), clock.now()
    )
    return event_id


def rated(number: int) -> str:
    event = OrderRated(
        order_id=new_id(), number=number, order_kind="buy_medicine", order_kind_name="代购药品", stars=5, solved=True,
        community_id=new_id(), assignee_id=new_id(), rated_at=clock.now(),
    )  # fmt: skip
    return event.model_dump_json()


async def delivery(world: World, event_id: UUID) -> asyncpg.Record:
    rows = await world.fetch("SELECT * FROM outbox_deliveries WHERE event_id = $1 AND listener = 'points'", event_id)
    return rows[0]


async def eventually(is_so: Callable[[], Awaitable[bool]], *, within_seconds: float) -> None:
    gives_up_at = time.monotonic() + within_seconds
    while not await is_so():
        assert time.monotonic() < gives_up_at, f"not so within {within_seconds} s"
        await asyncio.sleep(0.01)


def has_effects(world: World, *notes: str) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        return await effects_of(world) == sorted(notes)

    return check


async def listens(world: World) -> None:
    """Returns once the worker hears NOTIFY."""

    async def check() -> bool:
        return await ears(world) == 1

    await eventually(check, within_seconds=5)


async def ears(world: World) -> int:
    async with connected(world.settings.database_url) as owner:
        return int(await owner.fetchval(_EARS))


_EARS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"


class TestOnce:
    async def test_ten_workers_one_effect(self, world: World, points: Database) -> None:
        """A delivery is held by one worker at a time; the others take the next one."""

        async def slow_reward(connection: Any, tenant_id: UUID, event: OrderRated) -> None:
            await asyncio.sleep(0.005)
            await reward(connection, tenant_id, event)

        for number in range(10, 40):
            await record(world, number)
        workers = [worker_of(points, slow_reward) for _ in range(10)]
        delivered = await asyncio.gather(*(worker.deliver_due() for worker in workers))
        assert sum(delivered) == 30
        assert sum(count > 0 for count in delivered) > 1
        assert await effects_of(world) == [f"{number}" for number in range(10, 40)]

    async def test_a_slow_effect_holds_up_nobody_else(self, world: World, points: Database) -> None:
        """While one worker is busy with the first fact, another passes it by and delivers the second."""
        begun, may_end = asyncio.Event(), asyncio.Event()

        async def wait(connection: Any, tenant_id: UUID, event: OrderRated) -> None:
            begun.set()
            await may_end.wait()
            await reward(connection, tenant_id, event)

        await record(world, 1)
        slow = asyncio.create_task(worker_of(points, wait).deliver_due())
        await begun.wait()
        await record(world, 2)
        try:
            assert await asyncio.wait_for(worker_of(points).deliver_due(), 5) == 1
            assert await effects_of(world) == ["2"]
        finally:
            may_end.set()
        assert await slow == 1
        assert await effects_of(world) == ["1", "2"]

    async def test_what_was_delivered_stays_delivered(self, world: World, points: Database) -> None:
        event_id = await record(world)
        assert [await worker_of(points).deliver_due() for _ in range(3)] == [1, 0, 0]
        row = await delivery(world, event_id)
        assert (row["attempts"], row["last_error"]) == (1, None)
        assert row["delivered_at"] is not None

    async def test_other_listeners_keep_theirs(self, world: World, points: Database) -> None:
        """One row for each listener: who is slow or away misses nothing."""
        await record(world, listeners=("points", "grid"))
        await worker_of(points).deliver_due()
        due = await world.fetch("SELECT listener FROM outbox_deliveries WHERE delivered_at IS NULL")
        assert [row["listener"] for row in due] == ["grid"]

    async def test_events_of_several_tenants_find_their_own(
        self, world: World, other_world: World, points: Database
    ) -> None:
        """The effect runs in the event's tenant, and row security holds it there."""
        seen: list[tuple[UUID, int]] = []

        async def look_around(connection: Any, tenant_id: UUID, event: OrderRated) -> None:
            visible = await connection.fetch("SELECT DISTINCT tenant_id FROM outbox_events")
            assert [row["tenant_id"] for row in visible] == [tenant_id]
            seen.append((tenant_id, event.number))

        await record(world, 1)
        await record(other_world, 2)
        assert await worker_of(points, look_around).deliver_due() == 2
        assert set(seen) == {(world.tenant_id, 1), (other_world.tenant_id, 2)}

    async def test_a_late_commit_is_not_skipped(self, world: World, points: Database) -> None:
        """A fact recorded early and committed late is delivered after those that overtook it."""
        async with connected(world.settings.database_url) as slow:
            transaction = slow.transaction()
            await transaction.start()
            await slow.execute(f"SET LOCAL linli.tenant = '{world.tenant_id}'")
            await record(world, 1, connection=slow)
            await record(world, 2)
            assert await worker_of(points).deliver_due() == 1
            assert await effects_of(world) == ["2"]
            await transaction.commit()
        assert await worker_of(points).deliver_due() == 1
        assert await effects_of(world) == ["1", "2"]

    async def test_a_fact_rolled_back_is_told_to_nobody(self, world: World, points: Database) -> None:
        transaction = world.connection.transaction()
        await transaction.start()
        await record(world)
        await transaction.rollback()
        assert await worker_of(points).deliver_due() == 0


class TestFailure:
    async def test_keeps_attempts_error_and_next_time(self, world: World, points: Database) -> None:
        """Put off, twice as long each time, and never dropped. Only the kind of the error is kept: texts carry data."""
        worker = worker_of(points, failing(ValueError("张德明 13800138000")))
        event_id = await record(world)
        for attempt, pause_seconds in [(1, 2), (2, 4), (3, 8)]:
            before = clock.now()
            assert await worker.deliver_due() == 0
            row = await delivery(world, event_id)
            assert (row["attempts"], row["last_error"], row["delivered_at"]) == (attempt, "ValueError", None)
            assert seconds_between(before, row["due_at"]) == pytest.approx(pause_seconds, abs=0.5)
            assert await worker.deliver_due() == 0
            assert (await delivery(world, event_id))["attempts"] == attempt
            await make_due(world)

    async def test_is_over_when_the_effect_works_again(self, world: World, points: Database) -> None:
        event_id = await record(world)
        await worker_of(points, failing(ValueError())).deliver_due()
        with clock.shifted(timedelta(seconds=3)):
            assert await worker_of(points).deliver_due() == 1
        row = await delivery(world, event_id)
        assert (row["attempts"], row["last_error"]) == (2, None)
        assert await effects_of(world) == ["1"]

    @pytest.mark.parametrize("attempts", [11, 1_023, 5_000, 32_000])
    async def test_is_tried_again_within_the_hour_for_ever(self, world: World, points: Database, attempts: int) -> None:
        """After weeks of failing, too: no pause overflows, no counter does."""
        event_id = await record(world)
        await make_due(world, attempts=attempts)
        before = clock.now()
        assert await worker_of(points, failing(ValueError())).deliver_due() == 0
        row = await delivery(world, event_id)
        assert row["attempts"] == min(attempts + 1, 32_000)
        assert 2_000 < seconds_between(before, row["due_at"]) <= LONGEST_PAUSE_SECONDS + 1

    async def test_leaves_nothing_of_its_effect(self, world: World, points: Database) -> None:
        """What an effect wrote before it failed is undone; that it failed is kept."""

        async def write_and_fail(connection: Any, tenant_id: UUID, event: OrderRated) -> None:
            await reward(connection, tenant_id, event)
            raise ValueError

        event_id = await record(world)
        await worker_of(points, write_and_fail).deliver_due()
        assert await effects_of(world) == []
        assert (await delivery(world, event_id))["last_error"] == "ValueError"

    async def test_of_one_event_does_not_hold_up_the_others(
        self, world: World, other_world: World, points: Database
    ) -> None:
        """Neither in its own district nor elsewhere, neither by its effect nor by what nobody can read."""

        async def choose(connection: Any, tenant_id: UUID, event: OrderRated) -> None:
            if event.number == 1:
                raise ValueError
            await reward(connection, tenant_id, event)

        await record(world, 1)
        unheard_of = await record(world, 7, kind="unheard_of")
        await record(world, 2)
        await record(other_world, 3)
        assert await worker_of(points, choose).deliver_due() == 2
        assert (await effects_of(world), await effects_of(other_world)) == (["2"], ["3"])
        assert (await delivery(world, unheard_of))["last_error"] == "KeyError"

    async def test_by_contention_is_over_in_a_moment(self, world: World, points: Database) -> None:
        """A deadlock is nobody's fault: it does not wait for seconds."""
        event_id = await record(world)
        before = clock.now()
        await worker_of(points, failing(asyncpg.DeadlockDetectedError())).deliver_due()
        assert seconds_between(before, (await delivery(world, event_id))["due_at"]) < 0.5

    async def test_an_effect_and_its_delivery_commit_together(self, world: World, points: Database) -> None:
        """A session that dies after the effect and before "delivered" leaves neither; later both happen once."""

        async def reward_and_die(connection: Any, tenant_id: UUID, event: OrderRated) -> None:
            await reward(connection, tenant_id, event)
            await connection.execute("SELECT end_this_session()")

        event_id = await record(world)
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)):
            await worker_of(points, reward_and_die).deliver_due()
        assert await effects_of(world) == []
        assert (await delivery(world, event_id))["delivered_at"] is None
        assert await worker_of(points).deliver_due() == 1
        assert await effects_of(world) == ["1"]


def failing(error: Exception) -> Effect:
    async def fail(*_: Any) -> None:
        raise error

    return fail


def seconds_between(earlier: datetime, later: datetime) -> float:
    return (later - earlier).total_seconds()


async def make_due(world: World, attempts: int | None = None) -> None:
    async with connected(world.settings.database_url, "linli_points") as connection, connection.transaction():
        await connection.execute(f"SET LOCAL linli.tenant = '{world.tenant_id}'")
        await connection.execute(
            "UPDATE outbox_deliveries SET due_at = now() - interval '1 s', attempts = COALESCE($1, attempts)", attempts
        )


class TestWaking:
    async def test_notify_wakes_within_a_second(self, world: World, points: Database) -> None:
        """Long before the next poll, which is a minute away."""
        async with running(worker_of(points, poll_seconds=60).run(), name="deliveries"):
            await listens(world)
            for number in (1, 2):
                await record(world, number)
                await eventually(has_effects(world, *"12"[:number]), within_seconds=1)

    async def test_polling_alone_is_enough(self, world: World, points: Database) -> None:
        """A fact whose NOTIFY was lost is found by looking."""
        async with running(worker_of(points, poll_seconds=0.05).run(), name="deliveries"):
            await listens(world)
            event_id = new_id()
            async with world.connection.transaction():
                await world.insert(
                    "outbox_events", id=event_id, kind="order_rated", payload=rated(1), occurred_at=clock.now()
                )
                await world.insert("outbox_deliveries", event_id=event_id, listener="points", due_at=clock.now())
            await eventually(has_effects(world, "1"), within_seconds=2)

    async def test_without_an_ear_it_still_polls(
        self, world: World, points: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """No connection left to LISTEN on: facts arrive a little later, but arrive."""

        async def refuse(_database: Database) -> None:
            raise asyncpg.TooManyConnectionsError

        await record(world)
        monkeypatch.setattr(Database, "connect", refuse)
        async with running(worker_of(points, poll_seconds=0.05).run(), name="deliveries"):
            await eventually(has_effects(world, "1"), within_seconds=2)

    async def test_it_survives_the_end_of_its_sessions(self, world: World, points: Database) -> None:
        """A restart of the database, a fail-over: it goes on by itself, ear and all."""
        async with running(worker_of(points, poll_seconds=0.1).run(), name="deliveries"):
            for number in (1, 2, 3):
                await listens(world)
                async with connected(world.settings.database_url) as owner:
                    assert await end_sessions(owner, "linli-points") > 0
                await record(world, number)
                await eventually(has_effects(world, *"123"[:number]), within_seconds=3)

    async def test_it_survives_what_nobody_foresaw(
        self, world: World, points: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A worker that died of a bug would stop every later delivery: it says so and tries again."""
        worker = worker_of(points, poll_seconds=0.05)
        deliver, calls = worker.deliver_due, iter([True])

        async def stumble_once() -> int:
            if next(calls, False):
                raise RuntimeError("张德明")
            return await deliver()

        monkeypatch.setattr(worker, "deliver_due", stumble_once)
        await record(world)
        with caplog.at_level(logging.WARNING):
            async with running(worker.run(), name="deliveries"):
                await eventually(has_effects(world, "1"), within_seconds=2)
        assert "RuntimeError" in caplog.text

    async def test_it_ends_when_it_is_told(self, world: World, points: Database) -> None:
        """Its session with the database too."""
        async with running(worker_of(points).run(), name="deliveries"):
            await listens(world)

        async def is_gone() -> bool:
            return await ears(world) == 0

        await eventually(is_gone, within_seconds=2)
