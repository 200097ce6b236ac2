"""The map: which box, which grid, and what is shown in it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.grid import Crs
from services.orders.reading.map import LEAST_CELLS, Box, BoxInvalid
from tests.world import World

BOX = "114.6,23.7,114.8,23.8"


@pytest.mark.parametrize(
    "text",
    [
        "", "1,2,3", "1,2,3,4,5", "a,b,c,d", "nan,0,1,1", "0,0,inf,1", "170,0,-170,1", "1,1,1,2", "1,2,2,2",
        "0,-91,1,1", "0,0,181,1", "2,0,1,1", "0,2,1,1",
    ],
)  # fmt: skip
def test_a_box_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(BoxInvalid):
        Box.parse(text)


@given(
    st.floats(-180, 179.999),
    st.floats(-90, 89.999),
    st.floats(0.0001, 360),
    st.floats(0.0001, 180),
)
def test_a_box_has_enough_cells_and_not_too_many(west: float, south: float, width: float, height: float) -> None:
    box = Box(west, south, min(180.0, west + width), min(90.0, south + height))
    cells = max(box.east - box.west, box.north - box.south) / box.cell_degrees
    assert cells <= 2 * LEAST_CELLS + 1
    assert cells >= LEAST_CELLS or box.cell_degrees in (360.0, 360 / 2**24)


@pytest.mark.parametrize("width", [5e-324, 1e-310, 1e-300, 1e-13])
@pytest.mark.parametrize("crs", list(Crs))
async def test_the_narrowest_boxes_are_answered(world: World, width: float, crs: Crs) -> None:
    assert await points(world, bbox=f"0,0,{width},{width}", crs=crs) == []


def test_a_box_in_wechats_coordinates_lies_around_the_same_place() -> None:
    box = Box.parse(BOX).in_wgs84(Crs.GCJ02)
    assert box.west == pytest.approx(114.6 - 0.0049, abs=0.002)
    assert box.south == pytest.approx(23.7 + 0.0027, abs=0.002)


async def points(world: World, by: str = "dispatcher", **query: object) -> list[str]:
    answer = await world.people[by].get("/v1/orders/map", **{"bbox": BOX, **query})
    assert answer.status_code == 200, answer.text
    return [point["id"] for point in answer.json()["points"]]


async def test_open_orders_in_the_box(world: World) -> None:
    inside = (await world.order(lng=114.69, lat=23.74))["id"]
    await world.order(lng=114.9, lat=23.74)
    await world.order()
    over = (await world.order(lng=114.69, lat=23.74))["id"]
    await world.act(over, "zhang", "cancel", {"reason": "不需要了"})
    assert await points(world) == [inside]
    assert await points(world, "district_admin", area_id=str(world.areas["building"])) == [inside]
    assert await points(world, stage="receive", kind="buy_medicine") == [inside]
    assert await points(world, stage="handle") == []
    assert await points(world, kind="snow_clearing") == []
    assert await points(world, "other_dispatcher") == []


async def test_in_the_coordinates_of_wechat(world: World) -> None:
    await world.order(lng=114.69, lat=23.74)
    body = (await world.dispatcher.get("/v1/orders/map", bbox=BOX, crs="gcj02")).json()
    assert body["crs"] == "gcj02"
    assert body["points"][0]["lng"] == pytest.approx(114.6949, abs=0.002)
    assert body["points"][0]["lng"] != pytest.approx(114.69, abs=0.001)


async def test_many_become_clusters(world: World) -> None:
    order = (await world.order(lng=114.69, lat=23.74))["id"]
    await world.connection.execute(
        "INSERT INTO orders SELECT (jsonb_populate_record(o, jsonb_build_object("
        "'id', gen_random_uuid(), 'number', nextval('order_numbers'), 'lng', o.lng + mod(n, 2) * 0.08))).*"
        " FROM orders o, generate_series(1, 299) AS n WHERE o.id = $1",
        order,
    )
    body = (await world.dispatcher.get("/v1/orders/map", bbox=BOX)).json()
    assert body["points"] == []
    assert sorted(cluster["count"] for cluster in body["clusters"]) == [150, 150]
    assert {round(cluster["lng"], 2) for cluster in body["clusters"]} == {114.69, 114.77}
    assert not body["is_partial"]


async def test_who_sees_it_and_what_is_refused(world: World) -> None:
    for person in ("zhang", "member", "points_clerk"):
        assert (await world.people[person].get("/v1/orders/map", bbox=BOX)).status_code == 403
    foreign = await world.dispatcher.get("/v1/orders/map", bbox=BOX, area_id=str(world.areas["other_community"]))
    assert foreign.status_code == 404
    crossing = await world.dispatcher.get("/v1/orders/map", bbox="170,0,-170,1")
    assert (crossing.status_code, crossing.json()["code"]) == (422, "box_invalid")
    assert (await world.dispatcher.get("/v1/orders/map")).status_code == 422
