"""To whom an order goes: the pool and its lease, a person, a unit, several helpers; back, on, and to a senior."""

import asyncio
import json
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from models.identity import Role
from services.chassis import clock
from services.chassis.schemas import new_id
from tests.orders.orders.conftest import Later, actions_of, add_members, add_unit
from tests.world import World

REASON = {"reason": "临时有事"}


async def test_a_hundred_members_claim_one_order_and_one_gets_it(world: World) -> None:
    members = await add_members(world, 100)
    order = await world.order()
    await world.act(order["id"], "dispatcher", "dispatch", {})
    answers = await asyncio.gather(*(member.post(f"/v1/orders/{order['id']}/accept") for member in members))
    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 99}
    for answer in answers:
        if answer.status_code == 409:
            body = answer.json()
            assert (body["code"], body["order"]["state"], body["available_actions"]) == (
                "order_state_conflict", "accepted", [],
            )  # fmt: skip
            assert body["order"]["details"] is None, "who was too late does not learn whose home it is"


async def test_a_claim_that_nobody_begins_goes_back_to_the_pool(world: World, after: Later) -> None:
    order = await world.order()
    await world.act(order["id"], "dispatcher", "dispatch", {})
    claimed = await world.act(order["id"], "member", "accept")
    assert claimed["timer_action"] == "lapse"
    await after(hours=23)
    assert (await world.member.get(f"/v1/orders/{order['id']}")).json()["state"] == "accepted"
    await after(hours=25)
    lapsed = (await world.dispatcher.get(f"/v1/orders/{order['id']}")).json()
    assert (lapsed["state"], lapsed["is_in_pool"], lapsed["assignee_id"]) == ("dispatched", True, None)
    assert lapsed["history"][-1]["action"] == "lapse"
    assert lapsed["history"][-1]["actor_id"] is None
    await world.act(order["id"], "second_member", "accept")


async def test_the_lease_runs_until_after_the_wanted_time_and_ends_when_work_begins(world: World, after: Later) -> None:
    wanted = clock.now() + timedelta(days=3)
    order = await world.order(wanted_from=wanted.isoformat())
    await world.act(order["id"], "dispatcher", "dispatch", {})
    await world.act(order["id"], "member", "accept")
    await after(days=3, hours=20)
    started = await world.act(order["id"], "member", "start")
    assert started["timer_at"] is None
    await after(days=30)
    assert (await world.member.get(f"/v1/orders/{order['id']}")).json()["state"] == "in_progress"


async def test_who_was_given_an_order_has_no_lease(world: World, after: Later) -> None:
    order = await world.order()
    await world.act(order["id"], "dispatcher", "dispatch", {"assignee_id": str(world.member.account_id)})
    accepted = await world.act(order["id"], "member", "accept")
    assert accepted["timer_at"] is None


async def test_three_times_given_back_a_senior_decides(world: World) -> None:
    order = await world.order()
    give = {"assignee_id": str(world.member.account_id)}
    for hop in range(1, 4):
        await world.act(order["id"], "dispatcher", "dispatch", give)
        if hop == 2:
            await world.act(order["id"], "member", "accept")
            back = await world.act(order["id"], "member", "hand-back", REASON)
        else:
            back = await world.act(order["id"], "member", "decline", REASON)
        assert (back["hops"], back["is_escalated"]) == (hop, hop == 3)
    refused = await world.dispatcher.post(f"/v1/orders/{order['id']}/dispatch", give)
    assert (refused.status_code, refused.json()["code"]) == (409, "senior_needed")
    assert "dispatch" not in refused.json()["available_actions"]
    decided = await world.act(order["id"], "community_admin", "dispatch", give)
    assert (decided["state"], decided["is_escalated"]) == ("dispatched", False)
    again = await world.act(order["id"], "member", "decline", REASON)
    assert again["is_escalated"], "the count goes on: the next time it comes back it is the senior's again"


