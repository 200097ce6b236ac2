"""GET /v1/areas and /v1/areas/{id}: for everybody of the tenant, nobody of another."""

from uuid import uuid4

import pytest

from models.grid import Crs
from services.chassis.coordinates import from_wgs84
from tests.grid.places import draw, draw_district, pages_of, square
from tests.world import World


class TestListAreas:
    async def test_a_resident_sees_the_whole_tree_by_code_with_the_tenants_own_level_names(self, world: World) -> None:
        ((*areas,),) = await pages_of(world, "/v1/areas")
        assert [area["name"] for area in areas] == [
            "源城区",
            "源西街道",
            "康乐路南社区",
            "万隆一品小区",
            "3栋",
            "康乐路北社区",
        ]
        assert [area["level_name"] for area in areas] == ["区", "街道", "社区", "小区", "楼栋", "社区"]
        building = areas[4]
        assert building["id"] == str(world.areas["building"])
        assert building["parent_id"] == str(world.areas["compound"])
        assert building["community_id"] == str(world.areas["community"])
        assert building["has_boundary"] is False
        assert areas[0]["parent_id"] is None

    async def test_pages_show_every_area_once(self, world: World) -> None:
        pages = await pages_of(world, "/v1/areas", limit=4)
        assert [len(page) for page in pages] == [4, 2]
        assert len({area["id"] for page in pages for area in page}) == 6

    async def test_a_page_that_is_just_full_is_the_last(self, world: World) -> None:
        assert [len(page) for page in await pages_of(world, "/v1/areas", limit=3)] == [3, 3]

    @pytest.mark.parametrize(
        ("query", "names"),
        [
            ({"level": "community"}, ["康乐路南社区", "康乐路北社区"]),
            ({"name": "康乐路"}, ["康乐路南社区", "康乐路北社区"]),
            ({"name": "康乐路", "level": "building"}, []),
            ({"level": "planet"}, []),
            ({"name": "%"}, []),
            ({"name": "_"}, []),
            ({"name": "🏠"}, []),
        ],
    )
    async def test_filters(self, world: World, query: dict[str, str], names: list[str]) -> None:
        ((*areas,),) = await pages_of(world, "/v1/areas", **query)
        assert [area["name"] for area in areas] == names

    async def test_children_of_one_area(self, world: World) -> None:
        ((*areas,),) = await pages_of(world, "/v1/areas", parent_id=str(world.areas["subdistrict"]))
        assert [area["name"] for area in areas] == ["康乐路南社区", "康乐路北社区"]

    async def test_nothing_of_another_tenant(self, world: World, other_world: World) -> None:
        ((*areas,),) = await pages_of(world, "/v1/areas", limit=100)
        assert not {area["id"] for area in areas} & {str(area_id) for area_id in other_world.areas.values()}
        ((*children,),) = await pages_of(world, "/v1/areas", parent_id=str(other_world.areas["subdistrict"]))
        assert children == []

    @pytest.mark.parametrize(
        ("query", "code"),
        [
            ({"limit": "0"}, "invalid_request"),
            ({"limit": "101"}, "invalid_request"),
            ({"limit": "１０"}, "invalid_request"),
            ({"parent_id": "zhang"}, "invalid_request"),
            ({"name": ""}, "invalid_request"),
            ({"name": "a\x00b"}, "invalid_request"),
            ({"name": "长" * 61}, "invalid_request"),
            ({"cursor": "zhang"}, "invalid_cursor"),
            ({"cursor": "WzFd"}, "invalid_cursor"),
        ],
    )
    async def test_bad_queries(self, world: World, query: dict[str, str], code: str) -> None:
        answer = await world.zhang.get("/v1/areas", **query)
        assert (answer.status_code, answer.json()["code"]) == (422, code)

    async def test_strangers_are_asked_to_sign_in(self, world: World) -> None:
        async with world.stranger() as stranger:
            for path in ("/v1/areas", f"/v1/areas/{world.areas['building']}", "/v1/areas/locate?lng=1&lat=1&crs=wgs84"):
                answer = await stranger.get(path)
                assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


class TestReadArea:
    async def test_an_area_with_its_ancestors_and_counts(self, world: World) -> None:
        answer = await world.zhang.get(f"/v1/areas/{world.areas['compound']}")
        assert answer.status_code == 200
        area = answer.json()
        assert [ancestor["name"] for ancestor in area["ancestors"]] == ["源城区", "源西街道", "康乐路南社区"]
        assert area["counts"] == {"children": 1, "households": 2, "residents": 3}
        assert (area["name"], area["level"], area["level_name"]) == ("万隆一品小区", "compound", "小区")
        assert (area["boundary"], area["square_kilometres"]) == (None, None)

    async def test_people_with_two_homes_are_counted_once(self, world: World) -> None:
        await world.insert(
            "household_members", household_id=world.households["2单元501"], resident_id=world.zhang.resident_id
        )
        area = (await world.zhang.get(f"/v1/areas/{world.areas['district']}")).json()
        assert area["counts"] == {"children": 1, "households": 2, "residents": 3}

    async def test_the_boundary_in_the_system_asked_for(self, world: World) -> None:
        await draw_district(world)
        path = f"/v1/areas/{world.areas['building']}"
        stored = square(114.7, 23.73, 0.0002)["coordinates"][0]
        assert (await world.zhang.get(path)).json()["boundary"] == {"type": "Polygon", "coordinates": [stored]}
        shifted = (await world.zhang.get(path, crs="gcj02")).json()
        assert shifted["crs"] == "gcj02"
        assert shifted["boundary"]["coordinates"][0][0] == pytest.approx(from_wgs84(114.7, 23.73, Crs.GCJ02), abs=1e-8)
        # 0.0002° of latitude are 22.24 m, of longitude at 23.73° north 20.36 m.
        assert shifted["square_kilometres"] == pytest.approx(22.24 * 20.36 / 1e6, abs=1e-4)

    async def test_another_tenants_area_does_not_exist(self, world: World, other_world: World) -> None:
        for area_id in (other_world.areas["building"], uuid4()):
            answer = await world.district_admin.get(f"/v1/areas/{area_id}")
            assert (answer.status_code, answer.json()["code"]) == (404, "area_not_found")

    async def test_refusals_speak_chinese_or_english(self, world: World) -> None:
        path = f"/v1/areas/{uuid4()}"
        assert (await world.zhang.get(path)).json()["detail"] == "未找到该区域。"
        english = await world.zhang.client.get(path, headers={"Accept-Language": "en-GB,en;q=0.9"})
        assert english.json()["detail"] == "There is no such area."

    async def test_an_unknown_system_is_refused(self, world: World) -> None:
        answer = await world.zhang.get(f"/v1/areas/{world.areas['building']}", crs="epsg:3857")
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
        assert (await draw(world, "building", square(114.7, 23.73, 0.01), crs="WGS84")).status_code == 422
