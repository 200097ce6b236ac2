"""The three rates: what counts, what does not, and that the lists are exactly the orders behind the numbers."""

from datetime import timedelta
from typing import Any

import pytest

from services.chassis import clock
from services.chassis.database import Database
from services.chassis.pagination import encode_cursor
from services.chassis.schemas import new_id
from tests.orders.clocks.conftest import Keep, anew, at, promise
from tests.orders.follow_ups.test_follow_ups import REACHED, call, too_often
from tests.orders.orders.conftest import keep_timers
from tests.world import World

Numbers = dict[str, tuple[int, int, int, int]]
"""By measure: numerator, denominator, unanswered, excluded."""


def numbers_of(line: dict[str, Any]) -> Numbers:
    return {
        measure: tuple(line[measure][name] for name in ("numerator", "denominator", "unanswered", "excluded"))
        for measure in ("response", "resolution", "satisfaction")
    }


async def rates(world: World, by: str = "dispatcher", **query: Any) -> dict[str, Any]:
    answer = await world.people[by].get("/v1/rates", **query)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def total(world: World, by: str = "dispatcher", **query: Any) -> Numbers:
    return numbers_of((await rates(world, by, **query))["total"])


async def behind(world: World, measure: str, by: str = "dispatcher", **query: Any) -> list[dict[str, Any]]:
    """All the orders behind a number, page by page."""
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        asked = {"measure": measure, "limit": 3, **query} | ({"cursor": cursor} if cursor else {})
        answer = await world.people[by].get("/v1/rates/orders", **asked)
        assert answer.status_code == 200, answer.text
        found += answer.json()["items"]
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            return found


async def dispatched(world: World) -> str:
    order = await world.order()
    await world.act(order["id"], "dispatcher", "dispatch", {"assignee_id": str(world.member.account_id)})
    return str(order["id"])


async def test_nothing_counts_where_nothing_happened(world: World) -> None:
    read = await rates(world)
    assert read["total"]["response"] == {
        "percent": None, "numerator": 0, "denominator": 0, "unanswered": 0, "excluded": 0,
    }  # fmt: skip
    assert read["groups"] == []


async def test_says_what_is_divided_by_what(world: World) -> None:
    definition = (await rates(world, satisfied_stars=3, response_hours=48))["definition"]
    assert (definition["satisfied_stars"], definition["response_hours"]) == (3, 48)
    assert definition["response"]["counts_by"] == "placed_at"
    assert "48 小时" in definition["response"]["definition"]
    assert "3 星" in definition["satisfaction"]["definition"]
    assert "48 hours" in definition["response"]["definition_en"]


class TestAnswers:
    async def test_count_once_each(self, world: World) -> None:
        await world.rated_order(5)
        await world.rated_order(3)
        await world.completed_order()
        called = await world.completed_order()
        await too_often(world, called["id"])
        found = await total(world)
        assert found["resolution"] == (2, 3, 1, 0)
        assert found["satisfaction"] == (1, 3, 1, 0)
        assert (await rates(world))["total"]["resolution"]["percent"] == 66.67

    async def test_without_stars_count_as_solved_and_not_as_satisfied(self, world: World) -> None:
        order = await world.completed_order()
        await call(world, order["id"], {"reached": True, "solved": True})
        found = await total(world)
        assert (found["resolution"], found["satisfaction"]) == ((1, 1, 0, 0), (0, 0, 1, 0))

    async def test_the_residents_own_goes_first(self, world: World) -> None:
        order = await world.completed_order()
        await call(world, order["id"], REACHED)
        await world.act(order["id"], "zhang", "rate", {"stars": 1, "solved": True})
        assert (await total(world))["satisfaction"] == (0, 1, 0, 0)

    async def test_of_work_that_is_done_again_count_when_it_is_complete(self, world: World) -> None:
        order = await world.completed_order()
        await world.act(order["id"], "zhang", "rate", {"stars": 1, "solved": False})
        assert (await total(world))["resolution"] == (0, 0, 0, 0)
        await world.act(order["id"], "member", "complete", {"note": "换了新的"})
        assert (await total(world))["resolution"] == (0, 0, 1, 0)
        await world.act(order["id"], "zhang", "rate", {"stars": 4, "solved": True})
        assert (await total(world))["resolution"] == (1, 1, 0, 0)

    async def test_the_district_says_from_how_many_stars_on_somebody_is_satisfied(self, world: World) -> None:
        await world.rated_order(3)
        found = [(await total(world, satisfied_stars=stars))["satisfaction"][0] for stars in (3, 4)]
        assert found == [1, 0]


