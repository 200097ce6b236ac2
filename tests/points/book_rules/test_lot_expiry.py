"""`ledger_lot_expiry`: how long a credit lives. Days to the second, months and years to their end in Shanghai."""

from datetime import UTC, datetime, timedelta
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from services.chassis.clock import SHANGHAI
from tests.points.books import Books, shanghai
from tests.points.desk import Desk, done

NEVER = datetime.max.replace(tzinfo=UTC)
SEEDED = hypothesis.settings(
    derandomize=True,
    deadline=None,
    max_examples=150,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)


def expected(unit: str, count: int, moment: datetime) -> datetime:
    """The rule in Python."""
    local = moment.astimezone(SHANGHAI)
    if unit == "days":
        return moment + timedelta(days=count)
    if unit == "months":
        year, month = divmod(local.year * 12 + local.month - 1 + count + 1, 12)
        return datetime(year, month + 1, 1, tzinfo=SHANGHAI)
    if unit == "years":
        return datetime(local.year + count + 1, 1, 1, tzinfo=SHANGHAI)
    return NEVER


async def expiry_of(books: Books, unit: str, count: int, moment: datetime) -> datetime:
    answer: datetime = await books.world.fetch_value("SELECT ledger_lot_expiry($1, $2, $3)", unit, count, moment)
    return answer if answer.tzinfo else NEVER  # the driver gives `infinity` without a zone


@pytest.mark.parametrize(
    ("unit", "count", "moment", "over"),
    [
        ("days", 1, "2026-03-16 09:00:00", "2026-03-17 09:00:00"),
        ("days", 365, "2028-02-29 12:00:00", "2029-02-28 12:00:00"),
        ("months", 0, "2026-03-16 09:00:00", "2026-04-01 00:00:00"),
        ("months", 0, "2026-03-31 23:59:59", "2026-04-01 00:00:00"),
        ("months", 0, "2026-04-01 00:00:00", "2026-05-01 00:00:00"),
        ("months", 1, "2026-01-31 10:00:00", "2026-03-01 00:00:00"),
        ("months", 1, "2028-01-31 10:00:00", "2028-03-01 00:00:00"),
        ("months", 0, "2028-02-29 23:59:59", "2028-03-01 00:00:00"),
        ("months", 12, "2028-02-29 00:00:00", "2029-03-01 00:00:00"),
        ("months", 0, "2026-12-31 23:59:59", "2027-01-01 00:00:00"),
        ("years", 0, "2026-12-31 23:59:59", "2027-01-01 00:00:00"),
        ("years", 0, "2027-01-01 00:00:00", "2028-01-01 00:00:00"),
        ("years", 1, "2026-03-16 09:00:00", "2028-01-01 00:00:00"),
        ("years", 2, "2028-02-29 09:00:00", "2031-01-01 00:00:00"),
    ],
)
async def test_lives_until(books: Books, unit: str, count: int, moment: str, over: str) -> None:
    assert await expiry_of(books, unit, count, shanghai(moment)) == shanghai(over)
    assert expected(unit, count, shanghai(moment)) == shanghai(over)


async def test_without_a_rule_it_lives_for_ever(books: Books) -> None:
    assert await expiry_of(books, "none", 0, shanghai("2026-03-16 09:00")) == NEVER


async def test_is_the_rule_whatever_the_numbers(books: Books) -> None:
    examples: list[tuple[str, int, datetime]] = []

    @SEEDED
    @hypothesis.given(
        unit=st.sampled_from(["days", "months", "years", "none"]),
        count=st.integers(0, 1200),
        moment=st.datetimes(
            min_value=shanghai("1992-01-01").replace(tzinfo=None),
            max_value=shanghai("2199-12-31").replace(tzinfo=None),
            timezones=st.just(SHANGHAI),
        ),
    )
    def collect(unit: str, count: int, moment: datetime) -> None:
        examples.append((unit, count, moment))

    collect()
    rows = await books.world.fetch(
        "SELECT ledger_lot_expiry(e.unit, e.count, e.moment) AS over"
        " FROM unnest($1::text[], $2::bigint[], $3::timestamptz[]) WITH ORDINALITY AS e (unit, count, moment, place)"
        " ORDER BY e.place",
        *([example[n] for example in examples] for n in range(3)),
    )
    assert len(examples) > 100
    for example, row in zip(examples, rows, strict=True):
        over = row["over"] if row["over"].tzinfo else NEVER
        assert over == expected(*example), example


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Shanghai"])
async def test_is_shanghais_whatever_zone_the_session_is_in(books: Books, zone: str) -> None:
    await books.world.fetch(f"SET timezone = '{zone}'")
    assert await expiry_of(books, "months", 0, shanghai("2026-03-31 23:59:59")) == shanghai("2026-04-01 00:00")
    assert await expiry_of(books, "days", 1, shanghai("2026-03-31 23:59:59")) == shanghai("2026-04-01 23:59:59")


class TestOfCredits:
    @pytest.mark.parametrize(
        ("rule", "at", "over"),
        [
            ({"expiry_unit": "days", "expiry_count": 30}, "2026-03-16 09:00", "2026-04-15 09:00"),
            ({"expiry_unit": "months", "expiry_count": 0}, "2026-03-31 23:59:59", "2026-04-01 00:00"),
            ({"expiry_unit": "months", "expiry_count": 0}, "2026-04-01 00:00:00", "2026-05-01 00:00"),
            ({"expiry_unit": "years", "expiry_count": 1}, "2028-02-29 09:00", "2030-01-01 00:00"),
            ({"expiry_unit": "none"}, "2026-03-16 09:00", None),
        ],
    )
    async def test_count_from_when_it_took_effect(self, desk: Desk, rule: Any, at: str, over: str | None) -> None:
        done(await desk.decide(**rule))
        await desk.books.at(at)
        done(await desk.award(amount=5))
        assert await desk.lots("member") == [(5, over)]

    async def test_count_from_the_day_of_the_service_when_booked_late(self, desk: Desk) -> None:
        done(await desk.decide(expiry_unit="days", expiry_count=30))
        await desk.books.at("2026-03-16 09:00")
        legs = desk.leg("community", -5), desk.leg("member", 5)
        done(await desk.post("service", *legs, effective_at="2026-03-01T12:00:00+08:00"))
        assert await desk.lots("member") == [(5, "2026-03-31 12:00")]

    async def test_keep_theirs_when_the_rule_changes(self, desk: Desk) -> None:
        await desk.books.at("2026-03-16 09:00")
        for days in (30, 10):
            done(await desk.decide(expiry_unit="days", expiry_count=days))
            done(await desk.award(amount=days))
        assert await desk.lots("member") == [(10, "2026-03-26 09:00"), (30, "2026-04-15 09:00")]

    async def test_of_minutes_follow_their_own_rule(self, desk: Desk) -> None:
        await desk.books.at("2026-03-16 09:00")
        done(await desk.decide(expiry_unit="days", expiry_count=30))
        done(await desk.award(amount=5, asset="minutes"))
        assert (await desk.account("member", "minutes"))["next_expiry"] is None
