"""The sheet: what is in it, what no sheet executes, how much fits, and the note of who took it."""

import json
from typing import Any

import pytest

from services.chassis.tables import XLSX
from services.orders.reading import export
from tests.points.reports.sheets import has_formulas, rows_of
from tests.world import World


async def sheet(world: World, by: str = "dispatcher", **query: Any) -> list[list[str]]:
    answer = await world.people[by].get("/v1/orders/export.xlsx", **query)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == XLSX
    return rows_of(answer.content)


async def test_orders_of_the_area_with_chinese_headings(world: World) -> None:
    order = await world.order()
    await world.order(kind="snow_clearing")
    heading, first, second = await sheet(world)
    assert heading[:4] == ["订单编号", "类别", "阶段", "状态"]
    assert second[:7] == [order["number"], "代购药品", "待接收", "待受理", "普通", "3栋", "代购一周药品"]
    assert first[1] == "铲雪除冰"
    assert len(await sheet(world, kind="buy_medicine")) == 2
    assert len(await sheet(world, stage="handle")) == 1
    assert len(await sheet(world, "other_dispatcher")) == 1


async def test_what_somebody_typed_is_never_a_formula(world: World) -> None:
    await world.order(description='=HYPERLINK("http://x","领奖")')
    answer = await world.dispatcher.get("/v1/orders/export.xlsx")
    assert not has_formulas(answer.content)
    assert '=HYPERLINK("http://x","领奖")' in rows_of(answer.content)[1]


async def test_who_took_it_is_noted(world: World) -> None:
    await world.order()
    await sheet(world, stage="receive")
    (note,) = await world.fetch("SELECT account_id, orders, filters FROM order_exports")
    assert (note["account_id"], note["orders"]) == (world.dispatcher.account_id, 1)
    filters = json.loads(note["filters"])
    assert (filters["stages"], filters["areas"]) == (["receive"], [str(world.areas["community"])])


async def test_more_than_fits_is_refused_and_not_noted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "MOST_ORDERS", 2)
    for _ in range(3):
        await world.order()
    answer = await world.dispatcher.get("/v1/orders/export.xlsx")
    assert (answer.status_code, answer.json()["code"]) == (422, "export_too_large")
    assert await world.fetch("SELECT FROM order_exports") == []


async def test_who_may_take_it(world: World) -> None:
    for person in ("zhang", "member", "points_clerk"):
        assert (await world.people[person].get("/v1/orders/export.xlsx")).status_code == 403
    foreign = await world.dispatcher.get("/v1/orders/export.xlsx", area_id=str(world.areas["other_community"]))
    assert foreign.status_code == 404
