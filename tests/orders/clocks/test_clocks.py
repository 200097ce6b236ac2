"""The clocks of an order over HTTP, by the order's own story."""

from typing import Any

import pytest

from models.orders import OrderStage
from services.orders.clocks.keeping import GRACE
from services.orders.lifecycles.definition import Lifecycle, State, Transition
from services.orders.lifecycles.standard import STANDARD
from tests.orders.clocks.conftest import Keep, after_grace, anew, at, clocks, promise, when
from tests.world import World

MONDAY = "2026-03-16T09:00"


async def placed(world: World) -> str:
    """On a Monday morning, in a district that promises."""
    await anew(world)
    await promise(world)
    return str((await world.order())["id"])


async def dispatched(world: World, order_id: str, to: str = "member") -> None:
    await world.act(order_id, "dispatcher", "dispatch", {"assignee_id": str(world.people[to].account_id)})


async def test_a_placed_order_waits_for_its_dispatch_and_its_end(world: World) -> None:
    with at(MONDAY):
        order = await placed(world)
        found = await clocks(world, order)
    assert {key: (one["state"], when(one["due_at"])) for key, one in found.items()} == {
        "dispatch1": ("running", "2026-03-16 11:00"),
        "finish1": ("running", "2026-03-19 17:30"),
    }
    assert found["dispatch1"]["left"] == {"count": 119, "unit": "work_hours"}
    assert when(found["dispatch1"]["warn_at"]) == "2026-03-16 10:00"
    assert found["finish1"]["left"] == {"count": 3, "unit": "work_days"}
    assert found["finish1"]["why"]["policy_version"] == 1
    assert found["finish1"]["why"]["calendar_versions"] == {"2026": 0}
    assert found["finish1"]["is_fallback"] is False


async def test_every_step_meets_one_and_begins_the_next(world: World) -> None:
    with at(MONDAY):
        order = await placed(world)
        await dispatched(world, order)
        await world.act(order, "member", "accept")
        await world.act(order, "member", "start")
        await world.act(order, "member", "complete", {"note": "已送到"})
        found = await clocks(world, order, "zhang")
    assert {key: one["state"] for key, one in found.items()} == {
        "dispatch1": "met", "accept1": "met", "arrive1": "met", "finish1": "met",
    }  # fmt: skip
    assert [found["accept1"]["why"][name] for name in ("from_sequence", "to_sequence")] == [2, 3]


async def test_who_gets_it_next_has_the_whole_time_and_the_end_does_not_move(world: World) -> None:
    with at(MONDAY):
        order = await placed(world)
        await dispatched(world, order)
    with at("2026-03-16T11:30"):
        await anew(world)
        await dispatched(world, order, "second_member")
        found = await clocks(world, order)
        assert (found["accept1"]["state"], when(found["accept2"]["due_at"])) == ("stopped", "2026-03-16 15:30")
        await world.act(order, "second_member", "accept")
        await world.act(order, "second_member", "hand-back", {"reason": "家中有事"})
        found = await clocks(world, order)
    assert {key: one["state"] for key, one in found.items()} == {
        "dispatch1": "met", "dispatch2": "running", "accept1": "stopped", "accept2": "met", "arrive1": "stopped",
        "finish1": "running",
    }  # fmt: skip
    assert when(found["finish1"]["due_at"]) == "2026-03-19 17:30"


async def test_holidays_and_make_up_days_count_as_the_state_council_says(world: World) -> None:
    """Placed on the Saturday before the Spring Festival, which is worked; the 28th is worked too."""
    with at("2026-02-13T18:00"):
        order = await placed(world)
        found = await clocks(world, order)
    assert when(found["dispatch1"]["due_at"]) == "2026-02-14 10:30"
    assert when(found["finish1"]["due_at"]) == "2026-02-25 17:30"


async def test_a_year_nobody_knows_is_guessed_and_says_so(world: World) -> None:
    with at("2031-01-01T09:00"):
        order = await placed(world)
        found = await clocks(world, order)
    assert (found["finish1"]["is_fallback"], when(found["finish1"]["due_at"])) == (True, "2031-01-06 17:30")