async def test_a_helper_passes_it_on_until_the_hops_are_used_up(world: World) -> None:
    order = await world.order()
    first, second = world.member, world.second_member
    await world.act(order["id"], "dispatcher", "dispatch", {"assignee_id": str(first.account_id)})
    for hop in range(3):
        giver, taker = ("member", second) if hop % 2 == 0 else ("second_member", first)
        passed = await world.act(order["id"], giver, "transfer", {"assignee_id": str(taker.account_id), **REASON})
        assert (passed["state"], passed["assignee_id"], passed["hops"]) == (
            "dispatched", str(taker.account_id), hop + 1,
        )  # fmt: skip
    refused = await world.second_member.post(
        f"/v1/orders/{order['id']}/transfer", {"assignee_id": str(first.account_id), **REASON}
    )
    assert (refused.status_code, refused.json()["code"]) == (409, "senior_needed")
    await world.act(order["id"], "second_member", "decline", REASON)


@pytest.mark.parametrize(("body", "code"), [({}, "assignee_needed"), ({"reason": " "}, "invalid_request")])
async def test_passing_on_needs_somebody_and_a_reason(world: World, body: dict[str, Any], code: str) -> None:
    order = await world.order()
    await world.act(order["id"], "dispatcher", "dispatch", {"assignee_id": str(world.member.account_id)})
    answer = await world.member.post(f"/v1/orders/{order['id']}/transfer", {**REASON, **body})
    assert answer.status_code == 422
    assert code == "invalid_request" or answer.json()["code"] == code


async def test_a_senior_takes_over_and_does_it(world: World) -> None:
    order = await world.order()
    await world.act(order["id"], "dispatcher", "dispatch", {"assignee_id": str(world.member.account_id)})
    await world.act(order["id"], "member", "accept")
    assert (await world.dispatcher.post(f"/v1/orders/{order['id']}/take-over", REASON)).status_code == 403
    taken = await world.act(order["id"], "community_admin", "take-over", REASON)
    assert taken["assignee_id"] == str(world.community_admin.account_id)
    assert (await world.member.post(f"/v1/orders/{order['id']}/complete", {"note": "好"})).status_code in {403, 404}
    await world.act(order["id"], "community_admin", "complete", {"note": "已送达"})


async def test_every_decision_is_stored_with_why(world: World) -> None:
    order = await world.order()
    why = {"score": 82, "text": "同楼栋，周一上午在岗"}
    body = {"assignee_id": str(world.member.account_id), "mode": "suggested", "why": why, "note": "按建议派单"}
    await world.act(order["id"], "dispatcher", "dispatch", body)
    last = (await world.dispatcher.get(f"/v1/orders/{order['id']}")).json()["history"][-1]
    assert last["details"] == {
        "assignee_id": str(world.member.account_id), "mode": "suggested", "why": {**why, "reasons": []},
    }  # fmt: skip
    assert last["note"] == "按建议派单"


# Units ------------------------------------------------------------------------------------------------------------


async def test_an_order_of_a_unit_is_accepted_by_any_of_its_members_and_by_nobody_else(world: World) -> None:
    plumber = await world.add_person("plumber", "贺师傅", roles={})
    unit = await add_unit(world, "万隆物业", plumber, leader=world.grid_worker)
    order = await world.order()
    given = await world.act(order["id"], "dispatcher", "dispatch", {"unit_id": str(unit)})
    assert (given["unit_name"], given["is_in_pool"], given["assignee_id"]) == ("万隆物业", False, None)
    assert (await world.member.get(f"/v1/orders/{order['id']}")).status_code == 404
    assert (await world.member.post(f"/v1/orders/{order['id']}/accept")).status_code in {404, 409}
    assert (await plumber.get(f"/v1/orders/{order['id']}")).json()["details"]["address"]
    assert (await plumber.post(f"/v1/orders/{order['id']}/decline", REASON)).status_code == 403
    accepted = await world.act(order["id"], "plumber", "accept")
    assert accepted["assignee_id"] == str(plumber.account_id)
    await world.act(order["id"], "plumber", "start")
    await world.act(order["id"], "plumber", "complete", {"note": "阀门已换"})


async def test_the_leader_of_a_unit_declines_for_it(world: World) -> None:
    unit = await add_unit(world, "万隆物业", leader=world.grid_worker)
    order = await world.order()
    await world.act(order["id"], "dispatcher", "dispatch", {"unit_id": str(unit)})
    back = await world.act(order["id"], "grid_worker", "decline", {"reason": "不属物业职责"})
    assert (back["state"], back["unit_id"], back["hops"]) == ("triaged", None, 1)


