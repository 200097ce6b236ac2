"""PUT /v1/areas/{id}/boundary."""

import json
from typing import Any
from uuid import uuid4

import pytest

from models.grid import Crs
from services.chassis.coordinates import from_wgs84
from services.grid.areas.boundaries import MAX_POINTS
from tests.grid.areas.shapes import star
from tests.grid.places import draw, square
from tests.world import World

SQUARE = square(114.7, 23.73, 0.001)


async def tree_version(world: World) -> int:
    return int(await world.fetch_value("SELECT version FROM area_tree_versions"))


async def stored(world: World, area: str = "building") -> Any:
    row = (await world.fetch("SELECT boundary, boundary_crs FROM areas WHERE id = $1", world.areas[area]))[0]
    return row["boundary"], row["boundary_crs"]


async def test_a_boundary_is_stored_in_wgs84_beside_what_was_sent(world: World) -> None:
    corner = from_wgs84(114.7, 23.73, Crs.GCJ02)
    sent = square(round(corner[0], 9), round(corner[1], 9), 0.001)
    answer = await draw(world, "building", sent, crs="gcj02")
    assert answer.status_code == 200
    assert answer.json()["boundary"] == sent
    assert answer.json()["crs"] == "gcj02"
    west, south = await world.fetch_value(
        "SELECT ARRAY[boundary #>> '{coordinates,0,0,0}', boundary #>> '{coordinates,0,0,1}']::float[] FROM areas"
        " WHERE id = $1 AND boundary_crs = 'gcj02' AND boundary_original = $2::jsonb",
        world.areas["building"],
        json.dumps(sent),
    )
    assert (west, south) == pytest.approx((114.7, 23.73), abs=2e-9)


async def test_each_change_counts_the_version_up(world: World) -> None:
    before = await tree_version(world)
    await draw(world, "building", SQUARE)
    await draw(world, "building", SQUARE)
    assert await tree_version(world) == before + 2


@pytest.mark.parametrize("by", ["district_admin", "community_admin"])
async def test_administrators_draw_in_their_area(world: World, by: str) -> None:
    assert (await draw(world, "community", SQUARE, by=by)).status_code == 200


@pytest.mark.parametrize("by", ["zhang", "dispatcher", "grid_worker", "member", "points_clerk", "other_dispatcher"])
async def test_nobody_else_does(world: World, by: str) -> None:
    answer = await draw(world, "building", SQUARE, by=by)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert await stored(world) == (None, None)


@pytest.mark.parametrize("area", ["other_community", "subdistrict", "district"])
async def test_not_beside_or_above_their_area(world: World, area: str) -> None:
    assert (await draw(world, area, SQUARE, by="community_admin")).status_code == 403


async def test_another_tenants_area_does_not_exist(world: World, other_world: World) -> None:
    for area_id in (other_world.areas["building"], uuid4()):
        assert (await draw(world, area_id, SQUARE)).status_code == 404
    assert await stored(other_world) == (None, None)


@pytest.mark.parametrize(
    ("boundary", "code"),
    [
        ({"type": "Point", "coordinates": [114.7, 23.73]}, "boundary_not_polygon"),
        ({"type": "Polygon", "coordinates": [SQUARE["coordinates"][0][:-1]]}, "boundary_ring_not_closed"),
        ({"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]}, "boundary_crosses_itself"),
        ({"type": "Polygon", "coordinates": [[[0, 0], ["１", 0], [1, 1], [0, 0]]]}, "boundary_position_invalid"),
        ({"type": "Polygon", "coordinates": [star((114.7, 23.7), [0.1] * MAX_POINTS)]}, "boundary_too_detailed"),
    ],
)
async def test_a_bad_boundary_changes_nothing(world: World, boundary: Any, code: str) -> None:
    await draw(world, "building", SQUARE)
    before = (await stored(world), await tree_version(world))
    answer = await draw(world, "building", boundary)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert (await stored(world), await tree_version(world)) == before


@pytest.mark.parametrize(
    "number", ["NaN", "Infinity", "-Infinity", "1e309", "1" * 400, "true", "null", '"１１４"', "[]"]
)
async def test_odd_numbers_are_refused(world: World, number: str) -> None:
    text = f'{{"type": "Polygon", "coordinates": [[[{number}, 0], [1, 0], [1, 1], [{number}, 0]]]}}'
    answer = await world.district_admin.client.put(
        f"/v1/areas/{world.areas['building']}/boundary",
        content=f'{{"crs": "wgs84", "boundary": {text}}}',
        headers={"Content-Type": "application/json"},
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "boundary_position_invalid")
    assert answer.json()["ring"] == 1
    assert await stored(world) == (None, None)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"boundary": SQUARE},
        {"crs": "wgs84"},
        {"crs": "wgs84", "boundary": None},
        {"crs": "wgs84", "boundary": [SQUARE]},
        {"crs": "wgs84", "boundary": SQUARE, "tenant_id": str(uuid4())},
    ],
)
async def test_bodies_that_do_not_fit(world: World, body: Any) -> None:
    answer = await world.district_admin.client.put(f"/v1/areas/{world.areas['building']}/boundary", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_the_refusal_says_where_in_both_languages(world: World) -> None:
    bow_tie = {"type": "Polygon", "coordinates": [[[114, 23], [114.2, 23.2], [114.2, 23], [114, 23.2], [114, 23]]]}
    answer = await draw(world, "building", bow_tie)
    assert answer.json()["detail"] == "边界自相交或自相接，位置约在经度 114.1、纬度 23.1。"
    english = await world.district_admin.client.put(
        f"/v1/areas/{world.areas['building']}/boundary",
        json={"crs": "wgs84", "boundary": bow_tie},
        headers={"Accept-Language": "en"},
    )
    assert english.json()["detail"] == "The boundary crosses or touches itself near longitude 114.1, latitude 23.1."
