"""Residents: who sees whom and how much, and how one is added."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from models.identity import Role
from services.grid.posts.terms import today
from tests.grid.households.test_households import add_foreign_household
from tests.grid.places import items_of, pages_of
from tests.world import World


async def register(world: World, by: str = "grid_worker", *, key: str | None = None, **body: Any) -> httpx2.Response:
    draft = {"household_id": str(world.households["2单元502"]), "name": "张小宝", **body}
    return await world.people[by].post("/v1/residents", draft, key=key)


class TestList:
    @pytest.mark.parametrize("by", ["dispatcher", "grid_worker", "community_admin", "district_admin"])
    async def test_staff_see_the_people_of_their_area_by_name_with_masked_phones(self, world: World, by: str) -> None:
        people = await items_of(world, "/v1/residents", by)
        assert [(person["name"], person["phone"]) for person in people] == [
            ("张丽华", "139****9000"),
            ("张德明", "138****8000"),
            ("赖桂英", "138****8000"),
        ]

    async def test_a_resident_sees_the_own_household(self, world: World) -> None:
        people = await items_of(world, "/v1/residents", "zhang")
        assert [person["name"] for person in people] == ["张丽华", "张德明"]

    @pytest.mark.parametrize("by", ["member", "points_clerk", "other_dispatcher", "other_member"])
    async def test_others_see_nobody(self, world: World, by: str) -> None:
        assert await items_of(world, "/v1/residents", by) == []

    @pytest.mark.parametrize(
        ("text", "names"), [("张", ["张丽华", "张德明"]), ("德", ["张德明"]), ("%", []), ("🏠", [])]
    )
    async def test_by_name(self, world: World, text: str, names: list[str]) -> None:
        people = await items_of(world, "/v1/residents", "dispatcher", name=text)
        assert [person["name"] for person in people] == names

    async def test_by_area(self, world: World) -> None:
        foreign = await add_foreign_household(world)
        assert (await register(world, "district_admin", household_id=foreign, name="邱明")).status_code == 201
        for area, count in {"subdistrict": 4, "building": 3, "other_community": 1}.items():
            people = await items_of(world, "/v1/residents", "district_admin", area_id=str(world.areas[area]))
            assert len(people) == count
        answer = await world.dispatcher.get("/v1/residents", area_id=str(world.areas["other_community"]))
        assert (answer.status_code, answer.json()["code"]) == (404, "area_not_found")

    async def test_pages_of_people_with_one_name(self, world: World) -> None:
        for _ in range(5):
            await register(world, name="张丽华")
        pages = await pages_of(world, "/v1/residents", "dispatcher", limit=3)
        assert [len(page) for page in pages] == [3, 3, 2]
        assert len({person["id"] for page in pages for person in page}) == 8

    async def test_staff_who_live_elsewhere_see_their_own_family_too_and_nobody_twice(self, world: World) -> None:
        foreign = await add_foreign_household(world)
        assert (await register(world, "district_admin", household_id=foreign, name="黎小妹")).status_code == 201
        worker = await world.add_person("worker", "黎海波", roles={Role.GRID_WORKER: "compound"}, home="2单元502")
        await world.insert("household_members", household_id=foreign, resident_id=worker.resident_id)
        for limit in (1, 20):
            people = await items_of(world, "/v1/residents", "worker", limit=limit)
            assert [person["name"] for person in people] == ["张丽华", "张德明", "赖桂英", "黎小妹", "黎海波"]

    async def test_a_person_with_two_homes_is_one_person(self, world: World) -> None:
        await world.insert(
            "household_members", household_id=world.households["2单元501"], resident_id=world.zhang.resident_id
        )
        assert len(await items_of(world, "/v1/residents", "dispatcher")) == 3


class TestRead:
    @pytest.mark.parametrize(
        ("by", "phone"),
        [
            ("zhang", "13800138000"),
            ("dispatcher", "13800138000"),
            ("grid_worker", "13800138000"),
            ("community_admin", "13800138000"),
            ("district_admin", "13800138000"),
            ("daughter", "138****8000"),
            ("neighbour", None),
            ("member", None),
            ("points_clerk", None),
            ("other_dispatcher", None),
        ],
    )
    async def test_how_much_of_mr_zhang(self, world: World, by: str, phone: str | None) -> None:
        answer = await world.people[by].get(f"/v1/residents/{world.zhang.resident_id}")
        if phone is None:
            assert (answer.status_code, answer.json()["code"]) == (404, "resident_not_found")
            assert "张" not in answer.text
        else:
            assert (answer.status_code, answer.json()["phone"]) == (200, phone)

    async def test_households_are_shown_as_far_as_the_caller_sees_them(self, world: World) -> None:
        foreign = await add_foreign_household(world)
        await world.insert("household_members", household_id=foreign, resident_id=world.zhang.resident_id)
        path = f"/v1/residents/{world.zhang.resident_id}"
        for by, doors in {
            "zhang": {"2单元502", "1单元102"},
            "district_admin": {"2单元502", "1单元102"},
            "dispatcher": {"2单元502"},
            "other_dispatcher": {"1单元102"},
            "daughter": {"2单元502"},
        }.items():
            person = (await world.people[by].get(path)).json()
            assert {home["dwelling"] for home in person["households"]} == doors, by

    async def test_a_resident_without_a_household_still_sees_himself(self, world: World) -> None:
        await world.fetch("DELETE FROM household_members WHERE resident_id = $1", world.neighbour.resident_id)
        answer = await world.neighbour.get(f"/v1/residents/{world.neighbour.resident_id}")
        assert (answer.status_code, answer.json()["households"]) == (200, [])
        assert (await world.dispatcher.get(f"/v1/residents/{world.neighbour.resident_id}")).status_code == 404

    async def test_another_tenants_resident_does_not_exist(self, world: World, other_world: World) -> None:
        for resident_id in (other_world.zhang.resident_id, uuid4()):
            answer = await world.district_admin.get(f"/v1/residents/{resident_id}")
            assert (answer.status_code, answer.json()["code"]) == (404, "resident_not_found")


class TestRegister:
    async def test_a_person_joins_a_household(self, world: World) -> None:
        answer = await register(
            world,
            sex="1",
            birth_date="2024-02-29",
            phone="13700137000",
            relation="4",
            is_registered_here=False,
        )
        assert answer.status_code == 201
        person = answer.json()
        assert (person["name"], person["sex"], person["birth_date"]) == ("张小宝", "1", "2024-02-29")
        assert person["phone"] == "13700137000"
        (home,) = person["households"]
        assert (home["dwelling"], home["relation"]) == ("2单元502", "4")
        assert (home["is_registered_here"], home["lives_here"]) == (False, True)

    @pytest.mark.parametrize(
        ("by", "status"),
        [
            ("grid_worker", 201),
            ("community_admin", 201),
            ("district_admin", 201),
            ("dispatcher", 403),
            ("zhang", 403),
            ("neighbour", 404),
            ("member", 404),
            ("other_dispatcher", 404),
        ],
    )
    async def test_who_may(self, world: World, by: str, status: int) -> None:
        assert (await register(world, by)).status_code == status

    async def test_another_tenants_household_does_not_exist(self, world: World, other_world: World) -> None:
        for household_id in (other_world.households["2单元502"], uuid4()):
            answer = await register(world, "district_admin", household_id=str(household_id))
            assert (answer.status_code, answer.json()["code"]) == (404, "household_not_found")

    async def test_once(self, world: World) -> None:
        answers = [await register(world, key="baby") for _ in range(3)]
        assert len({answer.json()["id"] for answer in answers}) == 1
        assert await world.fetch_value("SELECT count(*) FROM residents WHERE name = '张小宝'") == 1

    async def test_born_today(self, world: World) -> None:
        assert (await register(world, birth_date=today().isoformat())).status_code == 201

    @pytest.mark.parametrize(
        "change",
        [
            {"name": ""},
            {"name": "长" * 61},
            {"name": ["张"]},
            {"phone": "１３８００１３８０００"},
            {"phone": "138 0013 8000"},
            {"phone": "138"},
            {"sex": "x"},
            {"sex": "3"},
            {"birth_date": "2023-02-29"},
            {"birth_date": "1899-12-31"},
            {"birth_date": (today() + timedelta(days=2)).isoformat()},
            {"birth_date": "2038"},
            {"relation": "9"},
            {"lives_here": "perhaps"},
            {"id_number": "11010519491231002X"},
            {"account_id": str(uuid4())},
        ],
    )
    async def test_bodies_that_do_not_fit(self, world: World, change: dict[str, Any]) -> None:
        answer = await register(world, **change)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request"), answer.text
        assert await world.fetch_value("SELECT count(*) FROM residents") == 3