class TestResponse:
    """Where no time is promised: within 24 hours of the first dispatch."""

    async def test_an_order_nobody_dispatched_is_not_asked_about(self, world: World) -> None:
        await world.order()
        assert (await total(world))["response"] == (0, 0, 0, 0)

    async def test_is_open_until_the_time_is_over(self, world: World) -> None:
        await dispatched(world)
        assert (await total(world))["response"] == (0, 0, 1, 0)
        with clock.shifted(timedelta(hours=25)):
            await anew(world)
            assert (await total(world, **since_yesterday()))["response"] == (0, 1, 0, 0)

    async def test_accepted_in_time_and_late(self, world: World) -> None:
        first, second = await dispatched(world), await dispatched(world)
        await world.act(first, "member", "accept")
        with clock.shifted(timedelta(hours=25)):
            await anew(world)
            await world.act(second, "member", "accept")
            assert (await total(world, **since_yesterday()))["response"] == (1, 2, 0, 0)
            assert (await total(world, response_hours=26, **since_yesterday()))["response"] == (2, 2, 0, 0)

    async def test_handed_on_it_goes_by_the_first_dispatch_and_the_first_acceptance(self, world: World) -> None:
        order = await dispatched(world)
        await world.act(order, "member", "accept")
        await world.act(order, "member", "hand-back", {"reason": "家中有事"})
        with clock.shifted(timedelta(hours=30)):
            await anew(world)
            await world.act(order, "dispatcher", "dispatch")
            assert (await total(world, **since_yesterday()))["response"] == (1, 1, 0, 0)

    async def test_whoever_takes_it_over_has_accepted_it(self, world: World) -> None:
        order = await dispatched(world)
        await world.act(order, "community_admin", "take-over", {"reason": "无人接单"})
        assert (await total(world))["response"] == (1, 1, 0, 0)

    async def test_taken_back_in_time_it_does_not_count_and_too_late_it_does(self, world: World) -> None:
        early, late = await dispatched(world), await dispatched(world)
        await world.act(early, "zhang", "cancel", {"reason": "不需要了"})
        assert (await total(world))["response"] == (0, 0, 1, 0)
        with clock.shifted(timedelta(hours=25)):
            await anew(world)
            await world.act(late, "dispatcher", "cancel", {"reason": "不需要了"})
            assert (await total(world, **since_yesterday()))["response"] == (0, 1, 0, 0)

    async def test_refused_in_time_it_does_not_count_and_too_late_it_does(self, world: World) -> None:
        early, late = await dispatched(world), await dispatched(world)
        for order in (early, late):
            await world.act(order, "member", "decline", {"reason": "家中有事"})
        await world.act(early, "dispatcher", "reject", {"reason": "不属社区职责"})
        assert (await total(world))["response"] == (0, 0, 1, 0)
        with clock.shifted(timedelta(hours=25)):
            await anew(world)
            await world.act(late, "dispatcher", "reject", {"reason": "不属社区职责"})
            assert (await total(world, **since_yesterday()))["response"] == (0, 1, 0, 0)

    async def test_a_claim_that_lapsed_is_no_acceptance(self, world: World, orders_database: Database) -> None:
        order = (await world.order())["id"]
        await world.act(order, "dispatcher", "dispatch", {})
        await world.act(order, "member", "accept")
        assert (await total(world))["response"] == (1, 1, 0, 0)
        with clock.shifted(timedelta(hours=25)):
            await keep_timers(world, orders_database)
            await anew(world)
            assert (await total(world, **since_yesterday()))["response"] == (0, 1, 0, 0)
            await world.act(order, "second_member", "accept")
            assert (await total(world, response_hours=26, **since_yesterday()))["response"] == (1, 1, 0, 0)

    async def test_while_it_is_shelved_no_time_runs_out(self, world: World) -> None:
        order = await dispatched(world)
        await world.act(order, "dispatcher", "shelve", {"reason": "等待材料"})
        with clock.shifted(timedelta(hours=25)):
            await anew(world)
            assert (await total(world, **since_yesterday()))["response"] == (0, 0, 1, 0)
            await world.act(order, "dispatcher", "resume")
            assert (await total(world, **since_yesterday()))["response"] == (0, 1, 0, 0)

    @pytest.mark.parametrize("again", [True, False])
    async def test_declined_and_given_to_another_it_has_no_new_time(
        self, world: World, keep: Keep, again: bool
    ) -> None:
        """Four hours are promised to the first."""
        with at("2026-03-16T09:00"):
            await anew(world)
            await promise(world)
            order = await dispatched(world)
        with at("2026-03-16T12:00"):
            await anew(world)
            await world.act(order, "member", "decline", {"reason": "家中有事"})
            await keep()
            assert (await total(world))["response"] == (0, 0, 1, 0)
            if again:
                await world.act(order, "dispatcher", "dispatch", {"assignee_id": str(world.second_member.account_id)})
        with at("2026-03-16T14:00"):
            await anew(world)
            if again:
                await world.act(order, "second_member", "accept")  # within two hours of their own four
            await keep()
            assert (await total(world))["response"] == (0, 1, 0, 0)

    async def test_goes_by_the_promise_where_there_is_one(self, world: World, keep: Keep) -> None:
        """Four hours are promised; of the two, one was accepted after five."""
        with at("2026-03-16T09:00"):
            await anew(world)
            await promise(world)
            first, second = await dispatched(world), await dispatched(world)
            await world.act(first, "member", "accept")
        with at("2026-03-16T14:00"):
            await anew(world)
            await world.act(second, "member", "accept")
            await keep()
            assert (await total(world))["response"] == (1, 2, 0, 0)


