"""POST /v1/areas: new areas with codes that are never given twice."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from tests.grid.places import square
from tests.world import World


async def place(world: World, by: str = "district_admin", *, key: str | None = None, **body: Any) -> httpx2.Response:
    draft = {"parent_id": str(world.areas["compound"]), "level": "building", "name": "4栋", **body}
    return await world.people[by].post("/v1/areas", draft, key=key)


async def test_a_building_gets_the_next_code_below_its_compound(world: World) -> None:
    answer = await place(world, registered_population=120, resident_population=131)
    assert answer.status_code == 201
    building = answer.json()
    parent_code = await world.fetch_value("SELECT code FROM areas WHERE id = $1", world.areas["compound"])
    assert building["code"] == f"{parent_code}004"
    assert [ancestor["name"] for ancestor in building["ancestors"]][-1] == "万隆一品小区"
    assert building["community_id"] == str(world.areas["community"])
    assert (building["registered_population"], building["resident_population"]) == (120, 131)
    row = (await world.fetch("SELECT ancestor_ids FROM areas WHERE id = $1", building["id"]))[0]
    assert [str(area_id) for area_id in row["ancestor_ids"]] == [
        *(str(world.areas[key]) for key in ("district", "subdistrict", "community", "compound")),
        building["id"],
    ]


async def test_a_community_is_its_own_community(world: World) -> None:
    answer = await place(world, parent_id=str(world.areas["subdistrict"]), level="community", name="新社区")
    assert answer.json()["code"].endswith("004012")
    assert answer.json()["community_id"] == answer.json()["id"]


async def test_above_communities_there_is_none(world: World) -> None:
    answer = await place(world, parent_id=str(world.areas["district"]), level="subdistrict", name="上城街道")
    assert (answer.status_code, answer.json()["community_id"]) == (201, None)


async def test_levels_may_be_left_out(world: World) -> None:
    answer = await place(world, parent_id=str(world.areas["community"]), name="单体楼")
    assert (answer.status_code, answer.json()["level"]) == (201, "building")


async def test_a_boundary_comes_with_its_system(world: World) -> None:
    drawn = await place(world, crs="cgcs2000", boundary=square(114.7, 23.73, 0.001))
    assert (drawn.status_code, drawn.json()["crs"], drawn.json()["has_boundary"]) == (201, "cgcs2000", True)
    for half in ({"crs": "wgs84"}, {"boundary": square(114.7, 23.73, 0.001)}):
        assert (await place(world, **half)).status_code == 422
    assert (await place(world, crs="wgs84", boundary={"type": "Polygon"})).json()["code"] == "boundary_not_polygon"


class TestCodes:
    async def test_a_suffix_of_ones_own(self, world: World) -> None:
        parent_code = await world.fetch_value("SELECT code FROM areas WHERE id = $1", world.areas["compound"])
        assert (await place(world, code_suffix="77")).json()["code"] == f"{parent_code}77"
        assert (await place(world)).json()["code"] == f"{parent_code}004"

    async def test_a_code_is_never_given_twice_not_even_after_the_area_was_closed(self, world: World) -> None:
        first = (await place(world)).json()
        await world.fetch("UPDATE areas SET valid_to = valid_from + 1 WHERE id = $1", first["id"])
        assert (await place(world)).json()["code"].endswith("005")
        again = await place(world, code_suffix="004")
        assert (again.status_code, again.json()["code"]) == (409, "area_code_taken")
        assert again.json()["area_code"] == first["code"]

    async def test_areas_placed_at_once_get_different_codes(self, world: World) -> None:
        answers = await asyncio.gather(*(place(world, name=f"{number}栋") for number in range(12)))
        assert [answer.status_code for answer in answers] == [201] * 12
        assert len({answer.json()["code"] for answer in answers}) == 12

    async def test_one_of_many_gets_a_code_that_all_ask_for(self, world: World) -> None:
        answers = await asyncio.gather(*(place(world, code_suffix="888") for _ in range(8)))
        assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7

    async def test_the_last_three_digits_run_out(self, world: World) -> None:
        await place(world, code_suffix="999")
        answer = await place(world)
        assert (answer.status_code, answer.json()["code"]) == (409, "area_codes_exhausted")
        assert (await place(world, code_suffix="0001")).status_code == 201

    async def test_codes_have_an_end(self, world: World) -> None:
        await world.insert("area_levels", level="stairwell", name="单元", depth=5)
        long_one = (await place(world, code_suffix="123456")).json()
        answer = await place(world, parent_id=long_one["id"], level="stairwell", code_suffix="123456")
        assert (answer.status_code, answer.json()["code"]) == (422, "area_code_too_long")

    @pytest.mark.parametrize("suffix", ["", "1234567", "１２", "a1", "-1", " 01 1", 7, None])
    async def test_suffixes_are_digits(self, world: World, suffix: Any) -> None:
        answer = await place(world, code_suffix=suffix)
        assert answer.status_code == (201 if suffix is None else 422)


class TestLevels:
    async def test_the_tenants_own_levels(self, world: World) -> None:
        answer = await place(world, level="planet")
        assert (answer.status_code, answer.json()["code"]) == (422, "area_level_unknown")
        assert answer.json()["levels"] == "district, subdistrict, community, compound, building"

    @pytest.mark.parametrize("level", ["compound", "community", "district"])
    async def test_a_child_lies_deeper_than_its_parent(self, world: World, level: str) -> None:
        answer = await place(world, level=level)
        assert (answer.status_code, answer.json()["code"]) == (422, "area_level_not_below_parent")


class TestWho:
    @pytest.mark.parametrize(
        ("by", "parent", "status"),
        [
            ("district_admin", "compound", 201),
            ("community_admin", "compound", 201),
            ("community_admin", "community", 201),
            ("community_admin", "other_community", 403),
            ("community_admin", "subdistrict", 403),
            ("dispatcher", "compound", 403),
            ("grid_worker", "compound", 403),
            ("member", "compound", 403),
            ("zhang", "compound", 403),
        ],
    )
    async def test_administrators_of_the_parent(self, world: World, by: str, parent: str, status: int) -> None:
        answer = await place(world, by, parent_id=str(world.areas[parent]))
        assert answer.status_code == status, answer.text

    async def test_another_tenants_parent_does_not_exist(self, world: World, other_world: World) -> None:
        for parent_id in (other_world.areas["compound"], uuid4()):
            answer = await place(world, parent_id=str(parent_id))
            assert (answer.status_code, answer.json()["code"]) == (404, "area_not_found")

    async def test_a_closed_area_gets_no_children(self, world: World) -> None:
        await world.fetch("UPDATE areas SET valid_to = valid_from + 1 WHERE id = $1", world.areas["compound"])
        answer = await place(world)
        assert (answer.status_code, answer.json()["code"]) == (409, "area_closed")


class TestOnce:
    async def test_the_same_request_twice_places_one_area(self, world: World) -> None:
        answers = [await place(world, key="one-building") for _ in range(2)]
        assert [answer.status_code for answer in answers] == [201, 201]
        assert answers[0].json() == answers[1].json()
        assert answers[1].headers["Idempotency-Replayed"] == "true"
        assert await world.fetch_value("SELECT count(*) FROM areas WHERE name = '4栋'") == 1

    async def test_another_body_under_the_same_key_is_refused(self, world: World) -> None:
        await place(world, key="one-building")
        answer = await place(world, key="one-building", name="5栋")
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")

    async def test_a_refusal_is_an_answer_too(self, world: World) -> None:
        refused = await place(world, key="planet", level="planet")
        await world.insert("area_levels", level="planet", name="行星", depth=9)
        again = await place(world, key="planet", level="planet")
        assert (refused.status_code, again.status_code) == (422, 422)
        assert again.json()["code"] == "area_level_unknown"

    async def test_a_key_is_needed(self, world: World) -> None:
        answer = await world.district_admin.client.post("/v1/areas", json={})
        assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_missing")


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"name": " "},
        {"name": "长" * 61},
        {"name": "a\u0000b"},
        {"name": None},
        {"parent_id": None},
        {"parent_id": "zhang"},
        {"level": ""},
        {"level": ["building"]},
        {"registered_population": -1},
        {"registered_population": 2**63},
        {"resident_population": "１０"},
        {"resident_population": 1.5},
        {"tenant_id": str(uuid4())},
        {"code": "441602004010001009"},
    ],
)
async def test_bodies_that_do_not_fit(world: World, change: dict[str, Any]) -> None:
    answer = await place(world, **change)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_names_may_be_any_text(world: World) -> None:
    for name in ("𠮷祥苑🏠", "O'Brien; DROP TABLE areas", "Ñandú — 1号"):
        answer = await place(world, name=name)
        assert (answer.status_code, answer.json()["name"]) == (201, name)
