"""GET /v1/areas/locate."""

import pytest

from models.grid import Crs
from services.chassis.coordinates import from_wgs84
from tests.grid.places import BUILDING, COMPOUND_YARD, OUTSIDE, draw_district, locate
from tests.world import World


async def test_a_point_is_answered_with_the_whole_chain(world: World) -> None:
    await draw_district(world)
    answer = await locate(world, BUILDING)
    assert answer.status_code == 200
    body = answer.json()
    assert body["area"]["id"] == str(world.areas["building"])
    assert [line["name"] for line in body["chain"]] == ["3栋", "万隆一品小区", "康乐路南社区", "源西街道", "源城区"]
    assert body["chain"][0] == body["area"]
    assert body["community"]["name"] == "康乐路南社区"
    assert body["community"]["level_name"] == "社区"
    assert set(body["area"]) == {"id", "code", "name", "level", "level_name"}


async def test_the_deepest_area_that_has_the_point(world: World) -> None:
    await draw_district(world)
    assert (await locate(world, COMPOUND_YARD)).json()["area"]["name"] == "万隆一品小区"
    district = (await locate(world, (114.65, 23.65))).json()
    assert (district["area"]["name"], district["community"]) == ("源城区", None)


async def test_outside_of_everything(world: World) -> None:
    await draw_district(world)
    answer = await locate(world, OUTSIDE)
    assert (answer.status_code, answer.json()["code"]) == (404, "no_area_here")
    assert answer.json()["detail"] == "该位置不在本区任何区域之内。"


async def test_before_anything_is_drawn(world: World) -> None:
    assert (await locate(world, BUILDING)).json()["code"] == "no_area_here"


@pytest.mark.parametrize("crs", list(Crs))
async def test_the_point_may_come_in_any_system(world: World, crs: Crs) -> None:
    await draw_district(world)
    position = from_wgs84(*BUILDING, crs)
    assert (await locate(world, position, crs=crs)).json()["area"]["name"] == "3栋"


@pytest.mark.parametrize(
    "query",
    [
        "lng=114.7001&lat=23.7301&crs=wgs84",
        "crs=wgs84&lat=23.7301&lng=114.7001&t=1",
        "lng=114%2E7001&lat=23.7301&crs=wgs84",
        "lng=0&lng=114.7001&lat=23.7301&crs=bd09&crs=wgs84",
        "&lng=+114.7001&lat=%2023.7301&crs=wgs84&",
    ],
)
async def test_the_question_may_be_written_in_any_way(world: World, query: str) -> None:
    await draw_district(world)
    answer = await world.zhang.client.get(f"/v1/areas/locate?{query}")
    assert (answer.status_code, answer.json().get("area", {}).get("name")) == (200, "3栋"), answer.text


async def test_a_forgotten_conversion_would_show(world: World) -> None:
    await draw_district(world)
    assert (await locate(world, from_wgs84(*BUILDING, Crs.GCJ02), crs="wgs84")).json()["area"]["name"] != "3栋"


async def test_another_tenant_has_a_tree_of_its_own(world: World, other_world: World) -> None:
    await draw_district(world)
    assert (await locate(world, BUILDING)).status_code == 200
    assert (await locate(other_world, BUILDING)).json()["code"] == "no_area_here"


async def test_an_area_no_longer_in_use_is_not_answered(world: World) -> None:
    await draw_district(world)
    await world.fetch("UPDATE areas SET valid_from = '2020-01-01', valid_to = '2020-06-01' WHERE name = '3栋'")
    assert (await locate(world, BUILDING)).json()["area"]["name"] == "万隆一品小区"


@pytest.mark.parametrize(
    "query",
    [
        {"lng": "114.7", "lat": "23.7"},
        {"lng": "114.7", "crs": "wgs84"},
        {"lat": "23.7", "crs": "wgs84"},
        {"lng": "114.7", "lat": "23.7", "crs": "mars"},
        *(
            {"lng": number, "lat": "23.7", "crs": "gcj02"}
            for number in (
                "NaN",
                "nan",
                "Infinity",
                "-inf",
                "1e309",
                "180.1",
                "-180.1",
                "１１４.7",
                "",
                "x",
                "0x10",
                "1 2",
            )
        ),
        {"lng": "114.7", "lat": "90.1", "crs": "bd09"},
        {"lng": "23.7", "lat": "114.7", "crs": "wgs84"},
    ],
)
async def test_bad_points(world: World, query: dict[str, str]) -> None:
    answer = await world.zhang.get("/v1/areas/locate", **query)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
