"""When somebody can help, against a brute-force minute counter."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.chassis.clock import SHANGHAI
from services.orders.matching.availability import (
    AS_SOON_AS_POSSIBLE,
    Availability,
    Period,
    Presence,
    WeeklyHours,
    duty_periods,
    wanted_period,
    without,
)

MONDAY = datetime(2026, 3, 16, tzinfo=SHANGHAI)
MINUTE = timedelta(minutes=1)


def at(hour: float, day: int = 0) -> datetime:
    return MONDAY + timedelta(days=day, hours=hour)


def test_what_lies_ahead_of_the_wanted_time() -> None:
    now = at(9)
    assert wanted_period(None, None, now) == Period(now, now + AS_SOON_AS_POSSIBLE)
    assert wanted_period(at(14), at(16), now) == Period(at(14), at(16))
    assert wanted_period(at(8), at(10), now) == Period(now, at(10))
    assert wanted_period(at(14), None, now) == Period(at(14), at(14) + AS_SOON_AS_POSSIBLE)
    assert wanted_period(at(7), at(8), now) == Period(now, now + AS_SOON_AS_POSSIBLE)


def test_an_evening_and_its_night_are_one_stretch() -> None:
    hours = [WeeklyHours(1, 23 * 60, 24 * 60), WeeklyHours(2, 0, 60)]
    assert duty_periods(hours, Period(at(0), at(24, 1))) == [Period(at(23), at(1, 1))]


@pytest.mark.parametrize(("ends", "presence"), [(at(9.5), Presence.FREE), (at(9.4), Presence.OFF_DUTY)])
def test_half_an_hour_is_needed(ends: datetime, presence: Presence) -> None:
    helper = Availability(hours=[WeeklyHours(1, 9 * 60, 12 * 60)])
    assert helper.presence(Period(at(8), ends)) == presence


def test_a_short_visit_needs_all_of_its_time() -> None:
    helper = Availability(absences=[Period(at(9), at(9.2))])
    assert helper.presence(Period(at(9.1), at(9.3))) == Presence.ABSENT
    assert helper.presence(Period(at(9.2), at(9.3))) == Presence.FREE


def test_a_whole_week_and_more() -> None:
    """However long the wanted time: a weekday comes once a week."""
    sundays = Availability(hours=[WeeklyHours(7, 600, 660)])
    assert sundays.presence(Period(at(0), at(0, 300))) == Presence.FREE
    assert sundays.presence(Period(at(0), at(0, 6))) == Presence.OFF_DUTY


_minutes = st.integers(0, 3 * 1440)
_periods = st.tuples(_minutes, _minutes).map(
    lambda pair: Period(MONDAY + min(pair) * MINUTE, MONDAY + (max(pair) + 1) * MINUTE)
)
_hours = st.builds(
    lambda weekday, pair: WeeklyHours(weekday, min(pair), max(pair) + 1),
    st.integers(1, 4),
    st.tuples(st.integers(0, 1439), st.integers(0, 1439)),
)


@settings(deadline=None)
@given(st.none() | st.lists(_hours, max_size=1), st.lists(_periods, max_size=3), _periods)
def test_every_minute_is_counted_as_one_would_by_hand(
    hours: list[WeeklyHours] | None, absences: list[Period], wanted: Period
) -> None:
    left = without(duty_periods(hours, wanted), absences)
    counted = sum((period.ends - period.begins for period in left), timedelta()) // MINUTE
    moment, by_hand = wanted.begins, 0
    while moment < wanted.ends:
        minute = moment.hour * 60 + moment.minute
        on_duty = hours is None or any(
            one.weekday == moment.isoweekday() and one.begins <= minute < one.ends for one in hours
        )
        by_hand += on_duty and not any(away.begins <= moment < away.ends for away in absences)
        moment += MINUTE
    assert counted == by_hand