@pytest.mark.parametrize("fault", ["elsewhere", "closed", "unknown"])
async def test_a_unit_has_to_serve_the_area(world: World, fault: str) -> None:
    unit = await add_unit(world, "城管中队", area="other_community" if fault == "elsewhere" else "community")
    if fault == "closed":
        await world.connection.execute("UPDATE units SET is_active = false WHERE id = $1", unit)
    order = await world.order()
    unit_id = str(unit) if fault != "unknown" else order["id"]
    answer = await world.dispatcher.post(f"/v1/orders/{order['id']}/dispatch", {"unit_id": unit_id})
    assert (answer.status_code, answer.json()["code"]) == (422, "unit_cannot_serve")


async def test_lead_and_assisting_units(world: World) -> None:
    lead = await add_unit(world, "街道城管办", world.member)
    assisting = await add_unit(world, "万隆物业", world.second_member)
    order = await world.order()
    body = {"unit_id": str(lead), "assisting_unit_ids": [str(assisting)], "helpers_wanted": 2}
    await world.act(order["id"], "dispatcher", "dispatch", body)
    assert (await world.second_member.post(f"/v1/orders/{order['id']}/accept")).status_code in {403, 409}
    await world.act(order["id"], "member", "accept")
    await world.act(order["id"], "second_member", "join", {"task": "现场引导"})
    seen = (await world.second_member.get(f"/v1/orders/{order['id']}")).json()
    assert [(helper["name"], helper["task"]) for helper in seen["helpers"]] == [("黄秀芳", "现场引导")]
    assert seen["details"]["address"]


async def test_a_membership_of_a_unit_ends_with_its_term(world: World) -> None:
    unit = await add_unit(world, "万隆物业", world.second_member)
    order = await world.order()
    await world.act(order["id"], "dispatcher", "dispatch", {"unit_id": str(unit)})
    await world.connection.execute("UPDATE unit_members SET until = now() WHERE unit_id = $1", unit)
    assert (await world.second_member.get(f"/v1/orders/{order['id']}")).status_code == 404
    assert (await world.second_member.post(f"/v1/orders/{order['id']}/accept")).status_code in {404, 409}


# Several helpers --------------------------------------------------------------------------------------------------


async def snow(world: World, helpers: int = 8) -> str:
    """Snow that takes so many, in the pool."""
    order = await world.order(kind="snow_clearing", description="3栋门前积雪结冰，老人出行危险")
    await world.act(order["id"], "dispatcher", "dispatch", {"helpers_wanted": helpers})
    return str(order["id"])


async def test_as_many_join_as_are_wanted_and_no_more(world: World) -> None:
    order_id, members = await snow(world), await add_members(world, 20)
    await world.act(order_id, "member", "accept")
    answers = await asyncio.gather(*(member.post(f"/v1/orders/{order_id}/join") for member in members))
    assert Counter(answer.status_code for answer in answers) == {200: 7, 409: 13}
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"order_full"}
    order = (await world.dispatcher.get(f"/v1/orders/{order_id}")).json()
    assert (len(order["helpers"]), order["is_in_pool"]) == (7, False)


async def test_who_leaves_makes_room(world: World) -> None:
    order_id = await snow(world, 2)
    await world.act(order_id, "member", "accept")
    await world.act(order_id, "second_member", "join", {"task": "撒融雪剂"})
    assert (await world.second_member.post(f"/v1/orders/{order_id}/join")).json()["code"] == "order_state_conflict"
    assert (await world.grid_worker.post(f"/v1/orders/{order_id}/join")).status_code == 409
    left = await world.act(order_id, "second_member", "leave")
    assert left["is_in_pool"]
    await world.act(order_id, "grid_worker", "join")
    assert (await world.second_member.get(f"/v1/orders/{order_id}")).status_code == 404
    assert (await actions_of(world, order_id))[-2:] == ["leave", "join"]


