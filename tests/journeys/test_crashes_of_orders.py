"""kill -9 of orders while it makes, closes and dispatches orders by itself, and a dispatcher confirms a plan."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import httpx2

from services.chassis import clock
from services.chassis.database import driver_url
from services.orders.clocks.work_time import day_of
from tests.deployment import Deployment
from tests.journeys.test_crashes import patient_post
from tests.orders.matching.conftest import decide, offers, plan
from tests.world import World

HORIZON = timedelta(days=60)
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR")
AT_ONCE = 4
"""Three keepers and a dispatcher are in the middle of something."""


async def test_killed_in_the_middle_of_all_that_goes_on_by_itself(deployment: Deployment, district: World) -> None:
    """Twice. Afterwards every order is made once, closed once, dispatched once, and the plan is confirmed once."""
    for helper in ("member", "second_member", "grid_worker"):
        await offers(district, helper, max_open=50)
    silent = [(await district.completed_order())["id"] for _ in range(8)]
    planned = [await _triaged(district, "buy_medicine") for _ in range(8)]
    snow = [await _triaged(district, "snow_clearing", helpers_wanted=1) for _ in range(8)]
    made = await plan(district, kinds=["buy_medicine"])
    assert made["orders"] == 8
    recurring = [await _arranged(district, day) for day in WEEKDAYS]
    async with _everybody_waits(district) as observer:
        await _much_falls_due(district, observer, silent)
        limits = {"min_score": 0, "known_residents_only": False, "max_per_day": 50, "priorities": ["normal", "urgent"]}
        await decide(district, "automatic", order_kind="snow_clearing", limits=limits)
        confirming = asyncio.create_task(_confirm(district, made["id"]))
        await _until_at_work(observer)
        deployment.kill("orders")
    await deployment.until_ready()
    await asyncio.sleep(0.3)
    deployment.kill("orders")
    await deployment.until_ready()

    assert (await confirming).status_code == 200
    await _settled(district, silent, snow, recurring)
    await _once_each(district, silent, planned, snow)
    await _every_occurrence_has_one_order(district, recurring)
    assert (await district.dispatcher.get(f"/v1/dispatch-plans/{made['id']}")).json()["state"] == "confirmed"


async def _triaged(district: World, kind: str, **triage: Any) -> str:
    order = await district.order(kind=kind)
    await district.act(order["id"], "dispatcher", "triage", triage)
    return str(order["id"])


async def _arranged(district: World, day: str) -> str:
    """Not to begin before the horizon ends: nothing is to be made yet."""
    body = {
        "kind": "buy_medicine", "description": "代购一周降压药", "rule": f"FREQ=WEEKLY;BYDAY={day}",
        "first_on": (day_of(clock.now()) + 2 * HORIZON).isoformat(), "from_time": "09:00", "until_time": "12:00",
        "horizon_days": HORIZON.days, "on_behalf_of": str(district.zhang.resident_id),
        "helper_id": str(district.member.account_id),
    }  # fmt: skip
    answer = await district.dispatcher.post("/v1/recurring-orders", body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


@asynccontextmanager
async def _everybody_waits(district: World) -> AsyncIterator[asyncpg.Connection]:
    """Nobody can write down a step of an order: who begins one stays in the middle of it. Gives an observer."""
    observer = await asyncpg.connect(driver_url(district.settings.database_url))
    try:
        async with district.connection.transaction():
            await district.connection.execute("LOCK TABLE order_history IN EXCLUSIVE MODE")
            yield observer
    finally:
        await observer.close()


async def _much_falls_due(district: World, observer: asyncpg.Connection, silent: list[str]) -> None:
    """Nobody has answered for a fortnight, and the recurring orders begin today after all.

    From outside: the district's own connection is in a transaction.
    """
    await observer.execute(
        "UPDATE orders SET timer_at = now() WHERE tenant_id = $1 AND id = ANY ($2)",
        district.tenant_id, [UUID(one) for one in silent],
    )  # fmt: skip
    await observer.execute(
        "UPDATE recurring_orders SET first_on = $2, next_at = now() WHERE tenant_id = $1",
        district.tenant_id, day_of(clock.now()),
    )  # fmt: skip


async def _until_at_work(observer: asyncpg.Connection) -> None:
    for _ in range(1000):
        waiting = await observer.fetchval(
            "SELECT count(DISTINCT a.pid) FROM pg_stat_activity a WHERE a.wait_event_type = 'Lock'"
            " AND a.datname = current_database() AND a.application_name LIKE 'linli-%'"
        )
        if waiting >= AT_ONCE:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("they never were at work all at once")


async def _confirm(district: World, plan_id: str) -> httpx2.Response:
    path = f"/v1/dispatch-plans/{plan_id}/confirm"
    return await patient_post(district.dispatcher.client, path, {}, "monday-morning")


async def _settled(district: World, silent: list[str], snow: list[str], recurring: list[str]) -> None:
    """Everything that was due is done."""
    for _ in range(600):
        closed = await _count(district, "SELECT count(*) FROM orders WHERE id = ANY ($1) AND state = 'closed'", silent)
        sent = await _count(district, "SELECT count(*) FROM orders WHERE id = ANY ($1) AND state = 'dispatched'", snow)
        kept = await _count(
            district, "SELECT count(*) FROM recurring_orders WHERE id = ANY ($1) AND next_at > now()", recurring
        )
        if (closed, sent, kept) == (len(silent), len(snow), len(recurring)):
            return
        await asyncio.sleep(0.05)
    raise AssertionError((closed, sent, kept))


async def _once_each(district: World, silent: list[str], planned: list[str], snow: list[str]) -> None:
    steps = "SELECT count(*) FROM order_history WHERE order_id = ANY ($1) AND action = "
    assert await _count(district, f"{steps} 'close'", silent) == len(silent)
    for given in (planned, snow):
        assert await _count(district, f"{steps} 'dispatch'", given) == len(given)
        assert await _count(district, "SELECT count(*) FROM orders WHERE id = ANY ($1) AND version = 3", given) == 8
    decided = "SELECT count(*) FROM automatic_dispatches WHERE order_id = ANY ($1) AND outcome = 'dispatched'"
    assert await _count(district, decided, snow) == len(snow)


async def _every_occurrence_has_one_order(district: World, recurring: list[str]) -> None:
    """As the household sees it; and there is no order besides."""
    shown: list[str] = []
    last = day_of(clock.now()) + HORIZON - timedelta(days=1)
    for one in recurring:
        items = (await district.zhang.get(f"/v1/recurring-orders/{one}/coming", count=8)).json()["items"]
        shown += [item["order"]["id"] for item in items if item["occurrence_on"] <= last.isoformat()]
    assert len(shown) == len(set(shown)) >= 8 * len(WEEKDAYS)
    orders = await district.fetch(
        "SELECT recurring_order_id, occurrence_on FROM orders WHERE recurring_order_id = ANY ($1)",
        [UUID(one) for one in recurring],
    )
    assert len({tuple(row) for row in orders}) == len(orders)
    outcomes = "SELECT count(*) FROM recurring_order_occurrences WHERE recurring_order_id = ANY ($1)"
    assert await _count(district, f"{outcomes} AND order_id IS NOT NULL", recurring) == len(orders)
    placed = "SELECT count(*) FROM order_history h JOIN orders o ON o.id = h.order_id WHERE h.action = 'place'"
    assert await _count(district, f"{placed} AND o.recurring_order_id = ANY ($1)", recurring) == len(orders)


async def _count(district: World, query: str, ids: list[str]) -> int:
    return int(await district.fetch_value(query, [UUID(one) for one in ids]))
