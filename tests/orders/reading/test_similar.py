"""Which open orders may tell of the same thing: what scores, and who is told how much."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.orders.reading.likeness import Report, dice, distance, likeness
from services.orders.reading.similar import roughly
from tests.world import World

NOW = datetime(2026, 3, 16, 9, tzinfo=UTC)
BUILDING = UUID(int=1)
SPOT = (114.69, 23.74)

reports = st.builds(
    Report,
    st.sampled_from(["repair", "noise", None]),
    st.text("楼道灯不亮坏了水压", max_size=12),
    st.sampled_from([BUILDING, UUID(int=2), None]),
    st.one_of(st.none(), st.tuples(st.floats(114.68, 114.70), st.floats(23.73, 23.75))),
    st.integers(0, 1000).map(lambda hours: NOW - timedelta(hours=hours)),
)


@given(reports, reports)
def test_likeness_is_a_share_and_the_same_both_ways(one: Report, other: Report) -> None:
    score, back = likeness(one, other), likeness(other, one)
    assert score.score == pytest.approx(back.score)
    for part in (score.score, score.text, score.place, score.time, score.kind):
        assert 0 <= part <= 1


@given(reports)
def test_nothing_is_more_alike_than_itself(one: Report) -> None:
    other = Report("other", "别的", None, None, NOW - timedelta(days=60))
    assert likeness(one, one).score >= likeness(one, other).score


def test_the_same_lamp_told_of_twice_is_alike_and_another_building_far_off_is_not() -> None:
    lamp = Report("corridor_light", "三楼楼道灯不亮了", BUILDING, SPOT, NOW)
    again = Report("corridor_light", "楼道的灯不亮，三楼", BUILDING, (114.6901, 23.7401), NOW - timedelta(hours=5))
    other = Report("corridor_light", "电梯间照明损坏", UUID(int=2), (114.70, 23.75), NOW - timedelta(hours=5))
    assert likeness(lamp, again).score > 0.7
    assert likeness(lamp, other).score < 0.45


def test_dice_by_hand() -> None:
    assert dice("水压低", "水压低") == 1
    assert dice("水压低", "水压高") == pytest.approx(0.5)
    assert dice("水", "水") == 0
    assert dice("水压", "压水") == 0


def test_distance_of_a_degree() -> None:
    assert distance((114, 23), (114, 24)) == pytest.approx(111_195, rel=0.001)
    assert distance(SPOT, SPOT) == 0


async def similar(world: World, by: str, **query: Any) -> list[dict[str, Any]]:
    answer = await world.people[by].get(
        "/v1/orders/similar", **{"text": "三楼楼道灯不亮", "kind": "buy_medicine", **query}
    )
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


async def lamp(world: World, by: str = "zhang", *, is_told: bool = True) -> str:
    order = (await world.order(by, description="三楼楼道的灯不亮了", lng=SPOT[0], lat=SPOT[1]))["id"]
    if is_told:
        await world.connection.execute("UPDATE orders SET visibility = 'community' WHERE id = $1", order)
    return str(order)


async def test_a_neighbour_learns_that_it_is_known_but_not_from_whom(world: World) -> None:
    order = await lamp(world)
    (item,) = await similar(world, "neighbour", lng=SPOT[0], lat=SPOT[1])
    assert (item["id"], item["details"], item["within_metres"], item["reporters"]) == (order, None, 50, 1)
    assert (item["kind_name"], item["area_name"]) == ("代购药品", "3栋")
    for secret in ("张德明", "13800138000", "2单元", "楼道的灯"):
        assert secret not in str(item)


async def test_what_is_private_only_the_own_household_learns(world: World) -> None:
    order = await lamp(world, is_told=False)
    assert await similar(world, "neighbour") == []
    assert [item["id"] for item in await similar(world, "daughter")] == [order]
    (item,) = await similar(world, "dispatcher", area_id=str(world.areas["building"]))
    assert (item["details"]["description"], item["within_metres"]) == ("三楼楼道的灯不亮了", None)
    assert await similar(world, "grid_worker", area_id=str(world.areas["building"])) == []  # oversees the compound


async def test_what_is_over_or_different_is_not_shown(world: World) -> None:
    order = await lamp(world)
    assert await similar(world, "neighbour", text="代购降压药", kind="snow_clearing") == []
    await world.act(order, "zhang", "cancel", {"reason": "修好了"})
    assert await similar(world, "neighbour") == []


async def test_at_triage(world: World) -> None:
    first, second = await lamp(world), await lamp(world, "neighbour")
    answer = await world.dispatcher.get(f"/v1/orders/{second}/similar")
    assert [item["id"] for item in answer.json()["items"]] == [first]
    assert answer.json()["items"][0]["details"]["score"] > 0.9
    for person in ("neighbour", "other_dispatcher", "member"):
        assert (await world.people[person].get(f"/v1/orders/{second}/similar")).status_code == 404


async def test_where_nobody_knows_the_place(world: World) -> None:
    nowhere = await world.dispatcher.get("/v1/orders/similar", text="灯不亮")
    assert (nowhere.status_code, nowhere.json()["code"]) == (422, "place_needed")
    wide = await world.zhang.get("/v1/orders/similar", text="灯不亮", area_id=str(world.areas["district"]))
    assert (wide.status_code, wide.json()["code"]) == (422, "place_needed")
    unknown = await world.zhang.get("/v1/orders/similar", text="灯不亮", area_id=str(UUID(int=7)))
    assert unknown.status_code == 404


async def test_what_one_of_the_household_asked_without_a_name_is_shown_to_nobody_else_there(world: World) -> None:
    await world.connection.execute(
        "UPDATE order_kinds SET allows_anonymous = true WHERE tenant_id = $1", world.tenant_id
    )
    text = "家里有人吵架，请帮忙调解"
    for is_anonymous in (True, False):
        await world.order(by="daughter", description=text, is_anonymous=is_anonymous)
    query = {"kind": "buy_medicine", "text": text, "area_id": str(world.areas["compound"])}
    seen = {
        who: len((await world.people[who].get("/v1/orders/similar", **query)).json()["items"])
        for who in ("daughter", "zhang", "dispatcher")
    }
    assert seen == {"daughter": 2, "zhang": 1, "dispatcher": 2}


async def test_only_where_one_lives_serves_or_has_placed(world: World) -> None:
    order = await lamp(world)
    await world.add_area("there", "other_community", "building", "441602004011001", "9栋")
    await world.add_person("far", "远方来客")
    here = str(world.areas["building"])

    async def status(by: str) -> int:
        return int((await world.people[by].get("/v1/orders/similar", text="楼道灯不亮", area_id=here)).status_code)

    for person in ("far", "other_member", "other_dispatcher", "points_clerk"):
        assert await status(person) == 404
    assert (await world.far.get("/v1/orders/similar", text="楼道灯不亮")).json()["code"] == "place_needed"
    await world.connection.execute(
        "UPDATE orders SET placed_by = $2 WHERE id = $1", order, world.other_member.account_id
    )
    for person in ("other_member", "neighbour", "member", "grid_worker", "district_admin"):
        assert await status(person) == 200


async def test_asking_from_many_places_tells_a_neighbour_the_rough_place_alone(world: World) -> None:
    order = (await world.order("zhang", description="三楼楼道的灯不亮了", lng=114.69012, lat=23.73991))["id"]
    await world.connection.execute("UPDATE orders SET visibility = 'community' WHERE id = $1", order)
    assert roughly((114.69012, 23.73991)) == pytest.approx(SPOT)
    bands = {}
    for metres in (0, 40, 60, 190, 210, 490, 510):
        (item,) = await similar(world, "neighbour", lng=SPOT[0], lat=SPOT[1] + metres / 111_195)
        bands[metres] = item["within_metres"]
    assert bands == {0: 50, 40: 50, 60: 200, 190: 200, 210: 500, 490: 500, 510: None}
