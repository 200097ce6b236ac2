"""Dispatch policies: versions, who decides them, and from when they count."""

from datetime import timedelta
from typing import Any

import pytest

from services.chassis import clock
from services.orders.matching.scoring import WEIGHTS
from tests.orders.matching.conftest import decide, said
from tests.world import World

EVEN = {"distance": 20, "load": 20, "skill": 20, "urgency": 20, "familiarity": 20}


async def in_force(world: World, kind: str = "buy_medicine", by: str = "dispatcher") -> dict[str, Any]:
    answer = await world.people[by].get("/v1/dispatch-policies/in-force", order_kind=kind)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_nothing_decided_means_suggestions(world: World) -> None:
    found = await in_force(world)
    assert (found["version"], found["mode"], found["weights"]) == (0, "suggest", dict(WEIGHTS))


async def test_a_kind_has_its_own_or_what_holds_for_all(world: World) -> None:
    await decide(world, "manual")
    await decide(world, "automatic", order_kind="buy_medicine", limits={}, weights=EVEN)
    assert (await in_force(world))["mode"] == "automatic"
    assert (await in_force(world))["weights"] == EVEN
    assert (await in_force(world))["limits"]["min_score"] == 60
    assert (await in_force(world, "snow_clearing"))["mode"] == "manual"


async def test_versions_stay(world: World) -> None:
    for mode in ("manual", "suggest", "manual"):
        await decide(world, mode)
    first = (await world.member.get("/v1/dispatch-policies", limit=2)).json()
    rest = (await world.member.get("/v1/dispatch-policies", cursor=first["next_cursor"])).json()
    assert [one["version"] for one in (*first["items"], *rest["items"])] == [3, 2, 1]
    assert (await world.member.get("/v1/dispatch-policies/2")).json()["mode"] == "suggest"
    assert said(await world.member.get("/v1/dispatch-policies/4")) == (404, "dispatch_policy_not_found")


async def test_from_its_time_on(world: World) -> None:
    await decide(world, "manual", active_from=(clock.now() + timedelta(hours=1)).isoformat())
    assert (await in_force(world))["mode"] == "suggest"
    past = {"mode": "manual", "note": "x", "active_from": (clock.now() - timedelta(minutes=1)).isoformat()}
    assert said(await world.district_admin.post("/v1/dispatch-policies", past)) == (422, "dispatch_policy_from_past")


@pytest.mark.parametrize("by", ["zhang", "member", "dispatcher", "community_admin"])
async def test_the_district_decides(world: World, by: str) -> None:
    body = {"mode": "manual", "note": "试行"}
    assert said(await world.people[by].post("/v1/dispatch-policies", body)) == (403, "forbidden")


async def test_residents_do_not_read_them(world: World) -> None:
    for path in ("", "/in-force", "/1"):
        answer = await world.zhang.get(f"/v1/dispatch-policies{path}", order_kind="buy_medicine")
        assert said(answer) == (403, "forbidden")


@pytest.mark.parametrize(
    "odd",
    [
        {"mode": "automatic"},
        {"mode": "suggest", "limits": {}},
        {"mode": "guess"},
        {"mode": "suggest", "weights": {**EVEN, "load": 21}},
        {"mode": "suggest", "weights": {"load": 100}},
        {"mode": "suggest", "weights": {**EVEN, "distance": -20, "load": 60}},
        {"mode": "suggest", "weights": {**EVEN, "performance": 0}},
        {"mode": "suggest", "reach_metres": 0},
        {"mode": "automatic", "limits": {"min_score": 101}},
        {"mode": "automatic", "limits": {"max_per_day": 0}},
        {"mode": "automatic", "limits": {"priorities": []}},
        {"mode": "automatic", "limits": {"only_hours": [[1, "10:00", "09:00"]]}},
        {"mode": "automatic", "limits": {"surplus": 1}},
    ],
)
async def test_odd_policies_are_refused(world: World, odd: dict[str, Any]) -> None:
    answer = await world.district_admin.post("/v1/dispatch-policies", {"note": "试行", **odd})
    assert said(answer) == (422, "invalid_request")


async def test_an_unknown_kind_is_refused(world: World) -> None:
    body = {"mode": "manual", "note": "试行", "order_kind": "no_such_kind"}
    assert said(await world.district_admin.post("/v1/dispatch-policies", body)) == (422, "unknown_order_kind")


async def test_another_district_decides_something_else(world: World, other_world: World) -> None:
    await decide(world, "manual")
    assert (await in_force(other_world))["mode"] == "suggest"