async def test_without_a_promise_there_are_no_clocks(world: World, keep: Keep) -> None:
    order = await world.order()
    await keep()
    assert await clocks(world, order["id"]) == {}
    assert await world.fetch("SELECT FROM order_clock_work WHERE tenant_id = $1", world.tenant_id) == []


class TestTheWayOfAnOrder:
    """What the lifecycle has beside the straight way."""

    async def under_way(self, world: World) -> str:
        order = await placed(world)
        await dispatched(world, order)
        await world.act(order, "member", "accept")
        await world.act(order, "member", "start")
        return order

    async def test_shelved_no_time_counts_and_resumed_it_goes_on(self, world: World, keep: Keep) -> None:
        with at(MONDAY):
            order = await self.under_way(world)
            await world.act(order, "dispatcher", "shelve", {"reason": "等待自来水公司停水检修"})
            answer = (await world.zhang.get(f"/v1/orders/{order}/clocks")).json()
            assert (answer["is_shelved"], answer["is_paused"]) == (True, True)
            await keep()
            listed = (await world.dispatcher.get("/v1/clocks", state="paused")).json()["items"]
            assert [(one["target"], one["due_at"]) for one in listed] == [("finish", None)]
        with at("2026-03-18T18:00"):
            await anew(world)
            await world.act(order, "dispatcher", "resume")
            found = (await clocks(world, order))["finish1"]
        assert (found["state"], when(found["due_at"])) == ("running", "2026-03-23 17:30")
        assert [one["is_running"] for one in found["segments"]] == [True, False, True]

    async def test_shelved_its_clocks_are_not_paused_beside(self, world: World) -> None:
        with at(MONDAY):
            order = await self.under_way(world)
            path = f"{order}/clocks"
            await world.act(order, "dispatcher", "shelve", {"reason": "等配件"})
            assert await refused(world, "dispatcher", f"{path}/pause", {"reason": "停水"}) == (409, "order_shelved")
            assert await refused(world, "dispatcher", f"{path}/resume", {"reason": "好了"}) == (409, "order_shelved")
            body = {"amount": 1, "reason": "配件未到"}
            assert await refused(world, "member", f"{path}/finish/extensions", body) == (409, "order_state_conflict")

    async def test_paused_by_hand_and_shelved_it_goes_on_when_both_are_over(self, world: World) -> None:
        with at(MONDAY):
            order = await self.under_way(world)
            await world.dispatcher.post(f"/v1/orders/{order}/clocks/pause", {"reason": "停水"})
            await world.act(order, "dispatcher", "shelve", {"reason": "等配件"})
            await world.act(order, "dispatcher", "resume")
            assert (await clocks(world, order))["finish1"]["state"] == "paused"
            answer = await world.dispatcher.post(f"/v1/orders/{order}/clocks/resume", {"reason": "来水了"})
            assert answer.json()["is_paused"] is False
            assert (await clocks(world, order))["finish1"]["state"] == "running"

    async def test_returned_the_time_of_the_dispatch_waits_for_who_asked(self, world: World) -> None:
        with at(MONDAY):
            order = await placed(world)
            await world.act(order, "dispatcher", "return", {"reason": "请补充药名"})
        with at("2026-03-17T09:00"):
            await anew(world)
            await world.act(order, "zhang", "resubmit", {"description": "硝苯地平两盒"})
            found = (await clocks(world, order))["dispatch1"]
        assert (found["state"], when(found["due_at"])) == ("running", "2026-03-17 11:00")

    async def test_passed_on_the_other_one_has_the_whole_time(self, world: World) -> None:
        with at(MONDAY):
            order = await self.under_way(world)
        with at("2026-03-16T11:30"):
            await anew(world)
            other = str(world.second_member.account_id)
            await world.act(order, "member", "transfer", {"assignee_id": other, "reason": "家中有事"})
            found = await clocks(world, order)
            assert (found["accept2"]["state"], when(found["accept2"]["due_at"])) == ("running", "2026-03-16 15:30")
            await world.act(order, "community_admin", "take-over", {"reason": "居民着急"})
            found = await clocks(world, order)
        assert (found["accept2"]["state"], found["arrive2"]["state"]) == ("met", "running")

    async def test_done_again_the_end_is_promised_again(self, world: World) -> None:
        with at(MONDAY):
            order = await self.under_way(world)
            await world.act(order, "member", "complete", {"note": "已办"})
            assert (await clocks(world, order))["finish1"]["state"] == "met"
        with at("2026-03-18T09:00"):
            await anew(world)
            await world.act(order, "dispatcher", "redo", {"reason": "居民说没有解决"})
            found = (await clocks(world, order))["finish1"]
        assert (found["state"], when(found["due_at"])) == ("running", "2026-03-20 17:30")

    async def test_who_helps_along_moves_no_clock(self, world: World) -> None:
        with at(MONDAY):
            order = await placed(world)
            assignment = {"assignee_id": str(world.member.account_id), "helpers_wanted": 2}
            await world.act(order, "dispatcher", "dispatch", assignment)
            before = await clocks(world, order)
            await world.act(order, "second_member", "join")
            await world.act(order, "second_member", "leave")
            after = await clocks(world, order)
        assert [(key, one["due_at"], one["why"]) for key, one in after.items()] == [
            (key, one["due_at"], one["why"]) for key, one in before.items()
        ]

    async def test_given_another_kind_it_is_counted_as_that_from_then_on(self, world: World, keep: Keep) -> None:
        with at(MONDAY):
            order = await placed(world)
            await promise(world, {"finish": {"amount": 2, "unit": "calendar_hours"}}, order_kind="snow_clearing")
        with at("2026-03-16T10:00"):
            await anew(world)
            await world.act(order, "dispatcher", "triage", {"kind": "snow_clearing"})
            found = await clocks(world, order)
            await keep()
            stored = await world.fetch("SELECT target, state, why FROM order_clocks ORDER BY target")
        assert (found["finish1"]["state"], when(found["finish1"]["due_at"])) == ("running", "2026-03-16 11:00")
        why = found["finish1"]["why"]
        assert (why["counted_as"], why["policy_order_kind"], why["policy_version"]) == ("snow_clearing",) * 2 + (2,)
        assert when(why["rules_since"]) == "2026-03-16 10:00"
        assert found["dispatch1"]["state"] == "stopped"  # nothing is promised for it any more
        assert found["dispatch1"]["why"]["counted_as"] == "buy_medicine"
        assert [(row["target"], row["state"]) for row in stored] == [("dispatch", "stopped"), ("finish", "running")]

    async def test_a_state_of_the_districts_own_says_itself_what_runs(self, world: World, keep: Keep) -> None:
        """Waiting for a part: no time runs. Nothing of the code knows the state."""
        await add_waiting(world)
        with at(MONDAY):
            order = await self.under_way(world)
            await world.act(order, "member", "steps/await_part", {"note": "等压缩机"})
            assert (await clocks(world, order))["finish1"]["state"] == "paused"
        with at("2026-03-17T18:00"):
            await anew(world)
            await world.act(order, "member", "steps/part_came")
            assert when((await clocks(world, order))["finish1"]["due_at"]) == "2026-03-20 17:30"


