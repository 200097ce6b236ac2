"""The rates as a file: its numbers are those of the page, and its list is what they were counted from."""

from typing import Any

import pytest

from services.orders.rates import workbook
from tests.orders.follow_ups.test_follow_ups import too_often
from tests.orders.rates.test_rates import behind, rates
from tests.points.reports.sheets import has_formulas, rows_of
from tests.world import World


async def exported(world: World, **query: Any) -> bytes:
    answer = await world.dispatcher.get("/v1/rates.xlsx", **query)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("application/vnd.openxmlformats")
    assert 'filename="rates.xlsx"' in answer.headers["content-disposition"]
    return answer.content


async def test_has_the_numbers_their_meaning_and_the_orders(world: World) -> None:
    await world.connection.execute("UPDATE order_kinds SET name = '=代购药品' WHERE tenant_id = $1", world.tenant_id)
    await world.rated_order(5)
    called = await world.completed_order()
    await too_often(world, called["id"])
    content = await exported(world, group_by="kind")
    headings, *lines = rows_of(content)
    figures = dict(zip(headings, lines[0], strict=True))
    read = (await rates(world, group_by="kind"))["groups"][0]
    assert figures["分组"] == "=代购药品"
    assert float(figures["解决率%"]) == read["resolution"]["percent"] == 50.0
    assert (figures["满意率达标"], figures["满意率计入"]) == ("1", "2")
    assert [line[0] for line in lines] == ["=代购药品", "合计"]
    assert "4 星" in str(rows_of(content, 2))
    orders = rows_of(content, 3)[1:]
    behind_them = [one["number"] for measure in ("response", "resolution", "satisfaction")
                   for one in await behind(world, measure)]  # fmt: skip
    assert [row[3] for row in orders] == behind_them
    assert not has_formulas(content)


async def test_a_period_with_too_many_orders_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook, "MOST_ORDERS", 1)
    await world.rated_order()
    await exported(world)
    await world.rated_order()
    answer = await world.dispatcher.get("/v1/rates.xlsx")
    assert (answer.status_code, answer.json()["code"]) == (422, "rate_period_too_large")