async def test_only_the_lead_moves_the_order_and_nobody_helps_twice(world: World) -> None:
    order_id = await snow(world)
    await world.act(order_id, "member", "accept")
    await world.act(order_id, "second_member", "join")
    for action, body in (("start", {}), ("complete", {"note": "好"}), ("hand-back", REASON)):
        assert (await world.second_member.post(f"/v1/orders/{order_id}/{action}", body)).status_code == 403, action
    assert (await world.member.post(f"/v1/orders/{order_id}/join")).status_code == 409
    assert (await world.zhang.post(f"/v1/orders/{order_id}/join")).status_code == 403


async def test_the_minutes_of_each_are_told_with_the_rating(world: World) -> None:
    order_id = await snow(world)
    await world.act(order_id, "member", "accept")
    await world.act(order_id, "second_member", "join")
    await world.act(order_id, "grid_worker", "join")
    done = {
        "note": "三栋门前已清", "minutes": 120, "file_ids": [],
        "helpers": [{"account_id": str(world.second_member.account_id), "minutes": 60}],
    }  # fmt: skip
    await world.connection.execute("UPDATE order_kinds SET evidence_required = 1")
    await world.act(order_id, "member", "complete", done)
    assert (
        await world.second_member.post(f"/v1/orders/{order_id}/rate", {"stars": 5, "solved": True})
    ).status_code == 403
    await world.act(order_id, "zhang", "rate", {"stars": 5, "solved": True})
    told = json.loads(await world.fetch_value("SELECT payload::text FROM outbox_events"))
    assert told["minutes"] == 120
    assert told["helpers"] == [
        {"account_id": str(world.second_member.account_id), "minutes": 60},
        {"account_id": str(world.grid_worker.account_id), "minutes": None},
    ]


async def test_a_helper_does_not_verify_the_work(world: World) -> None:
    order_id = await snow(world)
    both = await world.add_person("both", "丁敏", roles={Role.MEMBER: "community", Role.DISPATCHER: "community"})
    await world.connection.execute("UPDATE order_kinds SET evidence_required = 1")
    await world.act(order_id, "member", "accept")
    await world.act(order_id, "both", "join")
    await world.act(order_id, "member", "complete", {"note": "好"})
    answer = await both.post(f"/v1/orders/{order_id}/verify")
    assert (answer.status_code, answer.json()["code"]) == (409, "own_work")
    assert "verify" not in (await both.get(f"/v1/orders/{order_id}")).json()["available_actions"]
    await world.act(order_id, "dispatcher", "verify")


async def test_nobody_passes_their_own_decision_off_as_the_systems(world: World) -> None:
    order = await world.order()
    answer = await world.dispatcher.post(f"/v1/orders/{order['id']}/dispatch", {"mode": "automatic"})
    assert answer.status_code == 422


async def test_a_claim_that_ran_out_is_not_claimed_again_and_counts_as_a_hop(world: World, after: Later) -> None:
    order = await world.order()
    await world.act(order["id"], "dispatcher", "dispatch", {})
    await world.act(order["id"], "member", "accept")
    await after(hours=25)
    again = await world.member.post(f"/v1/orders/{order['id']}/accept")
    assert (again.status_code, again.json()["code"]) == (409, "claim_lapsed")
    taken = await world.act(order["id"], "second_member", "accept")
    assert taken["hops"] == 1


async def test_passed_on_three_times_the_desk_asks_a_senior_too(world: World) -> None:
    order = await world.order()
    await world.act(order["id"], "dispatcher", "dispatch", {"assignee_id": str(world.member.account_id)})
    for giver, taker in (("member", "second_member"), ("second_member", "member"), ("member", "second_member")):
        body = {"assignee_id": str(world.people[taker].account_id), **REASON}
        await world.act(order["id"], giver, "transfer", body)
    refused = await world.dispatcher.post(f"/v1/orders/{order['id']}/dispatch", {})
    assert (refused.status_code, refused.json()["code"]) == (409, "senior_needed")


async def test_the_lease_goes_on_after_shelving(world: World) -> None:
    order = await world.order()
    await world.act(order["id"], "dispatcher", "dispatch", {})
    await world.act(order["id"], "member", "accept")
    await world.act(order["id"], "dispatcher", "shelve", REASON)
    assert (await world.act(order["id"], "dispatcher", "resume"))["timer_action"] == "lapse"