async def add_waiting(world: World) -> None:
    """A lifecycle in which whoever does the work may wait for a part."""
    waiting = State(id="awaiting_part", name="等配件", name_en="awaiting a part", stage=OrderStage.HANDLE, pauses=True)
    steps = [
        Transition(
            action=action, name=name, name_en=action, from_states=(here,), to_state=there, who=("is_helper",)
        )
        for action, name, here, there in (
            ("await_part", "等配件", "in_progress", "awaiting_part"),
            ("part_came", "配件到了", "awaiting_part", "in_progress"),
        )
    ]  # fmt: skip
    life = Lifecycle(states=(*STANDARD.states, waiting), transitions=(*STANDARD.transitions, *steps))
    version = await world.add_lifecycle(life)
    await world.connection.execute(
        "UPDATE order_kinds SET lifecycle_version = $2 WHERE tenant_id = $1", world.tenant_id, version
    )


class TestPausing:
    async def test_no_time_counts_until_it_is_resumed(self, world: World) -> None:
        with at(MONDAY):
            order = await placed(world)
        with at("2026-03-16T10:30"):
            await anew(world)
            answer = await world.dispatcher.post(f"/v1/orders/{order}/clocks/pause", {"reason": "等待停水检修"})
            assert answer.status_code == 200, answer.text
            found = {one["target"]: one for one in answer.json()["clocks"]}
            assert (found["dispatch"]["state"], found["dispatch"]["due_at"]) == ("paused", None)
            assert answer.json()["is_paused"] is True
        with at("2026-03-18T15:00"):
            await anew(world)
            assert (await clocks(world, order))["dispatch1"]["left"]["count"] in (29, 30)
            answer = await world.dispatcher.post(f"/v1/orders/{order}/clocks/resume", {"reason": "检修完成"})
            found = {one["target"]: one for one in answer.json()["clocks"]}
        assert when(found["dispatch"]["due_at"]) == "2026-03-18 15:30"
        assert when(found["finish"]["due_at"]) == "2026-03-20 17:30"  # the closes of Monday and Tuesday were paused
        assert [one["is_running"] for one in found["finish"]["segments"]] == [True, False, True]
        assert [row["reason"] for row in answer.json()["pauses"]] == ["等待停水检修", "检修完成"]

    async def test_in_turn_only(self, world: World) -> None:
        await promise(world)
        order = (await world.order())["id"]
        assert await refused(world, "dispatcher", f"{order}/clocks/resume", {"reason": "可以"}) == (
            409, "clocks_not_paused",
        )  # fmt: skip
        await world.dispatcher.post(f"/v1/orders/{order}/clocks/pause", {"reason": "停水"})
        assert await refused(world, "dispatcher", f"{order}/clocks/pause", {"reason": "停水"}) == (409, "clocks_paused")

    async def test_not_when_nothing_runs(self, world: World) -> None:
        await promise(world)
        order = (await world.completed_order())["id"]
        assert await refused(world, "dispatcher", f"{order}/clocks/pause", {"reason": "停水"}) == (409, "nothing_runs")

    async def test_a_repeated_request_pauses_once(self, world: World) -> None:
        await promise(world)
        order = (await world.order())["id"]
        answers = [
            await world.dispatcher.post(f"/v1/orders/{order}/clocks/pause", {"reason": "停水"}, key="once")
            for _ in range(2)
        ]
        assert [answer.status_code for answer in answers] == [200, 200]
        assert answers[0].content == answers[1].content

    @pytest.mark.parametrize(
        ("by", "expected"),
        [
            ("zhang", (403, "forbidden")), ("member", (404, "order_not_found")),
            ("grid_worker", (403, "forbidden")), ("other_dispatcher", (404, "order_not_found")),
        ],
    )  # fmt: skip
    async def test_is_for_dispatchers_of_the_area(self, world: World, by: str, expected: tuple[int, str]) -> None:
        await promise(world)
        order = (await world.order())["id"]
        for action in ("pause", "resume"):
            assert await refused(world, by, f"{order}/clocks/{action}", {"reason": "停水"}) == expected


