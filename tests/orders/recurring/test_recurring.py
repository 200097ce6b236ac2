"""Recurring orders over the API: arranged, made ahead, changed from now on, ended."""

import json
from datetime import date, datetime
from typing import Any
from uuid import UUID

import pytest

from services.orders.recurring.making import described
from tests.orders.clocks.conftest import moment
from tests.orders.recurring.conftest import (
    MONDAYS,
    Keep,
    anew,
    arrange,
    at,
    change,
    coming,
    last_step,
    orders_of,
    put,
    standing,
)
from tests.world import World

FRIDAY = "2026-03-06T09:00"


def edited(recurring: dict[str, Any], **body: Any) -> dict[str, Any]:
    return {**MONDAYS, "expected_version": recurring["version"], **body}


async def test_orders_are_made_a_fortnight_ahead(world: World, keep: Keep) -> None:
    with at(FRIDAY):
        await anew(world)
        recurring = await arrange(world)
        assert await keep() == 2
        assert [(order["day"], order["hour"]) for order in await orders_of(world, recurring["id"])] == [
            ("2026-03-09", "08:30"), ("2026-03-16", "08:30"),
        ]  # fmt: skip
        assert await keep() == 0
    with at("2026-03-09T00:01"):
        assert await keep() == 1
        assert standing(await orders_of(world, recurring["id"]))[-1] == "2026-03-23"


async def test_what_was_over_when_it_was_arranged_is_neither_made_nor_missed(world: World, keep: Keep) -> None:
    with at("2026-03-09T12:00"):
        await anew(world)
        recurring = await arrange(world)
        await keep()
        assert standing(await orders_of(world, recurring["id"])) == ["2026-03-16", "2026-03-23"]
        assert (await coming(world, recurring["id"]))[0]["occurrence_on"] == "2026-03-16"
        assert (await world.zhang.get(f"/v1/recurring-orders/{recurring['id']}")).json()["failures"] == 0
        assert not await world.fetch(
            "SELECT FROM recurring_order_occurrences WHERE tenant_id = $1 AND outcome = 'failed'", world.tenant_id
        )


async def test_two_that_fall_on_one_day_become_one_order(world: World, keep: Keep) -> None:
    """春节 takes two Mondays; there is one visit on the Tuesday after it."""
    with at("2026-02-12T09:00"):
        await anew(world)
        recurring = await arrange(world, holiday_policy="after")
        await keep()
        made = await orders_of(world, recurring["id"])
        assert [(order["day"], order["occurrence_on"].isoformat()) for order in made] == [("2026-02-24", "2026-02-16")]


async def test_a_leap_day_once_in_four_years(world: World, keep: Keep) -> None:
    with at("2028-02-20T09:00"):
        await anew(world)
        recurring = await arrange(world, first_on="2028-02-20", rule="FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29")
        assert await keep() == 1
        days = [one["occurrence_on"] for one in await coming(world, recurring["id"], count=2)]
        assert days == ["2028-02-29", "2032-02-29"]
        assert [one["is_guess"] for one in await coming(world, recurring["id"], count=1)] == [True]


async def test_an_order_carries_what_was_said_and_what_the_register_says(world: World, keep: Keep) -> None:
    with at(FRIDAY):
        await anew(world)
        recurring = await arrange(world, contact_phone="13600136000")
        await keep()
        order_id = (await orders_of(world, recurring["id"]))[0]["id"]
        order = (await world.zhang.get(f"/v1/orders/{order_id}")).json()
        assert order["details"]["description"] == MONDAYS["description"]
        assert (order["details"]["contact_name"], order["details"]["contact_phone"]) == ("张德明", "13600136000")
        assert order["details"]["household_id"] == str(world.households["2单元502"])
        assert datetime.fromisoformat(order["wanted_until"]) == moment("2026-03-09T10:30")


