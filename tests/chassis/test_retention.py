"""What nobody needs any more goes, a little at a time; what is fresh or still to be delivered stays."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import asyncpg
import pytest
from fastapi import FastAPI

from services.chassis import clock, retention
from services.chassis.database import Database, tenant_statement
from services.chassis.retention import RetentionWorker, clearings_of
from services.chassis.schemas import new_id
from services.chassis.settings import Settings
from tests.world import World

DAYS = 30


@pytest.fixture(params=["points", "orders"])
async def service(request: pytest.FixtureRequest, probe_settings: Settings) -> AsyncIterator[tuple[str, Database]]:
    database = Database(probe_settings.database_url, service=request.param, pool_size=4)
    await database.open()
    yield request.param, database
    await database.close()


@pytest.fixture
def worker(service: tuple[str, Database], probe_settings: Settings) -> RetentionWorker:
    name, database = service
    return RetentionWorker(database, clearings_of(name, probe_settings), poll_seconds=3600)


async def tell(world: World, listener: str, days: float, *, delivered: bool = True) -> None:
    event_id, moment = new_id(), clock.now() - timedelta(days=days)
    await world.insert("outbox_events", id=event_id, kind="order_rated", payload="{}", occurred_at=moment)
    await world.insert(
        "outbox_deliveries", event_id=event_id, listener=listener, due_at=moment,
        delivered_at=moment if delivered else None,
    )  # fmt: skip


async def answer(world: World, database: Database, key: str, days: float) -> None:
    async with database.hot_transaction(world.tenant_id) as connection:
        await connection.execute(
            "INSERT INTO idempotency_keys (tenant_id, account_id, key, request_hash, status, body, created_at)"
            " VALUES ($1, $2, $3, '', 200, '{}', $4)",
            world.tenant_id, world.zhang.account_id, key, clock.now() - timedelta(days=days),
        )  # fmt: skip


async def keys(world: World, database: Database) -> set[str]:
    async with database.hot_transaction(world.tenant_id) as connection:
        return {row["key"] for row in await connection.fetch("SELECT key FROM idempotency_keys")}


async def facts(world: World) -> tuple[int, int]:
    """How many events and deliveries there are."""
    counts = "SELECT (SELECT count(*) FROM outbox_events), (SELECT count(*) FROM outbox_deliveries)"
    [row] = await world.fetch(counts)
    return row[0], row[1]


async def test_delivered_facts_go_after_thirty_days(
    world: World, service: tuple[str, Database], worker: RetentionWorker
) -> None:
    await tell(world, service[0], DAYS + 0.1)
    await tell(world, service[0], DAYS - 0.1)
    await tell(world, service[0], DAYS * 10, delivered=False)

    cleared = await worker.clear()

    assert (cleared["deliveries"], cleared["events"]) == (1, 1)
    assert await facts(world) == (2, 2)


async def test_an_event_stays_until_every_listener_has_it(
    world: World, service: tuple[str, Database], worker: RetentionWorker
) -> None:
    """And what was delivered to another is the other's to clear."""
    await tell(world, service[0], DAYS + 1)
    moment = clock.now() - timedelta(days=DAYS + 1)
    for listener, delivered_at in (("grid", None), ("identity", moment)):
        await world.fetch(
            "INSERT INTO outbox_deliveries (tenant_id, event_id, listener, due_at, delivered_at)"
            " SELECT tenant_id, id, $1, occurred_at, $2 FROM outbox_events",
            listener, delivered_at,
        )  # fmt: skip

    await worker.clear()

    assert await facts(world) == (1, 2)


async def test_answers_go_after_thirty_days_but_for_those_of_points(
    world: World, service: tuple[str, Database], worker: RetentionWorker
) -> None:
    name, database = service
    await answer(world, database, "old", DAYS + 0.1)
    await answer(world, database, "young", DAYS - 0.1)

    await worker.clear()

    assert await keys(world, database) == ({"old", "young"} if name == "points" else {"young"})


async def test_all_districts_are_cleared_in_small_steps(
    world: World,
    other_world: World,
    service: tuple[str, Database],
    worker: RetentionWorker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    for district in (world, other_world):
        for _ in range(5):
            await tell(district, service[0], DAYS + 1)

    assert (await worker.clear())["deliveries"] == 10
    assert await facts(world) == await facts(other_world) == (0, 0)


async def test_the_age_is_a_setting(world: World, service: tuple[str, Database], probe_settings: Settings) -> None:
    name, database = service
    settings = probe_settings.model_copy(update={"outbox_kept_days": 8})
    await tell(world, name, 9)

    await RetentionWorker(database, clearings_of(name, settings), poll_seconds=3600).clear()

    assert await facts(world) == (0, 0)


async def test_what_somebody_holds_is_left_for_the_next_turn(
    world: World, service: tuple[str, Database], worker: RetentionWorker
) -> None:
    """Nobody waits for it, and the rest goes."""
    name, database = service
    for _ in range(2):
        await tell(world, name, DAYS + 1)
    async with database.pool.acquire() as holder, holder.transaction():
        await holder.execute(tenant_statement(world.tenant_id))
        await holder.execute("SELECT FROM outbox_deliveries LIMIT 1 FOR UPDATE")
        assert (await worker.clear())["deliveries"] == 1

    assert (await worker.clear())["deliveries"] == 1


async def test_several_workers_at_once_clear_everything_once(
    world: World, service: tuple[str, Database], probe_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, database = service
    monkeypatch.setattr(retention, "BATCH", 3)
    for _ in range(20):
        await tell(world, name, DAYS + 1)
    workers = [RetentionWorker(database, clearings_of(name, probe_settings), poll_seconds=3600) for _ in range(3)]

    counts = await asyncio.gather(*(worker.clear() for worker in workers))
    await workers[0].clear()

    assert sum(count["deliveries"] for count in counts) == 20
    assert await facts(world) == (0, 0)


async def test_one_district_that_fails_does_not_stop_the_others(
    world: World, other_world: World, service: tuple[str, Database], probe_settings: Settings
) -> None:
    name, database = service
    [broken, events, *_] = clearings_of(name, probe_settings)
    statement = broken.statement.replace(
        "tenant_id = $1", f"tenant_id = $1 AND 1 / (CASE WHEN $1 = '{world.tenant_id}'::uuid THEN 0 ELSE 1 END) = 1"
    )
    for district in (world, other_world):
        await tell(district, name, DAYS + 1)

    await RetentionWorker(database, [replace(broken, statement=statement), events], poll_seconds=3600).clear()

    assert await facts(other_world) == (0, 0)
    assert await facts(world) == (1, 1)


async def test_every_service_runs_it(probe: FastAPI) -> None:
    assert f"{probe.state.service}-retention" in {task.get_name() for task in asyncio.all_tasks()}


async def test_it_survives_the_loss_of_its_database(
    service: tuple[str, Database], worker: RetentionWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "FIRST_PAUSE_SECONDS", 0.0)
    attempts = asyncio.Semaphore(0)

    async def fail() -> dict[str, int]:
        attempts.release()
        raise asyncpg.PostgresConnectionError

    monkeypatch.setattr(worker, "clear", fail)
    monkeypatch.setattr(worker, "_poll_seconds", 0.01)
    task = asyncio.create_task(worker.run())
    for _ in range(2):
        await asyncio.wait_for(attempts.acquire(), 5)
    task.cancel()
