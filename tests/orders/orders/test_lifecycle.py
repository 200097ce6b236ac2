"""Every cell of (state × action × person) of the standard lifecycle, against tables written out by hand."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx2
import pytest

from migrations.functions import function_source
from models.orders import OrderState
from services.chassis import clock
from services.chassis.errors import Problem
from services.chassis.schemas import new_id
from services.orders.lifecycles.standard import STANDARD
from services.orders.orders.policy import PREDICATES
from tests.world import World

S = OrderState

DISPATCHERS = ("dispatcher", "community_admin", "district_admin")
SENIORS = {"community_admin", "district_admin"}

ASKER: dict[OrderState, set[str]] = {
    # What who asked for it may do: Mr Zhang, and his daughter, who placed it.
    S.PLACED: {"cancel"},
    S.RETURNED: {"resubmit", "cancel"},
    S.TRIAGED: {"cancel"},
    S.DISPATCHED: {"cancel"},
    S.ACCEPTED: {"cancel"},
    S.SHELVED: {"cancel"},
    S.MERGED: {"cancel"},
    S.COMPLETED: {"rate"},
    S.VERIFIED: {"rate"},
    S.RATED: {"reopen"},
    S.CLOSED: {"reopen"},
}
HELPER: dict[OrderState, set[str]] = {
    # What the member who has it may do.
    S.DISPATCHED: {"accept", "decline", "transfer", "ask_extension"},
    S.ACCEPTED: {"hand_back", "transfer", "start", "complete", "ask_extension"},
    S.IN_PROGRESS: {"hand_back", "transfer", "complete", "ask_extension"},
}
DESK: dict[OrderState, set[str]] = {
    # What the desk of the community may do.
    S.PLACED: {"triage", "return", "reject", "amend", "dispatch", "merge", "cancel"},
    S.RETURNED: {"reject", "cancel"},
    S.TRIAGED: {"return", "reject", "amend", "dispatch", "merge", "shelve", "cancel"},
    S.DISPATCHED: {"amend", "dispatch", "merge", "shelve", "cancel", "grant_extension", "refuse_extension"},
    S.ACCEPTED: {"amend", "dispatch", "shelve", "cancel", "grant_extension", "refuse_extension"},
    S.IN_PROGRESS: {"amend", "dispatch", "shelve", "grant_extension", "refuse_extension"},
    S.SHELVED: {"resume"},
    S.COMPLETED: {"verify", "redo"},
    S.VERIFIED: {"redo"},
    S.RATED: {"redo", "close", "reopen"},
    S.CLOSED: {"reopen"},
    S.MERGED: {"unmerge"},
}
TAKEN_OVER = {S.DISPATCHED, S.ACCEPTED, S.IN_PROGRESS}


def may(state: OrderState, person: str) -> set[str]:
    """By hand, from the words of the issue: the table the product is held against."""
    if person in {"zhang", "daughter"}:
        return ASKER.get(state, set())
    if person == "member":
        return HELPER.get(state, set())
    if person in DISPATCHERS:
        taken_over = {"take_over"} if person in SENIORS and state in TAKEN_OVER else set()
        return DESK.get(state, set()) | taken_over
    return set()


LEADS_TO = {
    "triage": S.TRIAGED, "return": S.RETURNED, "resubmit": S.PLACED, "reject": S.REJECTED, "dispatch": S.DISPATCHED,
    "accept": S.ACCEPTED, "decline": S.TRIAGED, "hand_back": S.TRIAGED, "transfer": S.DISPATCHED,
    "take_over": S.ACCEPTED, "start": S.IN_PROGRESS, "shelve": S.SHELVED, "resume": S.ACCEPTED,
    "complete": S.COMPLETED, "verify": S.VERIFIED, "redo": S.ACCEPTED, "rate": S.RATED, "close": S.CLOSED,
    "reopen": S.TRIAGED, "cancel": S.CANCELLED, "merge": S.MERGED, "unmerge": S.TRIAGED,
}  # fmt: skip
"""`amend` leaves it where it is."""
PEOPLE = [
    "zhang", "daughter", "neighbour", "member", "second_member", "grid_worker", "dispatcher", "community_admin",
    "district_admin", "points_clerk", "other_dispatcher", "other_member",
]  # fmt: skip
STRANGERS = {"neighbour", "points_clerk", "other_dispatcher", "other_member"}
"""Who must not even learn that the order exists."""
STAGES = {state.id: state.stage for state in STANDARD.states}
HAS_ASSIGNEE = {S.DISPATCHED, S.ACCEPTED, S.IN_PROGRESS, S.SHELVED, S.COMPLETED, S.VERIFIED, S.RATED, S.CLOSED}
REASON = {"reason": "临时有事"}
BODIES: dict[str, Callable[[World, UUID], dict[str, Any]]] = {
    "triage": lambda *_: {"priority": "high"},
    "amend": lambda *_: {"priority": "low"},
    "return": lambda *_: REASON,
    "resubmit": lambda *_: {"description": "代购一周药品，药单已补"},
    "reject": lambda *_: REASON,
    "dispatch": lambda world, _: {"assignee_id": str(world.second_member.account_id)},
    "accept": lambda *_: {},
    "decline": lambda *_: REASON,
    "hand_back": lambda *_: REASON,
    "transfer": lambda world, _: {"assignee_id": str(world.second_member.account_id), **REASON},
    "take_over": lambda *_: REASON,
    "join": lambda *_: {},
    "leave": lambda *_: {},
    "start": lambda *_: {},
    "shelve": lambda *_: REASON,
    "resume": lambda *_: {},
    "complete": lambda *_: {"note": "已送达"},
    "verify": lambda *_: {},
    "redo": lambda *_: REASON,
    "rate": lambda *_: {"stars": 4, "solved": True},
    "close": lambda *_: {},
    "reopen": lambda *_: REASON,
    "cancel": lambda *_: REASON,
    "merge": lambda _, main: {"into_id": str(main)},
    "unmerge": lambda *_: REASON,
}
"""Of every action with a route of its own."""


async def put_order(
    world: World, state: OrderState, *, assignee: str | None = "member", main: UUID | None = None
) -> UUID:
    """A valid row in any state, as the tables above describe it."""
    order_id, at = new_id(), clock.now() - timedelta(hours=1)
    if state == S.MERGED and main is None:
        main = await put_order(world, S.PLACED)
    holder = world.people[assignee].account_id if assignee and state in HAS_ASSIGNEE else None
    rated = state == S.RATED
    await world.insert(
        "orders",
        id=order_id, kind="buy_medicine", state=state.value, stage=STAGES[state], lifecycle_version=1, version=1,
        area_id=world.areas["building"], community_id=world.areas["community"],
        household_id=world.households["2单元502"], resident_id=world.zhang.resident_id,
        placed_by=world.daughter.account_id, assignee_id=holder,
        is_in_pool=state == S.DISPATCHED and holder is None, merged_into=main if state == S.MERGED else None,
        resumes_to="accepted" if state == S.SHELVED else None,
        description="代购一周药品", contact_name="张德明", contact_phone="13800138000", address="3栋2单元502",
        placed_at=at, dispatched_at=at if state in HAS_ASSIGNEE else None,
        accepted_at=at if state in HAS_ASSIGNEE - {S.DISPATCHED} else None,
        rated_at=at if rated else None, stars=5 if rated else None, solved=True if rated else None,
        closed_at=at if STAGES[state] == "done" else None,
    )  # fmt: skip
    await world.insert(
        "order_history", order_id=order_id, sequence=1, action="place", to_state="placed",
        actor_id=world.daughter.account_id, at=at,
    )  # fmt: skip
    return order_id


async def _act(world: World, person: str, order_id: UUID, action: str, main: UUID) -> httpx2.Response:
    path = f"/v1/orders/{order_id}/{action.replace('_', '-')}"
    return await world.people[person].post(path, BODIES[action](world, main))


@pytest.mark.parametrize("state", list(OrderState))
async def test_every_cell_of_the_lifecycle(world: World, state: OrderState) -> None:
    main = await put_order(world, S.PLACED)
    for person in PEOPLE:
        allowed = may(state, person) & BODIES.keys()
        order_id = await put_order(world, state)
        for action in sorted(BODIES.keys() - allowed):
            answer = await _act(world, person, order_id, action, main)
            expected_codes = {404} if person in STRANGERS else {403, 404, 409}
            assert answer.status_code in expected_codes, (person, action, answer.text)
        assert await world.fetch_value("SELECT version FROM orders WHERE id = $1", order_id) == 1, person
        for action in sorted(allowed):
            order_id = await put_order(world, state)
            answer = await _act(world, person, order_id, action, main)
            assert answer.status_code == 200, (person, action, answer.text)
            assert answer.json()["state"] == LEADS_TO.get(action, state), (person, action)
            assert answer.json()["stage"] == STAGES[answer.json()["state"]], (person, action)


@pytest.mark.parametrize("state", list(OrderState))
async def test_what_an_order_offers_is_what_it_allows(world: World, state: OrderState) -> None:
    order_id = await put_order(world, state)
    for person in PEOPLE:
        answer = await world.people[person].get(f"/v1/orders/{order_id}")
        offered = set(answer.json().get("available_actions", []))
        assert offered == may(state, person), person


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
    assert answer.json()["order"]["id"] == str(order_id)
    assert answer.json()["available_actions"] == []


async def test_who_was_too_late_learns_how_it_stands_and_what_is_left_to_do(world: World) -> None:
    order_id = await put_order(world, S.DISPATCHED)
    await world.dispatcher.post(f"/v1/orders/{order_id}/cancel", REASON)
    answer = await world.community_admin.post(f"/v1/orders/{order_id}/dispatch", {})
    assert (answer.status_code, answer.json()["code"]) == (409, "order_state_conflict")
    assert answer.json()["order"]["state"] == "cancelled"
    placed = await put_order(world, S.PLACED)
    answer = await world.dispatcher.post(f"/v1/orders/{placed}/close", {"expected_version": 1})
    assert answer.json()["available_actions"] == [
        "triage", "return", "reject", "amend", "dispatch", "cancel", "merge",
    ]  # fmt: skip
    answer = await world.dispatcher.post(f"/v1/orders/{placed}/triage", {"expected_version": 7})
    assert (answer.status_code, answer.json()["code"]) == (409, "order_changed")
    assert answer.json()["order"]["version"] == 1


def test_the_facts_a_lifecycle_may_name_are_the_facts_of_the_sql() -> None:
    source = function_source("order_facts_v1")
    assert all(f"'{fact}'" in source for fact in PREDICATES - {"is_system"})
    assert {fact for one in STANDARD.transitions for fact in one.who} <= PREDICATES


def test_every_refusal_of_the_sql_is_a_documented_problem() -> None:
    """What a command function answers as a code is found again as a problem with its texts."""
    names = (
        "order_step_v1", "order_obstacle_v1", "order_assignment_fault_v1", "order_put_v1", "idempotency_recall_v2",
    )  # fmt: skip
    sources = "".join(function_source(name) for name in names)
    codes = set(re.findall(r"""['"]code['"](?::"|, ')([a-z_]+)""", sources))
    codes |= set(re.findall(r"(?:v_code :=|RETURN|THEN) '([a-z]+(?:_[a-z]+)+)'(?=;|\n)", sources))
    assert len(codes) > 20
    assert [Problem.of_code(code, {"state": "placed", "action": "rate", "version": 1}).status for code in sorted(codes)]