async def test_the_kept_helper_is_asked_each_time_and_the_order_says_why(world: World, keep: Keep) -> None:
    with at(FRIDAY):
        await anew(world)
        recurring = await arrange(world, by="dispatcher", on_behalf_of=str(world.zhang.resident_id),
                                  helper_id=str(world.member.account_id))  # fmt: skip
        await keep()
        made = await orders_of(world, recurring["id"])
        assert {(order["state"], order["assignee_id"]) for order in made} == {("dispatched", world.member.account_id)}
        step = await last_step(world, made[0]["id"])
        assert (step["action"], step["actor_id"]) == ("dispatch", None)
        details = json.loads(step["details"])
        assert (details["mode"], details["why"]["words"]) == ("automatic", "同一位帮手")
        await world.act(made[0]["id"], "member", "accept")


async def test_without_anybody_familiar_it_goes_into_the_pool(world: World, keep: Keep) -> None:
    with at(FRIDAY):
        await anew(world)
        recurring = await arrange(world)
        await keep()
        assert {order["is_in_pool"] for order in await orders_of(world, recurring["id"])} == {True}


async def test_where_the_dispatcher_decides_it_waits_for_the_dispatcher(world: World, keep: Keep) -> None:
    with at(FRIDAY):
        await anew(world)
        recurring = await arrange(world, cover_policy="dispatcher")
        await keep()
        assert {order["state"] for order in await orders_of(world, recurring["id"])} == {"placed"}


async def test_the_household_sees_the_coming_weeks_with_their_festivals(world: World, keep: Keep) -> None:
    with at("2026-02-02T09:00"):
        await anew(world)
        recurring = await arrange(world, holiday_policy="after")
        await keep()
        answer = await world.daughter.get("/v1/recurring-orders/coming", weeks=4)
        weeks = answer.json()["items"]
        assert [(one["occurrence_on"], one["why"], one["holiday"]) for one in weeks] == [
            ("2026-02-02", "rule", None),
            ("2026-02-09", "rule", None),
            ("2026-02-23", "same_day", "春节"),
            ("2026-02-16", "holiday", "春节"),
            ("2026-03-02", "rule", None),
        ]
    moved = next(one for one in weeks if one["occurrence_on"] == "2026-02-16")
    assert moved["planned_from"].startswith("2026-02-24T00:30")
    assert (moved["outcome"], moved["order"]) == (None, None)
    made = next(one for one in weeks if one["occurrence_on"] == "2026-02-09")
    assert made["outcome"] == "made"
    assert made["order"]["stage"] == "handle"
    assert {one["recurring_order_id"] for one in weeks} == {recurring["id"]}


async def test_a_rule_is_shown_before_it_is_saved(world: World, keep: Keep) -> None:
    await keep()
    times = {name: MONDAYS[name] for name in ("rule", "from_time", "until_time")}
    answer = await world.zhang.post(
        "/v1/recurring-orders/preview",
        {**times, "first_on": "2026-09-28", "holiday_policy": "before", "count": 3},
    )
    assert answer.status_code == 200, answer.text
    assert [(one["occurrence_on"], one["planned_from"], one["holiday"]) for one in answer.json()["items"]] == [
        ("2026-09-28", "2026-09-28T00:30:00Z", None),
        ("2026-10-05", "2026-09-30T00:30:00Z", "国庆节"),
        ("2026-10-12", "2026-10-12T00:30:00Z", None),
    ]
    assert not await world.fetch("SELECT FROM recurring_orders WHERE tenant_id = $1", world.tenant_id)