def since_yesterday() -> dict[str, str]:
    return {"from": f"{clock.now() - timedelta(days=2):%Y-%m-%d}"}


class TestPeriod:
    async def test_is_days_of_shanghai(self, world: World) -> None:
        with at("2026-03-31T23:59:30"):
            await anew(world)
            await world.rated_order()
            assert (await total(world, **{"from": "2026-03-31", "until": "2026-03-31"}))["resolution"][1] == 1
            assert (await total(world, **{"from": "2026-04-01", "until": "2026-04-01"}))["resolution"][1] == 0

    @pytest.mark.parametrize(
        "period",
        [
            {"from": "2026-03-02", "until": "2026-03-01"}, {"from": "2025-03-01", "until": "2026-03-02"},
            {"from": "1899-12-31", "until": "1900-01-01"}, {"from": "9999-12-31", "until": "9999-12-31"},
            {"until": "0001-01-01"},
        ],
    )  # fmt: skip
    async def test_has_two_ends_and_at_most_a_year(self, world: World, period: dict[str, str]) -> None:
        answer = await world.dispatcher.get("/v1/rates", **period)
        assert (answer.status_code, answer.json()["code"]) == (422, "rate_period_invalid")

    @pytest.mark.parametrize("day", ["1767225600", "20260101", "2026-01-01T00:00:00", "2026-02-29", "２０２６-01-01"])
    async def test_its_days_are_spelled_out(self, world: World, day: str) -> None:
        for query in ({"from": day}, {"until": day}):
            answer = await world.dispatcher.get("/v1/rates", **query)
            assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")

    async def test_one_year_is_allowed(self, world: World) -> None:
        await rates(world, **{"from": "2024-01-01", "until": "2024-12-31"})


ODD_TIMES = ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-01-01T00:00:00")