async def test_shelving_ends_in_time_to_come(world: World) -> None:
    order = await world.order()
    await world.act(order["id"], "dispatcher", "triage")
    body = {**REASON, "until": "2026-01-01T00:00:00+08:00"}
    answer = await world.dispatcher.post(f"/v1/orders/{order['id']}/shelve", body)
    assert (answer.status_code, answer.json()["code"]) == (422, "time_is_over")


async def test_no_number_of_helpers_below_those_who_came(world: World) -> None:
    order_id = await snow(world, 3)
    await world.act(order_id, "member", "accept")
    await world.act(order_id, "second_member", "join")
    for action in ("amend", "dispatch"):
        answer = await world.dispatcher.post(f"/v1/orders/{order_id}/{action}", {"helpers_wanted": 1})
        assert (answer.status_code, answer.json()["code"]) == (409, "helpers_have_joined"), action
    await world.act(order_id, "dispatcher", "amend", {"helpers_wanted": 2})


async def test_who_takes_the_lead_assists_no_more(world: World) -> None:
    order_id = await snow(world, 2)
    joined = await world.act(order_id, "member", "join")
    assert joined["details"]["address"], "who has joined needs to know where"
    await world.act(order_id, "member", "accept")
    await world.act(order_id, "second_member", "join")
    order = (await world.member.get(f"/v1/orders/{order_id}")).json()
    assert [helper["name"] for helper in order["helpers"] if helper["left_at"] is None] == ["黄秀芳"]


@pytest.mark.parametrize("fault", ["stranger", "twice"])
async def test_minutes_are_those_of_people_who_came(world: World, fault: str) -> None:
    order_id = await snow(world, 3)
    await world.connection.execute("UPDATE order_kinds SET evidence_required = 1")
    await world.act(order_id, "member", "accept")
    await world.act(order_id, "second_member", "join")
    who = [world.grid_worker] if fault == "stranger" else [world.second_member] * 2
    helpers = [{"account_id": str(one.account_id), "minutes": 60} for one in who]
    answer = await world.member.post(f"/v1/orders/{order_id}/complete", {"note": "好", "helpers": helpers})
    assert answer.status_code == 422
    assert fault == "twice" or answer.json()["code"] == "unknown_helper"


async def test_who_never_saw_it_in_the_pool_learns_nothing_by_trying(world: World) -> None:
    order = await world.order()
    await world.act(order["id"], "dispatcher", "dispatch", {"assignee_id": str(world.member.account_id)})
    for _ in range(2):
        assert (await world.second_member.post(f"/v1/orders/{order['id']}/accept")).status_code == 404
        await world.member.post(f"/v1/orders/{order['id']}/accept")


async def test_a_unit_that_is_closed_takes_nothing_any_more(world: World) -> None:
    unit = await add_unit(world, "万隆物业", world.second_member)
    order = await world.order()
    await world.act(order["id"], "dispatcher", "dispatch", {"unit_id": str(unit)})
    await world.connection.execute("UPDATE units SET is_active = false WHERE id = $1", unit)
    assert (await world.second_member.post(f"/v1/orders/{order['id']}/accept")).status_code == 404


async def test_nobody_takes_on_what_they_placed_for_their_family(world: World) -> None:
    await world.insert(
        "grants", id=new_id(), account_id=world.daughter.account_id, role="volunteer", area_id=world.areas["community"]
    )
    daughter = await world.new_session(world.daughter)
    placed = await daughter.post("/v1/orders", {
        "kind": "buy_medicine", "description": "代购药品", "on_behalf_of": str(world.zhang.resident_id),
    })  # fmt: skip
    await world.act(placed.json()["id"], "dispatcher", "dispatch", {})
    answer = await daughter.post(f"/v1/orders/{placed.json()['id']}/accept")
    assert (answer.status_code, answer.json()["code"]) == (409, "own_need")


@pytest.mark.parametrize("why", [{"text": "\u0000"}, {"score": 1e9}, {"note": "自编"}, {"reasons": [{"factor": "x"}]}])
async def test_the_grounds_of_a_decision_are_not_just_anything(world: World, why: dict[str, Any]) -> None:
    order = await world.order()
    answer = await world.dispatcher.post(f"/v1/orders/{order['id']}/dispatch", {"why": why})
    assert answer.status_code == 422
