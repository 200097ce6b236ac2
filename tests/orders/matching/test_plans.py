"""Plans: reckoned for many orders at once, reviewed, and confirmed as a whole or not at all."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from services.chassis import clock
from tests.orders.matching.conftest import away, decide, history, nobody, offers, plan, put, said, suggested, triaged
from tests.world import World


async def confirm(world: World, plan_id: str, by: str = "dispatcher", **options: Any) -> tuple[int, dict[str, Any]]:
    answer = await world.people[by].post(f"/v1/dispatch-plans/{plan_id}/confirm", **options)
    return answer.status_code, dict(answer.json())


async def stages(world: World) -> Counter[str]:
    rows = await world.fetch("SELECT stage FROM orders WHERE tenant_id = $1", world.tenant_id)
    return Counter(row["stage"] for row in rows)


async def dispatches(world: World) -> int:
    return int(
        await world.fetch_value(
            "SELECT count(*) FROM order_history WHERE tenant_id = $1 AND action = 'dispatch'", world.tenant_id
        )
    )


async def test_reckoned_reviewed_confirmed(world: World) -> None:
    orders = [await triaged(world) for _ in range(4)]
    made = await plan(world)
    assert (made["state"], made["orders"], made["helpers"], made["left_over"]) == ("draft", 4, 3, [])
    assert made["total"] == pytest.approx(sum(item["score"] for item in made["items"]))
    assert await stages(world) == {"dispatch": 4}, "nothing is dispatched by planning"
    status, confirmed = await confirm(world, made["id"])
    assert (status, confirmed["state"], confirmed["decided_by"]) == (
        200, "confirmed", str(world.dispatcher.account_id)
    )  # fmt: skip
    assert await stages(world) == {"handle": 4}
    given = {item["order_id"]: item["helper_id"] for item in made["items"]}
    for order in orders:
        last = (await history(world, order["id"]))[-1]
        assert (last["action"], last["actor_id"]) == ("dispatch", str(world.dispatcher.account_id))
        assert (last["details"]["mode"], last["details"]["assignee_id"]) == ("suggested", given[order["id"]])
        assert last["details"]["why"]["plan_id"] == made["id"]
        assert len(last["details"]["why"]["reasons"]) == 5


async def test_confirmed_once_whoever_repeats_it(world: World) -> None:
    await triaged(world)
    made = await plan(world)
    first = await confirm(world, made["id"], key="monday")
    assert first == await confirm(world, made["id"], key="monday")
    assert first[0] == 200
    again = await confirm(world, made["id"])
    assert (again[0], again[1]["code"]) == (409, "plan_decided")
    assert await dispatches(world) == 1


async def test_many_confirm_one_plan_at_once(world: World) -> None:
    for _ in range(3):
        await triaged(world)
    made = await plan(world)
    answers = await asyncio.gather(*(confirm(world, made["id"]) for _ in range(8)))
    assert sorted(status for status, _ in answers) == [200] + [409] * 7
    assert {body["code"] for status, body in answers if status == 409} == {"plan_decided"}
    assert await dispatches(world) == 3


async def test_of_two_plans_for_the_same_orders_one_wins(world: World) -> None:
    for _ in range(5):
        await triaged(world)
    made = [await plan(world), await plan(world, "community_admin"), await plan(world)]
    answers = await asyncio.gather(*(confirm(world, one["id"]) for one in made))
    assert sorted(status for status, _ in answers) == [200, 409, 409]
    lost = [body for status, body in answers if status == 409]
    assert [body["code"] for body in lost] == ["plan_outdated"] * 2
    assert [{row["reason"] for row in body["orders"]} for body in lost] == [{"order_changed"}] * 2
    assert len(lost[0]["orders"]) == 5
    assert await dispatches(world) == 5
    assert await stages(world) == {"handle": 5}


async def test_two_plans_do_not_give_one_helper_too_much(world: World) -> None:
    """Different orders, the same three people with one place each."""
    for who in ("member", "second_member", "grid_worker"):
        await offers(world, who, max_open=1)
    orders = [(await triaged(world))["id"] for _ in range(6)]
    made = [await plan(world, order_ids=orders[:3]), await plan(world, order_ids=orders[3:])]
    answers = await asyncio.gather(*(confirm(world, one["id"]) for one in made))
    assert sorted(status for status, _ in answers) == [200, 409]
    [lost] = [body for status, body in answers if status == 409]
    assert {row["reason"] for row in lost["orders"]} == {"full"}
    assert await dispatches(world) == 3


async def test_one_order_that_changed_stops_all(world: World) -> None:
    orders = [await triaged(world) for _ in range(3)]
    made = await plan(world)
    await world.act(orders[1]["id"], "dispatcher", "amend", {"priority": "high"})
    status, body = await confirm(world, made["id"])
    assert (status, body["code"]) == (409, "plan_outdated")
    assert [(row["number"], row["reason"], row["text"]) for row in body["orders"]] == [
        (orders[1]["number"], "order_changed", "订单已变更")
    ]
    assert await stages(world) == {"dispatch": 3}
    again = await world.dispatcher.post(f"/v1/dispatch-plans/{made['id']}/reckon")
    assert again.status_code == 200
    assert (await confirm(world, made["id"]))[0] == 200
    assert await stages(world) == {"handle": 3}


@pytest.mark.parametrize("what", ["absent", "full", "not_serving", "skill_missing"])
async def test_one_helper_who_changed_stops_all(world: World, what: str) -> None:
    for who in ("second_member", "grid_worker"):
        await offers(world, who, max_open=0)
    await triaged(world)
    made = await plan(world)
    assert [item["helper_name"] for item in made["items"]] == ["陈志强"]
    if what == "absent":
        await away(world, "member")
    elif what == "full":
        await offers(world, "member", max_open=0)
    elif what == "not_serving":
        await world.connection.execute(
            "UPDATE grants SET valid_to = now() WHERE account_id = $1", world.member.account_id
        )
    else:
        body = {"items": [{"skill": "电工", "is_needed": True}]}
        await put(world.district_admin, "/v1/order-kinds/buy_medicine/skills", body)
    status, body = await confirm(world, made["id"])
    assert (status, body["code"], [row["reason"] for row in body["orders"]]) == (409, "plan_outdated", [what])
    assert await dispatches(world) == 0


async def test_the_urgent_ones_when_there_are_too_few(world: World) -> None:
    await offers(world, "member", max_open=1)
    for who in ("second_member", "grid_worker"):
        await offers(world, who, max_open=0)
    slow, fast = await triaged(world, priority="low"), await triaged(world, priority="urgent")
    made = await plan(world)
    assert [item["order_id"] for item in made["items"]] == [fast["id"]]
    [left] = made["left_over"]
    assert (left["order_id"], left["text"]) == (slow["id"], "符合条件的人员都已安排给其他订单")
    assert {one["reason"]: one["helpers"] for one in left["left_out"]} == {"full": 2}


async def test_dropped_and_put_in_by_hand(world: World) -> None:
    first, second = await triaged(world), await triaged(world)
    made = await plan(world)
    path = f"/v1/dispatch-plans/{made['id']}/items"
    dropped = (await put(world.dispatcher, path, {"items": [_choice(made, first["id"])]})).json()
    assert [item["order_id"] for item in dropped["items"]] == [first["id"]]
    assert [(one["order_id"], one["text"]) for one in dropped["left_over"]] == [(second["id"], "已从方案中移除")]
    others = {"order_id": second["id"], "helper_id": str(world.second_member.account_id)}
    back = (await put(world.dispatcher, path, {"items": [_choice(made, first["id"]), others]})).json()
    by_hand = {item["order_id"]: (item["helper_name"], item["is_chosen_by_hand"]) for item in back["items"]}
    assert by_hand[second["id"]] == ("黄秀芳", True)
    assert by_hand[first["id"]][1] is False
    assert back["left_over"] == []
    assert (await confirm(world, made["id"]))[0] == 200
    assert (await history(world, second["id"]))[-1]["details"]["mode"] == "manual"
    assert (await history(world, first["id"]))[-1]["details"]["mode"] == "suggested"


def _choice(made: dict[str, Any], order_id: str) -> dict[str, Any]:
    [helper] = [item["helper_id"] for item in made["items"] if item["order_id"] == order_id]
    return {"order_id": order_id, "helper_id": helper}


async def test_what_cannot_be_put_in(world: World) -> None:
    order = await triaged(world)
    made = await plan(world)
    elsewhere = await triaged(world)
    path = f"/v1/dispatch-plans/{made['id']}/items"

    async def choose(order_id: str, helper_id: Any) -> tuple[int, str]:
        return said(await put(world.dispatcher, path, {"items": [{"order_id": order_id, "helper_id": str(helper_id)}]}))

    assert await choose(elsewhere["id"], world.member.account_id) == (422, "not_in_plan")
    for stranger in (world.other_member.account_id, world.zhang.account_id, nobody()):
        assert await choose(order["id"], stranger) == (422, "person_cannot_serve")
    twice = {"items": [{"order_id": order["id"], "helper_id": str(world.member.account_id)}] * 2}
    assert said(await put(world.dispatcher, path, twice)) == (422, "invalid_request")


async def test_discarded_is_over(world: World) -> None:
    await triaged(world)
    made = await plan(world)
    discarded = await world.dispatcher.post(f"/v1/dispatch-plans/{made['id']}/discard")
    assert discarded.json()["state"] == "discarded"
    assert (await confirm(world, made["id"]))[1]["code"] == "plan_decided"
    changed = await put(world.dispatcher, f"/v1/dispatch-plans/{made['id']}/items", {"items": []})
    assert said(changed) == (409, "plan_decided")
    for action in ("reckon", "discard"):
        assert said(await world.dispatcher.post(f"/v1/dispatch-plans/{made['id']}/{action}")) == (409, "plan_decided")


async def test_a_plan_lives_a_day(world: World) -> None:
    await triaged(world)
    made = await plan(world)
    with clock.shifted(timedelta(days=1, minutes=1)):
        world.people["dispatcher"] = await world.new_session(world.dispatcher)
        assert (await confirm(world, made["id"]))[1]["code"] == "plan_expired"
        assert (await world.dispatcher.post(f"/v1/dispatch-plans/{made['id']}/reckon")).status_code == 200
        assert (await confirm(world, made["id"]))[0] == 200


async def test_nothing_in_it_is_nothing_to_confirm(world: World) -> None:
    made = await plan(world)
    assert (made["items"], made["left_over"]) == ([], [])
    assert (await confirm(world, made["id"]))[1]["code"] == "plan_empty"


async def test_received_ones_if_asked_for(world: World) -> None:
    order = await world.order()
    assert (await plan(world))["orders"] == 0
    made = await plan(world, includes_received=True)
    assert (await confirm(world, made["id"]))[0] == 200
    assert (await history(world, order["id"]))[-1]["to_state"] == "dispatched"


async def test_only_some(world: World) -> None:
    first, second = await triaged(world), await triaged(world, kind="snow_clearing")
    assert [i["order_id"] for i in (await plan(world, kinds=["snow_clearing"]))["items"]] == [second["id"]]
    assert [i["order_id"] for i in (await plan(world, order_ids=[first["id"]]))["items"]] == [first["id"]]
    assert (await plan(world, area="compound"))["orders"] == 2
    body = {"area_id": str(world.areas["community"]), "order_ids": [first["id"], str(nobody())]}
    answer = await world.dispatcher.post("/v1/dispatch-plans", body)
    assert said(answer) == (422, "orders_not_waiting")
    assert answer.json()["order_ids"] == body["order_ids"][1:]


async def test_kinds_people_dispatch_alone_are_left_to_them(world: World) -> None:
    await decide(world, "manual", order_kind="snow_clearing")
    await triaged(world, kind="snow_clearing")
    [left] = (await plan(world))["left_over"]
    assert (left["kind"], left["text"]) == ("snow_clearing", "该类订单由人工派单")


async def test_who_gave_it_back_does_not_get_it_by_a_plan(world: World) -> None:
    order = await triaged(world)
    best = (await suggested(world, order["id"]))["items"][0]
    who = next(key for key, one in world.people.items() if str(one.account_id) == best["account_id"])
    await world.act(order["id"], "dispatcher", "dispatch", {"assignee_id": best["account_id"]})
    await world.act(order["id"], who, "decline", {"reason": "出差"})
    assert [item["helper_id"] for item in (await plan(world))["items"]] != [best["account_id"]]


async def test_for_who_dispatches_there(world: World, other_world: World) -> None:
    body = {"area_id": str(world.areas["community"])}
    for by in ("zhang", "member", "grid_worker"):
        assert said(await world.people[by].post("/v1/dispatch-plans", body)) == (403, "forbidden")
    for stranger in (world.other_dispatcher, other_world.district_admin):
        assert said(await stranger.post("/v1/dispatch-plans", body)) == (404, "not_found")
        made = await plan(world)
        assert said(await stranger.get(f"/v1/dispatch-plans/{made['id']}")) == (404, "dispatch_plan_not_found")
        answer = await stranger.post(f"/v1/dispatch-plans/{made['id']}/confirm")
        assert said(answer) == (404, "dispatch_plan_not_found")


async def test_listed_newest_first(world: World) -> None:
    made = [(await plan(world))["id"] for _ in range(3)]
    first = (await world.community_admin.get("/v1/dispatch-plans", limit=2)).json()
    rest = (await world.community_admin.get("/v1/dispatch-plans", cursor=first["next_cursor"])).json()
    assert [one["id"] for one in (*first["items"], *rest["items"])] == made[::-1]
    assert said(await world.member.get("/v1/dispatch-plans")) == (403, "forbidden")
    assert (await world.other_dispatcher.get("/v1/dispatch-plans")).json()["items"] == []