@pytest.mark.parametrize("moment", ODD_TIMES)
async def test_a_cursor_with_a_time_that_is_none_is_refused(world: World, moment: str) -> None:
    """Of every list that pages by time."""
    for path, query, key in (
        ("/v1/rates/orders", {"measure": "response"}, (moment, new_id())),
        ("/v1/follow-ups", {}, (moment, new_id())),
        ("/v1/clocks", {}, (moment, new_id(), "accept", 1)),
    ):
        answer = await world.dispatcher.get(path, cursor=encode_cursor(*key), **query)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_cursor"), path


class TestGroups:
    async def test_by_kind(self, world: World) -> None:
        await world.rated_order()
        read = await rates(world, group_by="kind")
        assert [(line["group"], line["name"]) for line in read["groups"]] == [("buy_medicine", "代购药品")]
        assert numbers_of(read["groups"][0]) == numbers_of(read["total"])

    @pytest.mark.parametrize(
        ("asked", "group"),
        [
            ("district", "subdistrict"),
            ("subdistrict", "community"),
            ("community", "compound"),
            ("building", "building"),
        ],
    )
    async def test_by_the_areas_below(self, world: World, asked: str, group: str) -> None:
        await world.rated_order()
        read = await rates(world, "district_admin", group_by="area", area_id=str(world.areas[asked]))
        assert [line["group"] for line in read["groups"]] == [str(world.areas[group])]

    async def test_by_month(self, world: World) -> None:
        with at("2026-03-31T23:58"):
            await anew(world)
            order = await world.completed_order()
            await world.act(order["id"], "zhang", "rate", {"stars": 5, "solved": True})
        with at("2026-04-01T00:01"):
            await anew(world)
            await world.rated_order(1)
            read = await rates(world, group_by="month", **{"from": "2026-03-01", "until": "2026-04-30"})
        assert [(line["name"], line["satisfaction"]["percent"]) for line in read["groups"]] == [
            ("2026-03", 100.0), ("2026-04", 0.0),
        ]  # fmt: skip

    async def test_by_organisation_and_never_by_team_or_person(self, world: World) -> None:
        for name, kind in (("物业公司", "organization"), ("铲雪队", "team")):
            unit = new_id()
            await world.insert("units", id=unit, kind=kind, name=name, area_id=world.areas["community"])
            order = await world.rated_order()
            await world.connection.execute("UPDATE orders SET unit_id = $1 WHERE id = $2", unit, order["id"])
        read = await rates(world, group_by="unit")
        assert [line["name"] for line in read["groups"]] == ["物业公司", None]
        assert len(await behind(world, "resolution", group_by="unit", group="")) == 1
        assert "assignee" not in str(await behind(world, "resolution"))

    async def test_of_one_kind_only(self, world: World) -> None:
        await world.rated_order()
        assert (await total(world, kind="snow_clearing"))["resolution"] == (0, 0, 0, 0)
        assert (await total(world, kind="buy_medicine"))["resolution"] == (1, 1, 0, 0)


class TestScope:
    @pytest.mark.parametrize(
        ("by", "status"), [("member", 403), ("zhang", 403), ("grid_worker", 403), ("dispatcher", 200)]
    )
    async def test_is_for_dispatchers(self, world: World, by: str, status: int) -> None:
        assert [
            (await world.people[by].get(path, **query)).status_code
            for path, query in (
                ("/v1/rates", {}),
                ("/v1/rates/orders", {"measure": "response"}),
                ("/v1/rates.xlsx", {}),
            )
        ] == [status] * 3

    async def test_others_areas_are_not_found(self, world: World) -> None:
        await world.rated_order()
        assert (await total(world, "other_dispatcher"))["resolution"] == (0, 0, 0, 0)
        for path in ("/v1/rates", "/v1/rates/orders", "/v1/rates.xlsx"):
            query = {"area_id": str(world.areas["community"])} | ({"measure": "response"} if "orders" in path else {})
            answer = await world.other_dispatcher.get(path, **query)
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")

    async def test_another_district_is_another_world(self, world: World, other_world: World) -> None:
        await world.rated_order()
        assert (await total(other_world, "district_admin"))["resolution"] == (0, 0, 0, 0)
