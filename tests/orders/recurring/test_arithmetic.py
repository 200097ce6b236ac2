"""When occurrences take place: against a model that asks every single day, and Mr Zhang's Mondays by hand."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, time, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.recurring import HolidayPolicy
from services.orders.clocks.national import national_years
from services.orders.clocks.work_time import WorkTime
from services.orders.recurring.arithmetic import MOST_DAYS_MOVED, Calendar, Occurrence, Series, Slot, Why, plan
from services.orders.recurring.rules import RuleFault, read_rule
from tests.orders.recurring.naive import DAY, NaiveRule, NaiveSeries, takes_place
from tests.orders.recurring.test_rules import naive_rules

STARTS, ENDS = time(8, 30), time(10, 30)
SPECIAL = [day for days in national_years().values() for day in days]
CALENDAR = Calendar(
    WorkTime({day.day: day.is_working for day in SPECIAL}, frozenset(national_years())),
    {day.day: day.name for day in SPECIAL},
)
NOTHING_KNOWN = Calendar(WorkTime({}, frozenset()))
NEW_YEAR, LAST_DAY = date(2026, 1, 1), date(2026, 12, 31)


def mondays(policy: HolidayPolicy, **changes: object) -> Series:
    """Mr Zhang's: every Monday morning, from 5 January 2026 on."""
    rule = read_rule("FREQ=WEEKLY;BYDAY=MO", date(2026, 1, 5), STARTS)
    return replace(Series(rule, STARTS, ENDS, policy), **changes)  # type: ignore[arg-type]


def slot(day: str, starts: time = STARTS, ends: time = ENDS) -> Slot:
    return Slot(date.fromisoformat(day), starts, ends)


def by_day(occurrences: list[Occurrence]) -> dict[str, Occurrence]:
    return {one.on.isoformat(): one for one in occurrences}


def taking_place(occurrences: list[Occurrence]) -> list[date]:
    return [one.slot.on for one in occurrences if one.slot is not None]


# Mr Zhang's year ---------------------------------------------------------------------------------------------------


def year_of(policy: HolidayPolicy, **changes: object) -> list[Occurrence]:
    return plan(mondays(policy, **changes), CALENDAR, NEW_YEAR, LAST_DAY)


MOVED = {
    HolidayPolicy.BEFORE: {
        "2026-02-16": "2026-02-14",  # 春节: the make-up Saturday before it is worked
        "2026-02-23": None,  # would be on that same Saturday: two become one
        "2026-04-06": "2026-04-03",  # 清明
        "2026-05-04": "2026-04-30",  # 劳动节
        "2026-10-05": "2026-09-30",  # 国庆
    },
    HolidayPolicy.AFTER: {
        "2026-02-16": "2026-02-24",
        "2026-02-23": None,
        "2026-04-06": "2026-04-07",
        "2026-05-04": "2026-05-06",
        "2026-10-05": "2026-10-08",
    },
    HolidayPolicy.SKIP: dict.fromkeys(["2026-02-16", "2026-02-23", "2026-04-06", "2026-05-04", "2026-10-05"]),
    HolidayPolicy.KEEP: {},
}
FESTIVALS = {
    "2026-02-16": "春节", "2026-02-23": "春节", "2026-04-06": "清明", "2026-05-04": "劳动节", "2026-10-05": "国庆节",
}  # fmt: skip


@pytest.mark.parametrize("policy", HolidayPolicy)
def test_mondays_of_2026(policy: HolidayPolicy) -> None:
    year = by_day(year_of(policy))
    assert len(year) == 52
    found = {
        on: one.slot and one.slot.on.isoformat()
        for on, one in year.items()
        if one.slot is None or one.slot.on != one.on
    }
    assert found == MOVED[policy]
    assert {on: one.holiday for on, one in year.items() if one.holiday} == FESTIVALS


@pytest.mark.parametrize("policy", [HolidayPolicy.BEFORE, HolidayPolicy.AFTER])
def test_two_that_fall_on_one_day_become_one(policy: HolidayPolicy) -> None:
    second = by_day(year_of(policy))["2026-02-23"]
    assert (second.why, second.joins) == (Why.SAME_DAY, date(2026, 2, 16))


def test_a_saturday_is_no_holiday_for_who_says_saturday() -> None:
    saturdays = replace(mondays(HolidayPolicy.AFTER), rule=read_rule("FREQ=WEEKLY;BYDAY=SA", NEW_YEAR, STARTS))
    june = plan(saturdays, CALENDAR, date(2026, 6, 1), date(2026, 6, 30))
    assert [day.day for day in taking_place(june)] == [6, 13, 22, 27]  # 端午 is on the 20th


