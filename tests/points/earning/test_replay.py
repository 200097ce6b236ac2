"""Replaying the past by other terms: in order, against the limits of the day and the month."""

from datetime import date
from uuid import UUID, uuid4

from services.points.earning.arithmetic import Service
from services.points.earning.rules.replay import PastService, replay
from services.points.earning.terms import Terms

ONE, OTHER = uuid4(), uuid4()
CAPPED = Terms.model_validate(
    {"services": {"general": {"rate": {"points": 1}}}, "caps": {"per_day": 3, "per_month": 5}}
)


def past(
    who: UUID, day: date, minutes: int, points: int = 0, *, kind: str = "environment", is_in_period: bool = True
) -> PastService:
    return PastService(who, day, Service(kind, False, minutes), points, 0, is_in_period)


def test_limits_of_day_and_month_are_each_persons() -> None:
    march_31, april_1 = date(2026, 3, 31), date(2026, 4, 1)
    outcome = replay(
        CAPPED,
        [
            past(ONE, march_31, 120),
            past(ONE, march_31, 120),
            past(ONE, date(2026, 3, 30), 180),
            past(ONE, april_1, 240),
            past(OTHER, march_31, 120),
        ],
    )
    assert outcome.people[ONE].points_after == 2 + 1 + 2 + 3
    assert outcome.people[OTHER].points_after == 2
    assert (outcome.total.records, outcome.total.points_after) == (5, 10)


def test_what_lies_outside_counts_with_what_it_earned_then() -> None:
    """Before the period and after it: the person's limit was used up by it all the same."""
    day = date(2028, 2, 29)
    outcome = replay(
        CAPPED,
        [past(ONE, day, 60, points=2, is_in_period=False), past(ONE, day, 300, points=7)],
    )
    assert outcome.total.records == 1
    assert (outcome.total.points_before, outcome.total.points_after) == (7, 1)


def test_kinds_are_told_apart() -> None:
    day = date(2026, 3, 1)
    outcome = replay(CAPPED, [past(ONE, day, 60), past(OTHER, day, 120, kind="culture")])
    assert {kind: tally.points_after for kind, tally in outcome.kinds.items()} == {
        (False, "environment"): 1,
        (False, "culture"): 2,
    }
