"""Calling back: who may, what an attempt leaves behind, and whom to call next."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from models.identity import Role
from services.chassis import clock
from services.chassis.pagination import encode_cursor
from services.chassis.schemas import new_id
from services.orders.follow_ups.actions import MOST_ATTEMPTS
from services.orders.follow_ups.queries import CALLED_WITHIN, past_follow_ups
from tests.orders.follow_ups.test_answers import answers, done_again
from tests.world import World

REACHED = {"reached": True, "solved": True, "stars": 5, "words": "老人说药已收到"}
UNSOLVED = {"reached": True, "solved": False, "stars": 2, "words": "药少了一盒"}
UNREACHED = {"reached": False, "unreachable_because": "no_answer"}


async def call(world: World, order_id: str, body: dict[str, Any], by: str = "dispatcher") -> dict[str, Any]:
    """A call-back that must be recorded."""
    answer = await world.people[by].post(f"/v1/orders/{order_id}/follow-ups", body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def refused(world: World, order_id: str, body: dict[str, Any], by: str = "dispatcher") -> tuple[int, str]:
    answer = await world.people[by].post(f"/v1/orders/{order_id}/follow-ups", body)
    return answer.status_code, answer.json()["code"]


async def due(world: World, by: str = "dispatcher", **query: Any) -> list[dict[str, Any]]:
    answer = await world.people[by].get("/v1/follow-ups", **query)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


async def test_an_attempt_and_then_an_answer(world: World) -> None:
    order = await world.completed_order()
    tomorrow = (clock.now() + timedelta(days=1)).isoformat()
    first = await call(world, order["id"], {**UNREACHED, "next_call_at": tomorrow})
    second = await call(world, order["id"], REACHED, by="grid_worker")
    assert (first["sequence"], first["solved"], first["unreachable_because"]) == (1, None, "no_answer")
    assert (second["sequence"], second["solved"], second["stars"]) == (2, True, 5)
    listed = await world.dispatcher.get(f"/v1/orders/{order['id']}/follow-ups")
    assert listed.json()["items"] == [first, second]
    (answer,) = await answers(world, order["id"])
    assert (answer["source"], answer["counts"], answer["account_name"]) == ("follow_up", True, "刘伟民")


async def test_the_residents_own_answer_goes_before_a_call_backs(world: World) -> None:
    order = await world.completed_order()
    await call(world, order["id"], REACHED)
    await world.act(order["id"], "zhang", "rate", {"stars": 2, "solved": True})
    found = await answers(world, order["id"])
    assert [(one["source"], one["counts"]) for one in found] == [("follow_up", False), ("resident", True)]


async def grant(world: World, key: str, role: Role) -> None:
    await world.insert(
        "grants", id=new_id(), account_id=world.people[key].account_id, role=role, area_id=world.areas["community"]
    )
    world.people[key] = await world.new_session(world.people[key])


async def done_for(world: World, order: dict[str, Any]) -> str:
    await world.act(order["id"], "dispatcher", "dispatch", {"assignee_id": str(world.member.account_id)})
    await world.act(order["id"], "member", "accept")
    await world.act(order["id"], "member", "complete", {"note": "药品已送到"})
    return str(order["id"])


class TestWho:
    async def test_not_who_did_it(self, world: World) -> None:
        await world.insert("grants", id=world.areas["community"], account_id=world.member.account_id,
                           role=Role.GRID_WORKER, area_id=world.areas["community"])  # fmt: skip
        order = await world.completed_order()
        world.people["member"] = await world.new_session(world.member)
        assert await refused(world, order["id"], REACHED, by="member") == (409, "party_to_order")

    async def test_not_who_had_it_before(self, world: World) -> None:
        """Somebody else completed it, but the first helper had a hand in it."""
        order = await world.order()
        grid_worker = str(world.grid_worker.account_id)
        await world.act(order["id"], "dispatcher", "dispatch", {"assignee_id": grid_worker})
        await world.act(order["id"], "grid_worker", "accept")
        await world.act(order["id"], "grid_worker", "hand-back", {"reason": "家中有事"})
        await world.act(order["id"], "dispatcher", "dispatch", {"assignee_id": str(world.member.account_id)})
        await world.act(order["id"], "member", "accept")
        await world.act(order["id"], "member", "complete", {"note": "药品已送到"})
        assert await refused(world, order["id"], REACHED, by="grid_worker") == (409, "party_to_order")
        await call(world, order["id"], REACHED)

    async def test_not_who_placed_it_for_the_resident(self, world: World) -> None:
        resident = await world.add_resident("赖阿婆", "2单元301")
        order = await done_for(world, await world.order("grid_worker", on_behalf_of=str(resident)))
        assert await refused(world, order, REACHED, by="grid_worker") == (409, "party_to_order")

    async def test_not_the_residents_family(self, world: World) -> None:
        await grant(world, "daughter", Role.DISPATCHER)
        order = await world.completed_order()
        assert await refused(world, order["id"], REACHED, by="daughter") == (409, "party_to_order")

    @pytest.mark.parametrize("part", ["leads", "assists", "has left"])
    async def test_not_who_belongs_to_a_unit_that_does_it(self, world: World, part: str) -> None:
        unit, other = new_id(), new_id()
        for one, name in ((unit, "万隆物业"), (other, "义工队")):
            await world.insert("units", id=one, kind="team", name=name, area_id=world.areas["community"])
        await world.insert("unit_members", unit_id=unit, account_id=world.grid_worker.account_id)
        await world.insert("unit_members", unit_id=other, account_id=world.member.account_id)
        placed = await world.order()
        given = (
            {"unit_id": str(other), "assisting_unit_ids": [str(unit)]} if part == "assists" else {"unit_id": str(unit)}
        )
        await world.act(placed["id"], "dispatcher", "dispatch", given)
        await world.connection.execute(
            "UPDATE orders SET assignee_id = $1, state = 'accepted'", world.member.account_id
        )
        await world.act(placed["id"], "member", "complete", {"note": "药品已送到"})
        if part == "has left":
            await world.connection.execute("UPDATE unit_members SET until = now() WHERE unit_id = $1", unit)
        assert await refused(world, placed["id"], REACHED, by="grid_worker") == (409, "party_to_order")
        await call(world, placed["id"], REACHED)

    @pytest.mark.parametrize(
        ("by", "expected"),
        [
            ("zhang", (403, "forbidden")), ("neighbour", (404, "order_not_found")),
            ("second_member", (404, "order_not_found")), ("other_dispatcher", (404, "order_not_found")),
        ],
    )  # fmt: skip
    async def test_staff_of_the_area(self, world: World, by: str, expected: tuple[int, str]) -> None:
        order = await world.completed_order()
        assert await refused(world, order["id"], REACHED, by=by) == expected

    async def test_only_they_read_the_attempts(self, world: World) -> None:
        order = await world.completed_order()
        statuses = [
            (await world.people[by].get(f"/v1/orders/{order['id']}/follow-ups")).status_code
            for by in ("grid_worker", "zhang", "other_dispatcher")
        ]
        assert statuses == [200, 403, 404]


class TestWhen:
    async def test_not_before_it_is_completed(self, world: World) -> None:
        order = await world.order()
        assert await refused(world, order["id"], REACHED) == (409, "nothing_to_ask_about")

    async def test_not_while_it_is_done_again(self, world: World) -> None:
        order = await world.completed_order()
        await world.act(order["id"], "dispatcher", "redo", {"reason": "照片不清"})
        assert await refused(world, order["id"], REACHED) == (409, "nothing_to_ask_about")
        await done_again(world, order["id"])
        assert (await call(world, order["id"], REACHED))["round"] == 2

    async def test_not_once_it_is_answered(self, world: World) -> None:
        rated, called = await world.rated_order(), await world.completed_order()
        await call(world, called["id"], REACHED)
        assert await refused(world, rated["id"], REACHED) == (409, "answered_already")
        assert await refused(world, called["id"], REACHED) == (409, "answered_already")

    async def test_not_for_ever(self, world: World) -> None:
        order = await world.completed_order()
        for _ in range(MOST_ATTEMPTS):
            await call(world, order["id"], UNREACHED)
        assert await refused(world, order["id"], UNREACHED) == (409, "too_many_attempts")

    async def test_the_next_call_lies_ahead(self, world: World) -> None:
        order = await world.completed_order()
        body = {**UNREACHED, "next_call_at": (clock.now() - timedelta(seconds=1)).isoformat()}
        assert await refused(world, order["id"], body) == (422, "call_in_the_past")
        assert await world.fetch("SELECT FROM follow_ups") == []

    async def test_the_next_call_lies_within_ninety_days(self, world: World) -> None:
        order = await world.completed_order()
        latest = clock.now() + timedelta(days=90)
        await call(world, order["id"], {**UNREACHED, "next_call_at": (latest - timedelta(minutes=1)).isoformat()})
        body = {**UNREACHED, "next_call_at": (latest + timedelta(minutes=1)).isoformat()}
        assert await refused(world, order["id"], body) == (422, "call_too_late")


@pytest.mark.parametrize(
    "body",
    [
        {}, {"reached": False}, {"reached": True, "unreachable_because": "declined"},
        {**UNREACHED, "solved": True}, {"reached": True, "stars": 5}, {**REACHED, "stars": 6},
        {**REACHED, "next_call_at": "2099-01-01T00:00:00Z"}, {**REACHED, "account_id": "x"}, {"reached": 1},
    ],
)  # fmt: skip
async def test_a_record_that_does_not_fit_together_is_refused(world: World, body: dict[str, Any]) -> None:
    order = await world.completed_order()
    assert await refused(world, order["id"], body) == (422, "invalid_request")


async def test_of_two_who_call_at_once_one_is_told_that_it_is_answered(world: World) -> None:
    order = await world.completed_order()
    found = await asyncio.gather(
        *(
            world.people[by].post(f"/v1/orders/{order['id']}/follow-ups", REACHED)
            for by in ("dispatcher", "grid_worker", "community_admin", "district_admin")
        )
    )
    assert sorted(answer.status_code for answer in found) == [201, 409, 409, 409]
    assert await world.fetch_value("SELECT count(*) FROM order_answers") == 1


async def too_often(world: World, order_id: str) -> None:
    """Not solved as often as it may be done again, and once more."""
    for _ in range(2):
        await call(world, order_id, UNSOLVED)
        await done_again(world, order_id)
    await call(world, order_id, UNSOLVED)


async def closed_in_silence(world: World) -> None:
    """The only order there is, by its timer."""
    await world.connection.execute("UPDATE orders SET timer_at = now() - interval '1 day'")
    for _ in range(200):
        if await world.fetch_value("SELECT state FROM orders") == "closed":
            return
        await asyncio.sleep(0.1)
    raise AssertionError("silence closes nothing")


class TestNotSolved:
    async def test_is_done_again_at_once(self, world: World) -> None:
        order = await world.completed_order()
        assert (await call(world, order["id"], UNSOLVED))["round"] == 1
        again = (await world.member.get(f"/v1/orders/{order['id']}")).json()
        assert (again["state"], again["redos"], again["completed_at"]) == ("accepted", 1, None)
        last = again["history"][-1]
        assert (last["action"], last["actor_name"], last["note"]) == ("redo", None, "药少了一盒")
        (answer,) = await answers(world, order["id"])
        assert (answer["source"], answer["solved"], answer["counts"]) == ("follow_up", False, False)
        assert await due(world) == []

    async def test_says_so_where_the_resident_said_no_more(self, world: World) -> None:
        order = await world.completed_order()
        await call(world, order["id"], {"reached": True, "solved": False})
        history = (await world.dispatcher.get(f"/v1/orders/{order['id']}")).json()["history"]
        assert history[-1]["note"] == "回访时居民反映未解决"

    async def test_too_often_a_senior_decides_and_silence_closes_nothing(self, world: World) -> None:
        order = await world.completed_order()
        await too_often(world, order["id"])
        row = (await world.fetch("SELECT state, is_escalated, timer_at, timer_action FROM orders"))[0]
        assert tuple(row) == ("completed", True, None, None)
        await world.act(order["id"], "dispatcher", "verify")  # nor after somebody found it good
        assert await world.fetch_value("SELECT timer_at FROM orders") is None

    async def test_what_the_resident_says_later_stands(self, world: World) -> None:
        order = await world.completed_order()
        await too_often(world, order["id"])
        rated = await world.act(order["id"], "zhang", "rate", {"stars": 5, "solved": True})
        assert (rated["is_escalated"], rated["timer_at"] is None) == (False, False)
        assert await due(world) == []

    async def test_what_is_closed_stays_so_until_somebody_opens_it(self, world: World) -> None:
        order = await world.completed_order()
        await closed_in_silence(world)
        await call(world, order["id"], UNSOLVED)
        assert tuple((await world.fetch("SELECT state, is_escalated FROM orders"))[0]) == ("closed", False)
        assert [one["cause"] for one in await due(world)] == ["unsolved"]
        await world.act(order["id"], "dispatcher", "reopen", {"reason": "回访未解决"})
        assert await due(world) == []

    async def test_nobody_is_rewarded_for_what_was_said_on_the_phone(self, world: World) -> None:
        order = await world.completed_order()
        await call(world, order["id"], REACHED)
        assert await world.fetch_value("SELECT count(*) FROM outbox_events WHERE kind = 'order_rated'") == 0


class TestDue:
    async def test_the_longest_completed_first_until_somebody_answers(self, world: World) -> None:
        orders = [await world.completed_order() for _ in range(3)]
        assert [one["order_id"] for one in await due(world)] == [order["id"] for order in orders]
        await world.act(orders[0]["id"], "zhang", "rate", {"stars": 5, "solved": True})
        await call(world, orders[1]["id"], REACHED)
        (left,) = await due(world)
        assert (left["order_id"], left["cause"], left["attempts"]) == (orders[2]["id"], "unanswered", 0)

    async def test_whom_nobody_reached_comes_again_later(self, world: World) -> None:
        first, second = await world.completed_order(), await world.completed_order()
        later = clock.now() + timedelta(hours=3)
        await call(world, first["id"], {**UNREACHED, "next_call_at": later.isoformat()})
        found = await due(world)
        assert [(one["order_id"], one["attempts"]) for one in found] == [(second["id"], 0), (first["id"], 1)]

    async def test_what_is_not_solved_too_often_waits_for_a_senior(self, world: World) -> None:
        order = await world.completed_order()
        await too_often(world, order["id"])
        (found,) = await due(world, cause="unsolved")
        assert (found["order_id"], found["answered_by"], found["words"]) == (order["id"], "follow_up", "药少了一盒")
        assert await due(world, cause="unanswered") == []
        await world.act(order["id"], "community_admin", "redo", {"reason": "回访未解决"})
        assert await due(world) == []
        await done_again(world, order["id"])
        assert [(one["cause"], one["attempts"]) for one in await due(world)] == [("unanswered", 0)]

    async def test_what_was_closed_in_silence_may_still_be_asked_about(self, world: World) -> None:
        order = await world.completed_order()
        await closed_in_silence(world)
        assert [one["state"] for one in await due(world)] == ["closed"]
        await call(world, order["id"], REACHED)
        assert await due(world) == []

    async def test_what_is_opened_again_is_not_asked_about(self, world: World) -> None:
        order = await world.completed_order()
        await closed_in_silence(world)
        await world.act(order["id"], "zhang", "reopen", {"reason": "没有解决"})
        assert await due(world) == []

    async def test_nobody_is_sent_to_call_who_has_no_name(self, world: World) -> None:
        order = await world.order()
        await world.connection.execute("UPDATE orders SET is_anonymous = true WHERE tenant_id = $1", world.tenant_id)
        await world.act(order["id"], "dispatcher", "dispatch", {"assignee_id": str(world.member.account_id)})
        await world.act(order["id"], "member", "accept")
        await world.act(order["id"], "member", "complete", {"note": "电线已整理"})
        assert await due(world) == []

    async def test_what_came_in_completed_is_to_be_asked_about(self, world: World) -> None:
        """From another system, or out of a demonstration."""
        done, now = await world.completed_order(), clock.now()
        await world.connection.execute("DELETE FROM due_follow_ups WHERE tenant_id = $1", world.tenant_id)
        copied = [new_id() for _ in range(3)]
        for order_id, stage, completed_at in zip(copied, ("verify", "done", "handle"), (now, now, None), strict=True):
            await world.connection.execute(
                "INSERT INTO orders (tenant_id, id, kind, state, stage, lifecycle_version, area_id, community_id,"
                " resident_id, placed_by, assignee_id, description, contact_name, address, placed_at, completed_at)"
                " SELECT tenant_id, $2, kind, state, $3, lifecycle_version, area_id, community_id, resident_id,"
                " placed_by, assignee_id, description, contact_name, address, placed_at, $4 FROM orders WHERE id = $1",
                UUID(done["id"]), order_id, stage, completed_at,
            )  # fmt: skip
        assert [one["order_id"] for one in await due(world)] == [str(copied[0])]

    async def test_pages_have_everything_once(self, world: World) -> None:
        orders = [await world.completed_order() for _ in range(5)]
        found: list[str] = []
        cursor = None
        while True:
            query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
            page = (await world.district_admin.get("/v1/follow-ups", **query)).json()
            found += [one["order_id"] for one in page["items"]]
            if (cursor := page["next_cursor"]) is None:
                break
        assert found == [order["id"] for order in orders]

    async def test_are_those_of_my_area(self, world: World) -> None:
        order = await world.completed_order()
        for by in ("grid_worker", "community_admin", "district_admin"):
            assert [one["order_id"] for one in await due(world, by)] == [order["id"]], by
        assert await due(world, "other_dispatcher") == []
        assert await due(world, "district_admin", area_id=str(world.areas["other_community"])) == []
        assert len(await due(world, "district_admin", area_id=str(world.areas["building"]))) == 1
        foreign = await world.other_dispatcher.get("/v1/follow-ups", area_id=str(world.areas["community"]))
        assert (foreign.status_code, foreign.json()["code"]) == (404, "not_found")
        assert (await world.member.get("/v1/follow-ups")).status_code == 403

    async def test_odd_cursors_are_refused(self, world: World) -> None:
        no_offset = encode_cursor("2026-01-01T00:00:00", new_id())
        for cursor in ("x", "WzFd", "WyIyMDI2LTAxLTAxVDAwOjAwOjAwIiwgIjAxOTEiXQ", no_offset):
            answer = await world.dispatcher.get("/v1/follow-ups", cursor=cursor)
            assert (answer.status_code, answer.json()["code"]) == (422, "invalid_cursor")

    async def test_nobody_is_reminded_for_ever(self, world: World) -> None:
        order = await world.completed_order()
        statement = past_follow_ups().statement
        assert (
            await world.connection.execute(statement, world.tenant_id, clock.now() - CALLED_WITHIN, 500) == "DELETE 0"
        )
        assert await world.connection.execute(statement, world.tenant_id, clock.now(), 500) == "DELETE 1"
        assert await due(world) == []
        await call(world, order["id"], REACHED)  # it may still be asked


async def test_a_repeated_request_records_one_attempt(world: World) -> None:
    order = await world.completed_order()
    found = [
        await world.dispatcher.post(f"/v1/orders/{order['id']}/follow-ups", UNREACHED, key="once") for _ in range(2)
    ]
    assert [answer.status_code for answer in found] == [201, 201]
    assert found[0].content == found[1].content
    assert await world.fetch_value("SELECT count(*) FROM follow_ups") == 1
