"""Households: who sees which, and how one is added."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from models.identity import Role
from tests.grid.places import items_of, pages_of
from tests.world import World


async def register(world: World, by: str = "grid_worker", *, key: str | None = None, **body: Any) -> httpx2.Response:
    draft = {"area_id": str(world.areas["building"]), "dwelling": "1单元101", **body}
    return await world.people[by].post("/v1/households", draft, key=key)


async def add_foreign_household(world: World) -> str:
    """A household of the other community's own building."""
    code = await world.fetch_value("SELECT code FROM areas WHERE id = $1", world.areas["other_community"])
    building_id = await world.add_area("other_building", "other_community", "building", f"{code}001", "1栋")
    household_id = uuid4()
    await world.insert("households", id=household_id, area_id=building_id, dwelling="1单元102")
    return str(household_id)


class TestList:
    async def test_staff_see_the_households_of_their_area_by_building_and_door(self, world: World) -> None:
        foreign = await add_foreign_household(world)
        for by in ("dispatcher", "community_admin", "grid_worker"):
            homes = await items_of(world, "/v1/households", by)
            assert [(home["area_name"], home["dwelling"], home["member_count"]) for home in homes] == [
                ("3栋", "2单元501", 1),
                ("3栋", "2单元502", 2),
            ]
        assert foreign in {home["id"] for home in await items_of(world, "/v1/households", "district_admin")}
        assert [home["id"] for home in await items_of(world, "/v1/households", "other_dispatcher")] == [foreign]

    async def test_a_resident_sees_the_own_household(self, world: World) -> None:
        homes = await items_of(world, "/v1/households", "zhang")
        assert [home["id"] for home in homes] == [str(world.households["2单元502"])]

    @pytest.mark.parametrize("by", ["member", "points_clerk", "other_member"])
    async def test_other_roles_see_none(self, world: World, by: str) -> None:
        assert await items_of(world, "/v1/households", by) == []

    async def test_one_area_and_below(self, world: World) -> None:
        foreign = await add_foreign_household(world)
        for key, count in {"subdistrict": 3, "community": 2, "building": 2, "other_community": 1}.items():
            homes = await items_of(world, "/v1/households", "district_admin", area_id=str(world.areas[key]))
            assert len(homes) == count
        assert [home["id"] for home in homes] == [foreign]

    @pytest.mark.parametrize("area", ["other_community", "subdistrict"])
    async def test_an_area_that_is_not_the_callers_is_not_found(self, world: World, area: str) -> None:
        answer = await world.dispatcher.get("/v1/households", area_id=str(world.areas[area]))
        assert (answer.status_code, answer.json()["code"]) == (404, "area_not_found")

    async def test_pages(self, world: World) -> None:
        for number in range(103, 110):
            await register(world, dwelling=f"1单元{number}")
        pages = await pages_of(world, "/v1/households", "dispatcher", limit=4)
        assert [len(page) for page in pages] == [4, 4, 1]
        dwellings = [home["dwelling"] for page in pages for home in page]
        assert dwellings == sorted(set(dwellings))

    async def test_staff_who_live_elsewhere_see_their_own_home_too_and_nothing_twice(self, world: World) -> None:
        foreign = await add_foreign_household(world)
        worker = await world.add_person("worker", "黎海波", roles={Role.GRID_WORKER: "compound"}, home="2单元502")
        await world.insert("household_members", household_id=foreign, resident_id=worker.resident_id)
        for limit in (1, 20):
            homes = await items_of(world, "/v1/households", "worker", limit=limit)
            assert [home["dwelling"] for home in homes] == ["2单元501", "2单元502", "1单元102"]

    async def test_bad_cursors(self, world: World) -> None:
        areas = (await world.zhang.get("/v1/areas", limit=1)).json()
        for cursor in ("x", "WyJhIiwxXQ", areas["next_cursor"]):
            answer = await world.dispatcher.get("/v1/households", cursor=cursor)
            assert (answer.status_code, answer.json()["code"]) == (422, "invalid_cursor")


