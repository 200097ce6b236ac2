"""Checked by another, answered by who needed it, done again, closed by silence, opened again; the limits of each."""

from datetime import timedelta

from services.chassis import clock
from services.orders.lifecycles.standard import STANDARD
from tests.journeys.test_main_job import points_of, points_reach
from tests.orders.orders.conftest import Later, actions_of
from tests.world import World

REASON = {"reason": "水压还是不稳"}
UNSOLVED = {"stars": 1, "solved": False, "comment": "狗还是没拴绳"}


async def done_again(world: World, order_id: str) -> None:
    await world.act(order_id, "member", "complete", {"note": "再次处理"})


async def test_an_answer_of_not_solved_has_it_done_again_twice_and_then_a_senior_decides(world: World) -> None:
    order = await world.completed_order()
    for redo in (1, 2):
        again = await world.act(order["id"], "zhang", "rate", UNSOLVED)
        assert (again["state"], again["redos"], again["completed_at"]) == ("accepted", redo, None)
        await done_again(world, order["id"])
    third = await world.act(order["id"], "zhang", "rate", UNSOLVED)
    assert (third["state"], third["is_escalated"], third["solved"]) == ("rated", True, False)
    assert third["timer_at"] is None, "silence does not close what a senior has to decide"
    assert (await world.dispatcher.post(f"/v1/orders/{order['id']}/close")).json()["code"] == "senior_needed"
    refused = await world.dispatcher.post(f"/v1/orders/{order['id']}/redo", REASON)
    assert (refused.status_code, refused.json()["code"]) == (409, "senior_needed")
    decided = await world.act(order["id"], "community_admin", "redo", REASON)
    assert (decided["state"], decided["is_escalated"]) == ("accepted", False)


async def test_who_did_it_is_rewarded_once_and_only_when_the_answer_stands(world: World) -> None:
    order = await world.completed_order()
    await world.act(order["id"], "zhang", "rate", UNSOLVED)
    assert await world.fetch_value("SELECT count(*) FROM outbox_events") == 0
    await done_again(world, order["id"])
    await world.act(order["id"], "zhang", "rate", {"stars": 5, "solved": True})
    assert await world.fetch_value("SELECT count(*) FROM outbox_events") == 1
    await world.act(order["id"], "zhang", "reopen", REASON)
    await world.act(order["id"], "dispatcher", "dispatch", {"assignee_id": str(world.second_member.account_id)})
    await world.act(order["id"], "second_member", "accept")
    await world.act(order["id"], "second_member", "complete", {"note": "再次处理"})
    assert (await world.zhang.get(f"/v1/orders/{order['id']}")).json()["stars"] is None, "the old answer is over"
    await world.act(order["id"], "zhang", "rate", {"stars": 4, "solved": True})
    assert await world.fetch_value("SELECT count(*) FROM outbox_events") == 2
    await points_reach(world.second_member.client, 5)
    assert await points_of(world.member.client) == 7, "who did it first is not paid twice"


async def test_all_answers_stay_in_the_history(world: World) -> None:
    order = await world.completed_order()
    await world.act(order["id"], "zhang", "rate", UNSOLVED)
    history = (await world.zhang.get(f"/v1/orders/{order['id']}")).json()["history"]
    assert [(entry["action"], entry["actor_name"]) for entry in history[-2:]] == [("rate", "张德明"), ("redo", None)]
    assert history[-2]["details"] == {"stars": 1, "solved": False}


async def test_who_checks_is_another_than_who_did_it(world: World) -> None:
    order = await world.order()
    await world.act(order["id"], "dispatcher", "dispatch", {})
    await world.act(order["id"], "community_admin", "take-over", REASON)
    await world.act(order["id"], "community_admin", "complete", {"note": "已送达"})
    answer = await world.community_admin.post(f"/v1/orders/{order['id']}/verify")
    assert (answer.status_code, answer.json()["code"]) == (409, "own_work")
    checked = await world.act(order["id"], "dispatcher", "verify")
    assert checked["verified_at"]


