"""Every cell of (state × action × person), against a table written out by hand; SQL and the Python model must agree."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from migrations.functions import function_source
from models.orders import OrderAction, OrderState
from services.chassis import clock
from services.chassis.errors import Problem
from services.chassis.schemas import new_id
from services.orders.orders import lifecycle
from tests.world import World

S = OrderState

MAY: dict[OrderState, dict[str, set[str]]] = {
    # Zhang's order, placed for him by his daughter; where it has one, its assignee is the member.
    S.PLACED: {
        "zhang": {"cancel"},
        "daughter": {"cancel"},
        "dispatcher": {"dispatch", "cancel"},
        "community_admin": {"dispatch", "cancel"},
        "district_admin": {"dispatch", "cancel"},
    },
    S.DISPATCHED: {
        "zhang": {"cancel"},
        "daughter": {"cancel"},
        "member": {"accept", "decline"},
        "dispatcher": {"dispatch", "cancel"},
        "community_admin": {"dispatch", "cancel"},
        "district_admin": {"dispatch", "cancel"},
    },
    S.ACCEPTED: {
        "zhang": {"cancel"},
        "daughter": {"cancel"},
        "member": {"decline", "start", "complete"},
        "dispatcher": {"dispatch", "cancel"},
        "community_admin": {"dispatch", "cancel"},
        "district_admin": {"dispatch", "cancel"},
    },
    S.IN_PROGRESS: {
        "member": {"decline", "complete"},
        "dispatcher": {"dispatch"},
        "community_admin": {"dispatch"},
        "district_admin": {"dispatch"},
    },
    S.COMPLETED: {"zhang": {"rate"}, "daughter": {"rate"}},
    S.RATED: {},
    S.CANCELLED: {},
}
PEOPLE = [
    "zhang", "daughter", "neighbour", "member", "second_member", "grid_worker", "dispatcher", "community_admin",
    "district_admin", "points_clerk", "other_dispatcher", "other_member",
]  # fmt: skip
STRANGERS = {"neighbour", "points_clerk", "other_dispatcher", "other_member"}
"""Who must not even learn that the order exists."""
HAS_ASSIGNEE = {S.DISPATCHED, S.ACCEPTED, S.IN_PROGRESS, S.COMPLETED, S.RATED}
BODIES: dict[str, Callable[[World], dict[str, Any]]] = {
    "dispatch": lambda world: {"assignee_id": str(world.second_member.account_id)},
    "accept": lambda _: {},
    "decline": lambda _: {"reason": "临时有事"},
    "start": lambda _: {},
    "complete": lambda _: {"note": "已送达"},
    "rate": lambda _: {"stars": 4, "solved": True},
    "cancel": lambda _: {"reason": "不需要了"},
}


async def put_order(world: World, state: OrderState, *, assignee: str | None = "member") -> UUID:
    """A valid row in any state, as the table above describes it."""
    order_id, at = new_id(), clock.now() - timedelta(hours=1)
    holder = world.people[assignee].account_id if assignee and state in HAS_ASSIGNEE else None
    await world.insert(
        "orders",
        id=order_id, kind="buy_medicine", state=state.value, version=1,
        area_id=world.areas["building"], community_id=world.areas["community"],
        household_id=world.households["2单元502"], resident_id=world.zhang.resident_id,
        placed_by=world.daughter.account_id, assignee_id=holder,
        description="代购一周药品", contact_name="张德明", contact_phone="13800138000", address="3栋2单元502",
        placed_at=at,
        stars=5 if state == S.RATED else None, solved=True if state == S.RATED else None,
    )  # fmt: skip
    await world.insert(
        "order_history", order_id=order_id, sequence=1, action="place", to_state="placed",
        actor_id=world.daughter.account_id, at=at,
    )  # fmt: skip
    return order_id


@pytest.mark.parametrize("state", list(OrderState))
async def test_every_cell_of_the_lifecycle(world: World, state: OrderState) -> None:
    for person in PEOPLE:
        allowed = MAY[state].get(person, set())
        order_id = await put_order(world, state)
        for action in sorted(set(BODIES) - allowed):
            answer = await world.people[person].post(f"/v1/orders/{order_id}/{action}", BODIES[action](world))
            expected_codes = {404} if person in STRANGERS else {403, 404, 409}
            assert answer.status_code in expected_codes, (person, action, answer.text)
        assert await world.fetch_value("SELECT version FROM orders WHERE id = $1", order_id) == 1, person
        for action in sorted(allowed):
            order_id = await put_order(world, state)
            answer = await world.people[person].post(f"/v1/orders/{order_id}/{action}", BODIES[action](world))
            assert answer.status_code == 200, (person, action, answer.text)
            expected = lifecycle.TRANSITIONS[OrderAction(action)].to_state
            assert answer.json()["state"] == expected, (person, action)


@pytest.mark.parametrize("state", list(OrderState))
async def test_what_an_order_offers_is_what_it_allows(world: World, state: OrderState) -> None:
    """`available_actions`, computed by the Python model, shows the same cells."""
    order_id = await put_order(world, state)
    for person in PEOPLE:
        answer = await world.people[person].get(f"/v1/orders/{order_id}")
        offered = set(answer.json().get("available_actions", []))
        assert offered == MAY[state].get(person, set()), person


async def test_the_pool_is_open_to_whoever_serves_the_area(world: World) -> None:
    order_id = await put_order(world, S.DISPATCHED, assignee=None)
    takers = set()
    for person in PEOPLE:
        offered = (await world.people[person].get(f"/v1/orders/{order_id}")).json().get("available_actions", [])
        takers |= {person} if "accept" in offered else set()
    assert takers == {"member", "second_member", "grid_worker"}


async def test_a_refusal_from_the_wrong_state_names_the_state(world: World) -> None:
    order_id = await put_order(world, S.COMPLETED)
    answer = await world.member.post(f"/v1/orders/{order_id}/accept")
    assert answer.status_code == 409
    assert answer.json()["code"] == "order_state_conflict"
    assert (answer.json()["state"], answer.json()["version"]) == ("completed", 1)
    assert answer.json()["detail"] == "订单当前已办结，不能接单。"


def test_every_state_is_reached_and_left() -> None:
    """No unreachable state and no dead end but the two final ones."""
    reached = {S.PLACED} | {transition.to_state for transition in lifecycle.TRANSITIONS.values()}
    left = {state for transition in lifecycle.TRANSITIONS.values() for state in transition.from_states}
    assert reached == set(OrderState)
    assert set(OrderState) - left == {S.RATED, S.CANCELLED}


def test_the_facts_of_the_table_are_the_facts_of_the_sql() -> None:
    """`order_advance` evaluates the predicates by their Python names."""
    source = function_source("order_advance_v1")
    named = {fact.__name__ for transition in lifecycle.TRANSITIONS.values() for fact in transition.who}
    assert named
    assert all(f"'{name}'" in source for name in named)


def test_every_refusal_of_the_sql_is_a_documented_problem() -> None:
    """What a command function answers as a code is found again as a problem with its texts."""
    sources = function_source("order_advance_v1") + function_source("order_place_v1")
    codes = set(re.findall(r"""['"]code['"](?::"|, ')([a-z_]+)""", sources))
    assert len(codes) > 10
    assert [Problem.of_code(code, {"state": "placed", "action": "rate", "version": 1}).status for code in sorted(codes)]
