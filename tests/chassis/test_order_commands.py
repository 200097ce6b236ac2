"""The same promise kept by the hot commands people use: placing an order and moving it along."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from services.chassis.idempotency import REPLAYED
from services.chassis.settings import Settings
from services.orders.main import create_app
from tests.conftest import running_app
from tests.world import World, make_world

NEED = {"kind": "buy_medicine", "description": "代购一周药品"}


@pytest.fixture(scope="session")
async def orders(probe_settings: Settings) -> AsyncIterator[httpx2.ASGITransport]:
    """The order service alone."""
    app = create_app(probe_settings)
    async with running_app(app):
        yield httpx2.ASGITransport(app)


@pytest.fixture
async def world(probe_settings: Settings, orders: httpx2.ASGITransport) -> AsyncIterator[World]:
    fresh = await make_world(probe_settings, orders)
    yield fresh
    await fresh.close()


async def count(world: World, table: str) -> int:
    return int(await world.fetch_value(f"SELECT count(*) FROM {table}"))


def same_but_for_its_id(answer: httpx2.Response) -> dict[str, Any]:
    return {**answer.json(), "request_id": ""}


class TestPlacing:
    async def test_once_however_often_it_is_sent(self, world: World) -> None:
        first = await world.zhang.post("/v1/orders", NEED, key="monday")
        again = await world.zhang.post("/v1/orders", NEED, key="monday")
        assert (first.status_code, again.status_code, again.content) == (201, 201, first.content)
        assert (REPLAYED in first.headers, again.headers[REPLAYED]) == (False, "true")
        assert (await count(world, "orders"), await count(world, "order_history")) == (1, 1)

    async def test_twenty_at_once_are_one_order(self, world: World) -> None:
        answers = await asyncio.gather(*(world.zhang.post("/v1/orders", NEED, key="monday") for _ in range(20)))
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.content for answer in answers}) == 1
        assert await count(world, "orders") == 1

    async def test_another_need_under_the_same_key_is_refused(self, world: World) -> None:
        await world.zhang.post("/v1/orders", NEED, key="monday")
        other = await world.zhang.post("/v1/orders", {**NEED, "description": "代购大米"}, key="monday")
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
        assert await count(world, "orders") == 1

    async def test_a_refusal_stays_when_its_reason_has_gone(self, world: World) -> None:
        """The kind is offered again; the old request is answered as it was, a new one goes through."""
        await world.connection.execute("UPDATE order_kinds SET is_active = false")
        first = await world.zhang.post("/v1/orders", NEED, key="monday")
        await world.connection.execute("UPDATE order_kinds SET is_active = true")
        again = await world.zhang.post("/v1/orders", NEED, key="monday")
        assert (first.json()["code"], again.headers[REPLAYED]) == ("unknown_order_kind", "true")
        assert same_but_for_its_id(again) == same_but_for_its_id(first)
        assert await count(world, "orders") == 0
        assert (await world.zhang.post("/v1/orders", NEED, key="tuesday")).status_code == 201

    async def test_a_key_belongs_to_its_caller(self, world: World) -> None:
        for person in (world.zhang, world.neighbour):
            assert (await person.post("/v1/orders", NEED, key="monday")).status_code == 201
        assert await count(world, "orders") == 2


class TestAdvancing:
    async def test_twenty_identical_accepts_are_one_step(self, world: World) -> None:
        """All twenty hear that it is accepted; the history shows it once."""
        order = await world.order()
        await world.act(order["id"], "dispatcher", "dispatch", {"assignee_id": str(world.member.account_id)})
        calls = (world.member.post(f"/v1/orders/{order['id']}/accept", {}, key="mine") for _ in range(20))
        answers = await asyncio.gather(*calls)
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.content for answer in answers}) == 1
        assert await count(world, "order_history") == 3

    async def test_a_conflict_stays_a_conflict(self, world: World) -> None:
        """Refused as too early, then dispatched: the old request is still refused, a new one is not."""
        order = await world.order()
        path = f"/v1/orders/{order['id']}/cancel"
        stale = {"reason": "不需要了", "expected_version": 7}
        first = await world.zhang.post(path, stale, key="cancel")
        await world.connection.execute("UPDATE orders SET version = 7")
        again = await world.zhang.post(path, stale, key="cancel")
        assert (first.json()["code"], again.headers[REPLAYED]) == ("order_changed", "true")
        assert same_but_for_its_id(again) == same_but_for_its_id(first)
        assert (await world.zhang.post(path, stale, key="cancel-again")).status_code == 200

    async def test_one_key_is_one_step(self, world: World) -> None:
        """Not one for each action: what accepted cannot also complete."""
        order = await world.order()
        await world.act(order["id"], "dispatcher", "dispatch", {"assignee_id": str(world.member.account_id)})
        accepted = await world.member.post(f"/v1/orders/{order['id']}/accept", {}, key="mine")
        other = await world.member.post(f"/v1/orders/{order['id']}/start", {}, key="mine")
        assert (accepted.status_code, other.json()["code"]) == (200, "idempotency_key_reused")
