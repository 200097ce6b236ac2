"""The lists of needs and services, and the skills that lie between them."""

from typing import Any

import pytest

from tests.orders.matching.conftest import offers, put, said, triaged
from tests.world import World


async def needs(world: World, by: str = "dispatcher", **query: Any) -> dict[str, Any]:
    answer = await world.people[by].get("/v1/needs", **query)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_what_nobody_has_yet_counted_by_kind(world: World) -> None:
    await world.order()
    waiting = await triaged(world)
    pooled = await triaged(world, kind="snow_clearing")
    await world.act(pooled["id"], "dispatcher", "dispatch")
    taken = await triaged(world)
    await world.act(taken["id"], "dispatcher", "dispatch", {"assignee_id": str(world.member.account_id)})
    found = await needs(world)
    counts = {one["kind"]: (one["receive"], one["dispatch"], one["pool"]) for one in found["counts"]}
    assert counts == {"buy_medicine": (1, 1, 0), "snow_clearing": (0, 0, 1)}
    assert [(one["stage"], one["is_in_pool"]) for one in found["items"]] == [
        ("receive", False), ("dispatch", False), ("handle", True)
    ]  # fmt: skip
    assert found["items"][1]["order_id"] == waiting["id"]


async def test_nothing_personal_is_in_it(world: World) -> None:
    await world.order()
    text = (await world.dispatcher.get("/v1/needs")).text
    assert "张德明" not in text
    assert "13800138000" not in text
    assert "502" not in text


async def test_the_longest_waiting_first_in_pages(world: World) -> None:
    numbers = [(await world.order())["number"] for _ in range(3)]
    first = await needs(world, limit=2)
    rest = await needs(world, cursor=first["next_cursor"])
    assert [one["number"] for one in (*first["items"], *rest["items"])] == numbers
    assert first["counts"] == rest["counts"]
    assert rest["next_cursor"] is None


async def test_by_area_and_kind(world: World) -> None:
    await world.order()
    await world.order(kind="snow_clearing", area_id=str(world.areas["community"]))
    assert len((await needs(world, area_id=str(world.areas["building"])))["items"]) == 1
    assert len((await needs(world, kind="snow_clearing"))["items"]) == 1
    assert len((await needs(world, "district_admin"))["items"]) == 2
    assert (await needs(world, "other_dispatcher"))["items"] == []


@pytest.mark.parametrize("by", ["zhang", "member"])
async def test_for_who_oversees(world: World, by: str) -> None:
    assert said(await world.people[by].get("/v1/needs")) == (403, "forbidden")
    foreign = await world.dispatcher.get("/v1/needs", area_id=str(world.areas["other_community"]))
    assert said(foreign) == (404, "not_found")


async def test_services_tell_how_many_could(world: World) -> None:
    skills = {"items": [{"skill": "方言", "is_needed": False}, {"skill": "电工", "is_needed": True}]}
    assert (await put(world.district_admin, "/v1/order-kinds/buy_medicine/skills", skills)).json() == skills
    await offers(world, "member", skills=["电工"])
    found = {one["kind"]: one for one in (await world.member.get("/v1/services")).json()["items"]}
    assert found["buy_medicine"]["helpers"] == 1
    assert found["buy_medicine"]["skills"] == skills["items"]
    assert found["snow_clearing"]["helpers"] == 3
    assert said(await world.zhang.get("/v1/services")) == (403, "forbidden")
    foreign = await world.member.get("/v1/services", area_id=str(world.areas["other_community"]))
    assert said(foreign) == (404, "not_found")


async def test_skills_of_a_kind_are_the_districts_to_decide(world: World) -> None:
    body = {"items": [{"skill": "电工", "is_needed": True}]}
    for by in ("member", "dispatcher", "community_admin"):
        answer = await put(world.people[by], "/v1/order-kinds/buy_medicine/skills", body)
        assert said(answer) == (403, "forbidden")
    unknown = await put(world.district_admin, "/v1/order-kinds/no_such_kind/skills", body)
    assert said(unknown) == (422, "unknown_order_kind")
    await put(world.district_admin, "/v1/order-kinds/buy_medicine/skills", body)
    emptied = await put(world.district_admin, "/v1/order-kinds/buy_medicine/skills", {"items": []})
    assert emptied.json() == {"items": []}
    assert (await world.zhang.get("/v1/order-kinds/buy_medicine/skills")).json() == {"items": []}