async def refused(world: World, by: str, path: str, body: dict[str, Any]) -> tuple[int, str]:
    answer = await world.people[by].post(f"/v1/orders/{path}", body)
    return answer.status_code, str(answer.json().get("code"))


class TestExtending:
    async def asked(self, world: World, order: str, **body: Any) -> str:
        answer = await world.member.post(
            f"/v1/orders/{order}/clocks/finish/extensions", {"amount": 2, "reason": "配件未到", **body}
        )
        assert answer.status_code == 201, answer.text
        return str(answer.json()["extensions"][-1]["id"])

    async def accepted(self, world: World) -> str:
        order = await placed(world)
        await dispatched(world, order)
        await world.act(order, "member", "accept")
        return order

    async def test_granted_it_moves_the_limit(self, world: World) -> None:
        with at(MONDAY):
            order = await self.accepted(world)
            extension = await self.asked(world, order)
            assert when((await clocks(world, order))["finish1"]["due_at"]) == "2026-03-19 17:30"
            answer = await world.dispatcher.post(
                f"/v1/orders/{order}/clocks/extensions/{extension}/decide", {"is_granted": True}
            )
            assert answer.status_code == 200, answer.text
            found = (await clocks(world, order))["finish1"]
        assert (when(found["due_at"]), found["why"]["extension_ids"]) == ("2026-03-23 17:30", [extension])
        assert answer.json()["extensions"][0]["is_granted"] is True

    async def test_refused_it_stays(self, world: World) -> None:
        with at(MONDAY):
            order = await self.accepted(world)
            path = f"{order}/clocks/extensions/{await self.asked(world, order)}/decide"
            assert await refused(world, "dispatcher", path, {"is_granted": False}) == (422, "invalid_request")
            await world.dispatcher.post(f"/v1/orders/{path}", {"is_granted": False, "reason": "可以按时完成"})
            assert when((await clocks(world, order))["finish1"]["due_at"]) == "2026-03-19 17:30"
            assert await refused(world, "dispatcher", path, {"is_granted": True}) == (409, "extension_decided")

    async def test_one_at_a_time_by_who_has_it_and_decided_by_another(self, world: World) -> None:
        with at(MONDAY):
            order = await self.accepted(world)
            body = {"amount": 1, "reason": "下雨"}
            path = f"{order}/clocks/finish/extensions"
            assert await refused(world, "dispatcher", path, body) == (403, "forbidden")
            assert await refused(world, "second_member", path, body) == (404, "order_not_found")
            assert await refused(world, "member", path, {**body, "amount": 367}) == (422, "too_much_time")
            extension = await self.asked(world, order)
            assert await refused(world, "member", path, body) == (409, "extension_pending")
            decide = f"{order}/clocks/extensions/{extension}/decide"
            assert await refused(world, "member", decide, {"is_granted": True}) == (403, "forbidden")
            assert await refused(world, "member", f"{order}/clocks/accept/extensions", body) == (409, "not_in_time")
            other = f"{order}/clocks/extensions/{world.tenant_id}/decide"
            assert await refused(world, "dispatcher", other, {"is_granted": True}) == (404, "extension_not_found")

    async def test_the_history_of_the_order_tells_of_it(self, world: World) -> None:
        with at(MONDAY):
            order = await self.accepted(world)
            for is_granted in (False, True):
                path = f"/v1/orders/{order}/clocks/extensions/{await self.asked(world, order)}/decide"
                await world.dispatcher.post(path, {"is_granted": is_granted, "reason": "说明情况"})
            rows = await world.fetch("SELECT action, note FROM order_history WHERE tenant_id = $1", world.tenant_id)
        told = [(row["action"], row["note"]) for row in rows if row["action"].endswith("extension")]
        asked = ("ask_extension", "配件未到")
        assert told == [asked, ("refuse_extension", "说明情况"), asked, ("grant_extension", "说明情况")]

    async def test_refused_nothing_is_told(self, world: World) -> None:
        with at(MONDAY):
            order = await self.accepted(world)
            path = f"{order}/clocks/accept/extensions"
            assert await refused(world, "member", path, {"amount": 1, "reason": "下雨"}) == (409, "not_in_time")
        rows = await world.fetch("SELECT action FROM order_history WHERE tenant_id = $1", world.tenant_id)
        assert "ask_extension" not in {row["action"] for row in rows}

    async def test_where_the_lifecycle_knows_no_more_time_nobody_asks_for_it(self, world: World) -> None:
        kept = tuple(step for step in STANDARD.transitions if "extension" not in step.action)
        version = await world.add_lifecycle(Lifecycle(states=STANDARD.states, transitions=kept))
        await world.connection.execute(
            "UPDATE order_kinds SET lifecycle_version = $2 WHERE tenant_id = $1", world.tenant_id, version
        )
        with at(MONDAY):
            order = await self.accepted(world)
            path = f"{order}/clocks/finish/extensions"
            assert await refused(world, "member", path, {"amount": 1, "reason": "下雨"}) == (403, "forbidden")

    async def test_not_after_the_limit(self, world: World) -> None:
        with at(MONDAY):
            order = await self.accepted(world)
            extension = await self.asked(world, order)
        with at("2026-03-19T17:31"):
            await anew(world)
            assert (await clocks(world, order))["finish1"]["state"] == "missed"
            path = f"{order}/clocks/extensions/{extension}/decide"
            assert await refused(world, "dispatcher", path, {"is_granted": True}) == (409, "not_in_time")


