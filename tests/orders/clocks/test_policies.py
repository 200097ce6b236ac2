"""What a district promises: versions, who decides them, and from when they count."""

from datetime import timedelta
from typing import Any

import pytest

from services.chassis import clock
from tests.orders.clocks.conftest import PROMISED, Keep, after_grace, anew, at, clocks, moment, promise, when
from tests.world import World


async def decide(world: World, by: str = "district_admin", **body: Any) -> tuple[int, str]:
    answer = await world.people[by].post("/v1/clock-policies", {"targets": PROMISED, "note": "试行", **body})
    return answer.status_code, str(answer.json().get("code"))


async def test_a_kind_has_its_own_or_what_holds_for_all(world: World) -> None:
    with at("2026-03-16T09:00"):
        await anew(world)
        await promise(world)
        await promise(world, {"finish": {"amount": 2, "unit": "calendar_hours"}}, order_kind="snow_clearing")
        snow = await clocks(world, (await world.order(kind="snow_clearing"))["id"])
        medicine = await clocks(world, (await world.order())["id"])
    assert {key: when(one["due_at"]) for key, one in snow.items()} == {"finish1": "2026-03-16 11:00"}
    assert snow["finish1"]["why"]["policy_order_kind"] == "snow_clearing"
    assert set(medicine) == {"dispatch1", "finish1"}


async def test_a_kind_may_be_promised_nothing(world: World) -> None:
    await promise(world)
    await promise(world, {}, order_kind="snow_clearing")
    assert await clocks(world, (await world.order(kind="snow_clearing"))["id"]) == {}


async def test_running_orders_are_counted_by_it_from_its_time_on(world: World, keep: Keep) -> None:
    """From their own beginning, but nothing is due before the change, and what was missed stays missed."""
    with at("2026-03-16T09:00"):
        await anew(world)
        await promise(world)
        order = (await world.order())["id"]
        await promise(
            world, {"finish": {"amount": 5, "unit": "calendar_hours"}, "dispatch": PROMISED["accept"]},
            active_from=moment("2026-03-16T13:00").isoformat(),
        )  # fmt: skip
        await keep()
        assert when((await clocks(world, order))["finish1"]["due_at"]) == "2026-03-19 17:30"
    with after_grace("2026-03-16T13:00"):
        await anew(world)
        await keep()
        found = await clocks(world, order)
        stored = await world.fetch_value("SELECT due_at FROM order_clocks WHERE target = 'finish'")
    assert (found["dispatch1"]["state"], when(found["dispatch1"]["due_at"])) == ("missed", "2026-03-16 11:00")
    assert (when(found["finish1"]["due_at"]), found["finish1"]["why"]["policy_version"]) == ("2026-03-16 14:00", 2)
    assert when(found["finish1"]["why"]["rules_since"]) == "2026-03-16 13:00"
    assert when(stored.isoformat()) == "2026-03-16 14:00"


async def test_the_first_promise_counts_for_what_is_open_already(world: World, keep: Keep) -> None:
    with at("2026-03-16T09:00"):
        await anew(world)
        order = (await world.order())["id"]
    with at("2026-03-18T09:00"):
        await anew(world)
        await promise(world, {"finish": {"amount": 24, "unit": "calendar_hours"}})
        found = (await clocks(world, order))["finish1"]
        assert (when(found["started_at"]), when(found["due_at"])) == ("2026-03-18 09:00", "2026-03-19 09:00")
    with after_grace("2026-03-18T09:00"):
        await keep()
    assert await world.fetch_value("SELECT state FROM order_clocks") == "running"
    with after_grace("2026-03-19T09:00"):
        await keep()
    assert await world.fetch_value("SELECT state FROM order_clocks") == "missed"


