"""kill -9 at any moment: what was acknowledged is there once, what was not can be asked for by its key."""

import asyncio
import random
from typing import Any
from uuid import uuid4

import asyncpg
import httpx2
import pytest

from services.chassis.database import driver_url
from services.chassis.schemas import new_id
from tests.deployment import Deployment
from tests.journeys.test_main_job import points_of, points_reach
from tests.world import World


async def patient_post(client: httpx2.AsyncClient, path: str, body: dict[str, Any], key: str) -> httpx2.Response:
    """A phone on a bad line: the same request with the same key until there is an answer."""
    for _ in range(200):
        try:
            answer = await client.post(path, json=body, headers={"Idempotency-Key": key})
        except httpx2.TransportError:
            answer = None
        if answer is not None and answer.status_code < 500:
            return answer
        await asyncio.sleep(0.1)
    raise AssertionError("no answer for too long")


async def live_one_order(district: World) -> str:
    """Mr Zhang's order from placed to rated, every step repeated until it is answered."""
    steps: list[tuple[str, str, dict[str, Any]]] = [
        ("dispatcher", "dispatch", {"assignee_id": str(district.member.account_id)}),
        ("member", "accept", {}),
        ("member", "complete", {"note": "已送达"}),
        ("zhang", "rate", {"stars": 5, "solved": True}),
    ]
    body = {"id": str(new_id()), "kind": "buy_medicine", "description": "代购一周药品"}
    placed = await patient_post(district.zhang.client, "/v1/orders", body, str(uuid4()))
    assert placed.status_code == 201, placed.text
    order_id = str(placed.json()["id"])
    for person, action, step in steps:
        path = f"/v1/orders/{order_id}/{action}"
        answer = await patient_post(district.people[person].client, path, step, str(uuid4()))
        assert answer.status_code == 200, (action, answer.text)
    return order_id


@pytest.mark.parametrize("seed", [1, 2])
async def test_processes_are_killed_while_orders_live(deployment: Deployment, district: World, seed: int) -> None:
    """Orders, points and the gateway die again and again; twenty orders end rated, each credited once."""
    chance = random.Random(seed)
    stories = [asyncio.create_task(live_one_order(district)) for _ in range(20)]

    async def killer() -> None:
        for _ in range(4):
            await asyncio.sleep(chance.uniform(0.1, 0.6))
            deployment.kill(chance.choice(["orders", "points", "gateway"]))
            await deployment.until_ready()

    await asyncio.gather(killer(), *stories)
    await deployment.until_ready()
    await points_reach(district.member.client, 20 * 7, within_seconds=30)
    assert await district.fetch_value("SELECT count(*) FROM orders WHERE state = 'rated'") == 20
    assert await district.fetch_value("SELECT count(*) FROM order_history") == 20 * 5
    assert await district.fetch_value("SELECT count(*) FROM ledger_transactions") == 20
    assert await district.fetch_value("SELECT count(*) FROM outbox_deliveries WHERE delivered_at IS NULL") == 0
    assert await district.fetch_value("SELECT sum(balance) FROM ledger_accounts") == 0


async def test_a_crash_between_commit_and_delivery_credits_once_after_the_restart(
    deployment: Deployment, district: World
) -> None:
    """The rating is committed, then everything that could deliver it dies before it can."""
    order = await district.completed_order()
    async with district.connection.transaction():
        await district.connection.execute("LOCK TABLE ledger_transactions IN EXCLUSIVE MODE")
        await district.act(order["id"], "zhang", "rate", {"stars": 5, "solved": True})
        await asyncio.sleep(0.5)  # the worker is inside the effect now, waiting for the table
        deployment.kill("points")
        await asyncio.sleep(0.2)
    await deployment.until_ready()
    await points_reach(district.member.client, 7, within_seconds=30)
    await asyncio.sleep(1)
    assert await points_of(district.member.client) == 7
    assert await district.fetch_value("SELECT count(*) FROM ledger_transactions") == 1


async def test_sessions_of_the_database_are_terminated_while_orders_live(
    deployment: Deployment, district: World
) -> None:
    """pg_terminate_backend on the product's sessions: no 5xx reaches a patient client, nothing is lost or doubled."""
    stories = [asyncio.create_task(live_one_order(district)) for _ in range(15)]
    for _ in range(6):
        await asyncio.sleep(0.15)
        await _terminate_sessions(deployment.settings.database_url)
    await asyncio.gather(*stories)
    await points_reach(district.member.client, 15 * 7, within_seconds=30)
    assert await district.fetch_value("SELECT count(*) FROM ledger_transactions") == 15


async def _terminate_sessions(database_url: str) -> None:
    owner = await asyncpg.connect(driver_url(database_url))
    await owner.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name LIKE 'linli-%' AND datname = current_database()"
    )
    await owner.close()
