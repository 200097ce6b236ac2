"""Many act at once: one wins, the others get a clear 409, nobody gets a 5xx, and the effect happens once."""

import asyncio
from collections import Counter
from uuid import uuid4

import httpx2
import pytest

from models.identity import Role
from tests.world import World


def codes(answers: list[httpx2.Response]) -> Counter[int]:
    return Counter(answer.status_code for answer in answers)


async def test_twenty_accept_one_order(world: World) -> None:
    members = [await world.add_person(f"m{i}", f"党员{i}", roles={Role.MEMBER: "community"}) for i in range(20)]
    order = await world.order()
    await world.act(order["id"], "dispatcher", "dispatch", {})
    answers = await asyncio.gather(*(member.post(f"/v1/orders/{order['id']}/accept") for member in members))
    assert codes(answers) == {200: 1, 409: 19}
    losers = [answer.json() for answer in answers if answer.status_code == 409]
    assert {(body["code"], body["state"], body["version"]) for body in losers} == {
        ("order_state_conflict", "accepted", 3)
    }
    winner = members[[answer.status_code for answer in answers].index(200)]
    assert await world.fetch_value("SELECT assignee_id FROM orders") == winner.account_id
    assert await world.fetch_value("SELECT count(*) FROM order_history WHERE action = 'accept'") == 1


async def test_twenty_ratings_of_one_order(world: World) -> None:
    order = await world.completed_order()
    answers = await asyncio.gather(
        *(
            world.zhang.post(f"/v1/orders/{order['id']}/rate", {"stars": 1 + number % 5, "solved": True})
            for number in range(20)
        )
    )
    assert codes(answers) == {200: 1, 409: 19}
    assert await world.fetch_value("SELECT count(*) FROM outbox_events") == 1


async def test_opposing_actions_end_in_one_of_the_two_orders(world: World) -> None:
    """The resident cancels while the member accepts: either may come first, the history tells which."""
    for _ in range(10):
        order = await world.order()
        await world.act(order["id"], "dispatcher", "dispatch", {"assignee_id": str(world.member.account_id)})
        accepted, cancelled = await asyncio.gather(
            world.member.post(f"/v1/orders/{order['id']}/accept"),
            world.zhang.post(f"/v1/orders/{order['id']}/cancel", {"reason": "好了"}),
        )
        assert cancelled.status_code == 200
        assert accepted.status_code in {200, 409}
        actions = [row["action"] for row in await world.fetch(
            "SELECT action FROM order_history WHERE order_id = $1 ORDER BY sequence", order["id"]
        )]  # fmt: skip
        assert actions == ["place", "dispatch", *(["accept"] if accepted.status_code == 200 else []), "cancel"]


@pytest.mark.parametrize("command", ["place", "rate"])
async def test_fifty_identical_requests_have_one_effect_and_one_answer(world: World, command: str) -> None:
    path = "/v1/orders"
    body: dict[str, object] = {"kind": "buy_medicine", "description": "代购一周药品"}
    if command == "rate":
        order = await world.completed_order()
        path, body = f"/v1/orders/{order['id']}/rate", {"stars": 5, "solved": True}
    key = str(uuid4())
    answers = await asyncio.gather(*(world.zhang.post(path, body, key=key) for _ in range(50)))
    assert len({(answer.status_code, answer.content) for answer in answers}) == 1
    assert answers[0].status_code in {200, 201}
    assert [answer.headers.get("idempotency-replayed") for answer in answers].count("true") == 49
    assert await world.fetch_value("SELECT count(*) FROM orders") == 1


async def test_one_photo_is_the_evidence_of_one_order(world: World, photo: bytes) -> None:
    file_id = (await world.member.upload(photo)).json()["id"]
    orders = [await world.order() for _ in range(10)]
    for order in orders:
        await world.act(order["id"], "dispatcher", "dispatch", {"assignee_id": str(world.member.account_id)})
        await world.act(order["id"], "member", "accept")
    answers = await asyncio.gather(
        *(world.member.post(f"/v1/orders/{order['id']}/complete", {"file_ids": [file_id]}) for order in orders)
    )
    assert codes(answers) == {200: 1, 422: 9}


async def test_one_id_is_one_order(world: World) -> None:
    body = {"id": str(uuid4()), "kind": "buy_medicine", "description": "代购一周药品"}
    answers = await asyncio.gather(*(world.zhang.post("/v1/orders", body) for _ in range(20)))
    assert codes(answers) == {201: 1, 409: 19}


async def test_orders_of_two_districts_in_one_batch_stay_apart(world: World, other_world: World) -> None:
    """Beyond eight in flight commands share a transaction; tenants in it still do not meet."""
    people = [world.zhang, other_world.zhang] * 30
    body = {"kind": "buy_medicine", "description": "代购一周药品"}
    answers = await asyncio.gather(*(person.post("/v1/orders", body) for person in people))
    assert codes(answers) == {201: 60}
    for place in (world, other_world):
        rows = await place.fetch("SELECT DISTINCT resident_id FROM orders")
        assert [row["resident_id"] for row in rows] == [place.zhang.resident_id]
        assert await place.fetch_value("SELECT count(*) FROM orders") == 30
