"""Which rule is in force, and GET /v1/points/reward-rules."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from services.chassis import clock
from services.chassis.schemas import new_id
from services.points.rewards.queries import rule_in_force
from tests.points.books import Books
from tests.world import World

DAY = timedelta(days=1)


async def add_rule(
    world: World, kind: str | None, points: int, valid_from: datetime, valid_to: datetime | None = None
) -> UUID:
    rule_id = new_id()
    await world.insert(
        "reward_rules", id=rule_id, order_kind=kind, points=points, min_stars=3, bonus_points=0, bonus_stars=5,
        valid_from=valid_from, valid_to=valid_to,
    )  # fmt: skip
    return rule_id


@pytest.fixture
async def bare(books: Books) -> Books:
    """A district that has no rule yet."""
    await books.world.connection.execute("DELETE FROM reward_rules WHERE tenant_id = $1", books.world.tenant_id)
    return books


async def points_at(books: Books, kind: str, moment: datetime) -> int | None:
    async with books.database.hot_transaction(books.world.tenant_id) as connection:
        rule = await rule_in_force(connection, books.world.tenant_id, kind, moment)
    return None if rule is None else rule.points


class TestRuleInForce:
    async def test_ones_own_comes_before_the_general(self, bare: Books) -> None:
        now = clock.now()
        await add_rule(bare.world, "buy_medicine", 8, now - 30 * DAY)
        await add_rule(bare.world, None, 5, now - DAY)
        assert await points_at(bare, "buy_medicine", now) == 8
        assert await points_at(bare, "snow_clearing", now) == 5

    async def test_of_a_kind_the_latest_comes_first(self, bare: Books) -> None:
        now = clock.now()
        for points, days in [(4, 9), (6, 2), (5, 5)]:
            await add_rule(bare.world, None, points, now - days * DAY)
        assert [await points_at(bare, "x", now - days * DAY) for days in (0, 3, 6)] == [6, 5, 4]

    async def test_it_begins_and_ends_to_the_moment(self, bare: Books) -> None:
        begins, ends = clock.now() - 2 * DAY, clock.now() - DAY
        await add_rule(bare.world, None, 5, begins, ends)
        instant = timedelta(microseconds=1)
        moments = (begins - instant, begins, ends - instant, ends)
        assert [await points_at(bare, "x", moment) for moment in moments] == [None, 5, 5, None]

    async def test_where_its_own_has_ended_the_general_counts(self, bare: Books) -> None:
        now = clock.now()
        await add_rule(bare.world, "buy_medicine", 8, now - 3 * DAY, now - DAY)
        await add_rule(bare.world, None, 5, now - 9 * DAY)
        assert await points_at(bare, "buy_medicine", now) == 5

    async def test_another_district_has_its_own(self, bare: Books, other_books: Books) -> None:
        assert await points_at(bare, "x", clock.now()) is None
        assert await points_at(other_books, "x", clock.now()) == 5


class TestListing:
    async def test_shows_what_is_in_force_and_what_will_be(self, bare: Books) -> None:
        world, now = bare.world, clock.now()
        await add_rule(world, None, 4, now - 9 * DAY, now - DAY)
        await add_rule(world, None, 5, now - DAY)
        await add_rule(world, "buy_medicine", 8, now + DAY)
        answer = await world.zhang.get("/v1/points/reward-rules")
        assert answer.status_code == 200
        assert [(rule["order_kind"], rule["points"]) for rule in answer.json()["items"]] == [
            (None, 5),
            ("buy_medicine", 8),
        ]

    async def test_in_full(self, world: World) -> None:
        rules = (await world.zhang.get("/v1/points/reward-rules")).json()["items"]
        assert [{name: rule[name] for name in rule if name not in {"id", "valid_from"}} for rule in rules] == [
            {"order_kind": None, "points": 5, "min_stars": 3, "bonus_points": 2, "bonus_stars": 5, "valid_to": None}
        ]

    async def test_in_pages(self, bare: Books) -> None:
        for points in range(5):
            await add_rule(bare.world, None, points, clock.now())
        seen, query = [], dict[str, Any](limit=2)
        while query.get("cursor", "") is not None:
            page = (await bare.world.member.get("/v1/points/reward-rules", **query)).json()
            seen += [rule["points"] for rule in page["items"]]
            query["cursor"] = page["next_cursor"]
        assert seen == [0, 1, 2, 3, 4]

    async def test_refuses_a_cursor_that_is_not_ours(self, world: World) -> None:
        answer = await world.member.get("/v1/points/reward-rules", cursor="x")
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_cursor")
