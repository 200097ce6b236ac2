"""Who is proposed for an order, in one call, with reasons."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from models.identity import Role
from services.chassis import clock
from services.chassis.database import Database
from services.chassis.schemas import new_id
from services.orders.matching.candidates import load_candidates, load_waiting
from tests.orders.matching.conftest import (
    away,
    decide,
    done_before,
    in_some_days,
    left_out,
    names,
    offers,
    plan,
    put,
    said,
    suggested,
    this_hour,
    triaged,
)
from tests.world import World

HERE: dict[str, Any] = {"lng": 114.6904, "lat": 23.7412}


async def test_best_first_with_every_point_explained(world: World) -> None:
    await offers(world, "member", **HERE)
    await offers(world, "second_member", lng=114.6904, lat=23.7547)
    order = await triaged(world, **HERE)
    found = await suggested(world, order["id"])
    assert (found["mode"], found["policy_version"], found["order_version"]) == ("suggest", 0, 2)
    assert found["automatic"] is None
    assert names(found)[0] == "陈志强"
    best = found["items"][0]
    assert best["score"] == pytest.approx(sum(reason["points"] for reason in best["reasons"]))
    assert {reason["factor"]: (reason["value"], reason["weight"], reason["points"]) for reason in best["reasons"]} == {
        "distance": (100, 30, 30.0), "load": (100, 25, 25.0), "skill": (50, 15, 7.5), "urgency": (50, 15, 7.5),
        "familiarity": (0, 15, 0.0),
    }  # fmt: skip
    assert best["reasons"][0]["text"] == "距离约10米"
    far = next(one for one in found["items"] if one["name"] == "黄秀芳")
    assert 1400 < far["distance_metres"] < 1600


async def test_who_is_left_out_is_counted_by_reason(world: World) -> None:
    await put(
        world.district_admin, "/v1/order-kinds/buy_medicine/skills", {"items": [{"skill": "药师", "is_needed": True}]}
    )
    await offers(world, "member", skills=["药师"])
    await offers(world, "second_member", skills=["药师"])
    await away(world, "second_member")
    found = await suggested(world, (await triaged(world))["id"])
    assert names(found) == ["陈志强"]
    assert left_out(found) == {"absent": 1, "skill_missing": 1}
    assert found["helpers"] == 3
    assert {one["text"] for one in found["left_out"]} == {"请假或外出", "缺少所需技能"}


async def test_what_is_in_hand_counts_up_to_the_limit(world: World) -> None:
    await offers(world, "member", max_open=1)
    first = await triaged(world)
    await world.act(first["id"], "dispatcher", "dispatch", {"assignee_id": str(world.member.account_id)})
    found = await suggested(world, (await triaged(world))["id"])
    assert "陈志强" not in names(found)
    assert left_out(found) == {"full": 1}


async def test_assisting_counts_as_having_something_in_hand(world: World) -> None:
    await offers(world, "second_member", max_open=1)
    first = await triaged(world)
    body = {"assignee_id": str(world.member.account_id), "helpers_wanted": 2}
    await world.act(first["id"], "dispatcher", "dispatch", body)
    await world.act(first["id"], "second_member", "join")
    assert left_out(await suggested(world, (await triaged(world))["id"])) == {"full": 1}
    await world.act(first["id"], "second_member", "leave")
    assert left_out(await suggested(world, (await triaged(world))["id"])) == {}


async def test_a_familiar_face_comes_first(world: World) -> None:
    await done_before(world, "second_member")
    found = await suggested(world, (await triaged(world, "daughter"))["id"])
    assert names(found)[0] == "黄秀芳"
    reasons = {reason["factor"]: reason["text"] for reason in found["items"][0]["reasons"]}
    assert reasons["familiarity"] == "曾为此户服务"


async def test_who_gave_it_back_is_not_proposed_again(world: World) -> None:
    order = await triaged(world)
    await world.act(order["id"], "dispatcher", "dispatch", {"assignee_id": str(world.member.account_id)})
    await world.act(order["id"], "member", "decline", {"reason": "出差"})
    found = await suggested(world, order["id"])
    assert "陈志强" not in names(found)
    assert left_out(found) == {"declined": 1}


async def test_who_has_it_is_not_proposed(world: World) -> None:
    order = await triaged(world)
    await world.act(order["id"], "dispatcher", "dispatch", {"assignee_id": str(world.member.account_id)})
    assert "陈志强" not in names(await suggested(world, order["id"]))


async def test_nobody_is_sent_to_their_own_home(world: World) -> None:
    await world.connection.execute(
        "UPDATE residents SET account_id = NULL WHERE account_id = $1", world.neighbour.account_id
    )
    await world.connection.execute(
        "UPDATE residents SET account_id = $1 WHERE id = $2", world.member.account_id, world.neighbour.resident_id
    )
    order = await triaged(world, "grid_worker", on_behalf_of=str(world.neighbour.resident_id))
    assert left_out(await suggested(world, order["id"])) == {"own_need": 1}


async def test_the_wanted_time_is_what_counts(world: World) -> None:
    """Away tomorrow, or a grant that ends: nothing against today, all against next week."""
    starts, ends = in_some_days(6), in_some_days(8)
    body = {"starts_at": starts.isoformat(), "ends_at": ends.isoformat()}
    await world.member.post("/v1/helpers/me/absences", body)
    await world.connection.execute(
        "UPDATE grants SET valid_to = $1 WHERE account_id = $2", in_some_days(3), world.second_member.account_id
    )
    wanted = {
        "wanted_from": in_some_days(7).isoformat(), "wanted_until": (in_some_days(7) + timedelta(hours=2)).isoformat()
    }  # fmt: skip
    later = await suggested(world, (await triaged(world, **wanted))["id"])
    assert left_out(later) == {"absent": 1, "not_serving": 1}
    assert left_out(await suggested(world, (await triaged(world))["id"])) == {}


async def test_off_duty(world: World) -> None:
    await offers(world, "member", hours=[])
    await offers(world, "second_member", hours=this_hour())
    wanted = {"wanted_until": (clock.now() + timedelta(minutes=1)).isoformat()}
    found = await suggested(world, (await triaged(world, **wanted))["id"])
    assert left_out(found) == {"off_duty": 1}


async def test_no_suggestions_where_people_decide_alone(world: World) -> None:
    await decide(world, "manual")
    found = await suggested(world, (await triaged(world))["id"])
    assert (found["mode"], found["items"], found["helpers"], found["policy_version"]) == ("manual", [], 0, 1)


async def test_weights_are_the_districts(world: World) -> None:
    await offers(world, "member", **HERE)
    weights = {"distance": 100, "load": 0, "skill": 0, "urgency": 0, "familiarity": 0}
    await decide(world, weights=weights, reach_metres=100)
    found = await suggested(world, (await triaged(world, **HERE))["id"])
    assert [one["score"] for one in found["items"]] == [100.0, 50.0, 50.0]


async def test_a_suggestion_followed_stands_in_the_history(world: World) -> None:
    order = await triaged(world)
    best = (await suggested(world, order["id"]))["items"][0]
    body = {"assignee_id": best["account_id"], "mode": "suggested", "why": {"score": best["score"]}}
    await world.act(order["id"], "dispatcher", "dispatch", body)
    entries = (await world.dispatcher.get(f"/v1/orders/{order['id']}")).json()["history"]
    assert entries[-1]["details"]["mode"] == "suggested"


async def test_for_who_dispatches_it(world: World, other_world: World) -> None:
    order = (await triaged(world))["id"]
    for by, expected in {
        "zhang": (403, "forbidden"), "grid_worker": (403, "forbidden"), "member": (404, "order_not_found"),
        "other_dispatcher": (404, "order_not_found"),
    }.items():  # fmt: skip
        assert said(await world.people[by].get(f"/v1/orders/{order}/suggestions")) == expected, by
    foreign = await other_world.district_admin.get(f"/v1/orders/{order}/suggestions")
    assert said(foreign) == (404, "order_not_found")


async def test_nobody_is_sought_for_what_is_over(world: World) -> None:
    order = await world.order()
    await world.act(order["id"], "zhang", "cancel", {"reason": "不需要了"})
    answer = await world.dispatcher.get(f"/v1/orders/{order['id']}/suggestions")
    assert said(answer) == (409, "order_not_waiting")


class _Counted:
    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self.statements = 0

    def __getattr__(self, name: str) -> Any:
        self.statements += 1
        return getattr(self._connection, name)


async def test_one_statement_for_all_helpers_there_are(world: World, orders_database: Database) -> None:
    order = await triaged(world)
    accounts = [new_id() for _ in range(520)]
    await world.connection.executemany(
        "INSERT INTO accounts (id, name) VALUES ($1, $2)", [(account, "志愿者") for account in accounts]
    )
    await world.connection.executemany(
        "INSERT INTO memberships (tenant_id, account_id) VALUES ($1, $2)",
        [(world.tenant_id, account) for account in accounts],
    )
    await world.connection.executemany(
        "INSERT INTO grants (tenant_id, id, account_id, role, area_id) VALUES ($1, $2, $3, 'volunteer', $4)",
        [(world.tenant_id, new_id(), account, world.areas["community"]) for account in accounts],
    )
    async with orders_database.hot_transaction(world.tenant_id) as connection:
        counted = _Counted(connection)
        found = await load_waiting(counted, world.tenant_id, [order["id"]], clock.now())
        helpers = await load_candidates(counted, world.tenant_id, found, clock.now())
    assert counted.statements == 2
    assert len(helpers) == 500
    assert world.grid_worker.account_id in {one.account_id for one in helpers}, "who serves the smallest area is in"
    assert len((await suggested(world, order["id"]))["items"]) == 20


async def _anonymous(world: World) -> tuple[dict[str, Any], dict[str, Any]]:
    """Of a volunteer whose home the member knows: an order with a name, and one without."""
    await world.connection.execute(
        "UPDATE order_kinds SET allows_anonymous = true WHERE tenant_id = $1", world.tenant_id
    )
    await world.add_person("helping", "邓志愿", roles={Role.VOLUNTEER: "community"}, home="1单元101")
    before = await world.order(by="helping")
    await world.act(before["id"], "dispatcher", "dispatch", {"assignee_id": str(world.member.account_id)})
    await world.act(before["id"], "member", "accept")
    await world.act(before["id"], "member", "complete", {"note": "已送到"})
    return await triaged(world, by="helping"), await triaged(world, by="helping", is_anonymous=True)


async def test_for_an_anonymous_order_nothing_tells_who_knows_the_home_or_whose_it_is(world: World) -> None:
    named, unnamed = [await suggested(world, order["id"]) for order in await _anonymous(world)]
    told = [{one["name"]: one["reasons"][-1]["text"] for one in found["items"]}["陈志强"] for found in (named, unnamed)]
    assert told == ["曾为此户服务", "办过同类订单"]
    assert [left_out(found) for found in (named, unnamed)] == [{"own_need": 1}, {"not_serving": 1}]


async def test_a_plan_does_not_tell_whose_anonymous_order_is_left_over(world: World) -> None:
    _, unnamed = await _anonymous(world)
    await world.connection.execute(
        "UPDATE grants SET valid_to = now() WHERE tenant_id = $1 AND account_id <> $2 AND role IN"
        " ('member', 'volunteer', 'grid_worker', 'property_company')",
        world.tenant_id, world.helping.account_id,
    )  # fmt: skip
    made = await plan(world, order_ids=[unnamed["id"]])
    assert [one["reason"] for one in made["left_over"][0]["left_out"]] == ["not_serving"]


async def test_automatic_dispatch_does_not_tell_whether_an_anonymous_resident_is_known(world: World) -> None:
    named, unnamed = await _anonymous(world)
    async with world.connection.transaction():
        await world.connection.execute(f"SET LOCAL linli.tenant = '{world.tenant_id}'")
        ids = [UUID(named["id"]), UUID(unnamed["id"])]
        waiting = await load_waiting(world.connection, world.tenant_id, ids, clock.now())
    assert [one.is_new_resident for one in waiting] == [False, True]