class TestRead:
    async def test_everybody_in_it_with_masked_phones_and_the_address(self, world: World) -> None:
        answer = await world.dispatcher.get(f"/v1/households/{world.households['2单元502']}")
        assert answer.status_code == 200
        home = answer.json()
        assert home["address"] == "康乐路南社区万隆一品小区3栋2单元502"
        assert home["area"]["level_name"] == "楼栋"
        assert [(person["name"], person["phone"]) for person in home["members"]] == [
            ("张德明", "138****8000"),
            ("张丽华", "139****9000"),
        ]

    @pytest.mark.parametrize(
        ("by", "status"),
        [
            ("zhang", 200),
            ("daughter", 200),
            ("dispatcher", 200),
            ("grid_worker", 200),
            ("community_admin", 200),
            ("district_admin", 200),
            ("neighbour", 404),
            ("member", 404),
            ("points_clerk", 404),
            ("other_dispatcher", 404),
            ("other_member", 404),
        ],
    )
    async def test_who_may(self, world: World, by: str, status: int) -> None:
        for path in ("", "/responsible"):
            answer = await world.people[by].get(f"/v1/households/{world.households['2单元502']}{path}")
            assert answer.status_code == status
            assert status == 200 or answer.json()["code"] == "household_not_found"

    async def test_another_tenants_household_does_not_exist(self, world: World, other_world: World) -> None:
        for household_id in (other_world.households["2单元502"], uuid4()):
            for path in ("", "/responsible"):
                answer = await world.district_admin.get(f"/v1/households/{household_id}{path}")
                assert (answer.status_code, answer.json()["code"]) == (404, "household_not_found")

    async def test_strangers_are_asked_to_sign_in(self, world: World) -> None:
        async with world.stranger() as stranger:
            for path in ("/v1/households", f"/v1/households/{world.households['2单元502']}", "/v1/residents"):
                assert (await stranger.get(path)).status_code == 401


class TestRegister:
    async def test_a_grid_worker_adds_a_household(self, world: World) -> None:
        answer = await register(world)
        assert answer.status_code == 201
        assert answer.json()["members"] == []
        again = await world.grid_worker.get(f"/v1/households/{answer.json()['id']}")
        assert again.json() == answer.json()

    @pytest.mark.parametrize(
        ("by", "area", "status"),
        [
            ("grid_worker", "compound", 201),
            ("community_admin", "building", 201),
            ("district_admin", "other_community", 201),
            ("grid_worker", "community", 403),
            ("community_admin", "other_community", 403),
            ("dispatcher", "building", 403),
            ("member", "building", 403),
            ("zhang", "building", 403),
        ],
    )
    async def test_who_may(self, world: World, by: str, area: str, status: int) -> None:
        assert (await register(world, by, area_id=str(world.areas[area]))).status_code == status

    async def test_another_tenants_area_does_not_exist(self, world: World, other_world: World) -> None:
        for area_id in (other_world.areas["building"], uuid4()):
            answer = await register(world, "district_admin", area_id=str(area_id))
            assert (answer.status_code, answer.json()["code"]) == (404, "area_not_found")

    async def test_a_door_has_one_household(self, world: World) -> None:
        answer = await register(world, dwelling="2单元502")
        assert (answer.status_code, answer.json()["code"]) == (409, "dwelling_taken")
        assert answer.json()["detail"] == "该区域已登记住户“2单元502”。"

    async def test_of_many_at_once_one_is_added(self, world: World) -> None:
        answers = await asyncio.gather(*(register(world) for _ in range(10)))
        assert sorted(answer.status_code for answer in answers) == [201] + [409] * 9

    async def test_the_same_request_at_once_and_again_is_answered_alike(self, world: World) -> None:
        answers = await asyncio.gather(*(register(world, key="one-home") for _ in range(5)))
        answers.append(await register(world, key="one-home"))
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.json()["id"] for answer in answers}) == 1

    async def test_a_closed_building_gets_none(self, world: World) -> None:
        await world.fetch("UPDATE areas SET valid_to = valid_from + 1 WHERE id = $1", world.areas["building"])
        assert (await register(world)).json()["code"] == "area_closed"

    @pytest.mark.parametrize(
        "change",
        [
            {"dwelling": ""},
            {"dwelling": "  "},
            {"dwelling": "长" * 41},
            {"dwelling": "a\u0000b"},
            {"dwelling": 502},
            {"area_id": "x"},
            {"member_count": 3},
        ],
    )
    async def test_bodies_that_do_not_fit(self, world: World, change: dict[str, Any]) -> None:
        answer = await register(world, **change)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")

    async def test_a_grant_that_is_over_counts_for_nothing(self, world: World) -> None:
        await world.add_person("retired", "何建国", roles={Role.GRID_WORKER: "compound"})
        await world.fetch(
            "UPDATE grants SET valid_from = now() - interval '2 days', valid_to = now() - interval '1 day'"
            " WHERE account_id = $1",
            world.retired.account_id,
        )
        assert (await register(world, "retired")).status_code == 403
        assert await items_of(world, "/v1/households", "retired") == []
