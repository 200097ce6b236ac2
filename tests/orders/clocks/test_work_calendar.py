"""The work calendar: what the country says, what the district says instead, and what is guessed."""

import logging
from datetime import date, timedelta
from typing import Any

import pytest

from services.chassis import clock
from services.orders.clocks.national import national_years
from services.orders.clocks.rule_book import tell_guessed_years
from tests.orders.clocks.conftest import Keep, after_grace, anew, at, clocks, moment, promise, when
from tests.world import World

MAKE_UP_DAYS = ["2026-01-04", "2026-02-14", "2026-02-28", "2026-05-09", "2026-09-20", "2026-10-10"]


@pytest.fixture(autouse=True)
async def national(keep: Keep) -> None:
    """The keeper has been there once."""
    await keep()


async def load(world: World, year: int, days: list[dict[str, Any]], by: str = "district_admin") -> tuple[int, Any]:
    answer = await world.people[by].post(f"/v1/work-calendar/years/{year}", {"days": days, "note": "按市政府通知"})
    return answer.status_code, answer.json()


def off(day: str) -> dict[str, Any]:
    return {"day": day, "is_working": False, "name": "停工"}


async def test_2026_is_there_with_its_make_up_days(world: World) -> None:
    year = (await world.zhang.get("/v1/work-calendar/years/2026")).json()
    assert (year["source"], year["version"], year["is_fallback"]) == ("national", 0, False)
    assert [day["day"] for day in year["days"] if day["is_working"]] == MAKE_UP_DAYS
    assert {"day": "2026-02-17", "is_working": False, "name": "春节"} in year["days"]


async def test_a_year_nobody_knows_is_a_guess(world: World) -> None:
    year = (await world.zhang.get("/v1/work-calendar/years/2199")).json()
    assert (year["source"], year["is_fallback"], year["days"]) == ("fallback", True, [])


def test_the_package_knows_more_than_one_year() -> None:
    years = national_years()
    assert {2024, 2025, 2026} <= set(years)
    assert all(day.day.year == year for year, days in years.items() for day in days)


async def test_a_district_loads_its_own(world: World, other_world: World) -> None:
    status, year = await load(world, 2027, [{**off("2027-02-06"), "is_working": True, "name": "调休"}])
    assert (status, year["version"], year["source"]) == (201, 1, "district")
    assert (await load(world, 2027, []))[1]["version"] == 2
    assert (await world.zhang.get("/v1/work-calendar/years/2027")).json()["days"] == []
    assert (await other_world.zhang.get("/v1/work-calendar/years/2027")).json()["source"] != "district"


async def test_running_clocks_are_counted_anew_from_then_on(world: World, keep: Keep) -> None:
    """A typhoon closes the offices on the 18th: what is promised for the 19th is promised for the 20th."""
    with at("2026-03-16T09:00"):
        await anew(world)
        await promise(world)
        order = (await world.order())["id"]
        await keep()
    with at("2026-03-17T20:00"):
        await anew(world)
        assert (await load(world, 2026, [off("2026-03-16"), off("2026-03-18")]))[0] == 201
        found = await clocks(world, order)
    with after_grace("2026-03-17T20:00"):
        await keep()
    assert (found["dispatch1"]["state"], when(found["dispatch1"]["due_at"])) == ("missed", "2026-03-16 11:00")
    assert when(found["finish1"]["due_at"]) == "2026-03-20 17:30"
    assert found["finish1"]["why"]["calendar_versions"] == {"2026": 1}
    stored = await world.fetch_value("SELECT due_at FROM order_clocks WHERE target = 'finish'")
    assert stored == moment("2026-03-20T17:30")


async def test_other_hours_hold_from_a_day_on(world: World) -> None:
    with at("2026-03-16T16:30"):
        await anew(world)
        await promise(world)
        answer = await world.district_admin.post(
            "/v1/work-calendar/hours",
            {"valid_from": "2026-03-17", "periods": [["07:00", "24:00"]], "note": "抗雪救灾"},
        )
        assert answer.status_code == 201, answer.text
        found = await clocks(world, (await world.order())["id"])
        hours = (await world.zhang.get("/v1/work-calendar/hours")).json()["items"]
    assert when(found["dispatch1"]["due_at"]) == "2026-03-17 08:00"
    assert when(found["finish1"]["due_at"]) == "2026-03-20 00:00"
    assert [one["periods"] for one in hours] == [[["08:30", "12:00"], ["14:30", "17:30"]], [["07:00", "24:00"]]]


async def test_district_administrators_decide(world: World) -> None:
    tomorrow = str(clock.now().date() + timedelta(days=2))
    for by in ("zhang", "dispatcher", "community_admin"):
        assert (await load(world, 2027, [], by))[0] == 403
        body = {"valid_from": tomorrow, "periods": [["08:00", "12:00"]], "note": "试"}
        assert (await world.people[by].post("/v1/work-calendar/hours", body)).status_code == 403


@pytest.mark.parametrize(
    ("days", "code"),
    [
        ([off("2026-12-31")], "day_of_another_year"),
        ([off("2027-02-30")], "invalid_request"),
        ([off("2027-03-01"), off("2027-03-01")], "invalid_request"),
        ([{**off("2027-03-01"), "is_working": "yes"}], "invalid_request"),
        ([{**off("2027-03-01"), "name": ""}], "invalid_request"),
    ],
)
async def test_odd_days_are_refused(world: World, days: list[dict[str, Any]], code: str) -> None:
    status, body = await load(world, 2027, days)
    assert (status, body["code"]) == (422, code)


@pytest.mark.parametrize("year", ["1999", "2200", "soon"])
async def test_odd_years_are_refused(world: World, year: str) -> None:
    assert (await world.zhang.get(f"/v1/work-calendar/years/{year}")).status_code == 422


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"valid_from": "2026-01-01"}, "hours_from_past"),
        ({"periods": []}, "invalid_request"),
        ({"periods": [["12:00", "08:00"]]}, "invalid_request"),
        ({"periods": [["08:00", "25:00"]]}, "invalid_request"),
    ],
)
async def test_odd_hours_are_refused(world: World, body: dict[str, Any], code: str) -> None:
    good = {"valid_from": str(clock.now().date() + timedelta(days=9)), "periods": [["08:00", "12:00"]], "note": "试"}
    answer = await world.district_admin.post("/v1/work-calendar/hours", {**good, **body})
    assert (answer.status_code, answer.json()["code"]) == (422, code)


def test_a_guessed_year_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            tell_guessed_years([date(2177, 1, 1).year])
    assert [record.message for record in caplog.records] == ["no work calendar for 2177: counted Monday to Friday"]
