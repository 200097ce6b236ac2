"""What tests about orders share: units, snow, and time that passes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from uuid import UUID

import pytest

from models.identity import Role
from services.chassis import clock
from services.chassis.database import Database
from services.chassis.schemas import new_id
from services.chassis.settings import Settings
from services.orders.orders.timing import TimerKeeper
from tests.world import Person, World

Later = Callable[..., Awaitable[int]]


@pytest.fixture
async def orders_database(settings: Settings) -> AsyncIterator[Database]:
    database = Database(settings.database_url, service="orders", pool_size=4)
    await database.open()
    yield database
    await database.close()


@pytest.fixture
async def after(world: World, orders_database: Database) -> Later:
    """`await after(days=8)`: what the system does when so much time has passed, in all districts; how many steps."""

    async def passed(**time: float) -> int:
        with clock.shifted(timedelta(**time)):
            return await keep_timers(world, orders_database)

    return passed


async def keep_timers(world: World, database: Database) -> int:
    """Takes the steps that are due; the product's own keeper may be at some in the background, and is waited for."""
    done = 0
    for _ in range(200):
        done += await TimerKeeper(database, poll_seconds=1).keep()
        due = await database.pool.fetch("SELECT tenant_id FROM order_timers_due($1)", clock.now())
        if world.tenant_id not in {row["tenant_id"] for row in due}:
            return done
        await asyncio.sleep(0.02)
    raise AssertionError("the timers do not come to an end")


async def add_unit(
    world: World, name: str, *people: Person, leader: Person | None = None, area: str = "community"
) -> UUID:
    """A unit with its members."""
    unit_id = new_id()
    await world.insert("units", id=unit_id, kind="organization", name=name, area_id=world.areas[area])
    for person in {one.account_id: one for one in (*people, *([leader] if leader else []))}.values():
        await world.insert("unit_members", unit_id=unit_id, account_id=person.account_id, is_leader=person is leader)
    return unit_id


async def add_members(world: World, count: int) -> list[Person]:
    """So many more members of the community."""
    return [await world.add_person(f"m{i}", f"党员{i}", roles={Role.MEMBER: "community"}) for i in range(count)]


async def actions_of(world: World, order_id: str) -> list[str]:
    rows = await world.fetch("SELECT action FROM order_history WHERE order_id = $1 ORDER BY sequence", order_id)
    return [row["action"] for row in rows]
