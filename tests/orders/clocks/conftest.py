"""A district that promises something, and its keeper called by hand."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from services.chassis import clock
from services.chassis.clock import SHANGHAI
from services.chassis.database import Database
from services.chassis.settings import Settings
from services.orders.clocks.keeping import GRACE, ClockKeeper
from tests.world import World

PROMISED: dict[str, Any] = {
    "dispatch": {"amount": 2, "unit": "work_hours", "warn_before": 1},
    "accept": {"amount": 4, "unit": "calendar_hours", "warn_percent": 25},
    "arrive": {"amount": 1, "unit": "work_days"},
    "finish": {
        "amount": 3, "unit": "work_days", "warn_before": 1,
        "escalate_to": {"role": "dispatcher", "level": "subdistrict"},
    },
}  # fmt: skip

Keep = Callable[[], Awaitable[int]]


def moment(text: str) -> datetime:
    """In Shanghai."""
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


def at(text: str) -> Any:
    """The product's clock goes on from this moment."""
    return clock.shifted(moment(text) - clock.now())


def after_grace(text: str) -> Any:
    """A little after the moment at which whatever fell due at `text` is told."""
    return clock.shifted(moment(text) - clock.now() + GRACE + timedelta(seconds=1))


@pytest.fixture(scope="session")
async def orders_database(settings: Settings) -> AsyncIterator[Database]:
    database = Database(settings.database_url, service="orders", pool_size=4)
    await database.open()
    yield database
    await database.close()


@pytest.fixture
async def keep(world: World, orders_database: Database) -> Keep:
    """What the keeper does in one turn; the product's own may be at it in the background, and is waited for."""
    keeper = ClockKeeper(orders_database, poll_seconds=60)

    async def kept() -> int:
        done = await keeper.keep()
        for _ in range(100):
            due = await orders_database.pool.fetch("SELECT tenant_id FROM clock_due_tenants($1)", clock.now() - GRACE)
            if world.tenant_id not in {row["tenant_id"] for row in due}:
                return done
            await asyncio.sleep(0.02)
            done += await keeper.keep()
        raise AssertionError("the keeper does not come to an end")

    return kept


async def promise(world: World, targets: dict[str, Any] | None = None, **body: Any) -> dict[str, Any]:
    """A policy that holds from now on."""
    world.people["ruler"] = await world.new_session(world.district_admin)
    answer = await world.ruler.post(
        "/v1/clock-policies", {"targets": PROMISED if targets is None else targets, "note": "试行", **body}
    )
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def anew(world: World, *keys: str) -> None:
    """Signed in at this moment of the product's clock, with grants that are older than any story told here."""
    await world.connection.execute("UPDATE grants SET valid_from = '2020-01-01' WHERE tenant_id = $1", world.tenant_id)
    for key in keys or ("zhang", "dispatcher", "member", "second_member", "community_admin", "district_admin"):
        world.people[key] = await world.new_session(world.people[key])


async def clocks(world: World, order_id: str, by: str = "dispatcher") -> dict[str, Any]:
    """By target and round, e.g. `accept1`."""
    answer = await world.people[by].get(f"/v1/orders/{order_id}/clocks")
    assert answer.status_code == 200, answer.text
    return {f"{one['target']}{one['round']}": one for one in answer.json()["clocks"]}


def when(answered: str) -> str:
    """A moment as people read it."""
    return datetime.fromisoformat(answered).astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M")
