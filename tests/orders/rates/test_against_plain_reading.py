"""Numbers and lists over random orders, against a plain reading of the definition."""

from datetime import date, timedelta
from random import Random
from typing import Any

import pytest

from services.chassis import clock
from services.chassis.clock import SHANGHAI
from services.chassis.schemas import new_id
from tests.orders.rates.lives import Asked, Life, counts, group_of, outcome_of, random_life, store
from tests.orders.rates.test_rates import behind, rates
from tests.world import World

ORDERS = 120
MEASURES = ("response", "resolution", "satisfaction")
PARTS = {"numerator": ("met",), "denominator": ("met", "not_met"), "unanswered": ("open",), "excluded": ("excluded",)}


@pytest.mark.parametrize("seed", range(3))
async def test_numbers_and_lists_are_what_the_definition_says(world: World, seed: int) -> None:
    chance = Random(seed)
    units = [new_id(), new_id()]
    for unit, kind in zip(units, ("organization", "team"), strict=True):
        await world.insert("units", id=unit, kind=kind, name=kind, area_id=world.areas["community"])
    lives: list[Life] = []
    for _ in range(ORDERS):
        lives.append(random_life(chance, units, lives))
        await store(world, lives[-1])
    today = clock.now().astimezone(SHANGHAI).date()
    for group_by in ("none", "kind", "area", "month", "unit"):
        for area in chance.sample(["district", "subdistrict", "community", "compound", "building", None], 3):
            query: dict[str, Any] = {
                "from": str(today - timedelta(days=chance.randint(1, 3))),
                "until": str(today),
                "group_by": group_by,
                "satisfied_stars": chance.randint(2, 5),
                "response_hours": chance.choice([12, 24, 48]),
            }
            if area:
                query["area_id"] = str(world.areas[area])
            if chance.random() < 0.3:
                query["kind"] = "buy_medicine"
            await _compare(world, lives, query, [area or "district"], set(units[:1]))


async def _compare(
    world: World, lives: list[Life], query: dict[str, Any], areas: list[str], compared: set[Any]
) -> None:
    read = await rates(world, "district_admin", **query)
    for measure in MEASURES:
        asked = Asked(
            measure, areas, date.fromisoformat(query["from"]), date.fromisoformat(query["until"]), query.get("kind"),
            query["group_by"], query["satisfied_stars"], query["response_hours"],
        )  # fmt: skip
        expected = counts(lives, asked, world, compared)
        for name, outcomes in PARTS.items():
            number = sum(count for (_, outcome), count in expected.items() if outcome in outcomes)
            assert read["total"][measure][name] == number, (measure, name, query)
            listed = await behind(world, measure, "district_admin", outcome=list(outcomes), **{**query, "limit": 40})
            orders = [str(life.id) for life in lives if outcome_of(life, asked) in outcomes]
            assert sorted(one["order_id"] for one in listed) == sorted(orders), (measure, name, query)
            assert [one["counted_at"] for one in listed] == sorted(one["counted_at"] for one in listed)
        for line in read["groups"]:
            for name, outcomes in PARTS.items():
                number = sum(expected[line["group"], outcome] for outcome in outcomes)
                assert line[measure][name] == number, (measure, name, line, query)
        if query["group_by"] != "none":
            assert {line["group"] for line in read["groups"]} >= {group for group, _ in expected}
            for line in read["groups"][:2]:
                group = {"group": line["group"] or ""}
                listed = await behind(world, measure, "district_admin", **{**query, **group, "limit": 40})
                orders = [
                    str(life.id) for life in lives
                    if outcome_of(life, asked) and group_of(life, asked, world, compared) == line["group"]
                ]  # fmt: skip
                assert sorted(one["order_id"] for one in listed) == sorted(orders)