async def test_what_is_promised_first_later_begins_then(world: World) -> None:
    """Another target, and what one kind alone is promised; what was over before has no clock."""
    with at("2026-03-16T09:00"):
        await anew(world)
        await promise(world, {"finish": {"amount": 5, "unit": "calendar_hours"}}, order_kind="snow_clearing")
        order, snow = (await world.order())["id"], (await world.order(kind="snow_clearing"))["id"]
    with at("2026-03-16T10:00"):
        await anew(world)
        await world.act(order, "dispatcher", "dispatch", {})
    with at("2026-03-16T12:00"):
        await anew(world)
        await promise(world, {target: {"amount": 5, "unit": "calendar_hours"} for target in PROMISED})
        found, kept = await clocks(world, order), await clocks(world, snow)
    assert {key: when(one["due_at"]) for key, one in found.items()} == {
        "accept1": "2026-03-16 17:00", "finish1": "2026-03-16 17:00",
    }  # fmt: skip
    assert {key: when(one["due_at"]) for key, one in kept.items()} == {"finish1": "2026-03-16 14:00"}
    assert [segment["from"] for segment in found["finish1"]["segments"]] == [found["finish1"]["started_at"]]


async def test_what_is_announced_does_not_count_before_its_time(world: World) -> None:
    with at("2026-03-16T09:00"):
        await anew(world)
        order = (await world.order())["id"]
        later = moment("2026-03-16T12:00").isoformat()
        await promise(world, {"finish": {"amount": 5, "unit": "calendar_hours"}}, active_from=later)
        assert await clocks(world, order) == {}
    with at("2026-03-16T12:30"):
        await anew(world)
        assert when((await clocks(world, order))["finish1"]["due_at"]) == "2026-03-16 17:00"


async def test_versions_stay_and_are_read_by_everybody(world: World) -> None:
    for amount in (1, 2, 3):
        await promise(world, {"finish": {"amount": amount, "unit": "work_days"}})
    first = (await world.zhang.get("/v1/clock-policies", limit=2)).json()
    rest = (await world.zhang.get("/v1/clock-policies", cursor=first["next_cursor"])).json()
    assert [one["version"] for one in (*first["items"], *rest["items"])] == [3, 2, 1]
    assert rest["next_cursor"] is None
    assert (await world.zhang.get("/v1/clock-policies/2")).json()["targets"]["finish"]["amount"] == 2
    in_force = await world.zhang.get("/v1/clock-policies/in-force", order_kind="buy_medicine")
    assert in_force.json()["version"] == 3
    assert (await world.zhang.get("/v1/clock-policies/4")).json()["code"] == "clock_policy_not_found"


@pytest.mark.parametrize("by", ["zhang", "dispatcher", "community_admin", "member"])
async def test_district_administrators_decide(world: World, by: str) -> None:
    assert await decide(world, by) == (403, "forbidden")


async def test_what_is_refused(world: World) -> None:
    past = (clock.now() - timedelta(minutes=1)).isoformat()
    assert await decide(world, active_from=past) == (422, "clock_policy_from_past")
    assert await decide(world, order_kind="no_such_kind") == (422, "unknown_order_kind")
    level = {"amount": 1, "unit": "work_days", "escalate_to": {"role": "dispatcher", "level": "province"}}
    assert await decide(world, targets={"finish": level}) == (422, "unknown_area_level")


@pytest.mark.parametrize(
    "promised",
    [
        {"amount": 0, "unit": "work_days"},
        {"amount": -1, "unit": "work_days"},
        {"amount": 367, "unit": "work_days"},
        {"amount": 8785, "unit": "calendar_hours"},
        {"amount": 1.5, "unit": "work_hours"},
        {"amount": "１", "unit": "work_hours"},
        {"amount": 1, "unit": "weeks"},
        {"amount": 1, "unit": "work_days", "warn_before": 1, "warn_percent": 10},
        {"amount": 1, "unit": "work_days", "warn_percent": 100},
        {"amount": 1, "unit": "work_days", "escalate_to": {"role": "king"}},
        {"amount": 1, "unit": "work_days", "surplus": 1},
    ],
)
async def test_odd_promises_are_refused(world: World, promised: dict[str, Any]) -> None:
    assert await decide(world, targets={"finish": promised}) == (422, "invalid_request")
    assert await world.fetch("SELECT FROM clock_policies WHERE tenant_id = $1", world.tenant_id) == []


async def test_another_district_promises_something_else(world: World, other_world: World) -> None:
    await promise(world)
    assert await clocks(other_world, (await other_world.order())["id"]) == {}