def test_an_occurrence_on_a_day_another_moves_to_is_the_one() -> None:
    """Daily through 国庆: what moves to the 8th joins the one that is there anyway."""
    daily = replace(mondays(HolidayPolicy.AFTER), rule=read_rule("FREQ=DAILY", NEW_YEAR, STARTS))
    week = by_day(plan(daily, CALENDAR, date(2026, 10, 1), date(2026, 10, 8)))
    assert [on for on, one in week.items() if one.slot] == ["2026-10-08"]
    assert {one.joins for one in week.values()} == {None, date(2026, 10, 8)}


def test_where_nobody_knows_the_holidays_nothing_moves() -> None:
    year = plan(mondays(HolidayPolicy.AFTER), NOTHING_KNOWN, NEW_YEAR, LAST_DAY)
    assert [one.on for one in year] == taking_place(year)
    assert not NOTHING_KNOWN.is_known(NEW_YEAR)
    assert CALENDAR.is_known(NEW_YEAR)


def test_a_holiday_without_end_moves_nothing() -> None:
    shut = Calendar(WorkTime({NEW_YEAR + n * DAY: False for n in range(365)}, frozenset({2026})))
    may = plan(mondays(HolidayPolicy.AFTER), shut, date(2026, 5, 1), date(2026, 5, 31))
    assert [one.on for one in may] == taking_place(may)


def test_a_window_is_of_shanghai_all_year() -> None:
    """Never an hour off: 08:30 there is 00:30 in UTC, in January as in July."""
    times = {(one.slot.begins_at.time(), one.slot.ends_at.time()) for one in year_of(HolidayPolicy.KEEP) if one.slot}
    assert times == {(time(0, 30), time(2, 30))}


# Exceptions, pauses, ends ------------------------------------------------------------------------------------------


def test_one_is_skipped() -> None:
    march = by_day(year_of(HolidayPolicy.KEEP, exceptions={date(2026, 3, 16): None}))
    assert (march["2026-03-16"].slot, march["2026-03-16"].why) == (None, Why.EXCEPTION)
    assert march["2026-03-23"].slot


def test_one_is_moved_to_another_day_and_time() -> None:
    afternoon = slot("2026-03-18", time(14), time(16))
    march = by_day(year_of(HolidayPolicy.KEEP, exceptions={date(2026, 3, 16): afternoon}))
    assert (march["2026-03-16"].slot, march["2026-03-16"].why) == (afternoon, Why.EXCEPTION)


def test_what_somebody_moved_holds_against_holiday_and_rule() -> None:
    """Mr Zhang wants it on 16 February, holiday or not; and on 9 March what was for the 2nd."""
    exceptions = {date(2026, 2, 16): slot("2026-02-16"), date(2026, 3, 2): slot("2026-03-09", time(15), time(16))}
    year = by_day(year_of(HolidayPolicy.BEFORE, exceptions=exceptions))
    assert year["2026-02-16"].slot == slot("2026-02-16")
    assert year["2026-02-23"].slot == slot("2026-02-14")
    assert year["2026-03-02"].slot
    assert (year["2026-03-09"].why, year["2026-03-09"].joins) == (Why.SAME_DAY, date(2026, 3, 2))


def test_a_pause_has_a_first_and_a_last_day() -> None:
    paused = year_of(HolidayPolicy.KEEP, paused_from=date(2026, 3, 2), paused_until=date(2026, 3, 16))
    assert [one.on.day for one in paused if one.why == Why.PAUSED] == [2, 9, 16]


def test_a_pause_without_end_lasts() -> None:
    paused = year_of(HolidayPolicy.KEEP, paused_from=date(2026, 12, 1))
    assert [one.on.day for one in paused if one.why == Why.PAUSED] == [7, 14, 21, 28]


def test_after_the_end_there_is_nothing_not_even_what_moves_back_before_it() -> None:
    year = by_day(year_of(HolidayPolicy.BEFORE, ends_on=date(2026, 10, 3)))
    assert year["2026-10-05"].why == Why.ENDED
    assert year["2026-09-28"].slot


def test_what_is_made_stays_and_nothing_is_made_beside_it() -> None:
    """Tuesdays from now on, but on Tuesday the 17th an order of the old Monday rule stands, moved there."""
    tuesdays = replace(mondays(HolidayPolicy.KEEP), rule=read_rule("FREQ=WEEKLY;BYDAY=TU", NEW_YEAR, STARTS))
    kept = {date(2026, 3, 16): slot("2026-03-17", time(15), time(16))}
    march = by_day(plan(tuesdays, CALENDAR, date(2026, 3, 14), date(2026, 3, 24), kept))
    assert (march["2026-03-16"].why, march["2026-03-16"].slot) == (Why.KEPT, kept[date(2026, 3, 16)])
    assert (march["2026-03-17"].why, march["2026-03-17"].joins) == (Why.SAME_DAY, date(2026, 3, 16))
    assert march["2026-03-24"].slot


