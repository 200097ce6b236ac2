"""A hundred members reach for one order at once, over real HTTP, in both process models."""

import asyncio
from collections import Counter

from models.identity import Role
from tests.orders.orders.conftest import actions_of, add_members
from tests.world import World


async def test_a_hundred_members_claim_one_order(district: World) -> None:
    """One has it; the others are told at once how it stands and what they may do now, and nothing broke."""
    members = await add_members(district, 100)
    order = await district.order(description="代购一周降压药")
    await district.act(order["id"], "dispatcher", "dispatch")
    answers = await asyncio.gather(*(one.post(f"/v1/orders/{order['id']}/accept") for one in members))
    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 99}
    (winner,) = [one for one, answer in zip(members, answers, strict=True) if answer.status_code == 200]
    for answer in answers:
        if answer.status_code == 200:
            assert answer.json()["assignee_id"] == str(winner.account_id)
            continue
        problem = answer.json()
        assert problem["code"] == "order_state_conflict"
        assert problem["order"]["state"] == "accepted"
        assert "accept" not in problem["available_actions"]
    assert await actions_of(district, order["id"]) == ["place", "dispatch", "accept"]
    assert (await winner.get("/v1/orders", view="tasks")).json()["items"][0]["id"] == order["id"]


async def test_a_repeated_claim_is_the_same_claim(district: World) -> None:
    """A bad line: everybody sends everything three times with one key, and still one has it."""
    members = await add_members(district, 20)
    order = await district.order()
    await district.act(order["id"], "dispatcher", "dispatch")
    claims = await asyncio.gather(
        *(one.post(f"/v1/orders/{order['id']}/accept", key="claim") for one in members for _ in range(3))
    )
    by_member = [{answer.status_code for answer in claims[3 * i : 3 * i + 3]} for i in range(len(members))]
    assert Counter(frozenset(statuses) for statuses in by_member) == {frozenset({200}): 1, frozenset({409}): 19}
    assert await actions_of(district, order["id"]) == ["place", "dispatch", "accept"]


async def test_two_dispatchers_decide_at_once(district: World) -> None:
    """Each saw the order as it was; one decision stands, and the other dispatcher learns of it."""
    await district.add_person("second_dispatcher", "温丽", roles={Role.DISPATCHER: "community"})
    order = await district.order()
    choices = {"dispatcher": district.member, "second_dispatcher": district.second_member}
    answers = await asyncio.gather(
        *(
            district.people[who].post(
                f"/v1/orders/{order['id']}/dispatch",
                {"assignee_id": str(helper.account_id), "expected_version": order["version"]},
            )
            for who, helper in choices.items()
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    (won,) = [answer.json() for answer in answers if answer.status_code == 200]
    (lost,) = [answer.json() for answer in answers if answer.status_code == 409]
    assert lost["order"]["version"] == won["version"]
    assert lost["order"]["assignee_id"] == won["assignee_id"]
    assert "dispatch" in lost["available_actions"]
