"""Dispatching, accepting, completing, rating: what each leaves behind, and what it refuses."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest

from models.identity import Role
from services.chassis import clock
from services.chassis.schemas import new_id
from tests.world import World


async def test_history_has_a_row_per_action_without_gaps(world: World) -> None:
    order = await world.rated_order()
    history = (await world.zhang.get(f"/v1/orders/{order['id']}")).json()["history"]
    assert [entry["sequence"] for entry in history] == [1, 2, 3, 4, 5]
    assert [entry["action"] for entry in history] == ["place", "dispatch", "accept", "complete", "rate"]
    assert [(e["from_state"], e["to_state"]) for e in history[1:]] == [
        ("placed", "dispatched"), ("dispatched", "accepted"), ("accepted", "completed"), ("completed", "rated"),
    ]  # fmt: skip
    assert order["version"] == 5


async def test_declining_returns_the_order_with_its_reason_and_without_its_helper(world: World) -> None:
    order = await world.order()
    await world.act(order["id"], "dispatcher", "dispatch", {"assignee_id": str(world.member.account_id)})
    await world.act(order["id"], "member", "accept")
    order = await world.act(order["id"], "member", "hand-back", {"reason": "临时出差"})
    assert (order["state"], order["assignee_id"], order["accepted_at"]) == ("triaged", None, None)
    assert order["details"] is None, "who has given it back does not need the address any more"
    history = (await world.zhang.get(f"/v1/orders/{order['id']}")).json()["history"]
    assert history[-1]["note"] == "临时出差"


async def test_a_reason_is_required_to_decline_or_cancel(world: World) -> None:
    order = await world.order()
    for action, person in (("decline", "member"), ("cancel", "zhang")):
        answer = await world.people[person].post(f"/v1/orders/{order['id']}/{action}", {"reason": " "})
        assert answer.status_code == 422


async def test_the_dispatcher_may_take_it_from_a_helper_who_cannot_go_on(world: World) -> None:
    order = await world.order()
    await world.act(order["id"], "dispatcher", "dispatch", {"assignee_id": str(world.member.account_id)})
    await world.act(order["id"], "member", "accept")
    await world.act(order["id"], "member", "start")
    order = await world.act(order["id"], "dispatcher", "dispatch", {"assignee_id": str(world.second_member.account_id)})
    assert (order["state"], order["assignee_name"], order["started_at"]) == ("dispatched", "黄秀芳", None)
    assert (await world.member.get(f"/v1/orders/{order['id']}")).status_code == 404


@pytest.mark.parametrize("person", ["neighbour", "other_member", "dispatcher", "points_clerk"])
async def test_only_who_serves_the_area_can_be_given_the_order(world: World, person: str) -> None:
    order = await world.order()
    body = {"assignee_id": str(world.people[person].account_id)}
    answer = await world.dispatcher.post(f"/v1/orders/{order['id']}/dispatch", body)
    assert (answer.status_code, answer.json()["code"]) == (422, "assignee_cannot_serve")


async def test_a_term_that_is_over_serves_no_more(world: World) -> None:
    member = await world.add_person("former", "凌国强")
    now = clock.now()
    await world.insert(
        "grants", id=new_id(), account_id=member.account_id, role="member", area_id=world.areas["community"],
        valid_from=now - timedelta(days=2), valid_to=now - timedelta(days=1),
    )  # fmt: skip
    order = await world.order()
    answer = await world.dispatcher.post(f"/v1/orders/{order['id']}/dispatch", {"assignee_id": str(member.account_id)})
    assert answer.json()["code"] == "assignee_cannot_serve"
    await world.act(order["id"], "dispatcher", "dispatch", {})
    assert (await member.get("/v1/orders", view="pool")).status_code == 403


async def test_nobody_takes_on_their_own_need(world: World) -> None:
    """A member who lives here could otherwise order from himself and earn points."""
    await world.add_person("resident_member", "古志明", roles={Role.MEMBER: "community"}, home="3单元301")
    order = await world.order("resident_member")
    answer = await world.dispatcher.post(
        f"/v1/orders/{order['id']}/dispatch", {"assignee_id": str(world.resident_member.account_id)}
    )
    assert (answer.status_code, answer.json()["code"]) == (409, "own_need")
    await world.act(order["id"], "dispatcher", "dispatch", {})
    answer = await world.resident_member.post(f"/v1/orders/{order['id']}/accept")
    assert (answer.status_code, answer.json()["code"]) == (409, "own_need")


async def test_nobody_rates_their_own_work(world: World) -> None:
    """A worker who placed an order for a resident without a phone and did it leaves the judging to others."""
    resident_id = await world.add_resident("王桂芳", "2单元503", phone=None)
    order = await world.order("grid_worker", on_behalf_of=str(resident_id))
    await world.act(order["id"], "dispatcher", "dispatch", {"assignee_id": str(world.grid_worker.account_id)})
    await world.act(order["id"], "grid_worker", "accept")
    await world.act(order["id"], "grid_worker", "complete", {"note": "已送达"})
    answer = await world.grid_worker.post(f"/v1/orders/{order['id']}/rate", {"stars": 5, "solved": True})
    assert (answer.status_code, answer.json()["code"]) == (409, "own_work")


async def test_completing_needs_as_much_evidence_as_the_kind_asks_for(world: World, jpeg: bytes) -> None:
    order = await world.order(kind="snow_clearing", description="楼前积雪")
    await world.act(order["id"], "dispatcher", "dispatch", {})
    await world.act(order["id"], "member", "accept")
    photo = (await world.member.upload(jpeg)).json()["id"]
    for body in ({}, {"note": "已清扫"}, {"file_ids": [photo]}):
        answer = await world.member.post(f"/v1/orders/{order['id']}/complete", body)
        assert (answer.status_code, answer.json()["code"]) == (422, "evidence_missing"), body
    order = await world.act(order["id"], "member", "complete", {"note": "已清扫", "file_ids": [photo]})
    assert order["state"] == "completed"
    files = (await world.zhang.get(f"/v1/orders/{order['id']}")).json()["files"]
    assert [(file["id"], file["purpose"]) for file in files] == [(photo, "evidence")]


async def test_foreign_unknown_and_used_files_are_no_evidence(world: World, jpeg: bytes) -> None:
    others = (await world.second_member.upload(jpeg)).json()["id"]
    used = (await world.member.upload(jpeg)).json()["id"]
    first = await world.order()
    second = await world.order()
    for order in (first, second):
        await world.act(order["id"], "dispatcher", "dispatch", {"assignee_id": str(world.member.account_id)})
        await world.act(order["id"], "member", "accept")
    await world.act(first["id"], "member", "complete", {"file_ids": [used]})
    for file_id in (others, used, str(uuid4())):
        answer = await world.member.post(f"/v1/orders/{second['id']}/complete", {"note": "好", "file_ids": [file_id]})
        assert (answer.status_code, answer.json()["code"]) == (422, "unknown_file")


async def test_an_expected_version_is_honoured(world: World) -> None:
    order = await world.order()
    body = {"assignee_id": str(world.member.account_id), "expected_version": 2}
    answer = await world.dispatcher.post(f"/v1/orders/{order['id']}/dispatch", body)
    assert (answer.status_code, answer.json()["code"], answer.json()["version"]) == (409, "order_changed", 1)
    await world.act(order["id"], "dispatcher", "dispatch", {**body, "expected_version": 1})


async def test_rating_records_one_fact_with_one_delivery(world: World) -> None:
    order = await world.rated_order(stars=4)
    events = await world.fetch("SELECT id, kind, payload FROM outbox_events")
    assert [event["kind"] for event in events] == ["order_rated"]
    assert f'"{order["id"]}"' in events[0]["payload"]
    deliveries = await world.fetch("SELECT event_id, listener FROM outbox_deliveries")
    assert [tuple(delivery) for delivery in deliveries] == [(events[0]["id"], "points")]


@pytest.mark.parametrize(
    "rating", [{"stars": 0}, {"stars": 6}, {"stars": "5x"}, {"stars": 2**63}, {"stars": 4.5}, {"stars": None}]
)
async def test_a_rating_is_one_to_five(world: World, rating: dict[str, object]) -> None:
    order = await world.completed_order()
    answer = await world.zhang.post(f"/v1/orders/{order['id']}/rate", {"solved": True, **rating})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_actions_on_unknown_and_foreign_orders_say_not_found(world: World, other_world: World) -> None:
    foreign = await other_world.order()
    for order_id in (foreign["id"], str(uuid4())):
        answer = await world.dispatcher.post(f"/v1/orders/{order_id}/dispatch", {})
        assert (answer.status_code, answer.json()["code"]) == (404, "order_not_found")


async def test_a_worker_speaks_only_for_a_resident_who_cannot_speak_here(world: World) -> None:
    """Points would otherwise be made between a worker and a helper, without the resident."""
    silent = await world.add_resident("王桂芳", "2单元503", phone=None)
    for resident_id, status in ((world.zhang.resident_id, 403), (silent, 200)):
        order = await world.order("grid_worker", on_behalf_of=str(resident_id))
        await world.act(order["id"], "dispatcher", "dispatch", {"assignee_id": str(world.member.account_id)})
        await world.act(order["id"], "member", "accept")
        await world.act(order["id"], "member", "complete", {"note": "已送达"})
        answer = await world.grid_worker.post(f"/v1/orders/{order['id']}/rate", {"stars": 5, "solved": True})
        assert answer.status_code == status, answer.text


async def test_whose_term_ends_keeps_neither_the_order_nor_the_home(world: World) -> None:
    """The order was dispatched to a member in office; the identities are asked for again after the term."""
    leaving = await world.add_person("leaving", "凌国强", roles={Role.MEMBER: "community"})
    order = await world.order()
    path = f"/v1/orders/{order['id']}"
    await world.act(order["id"], "dispatcher", "dispatch", {"assignee_id": str(leaving.account_id)})
    await world.act(order["id"], "leaving", "accept")
    assert (await leaving.get(path)).json()["details"]["address"]
    await world.connection.execute(
        "UPDATE grants SET valid_to = now(), valid_from = now() - interval '1 day' WHERE account_id = $1",
        leaving.account_id,
    )
    again = await world.new_session(leaving)
    assert (await again.get(path)).json()["details"] is None
    tasks = (await again.get("/v1/orders", view="tasks")).json()["items"]
    assert [(item["id"], item["details"]) for item in tasks] == [(order["id"], None)]
    assert (await again.post(f"{path}/complete", {"note": "已送达"})).status_code == 403
    returned = await again.post(f"{path}/hand-back", {"reason": "任期结束"})
    assert (returned.status_code, returned.json()["details"]) == (200, None)


async def test_a_former_member_of_the_district_cannot_be_given_an_order(world: World) -> None:
    await world.connection.execute(
        "UPDATE memberships SET ended_at = now() WHERE account_id = $1", world.second_member.account_id
    )
    order = await world.order()
    body = {"assignee_id": str(world.second_member.account_id)}
    answer = await world.dispatcher.post(f"/v1/orders/{order['id']}/dispatch", body)
    assert (answer.status_code, answer.json()["code"]) == (422, "assignee_cannot_serve")


async def test_accepting_is_no_way_to_find_out(world: World) -> None:
    """Before it is dispatched, and when it is over, a helper who knows an id learns nothing by it."""
    order = await world.order()
    path = f"/v1/orders/{order['id']}/accept"
    assert (await world.member.post(path)).status_code == 404
    await world.act(order["id"], "zhang", "cancel", {"reason": "好了"})
    assert (await world.member.post(path)).status_code == 404


async def test_who_waits_too_long_for_another_is_told_so_and_holds_nobody_up(world: World) -> None:
    held, free = await world.order(), await world.order()
    async with world.connection.transaction():
        await world.connection.execute("SELECT FROM orders WHERE id = $1 FOR UPDATE", held["id"])
        waiting = [
            asyncio.create_task(world.dispatcher.post(f"/v1/orders/{held['id']}/dispatch", {})) for _ in range(12)
        ]
        await asyncio.sleep(0.2)
        async with asyncio.timeout(15):
            assert (await world.dispatcher.post(f"/v1/orders/{free['id']}/dispatch", {})).status_code == 200
            answers = await asyncio.gather(*waiting)
    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(409, "busy")}
    await world.act(held["id"], "dispatcher", "dispatch", {})


@pytest.mark.parametrize(
    "rating", [{"stars": True, "solved": True}, {"stars": 5, "solved": "no"}, {"stars": "5", "solved": True}]
)
async def test_a_rating_means_what_it_says(world: World, rating: dict[str, object]) -> None:
    order = await world.completed_order()
    assert (await world.zhang.post(f"/v1/orders/{order['id']}/rate", rating)).status_code == 422