async def test_what_is_wrong_with_a_rule_is_said(world: World) -> None:
    answer = await world.zhang.post("/v1/recurring-orders", {**MONDAYS, "rule": "FREQ=HOURLY"})
    assert answer.status_code == 422
    problem = answer.json()
    assert (problem["code"], problem["fault"], problem["part"]) == ("rule_not_understood", "too_fine", "FREQ")
    assert problem["detail"] == "重复规则有误：最多每天一次（FREQ）。"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"kind": "no_such_kind"}, "unknown_order_kind"),
        ({"until_time": "08:30"}, "invalid_request"),
        ({"from_time": "8:30"}, "invalid_request"),
        ({"from_time": 30600}, "invalid_request"),
        ({"first_on": 0}, "invalid_request"),
        ({"first_on": "2190-01-01"}, "first_day_out_of_reach"),
        ({"rule": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"}, "rule_not_understood"),
        ({"horizon_days": 61}, "invalid_request"),
        ({"answers": {"much": "x" * 9000}}, "invalid_request"),
        ({"answers": {"floor": 5}}, "form_incomplete"),
        ({"state": "ended"}, "invalid_request"),
    ],
)
async def test_what_cannot_be_arranged_changes_nothing(world: World, body: dict[str, Any], code: str) -> None:
    answer = await world.zhang.post("/v1/recurring-orders", {**MONDAYS, **body})
    assert answer.json()["code"] == code, answer.text
    assert not await world.fetch("SELECT FROM recurring_orders WHERE tenant_id = $1", world.tenant_id)
    assert not await world.fetch("SELECT FROM orders WHERE tenant_id = $1", world.tenant_id)


# Changes ----------------------------------------------------------------------------------------------------------


async def test_one_is_skipped_and_its_order_taken_back(world: World, keep: Keep) -> None:
    with at(FRIDAY):
        await anew(world)
        recurring = await arrange(world)
        await keep()
        answer = await change(world, "daughter", recurring["id"], "skip", occurrence_on="2026-03-16")
        assert [one["occurrence_on"] for one in answer["withdrawn"]] == ["2026-03-16"]
        assert await keep() == 0
        assert standing(await orders_of(world, recurring["id"])) == ["2026-03-09"]
        second = (await coming(world, recurring["id"]))[1]
        assert (second["occurrence_on"], second["planned_from"], second["why"]) == ("2026-03-16", None, "exception")


async def test_what_was_skipped_can_be_had_after_all(world: World, keep: Keep) -> None:
    with at(FRIDAY):
        await anew(world)
        recurring = await arrange(world)
        await keep()
        await change(world, "zhang", recurring["id"], "skip", occurrence_on="2026-03-16")
        await keep()
        await change(world, "zhang", recurring["id"], "move", occurrence_on="2026-03-16", moved_on="2026-03-16")
        assert await keep() == 1
        assert standing(await orders_of(world, recurring["id"])) == ["2026-03-09", "2026-03-16"]


async def test_one_is_moved_to_another_day_and_time(world: World, keep: Keep) -> None:
    with at(FRIDAY):
        await anew(world)
        recurring = await arrange(world)
        await keep()
        await change(
            world, "zhang", recurring["id"], "move", occurrence_on="2026-03-16", moved_on="2026-03-18",
            from_time="14:00", until_time="16:00",
        )  # fmt: skip
        assert await keep() == 1
        made = [order for order in await orders_of(world, recurring["id"]) if order["state"] != "cancelled"]
        assert [(order["day"], order["hour"]) for order in made] == [("2026-03-09", "08:30"), ("2026-03-18", "14:00")]
        assert (await coming(world, recurring["id"]))[1]["outcome"] == "moved"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"occurrence_on": "2026-03-17", "moved_on": "2026-03-18"}, "not_an_occurrence"),
        ({"occurrence_on": "2026-03-02", "moved_on": "2026-03-18"}, "not_an_occurrence"),
        ({"occurrence_on": "2026-03-16", "moved_on": "2026-03-05"}, "cannot_move_there"),
        ({"occurrence_on": "2026-03-16", "moved_on": "2026-06-16"}, "cannot_move_there"),
        ({"occurrence_on": "2026-03-16", "moved_on": "2026-03-18", "from_time": "09:00"}, "invalid_request"),
    ],
)
async def test_what_cannot_be_moved(world: World, keep: Keep, body: dict[str, Any], code: str) -> None:
    with at(FRIDAY):
        await anew(world)
        recurring = await arrange(world)
        await keep()
        answer = await world.zhang.post(f"/v1/recurring-orders/{recurring['id']}/move", body)
        assert (answer.status_code, answer.json()["code"]) == (422, code)


