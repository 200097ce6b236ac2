"""Units: teams, organisations and departments, and who belongs to them."""

from typing import Any

import pytest

from tests.orders.matching.conftest import delete, nobody, put, said
from tests.world import World


async def made(world: World, by: str = "community_admin", area: str = "community", **body: Any) -> dict[str, Any]:
    answer = await world.people[by].post(
        "/v1/units", {"kind": "team", "name": "志愿服务队", "area_id": str(world.areas[area]), **body}
    )
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def test_made_read_and_changed(world: World) -> None:
    unit = await made(world, phone="0762-3330000")
    assert (unit["members"], unit["people"], unit["area_name"], unit["is_active"]) == (0, [], "康乐路南社区", True)
    changed = await put(world.community_admin, f"/v1/units/{unit['id']}", {"name": "红色先锋队", "is_active": False})
    assert (changed.json()["name"], changed.json()["phone"], changed.json()["is_active"]) == ("红色先锋队", None, False)
    assert (await world.member.get(f"/v1/units/{unit['id']}")).json() == changed.json()


async def test_people_come_lead_and_go(world: World) -> None:
    path = f"/v1/units/{(await made(world))['id']}/members"
    for person in (world.member, world.second_member):
        await world.community_admin.post(path, {"account_id": str(person.account_id)})
    leading = await put(world.community_admin, f"{path}/{world.second_member.account_id}", {"is_leader": True})
    people = leading.json()["people"]
    assert [(one["name"], one["is_leader"]) for one in people] == [("黄秀芳", True), ("陈志强", False)]
    assert (await delete(world.community_admin, f"{path}/{world.member.account_id}")).status_code == 204
    again = await delete(world.community_admin, f"{path}/{world.member.account_id}")
    assert said(again) == (404, "unit_member_not_found")
    back = await world.community_admin.post(path, {"account_id": str(world.member.account_id)})
    assert (back.status_code, back.json()["members"]) == (201, 2)


async def test_an_order_goes_to_a_unit_made_here(world: World) -> None:
    unit = await made(world)
    await world.community_admin.post(f"/v1/units/{unit['id']}/members", {"account_id": str(world.member.account_id)})
    order = await world.order()
    await world.act(order["id"], "dispatcher", "dispatch", {"unit_id": unit["id"]})
    assert (await world.act(order["id"], "member", "accept"))["assignee_id"] == str(world.member.account_id)


async def test_one_name_per_area(world: World) -> None:
    await made(world)
    other = await made(world, name="铲雪队")
    body = {"kind": "organization", "name": "志愿服务队", "area_id": str(world.areas["community"])}
    assert said(await world.community_admin.post("/v1/units", body)) == (409, "unit_name_taken")
    renamed = await put(world.community_admin, f"/v1/units/{other['id']}", {"name": "志愿服务队", "is_active": True})
    assert said(renamed) == (409, "unit_name_taken")


@pytest.mark.parametrize("by", ["zhang", "member", "dispatcher", "grid_worker"])
async def test_administrators_make_them(world: World, by: str) -> None:
    body = {"kind": "team", "name": "队", "area_id": str(world.areas["community"])}
    assert said(await world.people[by].post("/v1/units", body)) == (403, "forbidden")
    unit = await made(world)
    path = f"/v1/units/{unit['id']}"
    expected = (404, "unit_not_found") if by == "zhang" else (403, "forbidden")
    assert said(await put(world.people[by], path, {"name": "队", "is_active": True})) == expected
    assert said(await world.people[by].post(f"{path}/members", {"account_id": str(nobody())})) == expected
    assert said(await delete(world.people[by], f"{path}/members/{nobody()}")) == expected


async def test_not_elsewhere(world: World, other_world: World) -> None:
    for area in (world.areas["other_community"], world.areas["subdistrict"], other_world.areas["community"]):
        body = {"kind": "team", "name": "队", "area_id": str(area)}
        assert said(await world.community_admin.post("/v1/units", body)) == (404, "not_found")
    foreign = await made(other_world)
    assert said(await world.district_admin.get(f"/v1/units/{foreign['id']}")) == (404, "unit_not_found")
    elsewhere = await made(world, "district_admin", "other_community")
    assert said(await world.community_admin.get(f"/v1/units/{elsewhere['id']}")) == (404, "unit_not_found")


async def test_a_member_is_somebody_of_the_district(world: World, other_world: World) -> None:
    unit = await made(world)
    body = {"account_id": str(other_world.member.account_id)}
    answer = await world.community_admin.post(f"/v1/units/{unit['id']}/members", body)
    assert said(answer) == (422, "person_unknown")


async def test_listed_by_name_in_pages(world: World) -> None:
    for name in ("丙队", "甲队", "乙队"):
        await made(world, name=name)
    await made(world, "district_admin", "other_community", name="北队")
    first = (await world.member.get("/v1/units", limit=2)).json()
    rest = (await world.member.get("/v1/units", cursor=first["next_cursor"])).json()
    assert [one["name"] for one in (*first["items"], *rest["items"])] == sorted(["丙队", "甲队", "乙队"])
    assert rest["next_cursor"] is None
    assert said(await world.zhang.get("/v1/units")) == (403, "forbidden")