class TestTelling:
    async def told(self, world: World) -> list[tuple[str, str, str]]:
        rows = await world.fetch(
            "SELECT f.target, f.kind, e.kind AS event FROM order_clock_firings f"
            " JOIN outbox_events e ON e.tenant_id = f.tenant_id AND e.id = f.event_id"
            " WHERE f.tenant_id = $1 ORDER BY f.fired_at, f.target",
            world.tenant_id,
        )
        return [(row["target"], row["kind"], row["event"]) for row in rows]

    async def test_warned_before_and_escalated_after_once_each(self, world: World, keep: Keep) -> None:
        with at(MONDAY):
            order = await placed(world)
            await keep()
        with at("2026-03-16T10:00:01"):
            await keep()
            assert await self.told(world) == []  # what was done in time may still be under way
        warned = ("dispatch", "warned", "order_clock_warned")
        missed = ("dispatch", "missed", "order_clock_missed")
        with after_grace("2026-03-16T10:00"):
            await keep()
            await keep()
            assert await self.told(world) == [warned]
        with after_grace("2026-03-16T11:00"):
            await keep()
            await keep()
            assert await self.told(world) == [warned, missed]
        with at("2026-03-16T11:05"):
            await anew(world)
            assert (await clocks(world, order))["dispatch1"]["told"] == ["missed", "warned"]

    async def test_the_level_that_is_to_know_is_told(self, world: World, keep: Keep) -> None:
        with at(MONDAY):
            await placed(world)
            await keep()
        with after_grace("2026-03-19T17:30"):
            await keep()
        row = (await world.fetch("SELECT * FROM order_clock_firings WHERE target = 'finish' AND kind = 'missed'"))[0]
        assert (row["told_role"], row["told_area_id"]) == ("dispatcher", world.areas["subdistrict"])

    async def test_a_pause_before_it_puts_it_off(self, world: World, keep: Keep) -> None:
        with at(MONDAY):
            order = await placed(world)
            await keep()
        with at("2026-03-16T09:59"):
            await anew(world)
            await world.dispatcher.post(f"/v1/orders/{order}/clocks/pause", {"reason": "停水"})
        with after_grace("2026-03-25T11:00"):
            await keep()
            assert await self.told(world) == []

    async def test_what_was_done_in_time_is_told_to_nobody(self, world: World, keep: Keep) -> None:
        """Even where the keeper learns of it only after the limit."""
        with at(MONDAY):
            order = await placed(world)
            await keep()
        with at("2026-03-16T09:30"):
            await anew(world)
            await dispatched(world, order)
        with after_grace("2026-03-16T11:00"):
            await keep()
            assert await self.told(world) == []

    async def test_after_the_limit_nobody_is_warned_of_it(self, world: World, keep: Keep) -> None:
        with at(MONDAY):
            await placed(world)
        with after_grace("2026-03-16T11:00"):
            await keep()
            assert await self.told(world) == [("dispatch", "missed", "order_clock_missed")]

    def test_grace_is_a_matter_of_seconds(self) -> None:
        assert GRACE.total_seconds() <= 5