async def test_what_somebody_has_begun_with_is_not_skipped(world: World, keep: Keep) -> None:
    with at(FRIDAY):
        await anew(world)
        recurring = await arrange(world)
        await keep()
        order_id = (await orders_of(world, recurring["id"]))[0]["id"]
        await world.act(order_id, "member", "accept")
        answer = await world.zhang.post(f"/v1/recurring-orders/{recurring['id']}/skip", {"occurrence_on": "2026-03-09"})
        assert (answer.status_code, answer.json()["code"]) == (409, "occurrence_under_way")
        assert answer.json()["order_id"] == order_id


async def test_an_edit_makes_untouched_orders_anew_and_leaves_the_others(world: World, keep: Keep) -> None:
    with at(FRIDAY):
        await anew(world)
        recurring = await arrange(world)
        await keep()
        accepted = (await orders_of(world, recurring["id"]))[0]
        await world.act(accepted["id"], "member", "accept")
        answer = await put(world, "zhang", recurring["id"], edited(recurring, rule="FREQ=WEEKLY;BYDAY=TU"))
        assert answer.status_code == 200, answer.text
        assert [one["occurrence_on"] for one in answer.json()["kept"]] == ["2026-03-09"]
        assert [one["occurrence_on"] for one in answer.json()["withdrawn"]] == ["2026-03-16"]
        await keep()
        made = await orders_of(world, recurring["id"])
        assert standing(made) == ["2026-03-09", "2026-03-10", "2026-03-17"]
        assert next(order for order in made if order["id"] == accepted["id"])["state"] == "accepted"


async def test_an_edit_that_changes_nothing_leaves_what_is_made(world: World, keep: Keep) -> None:
    with at(FRIDAY):
        await anew(world)
        recurring = await arrange(world)
        await keep()
        before = await orders_of(world, recurring["id"])
        answer = await put(world, "zhang", recurring["id"], edited(recurring))
        assert (answer.json()["kept"], answer.json()["withdrawn"]) == ([], [])
        assert await keep() == 0
        assert await orders_of(world, recurring["id"]) == before


async def test_another_time_of_day_replaces_what_nobody_has_begun_with_and_back_again(world: World, keep: Keep) -> None:
    with at(FRIDAY):
        await anew(world)
        recurring = await arrange(world)
        for hour in ("14:00", "08:30"):
            await keep()
            version = (await world.zhang.get(f"/v1/recurring-orders/{recurring['id']}")).json()["version"]
            body = {**MONDAYS, "from_time": hour, "until_time": "16:00", "expected_version": version}
            assert (await put(world, "zhang", recurring["id"], body)).status_code == 200
        await keep()
        made = await orders_of(world, recurring["id"])
        assert standing(made) == ["2026-03-09", "2026-03-16"]
        assert {order["hour"] for order in made if order["state"] != "cancelled"} == {"08:30"}


async def test_who_edits_what_has_changed_is_told(world: World) -> None:
    recurring = await arrange(world)
    await change(world, "zhang", recurring["id"], "pause", paused_from="2027-03-01")
    answer = await put(world, "zhang", recurring["id"], edited(recurring))
    assert (answer.status_code, answer.json()["code"], answer.json()["version"]) == (
        409, "recurring_order_changed", 2,
    )  # fmt: skip


