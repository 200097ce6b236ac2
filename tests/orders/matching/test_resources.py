"""Resources: what members and organisations put at a community's disposal."""

import asyncio
from typing import Any

import pytest

from tests.orders.matching.conftest import nobody, put, said
from tests.orders.matching.test_units import made
from tests.world import World

HALL = {"kind": "venue", "name": "多功能厅", "quantity": 1, "measure": "间", "hours": [[6, "09:00", "17:00"]]}


def draft(world: World, area: str = "community", **body: Any) -> dict[str, Any]:
    return {**HALL, "area_id": str(world.areas[area]), "valid_from": "2026-01-01", **body}


async def offered(world: World, by: str = "member", area: str = "community", **body: Any) -> dict[str, Any]:
    answer = await world.people[by].post("/v1/resources", draft(world, area, **body))
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def names(world: World, by: str = "dispatcher", **query: Any) -> list[str]:
    answer = await world.people[by].get("/v1/resources", **query)
    assert answer.status_code == 200, answer.text
    return [one["name"] for one in answer.json()["items"]]


async def test_a_member_offers_their_own(world: World) -> None:
    hall = await offered(world)
    assert (hall["owner_name"], hall["account_id"], hall["unit_id"]) == ("陈志强", str(world.member.account_id), None)
    assert (hall["version"], hall["hours"]) == (1, [[6, "09:00", "17:00"]])
    assert (await world.dispatcher.get(f"/v1/resources/{hall['id']}")).json() == hall


async def test_eight_pairing_agreements_of_organisations(world: World) -> None:
    """结对共建: entered by the dispatcher for the organisations that made them."""
    for place in range(8):
        unit = await made(world, name=f"共建单位{place}", kind="organization")
        await offered(
            world, "dispatcher", kind="agreement", name=f"共建协议{place}", unit_id=unit["id"], quantity=None,
            measure=None, hours=None, valid_until="2030-12-31", note="每季度开展一次志愿服务",
        )  # fmt: skip
    first = (await world.member.get("/v1/resources", kind="agreement", limit=5)).json()
    rest = (await world.member.get("/v1/resources", kind="agreement", cursor=first["next_cursor"])).json()
    found = [one["name"] for one in (*first["items"], *rest["items"])]
    assert found == [f"共建协议{place}" for place in reversed(range(8))]
    assert first["items"][0]["owner_name"] == "共建单位7"


async def test_leaders_speak_for_their_unit(world: World) -> None:
    unit = await made(world)
    assert said(await world.member.post("/v1/resources", draft(world, unit_id=unit["id"]))) == (403, "forbidden")
    body = {"account_id": str(world.member.account_id), "is_leader": True}
    await world.community_admin.post(f"/v1/units/{unit['id']}/members", body)
    hall = await offered(world, unit_id=unit["id"])
    answer = await put(world.member, f"/v1/resources/{hall['id']}", change(hall, name="活动室"))
    assert answer.json()["name"] == "活动室"


def change(known: dict[str, Any], **changes: Any) -> dict[str, Any]:
    fields = ("kind", "name", "quantity", "measure", "hours", "valid_from", "valid_until", "note")
    return {**{name: known[name] for name in fields}, "expected_version": known["version"], **changes}


async def test_withdrawn_ones_leave_the_list(world: World) -> None:
    hall = await offered(world)
    old = await offered(world, name="旧器材", valid_until="2026-01-31")
    assert await names(world) == ["多功能厅"]
    withdrawn = await put(world.member, f"/v1/resources/{hall['id']}", change(hall, is_withdrawn=True))
    assert (withdrawn.json()["is_withdrawn"], withdrawn.json()["version"]) == (True, 2)
    assert await names(world) == []
    assert await names(world, includes_past=True) == [old["name"], "多功能厅"]


async def test_of_two_who_change_it_at_once_one_is_told(world: World) -> None:
    hall = await offered(world)
    answers = await asyncio.gather(
        *(put(world.member, f"/v1/resources/{hall['id']}", change(hall, name=f"第{place}")) for place in range(6))
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 5
    assert {said(answer)[1] for answer in answers if answer.status_code == 409} == {"resource_changed"}


@pytest.mark.parametrize("by", ["second_member", "grid_worker"])
async def test_not_anybody_changes_it(world: World, by: str) -> None:
    hall = await offered(world)
    answer = await put(world.people[by], f"/v1/resources/{hall['id']}", change(hall, name="我的"))
    assert said(answer) == (403, "forbidden")


async def test_what_is_refused(world: World, other_world: World) -> None:
    assert said(await world.zhang.post("/v1/resources", draft(world))) == (403, "forbidden")
    assert said(await world.member.post("/v1/resources", draft(world, "other_community"))) == (404, "not_found")
    assert said(await world.member.post("/v1/resources", draft(other_world))) == (404, "not_found")
    unknown = draft(world, unit_id=str(nobody()))
    assert said(await world.dispatcher.post("/v1/resources", unknown)) == (422, "unit_unknown")
    hall = await offered(world)
    for stranger in (world.zhang, world.other_member, other_world.district_admin):
        assert said(await stranger.get(f"/v1/resources/{hall['id']}")) == (404, "resource_not_found")


@pytest.mark.parametrize(
    "odd",
    [
        {"quantity": None},
        {"measure": None},
        {"quantity": 0},
        {"quantity": -1},
        {"quantity": 1_000_001},
        {"valid_until": "2025-12-31"},
        {"valid_from": "2026-02-30"},
        {"kind": "money"},
        {"name": ""},
    ],
)
async def test_odd_resources_are_refused(world: World, odd: dict[str, Any]) -> None:
    assert said(await world.member.post("/v1/resources", draft(world, **odd))) == (422, "invalid_request")
