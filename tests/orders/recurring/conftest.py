"""Mr Zhang's Monday morning, and its keeper called by hand."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx2
import pytest

from services.chassis import clock
from services.chassis.database import Database
from services.chassis.settings import Settings
from services.orders.recurring.keeping import RecurringKeeper
from tests.orders.clocks.conftest import moment
from tests.world import World

MONDAYS: dict[str, Any] = {
    "kind": "buy_medicine",
    "description": "代购一周降压药",
    "rule": "FREQ=WEEKLY;BYDAY=MO",
    "first_on": "2026-01-05",
    "from_time": "08:30",
    "until_time": "10:30",
}
Keep = Callable[[], Awaitable[int]]


def at(text: str) -> Any:
    """The product's clock goes on from this moment."""
    return clock.shifted(moment(text) - clock.now())


@pytest.fixture(scope="session")
async def orders_database(settings: Settings) -> AsyncIterator[Database]:
    database = Database(settings.database_url, service="orders", pool_size=4)
    await database.open()
    yield database
    await database.close()


@pytest.fixture
async def keep(world: World, orders_database: Database) -> AsyncIterator[Keep]:
    """What the keeper does in one turn; the product's own may be at it in the background, and is waited for.

    Afterwards nothing is kept any more: the story told may lie months back.
    """
    keeper = RecurringKeeper(orders_database, poll_seconds=60)

    async def kept() -> int:
        before = await made_so_far(world)
        for _ in range(200):
            await keeper.keep()
            due = await orders_database.pool.fetch("SELECT tenant_id FROM recurring_due_tenants($1)", clock.now())
            if world.tenant_id not in {row["tenant_id"] for row in due}:
                return await made_so_far(world) - before
            await asyncio.sleep(0.02)
        raise AssertionError("the keeper does not come to an end")

    yield kept
    await world.connection.execute("UPDATE recurring_orders SET next_at = NULL WHERE tenant_id = $1", world.tenant_id)


async def made_so_far(world: World) -> int:
    return int(
        await world.fetch_value(
            "SELECT count(*) FROM orders WHERE tenant_id = $1 AND recurring_order_id IS NOT NULL", world.tenant_id
        )
    )


async def anew(world: World, *keys: str) -> None:
    """Everybody signs in at this moment of the product's clock, with grants older than any story told here."""
    await world.connection.execute("UPDATE grants SET valid_from = '2020-01-01' WHERE tenant_id = $1", world.tenant_id)
    for key in keys or tuple(world.people):
        world.people[key] = await world.new_session(world.people[key])


async def arrange(world: World, by: str = "zhang", **body: Any) -> dict[str, Any]:
    """Mr Zhang's Mondays; the answer's body."""
    answer = await world.people[by].post("/v1/recurring-orders", {**MONDAYS, **body})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def change(world: World, by: str, recurring_order_id: str, action: str, **body: Any) -> dict[str, Any]:
    """A change that must succeed; its answer."""
    answer = await world.people[by].post(f"/v1/recurring-orders/{recurring_order_id}/{action}", body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def put(world: World, by: str, recurring_order_id: str, body: dict[str, Any]) -> httpx2.Response:
    return await world.people[by].client.put(f"/v1/recurring-orders/{recurring_order_id}", json=body)


async def coming(world: World, recurring_order_id: str, by: str = "zhang", **query: Any) -> list[dict[str, Any]]:
    answer = await world.people[by].get(f"/v1/recurring-orders/{recurring_order_id}/coming", **query)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


async def orders_of(world: World, recurring_order_id: str) -> list[dict[str, Any]]:
    """By the day they are wanted; `day` and `hour` in Shanghai."""
    rows = await world.fetch(
        "SELECT id, state, description, occurrence_on, assignee_id, is_in_pool,"
        " wanted_from AT TIME ZONE 'Asia/Shanghai' AS wanted, wanted_until - wanted_from AS lasts"
        " FROM orders WHERE recurring_order_id = $1 ORDER BY wanted_from, number",
        UUID(recurring_order_id),
    )
    return [
        {**dict(row), "day": f"{row['wanted']:%Y-%m-%d}", "hour": f"{row['wanted']:%H:%M}", "id": str(row["id"])}
        for row in rows
    ]


def standing(orders: list[dict[str, Any]]) -> list[str]:
    """The days of those that are not cancelled."""
    return [order["day"] for order in orders if order["state"] != "cancelled"]


async def last_step(world: World, order_id: str) -> dict[str, Any]:
    rows = await world.fetch(
        "SELECT action, actor_id, note, details::text AS details FROM order_history"
        " WHERE tenant_id = $1 AND order_id = $2 ORDER BY sequence DESC LIMIT 1",
        world.tenant_id,
        UUID(order_id),
    )
    return dict(rows[0])


def days_later(day: str, days: int) -> str:
    return f"{datetime.fromisoformat(day) + timedelta(days=days):%Y-%m-%d}"