async def test_who_checks_may_have_it_done_again(world: World) -> None:
    order = await world.completed_order()
    again = await world.act(order["id"], "dispatcher", "redo", REASON)
    assert (again["state"], again["redos"], again["assignee_id"]) == ("accepted", 1, str(world.member.account_id))


async def test_silence_closes_what_was_checked_and_what_was_judged(world: World, after: Later) -> None:
    silent, judged, unchecked = [await world.completed_order() for _ in range(3)]
    await world.act(silent["id"], "dispatcher", "verify")
    await world.act(judged["id"], "zhang", "rate", {"stars": 5, "solved": True})

    async def states() -> list[str]:
        rows = await world.fetch("SELECT id, state FROM orders")
        by_id = {str(row["id"]): row["state"] for row in rows}
        return [by_id[order["id"]] for order in (silent, judged, unchecked)]

    await after(days=2.9)
    assert await states() == ["verified", "rated", "completed"]
    await after(days=3.1)
    assert await states() == ["verified", "closed", "completed"]
    await after(days=7.1)
    assert await states() == ["closed", "closed", "completed"]
    await after(days=15.1)
    assert await states() == ["closed", "closed", "closed"]
    assert await actions_of(world, silent["id"]) == ["place", "dispatch", "accept", "complete", "verify", "close"]


async def test_what_was_closed_can_be_opened_again_for_a_while(world: World, after: Later) -> None:
    order = await world.rated_order()
    await world.act(order["id"], "dispatcher", "close")
    await world.connection.execute("UPDATE orders SET closed_at = closed_at - interval '14 days'")
    opened = await world.act(order["id"], "zhang", "reopen", REASON)
    assert (opened["state"], opened["redos"], opened["assignee_id"]) == ("triaged", 1, None)


async def test_and_not_for_ever(world: World) -> None:
    order = await world.rated_order()
    await world.act(order["id"], "dispatcher", "close")
    await world.connection.execute(
        "UPDATE orders SET closed_at = closed_at - make_interval(days => $1)", STANDARD.limits.reopen_days + 1
    )
    answer = await world.zhang.post(f"/v1/orders/{order['id']}/reopen", REASON)
    assert (answer.status_code, answer.json()["code"]) == (409, "reopening_over")
    assert (await world.zhang.get(f"/v1/orders/{order['id']}")).json()["available_actions"] == []


async def test_shelved_it_waits_and_goes_on_where_it_was(world: World, after: Later) -> None:
    order = await world.order()
    await world.act(order["id"], "dispatcher", "dispatch", {"assignee_id": str(world.member.account_id)})
    await world.act(order["id"], "member", "accept")
    await world.act(order["id"], "member", "start")
    shelved = await world.act(order["id"], "dispatcher", "shelve", {"reason": "待水厂停水检修"})
    assert (shelved["state"], shelved["stage"]) == ("shelved", "handle")
    back = await world.act(order["id"], "dispatcher", "resume")
    assert (back["state"], back["assignee_id"]) == ("in_progress", str(world.member.account_id))


async def test_shelved_until_a_day_it_resumes_by_itself(world: World, after: Later) -> None:
    order = await world.order()
    await world.act(order["id"], "dispatcher", "dispatch", {})
    until = (clock.now() + timedelta(days=5)).isoformat()
    shelved = await world.act(order["id"], "dispatcher", "shelve", {"reason": "等备件", "until": until})
    assert not shelved["is_in_pool"]
    await after(days=4.9)
    assert (await world.dispatcher.get(f"/v1/orders/{order['id']}")).json()["state"] == "shelved"
    await after(days=5.1)
    resumed = (await world.dispatcher.get(f"/v1/orders/{order['id']}")).json()
    assert (resumed["state"], resumed["is_in_pool"]) == ("dispatched", True)