async def test_a_pause_takes_back_what_is_made_and_resuming_makes_it_again(world: World, keep: Keep) -> None:
    with at(FRIDAY):
        await anew(world)
        recurring = await arrange(world)
        await keep()
        answer = await change(world, "zhang", recurring["id"], "pause", paused_from="2026-03-06")
        assert answer["recurring_order"]["state"] == "paused"
        assert len(answer["withdrawn"]) == 2
        await keep()
        assert standing(await orders_of(world, recurring["id"])) == []
    with at("2026-03-12T09:00"):
        await anew(world)
        answer = await change(world, "zhang", recurring["id"], "resume")
        assert answer["recurring_order"]["state"] == "active"
        assert answer["recurring_order"]["paused_until"] == "2026-03-11"
        await keep()
        assert standing(await orders_of(world, recurring["id"])) == ["2026-03-16", "2026-03-23"]
        again = await world.zhang.post(f"/v1/recurring-orders/{recurring['id']}/resume", {})
        assert (again.status_code, again.json()["code"]) == (409, "recurring_order_not_paused")


async def test_it_is_ended_from_a_day_on(world: World, keep: Keep) -> None:
    with at(FRIDAY):
        await anew(world)
        recurring = await arrange(world)
        await keep()
        answer = await change(world, "dispatcher", recurring["id"], "end", ends_on="2026-03-10", reason="已住进养老院")
        assert [one["occurrence_on"] for one in answer["withdrawn"]] == ["2026-03-16"]
        await keep()
    with at("2026-03-10T09:00"):
        await anew(world)
        await keep()
        read = (await world.zhang.get(f"/v1/recurring-orders/{recurring['id']}")).json()
        assert (read["state"], read["end_reason"]) == ("ended", "已住进养老院")
        assert [one["action"] for one in read["changes"]] == ["arrange", "end"]
        answer2 = await world.zhang.post(f"/v1/recurring-orders/{recurring['id']}/pause", {"paused_from": "2026-04-01"})
        assert (answer2.status_code, answer2.json()["code"]) == (409, "recurring_order_ended")
        assert standing(await orders_of(world, recurring["id"])) == ["2026-03-09"]
        assert not await world.fetch_value("SELECT next_at FROM recurring_orders WHERE id = $1", UUID(recurring["id"]))


async def test_a_rule_that_runs_out_ends_it(world: World, keep: Keep) -> None:
    with at(FRIDAY):
        await anew(world)
        recurring = await arrange(world, first_on="2026-03-09", rule="FREQ=WEEKLY;BYDAY=MO;COUNT=2")
        assert await keep() == 2
    with at("2026-03-16T11:00"):
        await keep()
    with at("2026-03-17T00:05"):
        await anew(world)
        await keep()
        read = (await world.zhang.get(f"/v1/recurring-orders/{recurring['id']}")).json()
        assert (read["state"], read["changes"][-1]["action"], read["changes"][-1]["actor_id"]) == (
            "ended", "run_out", None,
        )  # fmt: skip
        assert await keep() == 0


async def test_of_two_that_become_one_the_order_says_so(world: World, keep: Keep) -> None:
    """Both Mondays of 春节 are done on the working Saturday before it, though the second lies beyond the horizon."""
    with at("2026-02-06T09:00"):
        await anew(world)
        recurring = await arrange(world, holiday_policy="before", horizon_days=9)
        await keep()
        made = await orders_of(world, recurring["id"])
        assert [(order["day"], order["description"]) for order in made] == [
            ("2026-02-09", "代购一周降压药"), ("2026-02-14", "代购一周降压药（含2月23日的一次）"),
        ]  # fmt: skip
        shown = {one["occurrence_on"]: one["joins"] for one in await coming(world, recurring["id"], count=3)}
    assert shown == {"2026-02-09": None, "2026-02-16": None, "2026-02-23": "2026-02-16"}


def test_days_fit_into_the_longest_description() -> None:
    days = [date(2026, 10, day) for day in range(1, 8)]
    words = described("药" * 2000, days)
    assert len(words) == 2000
    assert words.endswith("药（含10月1日、10月2日、10月3日、10月4日、10月5日、10月6日、10月7日的各一次）")
