"""What a service earns: a table of sums, limits and their text, and what holds for any terms."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.points.earning.arithmetic import CutBy, Earned, NothingBecause, Service, Used, earned, served_on
from services.points.earning.terms import Terms

HOURLY = {"rate": {"points": 1}}


def order_terms(general: dict[str, Any], **rest: Any) -> Terms:
    return Terms.model_validate({"orders": {"general": general}, **rest})


def order(minutes: int | None = None, stars: int = 5, *, solved: bool = True) -> Service:
    return Service("buy_medicine", True, minutes, stars, solved)


def activity(minutes: int, kind: str = "environment") -> Service:
    return Service(kind, False, minutes)


SUMS: list[tuple[dict[str, Any], Service, int, str]] = [
    ({"fixed_points": 8}, order(), 8, "8"),
    ({"fixed_points": 0}, order(), 0, "0"),
    ({"fixed_points": 8, "bonus": {"points": 2}}, order(stars=5), 10, "8，+2（5星）= 10"),
    ({"fixed_points": 8, "bonus": {"points": 2}}, order(stars=4), 8, "8"),
    ({"fixed_points": 8, "bonus": {"points": 2, "stars": 4}}, order(stars=4), 10, "8，+2（4星）= 10"),
    (HOURLY, order(60), 1, "60 分钟 × 1/小时 = 1"),
    (HOURLY, order(59), 0, "59 分钟 × 1/小时 = 0（余 59/60）"),
    (HOURLY, order(90), 1, "90 分钟 × 1/小时 = 1（余 0.5）"),
    ({**HOURLY, "bonus": {"points": 1}}, order(90), 2, "90 分钟 × 1/小时 = 1（余 0.5），+1（5星）= 2"),
    ({"rate": {"points": 1, "per_minutes": 30}}, order(100), 3, "100 分钟 × 1/30分钟 = 3（余 1/3）"),
    (
        {"rate": {"points": 2, "coefficient_thousandths": 1500}},
        order(45),
        2,
        "45 分钟 × 2/小时 × 1.5 = 2（余 0.25）",
    ),
    (
        {"rate": {"points": 1, "coefficient_thousandths": 1}},
        order(1440),
        0,
        "1440 分钟 × 1/小时 × 0.001 = 0（余 0.024）",
    ),
    (HOURLY, order(None), 0, "时长未知 = 0"),
    ({**HOURLY, "bonus": {"points": 1}}, order(None), 1, "时长未知 = 0，+1（5星）= 1"),
]


@pytest.mark.parametrize(("terms", "service", "points", "words"), SUMS)
def test_the_sum_and_its_words(terms: dict[str, Any], service: Service, points: int, words: str) -> None:
    result = earned(order_terms(terms), service, Used())
    assert (result.points, result.sum, result.details) == (points, words, {"sum": words})


@pytest.mark.parametrize(
    ("terms", "service", "because", "words"),
    [
        ({"fixed_points": 8}, order(solved=False), NothingBecause.UNSOLVED, "问题未解决，不计分"),
        ({"fixed_points": 8, "min_stars": 3}, order(stars=2), NothingBecause.RATED_TOO_LOW, "评价低于3星，不计分"),
        ({"fixed_points": 8, "min_minutes": 30}, order(29), NothingBecause.TOO_SHORT, "时长不足30分钟，不计分"),
        ({"fixed_points": 8, "min_minutes": 1}, order(None), NothingBecause.TOO_SHORT, "时长不足1分钟，不计分"),
        (
            {"fixed_points": 8, "min_stars": 4, "bonus": {"points": 2, "stars": 2}},
            order(stars=3),
            NothingBecause.RATED_TOO_LOW,
            "评价低于4星，不计分",
        ),
    ],
)
def test_nothing_is_earned_and_said_why(
    terms: dict[str, Any], service: Service, because: NothingBecause, words: str
) -> None:
    result = earned(order_terms({**terms, "credits_minutes": True}), service, Used())
    assert result == Earned(0, 0, words, nothing_because=because)
    assert result.details == {"sum": words, "nothing_because": because}


@pytest.mark.parametrize(("stars", "minutes", "points"), [(3, 30, 8), (3, 29, 0), (2, 30, 0)])
def test_the_least_is_enough(stars: int, minutes: int, points: int) -> None:
    terms = order_terms({"fixed_points": 8, "min_stars": 3, "min_minutes": 30})
    assert earned(terms, order(minutes, stars), Used()).points == points


class TestKinds:
    TERMS = Terms.model_validate(
        {
            "orders": {"general": {"fixed_points": 5}, "kinds": {"snow_clearing": {"fixed_points": 9}}},
            "services": {"kinds": {"environment": HOURLY, "buy_medicine": {"fixed_points": 1}}},
        }
    )

    def test_ones_own_comes_before_the_general(self) -> None:
        assert earned(self.TERMS, Service("snow_clearing", True, None, 5, True), Used()).points == 9
        assert earned(self.TERMS, order(), Used()).points == 5

    def test_orders_and_certified_service_do_not_mix(self) -> None:
        assert earned(self.TERMS, activity(60, "buy_medicine"), Used()).points == 1
        assert earned(self.TERMS, activity(120), Used()).points == 2

    def test_what_no_rule_knows_earns_nothing(self) -> None:
        assert earned(self.TERMS, activity(120, "music"), Used()).nothing_because is NothingBecause.NO_RULE
        assert earned(Terms(), order(), Used()).nothing_because is NothingBecause.NO_RULE


class TestMinutes:
    @pytest.mark.parametrize(("credits", "minutes", "credited"), [(True, 90, 90), (False, 90, 0), (True, None, 0)])
    def test_are_credited_where_the_rule_says_so(self, credits: bool, minutes: int | None, credited: int) -> None:
        terms = order_terms({"fixed_points": 1, "credits_minutes": credits})
        assert earned(terms, order(minutes), Used()).minutes == credited

    def test_are_not_cut_by_limits_of_points(self) -> None:
        terms = order_terms({**HOURLY, "credits_minutes": True}, caps={"per_day": 1})
        result = earned(terms, order(180), Used())
        assert (result.points, result.minutes) == (1, 180)


class TestLimits:
    @pytest.mark.parametrize(
        ("caps", "used", "points", "cut", "by"),
        [
            ({}, Used(10**9, 10**9), 8, 0, None),
            ({"per_activity": 8}, Used(), 8, 0, None),
            ({"per_activity": 7}, Used(), 7, 1, CutBy.PER_ACTIVITY),
            ({"per_activity": 0}, Used(), 0, 8, CutBy.PER_ACTIVITY),
            ({"per_day": 20}, Used(day=12, month=12), 8, 0, None),
            ({"per_day": 20}, Used(day=13, month=13), 7, 1, CutBy.PER_DAY),
            ({"per_day": 20}, Used(day=25, month=25), 0, 8, CutBy.PER_DAY),
            ({"per_month": 100}, Used(day=0, month=95), 5, 3, CutBy.PER_MONTH),
            ({"per_day": 20, "per_month": 100}, Used(day=18, month=99), 1, 7, CutBy.PER_MONTH),
            ({"per_day": 20, "per_month": 100}, Used(day=19, month=99), 1, 7, CutBy.PER_DAY),
        ],
    )
    def test_the_tightest_cuts(self, caps: dict[str, int], used: Used, points: int, cut: int, by: CutBy | None) -> None:
        result = earned(order_terms({"fixed_points": 8}, caps=caps), order(), used)
        assert (result.points, result.cut, result.cut_by) == (points, cut, by)

    def test_what_was_cut_off_is_said(self) -> None:
        terms = order_terms({**HOURLY, "bonus": {"points": 1}}, caps={"per_day": 3})
        assert earned(terms, order(120), Used(day=2, month=2)).details == {
            "sum": "120 分钟 × 1/小时 = 2，+1（5星）= 3；每日上限，计 1",
            "cut": 2,
            "cut_by": CutBy.PER_DAY,
        }

    def test_the_bonus_is_cut_too(self) -> None:
        terms = order_terms({"fixed_points": 8, "bonus": {"points": 2}}, caps={"per_activity": 9})
        assert earned(terms, order(), Used()).points == 9


class TestDay:
    @pytest.mark.parametrize(
        ("ended_at", "day"),
        [
            (datetime(2026, 3, 31, 15, 59, 59, tzinfo=UTC), date(2026, 3, 31)),
            (datetime(2026, 3, 31, 16, 0, 0, tzinfo=UTC), date(2026, 4, 1)),
            (datetime(2028, 2, 28, 15, 59, 59, tzinfo=UTC), date(2028, 2, 28)),
            (datetime(2028, 2, 28, 16, 0, 0, tzinfo=UTC), date(2028, 2, 29)),
            (datetime(2028, 2, 29, 16, 0, 0, tzinfo=UTC), date(2028, 3, 1)),
            (datetime(2026, 12, 31, 16, 0, 0, tzinfo=UTC), date(2027, 1, 1)),
        ],
    )
    def test_is_that_of_shanghai(self, ended_at: datetime, day: date) -> None:
        judged_at = datetime(2030, 1, 1, tzinfo=UTC)
        assert served_on(ended_at, judged_at) == day
        assert served_on(None, ended_at) == day


@given(
    minutes=st.integers(0, 1440),
    points=st.integers(1, 1000),
    per_minutes=st.integers(1, 1440),
    coefficient=st.integers(1, 100_000),
    used=st.integers(0, 5000),
    cap=st.one_of(st.none(), st.integers(0, 5000)),
)
def test_never_more_than_the_exact_sum_nor_a_whole_point_less(
    minutes: int, points: int, per_minutes: int, coefficient: int, used: int, cap: int | None
) -> None:
    """In whole numbers, so that nothing of it is a rounding of a rounding."""
    rate = {"points": points, "per_minutes": per_minutes, "coefficient_thousandths": coefficient}
    result = earned(order_terms({"rate": rate}, caps={"per_day": cap}), order(minutes), Used(used, used))
    full = result.points + result.cut
    exact, unit = minutes * points * coefficient, per_minutes * 1000
    assert full * unit <= exact < (full + 1) * unit
    assert cap is None or used + result.points <= max(cap, used)
    assert (result.cut == 0) == (result.cut_by is None)


@pytest.mark.parametrize(
    "general",
    [
        {},
        {"fixed_points": 1, "rate": {"points": 1}},
        {"fixed_points": -1},
        {"fixed_points": 1.0},
        {"fixed_points": "1"},
        {"fixed_points": True},
        {"fixed_points": 1001},
        {"rate": {"points": 0}},
        {"rate": {"points": 1, "per_minutes": 0}},
        {"rate": {"points": 1, "coefficient_thousandths": 1.5}},
        {"fixed_points": 1, "min_minutes": 1441},
        {"fixed_points": 1, "min_stars": 0},
        {"fixed_points": 1, "bonus": {"points": 0}},
        {"fixed_points": 1, "bonus": {"points": 1, "stars": 6}},
        {"fixed_points": 1, "surprise": 1},
    ],
)
def test_terms_that_make_no_sense_are_refused(general: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        order_terms(general)


@pytest.mark.parametrize("kind", ["", "Buy", "a" * 41, "带货", "a b"])
def test_kinds_are_identifiers(kind: str) -> None:
    with pytest.raises(ValidationError):
        Terms.model_validate({"orders": {"kinds": {kind: {"fixed_points": 1}}}})


def test_terms_read_as_they_were_written() -> None:
    terms = order_terms({**HOURLY, "bonus": {"points": 1}}, caps={"per_month": 60})
    assert Terms.model_validate_json(terms.model_dump_json()) == terms