# Against every single day ------------------------------------------------------------------------------------------

BEGIN = date(2026, 1, 20)
END = BEGIN + 60 * DAY


@st.composite
def calendars(draw: st.DrawFn) -> Calendar:
    """Holidays in clusters, make-up days, and now and then a very long closure."""
    special: dict[date, bool] = {}
    for _ in range(draw(st.integers(0, 4))):
        first, length = draw(st.dates(BEGIN - 20 * DAY, END + 20 * DAY)), draw(st.sampled_from([1, 3, 8, 40]))
        special |= {first + n * DAY: False for n in range(length)}
    special |= draw(st.dictionaries(st.dates(BEGIN, END), st.booleans(), max_size=5))
    return Calendar(WorkTime(special, frozenset({2026})), {})


@st.composite
def histories(draw: st.DrawFn) -> NaiveSeries:
    rule = draw(naive_rules(st.dates(date(2025, 6, 1), date(2026, 3, 1))))
    days = rule.days(END + 60 * DAY)
    near = [day for day in days if day >= BEGIN - 60 * DAY]
    exceptions: dict[date, Slot | None] = {}
    pinned: dict[date, Slot] = {}
    if near:
        exceptions = draw(st.dictionaries(st.sampled_from(near), st.none(), max_size=3))
        for on in draw(st.lists(st.sampled_from(near), max_size=3, unique=True)):
            exceptions[on] = Slot(on + draw(st.integers(-20, 20)) * DAY, STARTS, ENDS)
    for on in draw(st.lists(st.dates(BEGIN, END), max_size=3, unique=True)):
        pinned[on] = Slot(on + draw(st.integers(-3, 3)) * DAY, STARTS, ENDS)
    paused = None
    if draw(st.booleans()):
        first = draw(st.dates(BEGIN, END))
        paused = (first, draw(st.none() | st.dates(first, END)))
    ends_on = draw(st.none() | st.dates(BEGIN, END + 10 * DAY))
    return NaiveSeries(rule, draw(st.sampled_from(HolidayPolicy)), exceptions, paused, ends_on, pinned)


def as_series(naive: NaiveSeries) -> Series | None:
    try:
        rule = read_rule(naive.rule.text, naive.rule.first_on, STARTS)
    except RuleFault:
        return None
    begin, end = naive.paused or (None, None)
    return Series(rule, STARTS, ENDS, naive.policy, naive.exceptions, begin, end, naive.ends_on)


def days_taken(occurrences: list[Occurrence]) -> dict[date, set[date]]:
    taken: dict[date, set[date]] = {}
    for one in occurrences:
        if one.slot is not None:
            taken.setdefault(one.slot.on, set()).add(one.on)
    return taken


@settings(max_examples=200, deadline=None)
@given(naive=histories(), calendar=calendars())
def test_a_plan_is_what_asking_every_day_gives(naive: NaiveSeries, calendar: Calendar) -> None:
    series = as_series(naive)
    if series is None:
        return
    occurrences = plan(series, calendar, BEGIN, END, naive.pinned)
    assert days_taken(occurrences) == takes_place(naive, calendar, BEGIN, END)
    assert len({one.on for one in occurrences}) == len(occurrences)


@settings(max_examples=100, deadline=None)
@given(naive=histories(), calendar=calendars(), cut=st.integers(0, 60))
def test_it_does_not_matter_where_a_plan_begins(naive: NaiveSeries, calendar: Calendar, cut: int) -> None:
    """The keeper looks a fortnight ahead, the household eight weeks: they see the same."""
    series = as_series(naive)
    if series is None:
        return
    middle = BEGIN + cut * DAY
    whole = plan(series, calendar, BEGIN, END, naive.pinned)
    parts = plan(series, calendar, BEGIN, middle, naive.pinned), plan(series, calendar, middle + DAY, END, naive.pinned)
    assert [*parts[0], *parts[1]] == whole


@settings(max_examples=60, deadline=None)
@given(calendar=calendars(), policy=st.sampled_from(HolidayPolicy))
def test_no_two_take_place_on_one_day_and_none_goes_far(calendar: Calendar, policy: HolidayPolicy) -> None:
    daily = Series(read_rule(NaiveRule("DAILY", BEGIN).text, BEGIN, STARTS), STARTS, ENDS, policy)
    occurrences = plan(daily, calendar, BEGIN, END)
    taken: Mapping[date, set[date]] = days_taken(occurrences)
    assert all(len(days) == 1 for days in taken.values())
    far = timedelta(days=MOST_DAYS_MOVED)
    assert all(abs(one.slot.on - one.on) <= far for one in occurrences if one.slot)
