"""Which rules are understood, which days they give, and what is refused with its reason."""

import time as wall
from datetime import date, time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.orders.recurring.rules import Fault, RuleFault, read_rule
from tests.orders.recurring.naive import NaiveRule

MONDAY = date(2026, 1, 5)
MORNING = time(8, 30)


def days(text: str, first_on: date = MONDAY, count: int = 5) -> list[str]:
    return [day.isoformat() for day in read_rule(text, first_on, MORNING).next_days(first_on, count)]


def fault(text: str, first_on: date = MONDAY) -> tuple[Fault, str | None]:
    with pytest.raises(RuleFault) as caught:
        read_rule(text, first_on, MORNING)
    return caught.value.fault, caught.value.part


def test_every_monday() -> None:
    assert days("FREQ=WEEKLY;BYDAY=MO", count=3) == ["2026-01-05", "2026-01-12", "2026-01-19"]


def test_a_first_day_that_the_rule_does_not_say_is_none() -> None:
    assert days("FREQ=WEEKLY;BYDAY=TU", count=2) == ["2026-01-06", "2026-01-13"]


def test_every_second_week_counts_from_the_first_day() -> None:
    assert days("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TH", count=4) == [
        "2026-01-05", "2026-01-08", "2026-01-19", "2026-01-22",
    ]  # fmt: skip


def test_the_last_friday_of_a_month() -> None:
    assert days("FREQ=MONTHLY;BYDAY=-1FR", count=2) == ["2026-01-30", "2026-02-27"]


def test_the_first_weekday_of_a_month() -> None:
    assert days("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=1", count=2) == ["2026-02-02", "2026-03-02"]


def test_the_31st_is_left_out_where_there_is_none() -> None:
    assert days("FREQ=MONTHLY;BYMONTHDAY=31", count=3) == ["2026-01-31", "2026-03-31", "2026-05-31"]


def test_a_leap_day_comes_every_four_years() -> None:
    assert days("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", count=2) == ["2028-02-29", "2032-02-29"]
    assert days("FREQ=YEARLY", date(2096, 2, 29), 2) == ["2096-02-29", "2104-02-29"]


def test_a_count_ends_by_itself() -> None:
    assert days("FREQ=WEEKLY;COUNT=3") == ["2026-01-05", "2026-01-12", "2026-01-19"]


@pytest.mark.parametrize(
    ("until", "last"),
    [
        ("20260119", "2026-01-19"),
        ("20260119T003000Z", "2026-01-19"),  # 08:30 in Shanghai, when it starts
        ("20260119T002959Z", "2026-01-12"),
        ("20260118T160000Z", "2026-01-12"),  # the 19th has begun in Shanghai, the morning has not
    ],
)
def test_until_is_a_day_or_a_moment_in_utc(until: str, last: str) -> None:
    assert days(f"FREQ=WEEKLY;UNTIL={until}")[-1] == last


@pytest.mark.parametrize("text", ["RRULE:FREQ=WEEKLY;BYDAY=MO", " freq=weekly;byday=mo; "])
def test_how_it_is_written_does_not_matter(text: str) -> None:
    rule = read_rule(text, MONDAY, MORNING)
    assert rule.text == "FREQ=WEEKLY;BYDAY=MO"
    assert rule.next_days(MONDAY, 1) == [MONDAY]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", (Fault.UNREADABLE, None)),
        ("every Monday", (Fault.UNREADABLE, None)),
        ("FREQ", (Fault.UNREADABLE, None)),
        ("FREQ=", (Fault.UNREADABLE, None)),
        ("FREQ=WEEKLY;;BYDAY=MO", (Fault.UNREADABLE, None)),
        ("FREQ=WEEKLY;BYDAY=MO" + ",MO" * 100, (Fault.UNREADABLE, None)),
        ("FREQ=WEEKLY;INTERVAL=２", (Fault.UNREADABLE, None)),
        ("FREQ=WEEKLY;FREQ=DAILY", (Fault.REPEATED, "FREQ")),
        ("FREQ=WEEKLY;BYEASTER=0", (Fault.UNKNOWN_PART, None)),
        ("FREQ=WEEKLY;DTSTART=20260105", (Fault.UNKNOWN_PART, None)),
        ("FREQ=WEEKLY;__INIT__=1", (Fault.UNKNOWN_PART, None)),
        ("BYDAY=MO", (Fault.NO_FREQUENCY, None)),
        ("FREQ=FORTNIGHTLY", (Fault.BAD_VALUE, "FREQ")),
        ("FREQ=HOURLY", (Fault.TOO_FINE, "FREQ")),
        ("FREQ=MINUTELY;COUNT=3", (Fault.TOO_FINE, "FREQ")),
        ("FREQ=SECONDLY", (Fault.TOO_FINE, "FREQ")),
        ("FREQ=DAILY;BYHOUR=9", (Fault.TIME_OF_DAY, "BYHOUR")),
        ("FREQ=DAILY;BYMINUTE=0", (Fault.TIME_OF_DAY, "BYMINUTE")),
        ("FREQ=DAILY;BYSECOND=0,1,2", (Fault.TIME_OF_DAY, "BYSECOND")),
        ("FREQ=DAILY;COUNT=0", (Fault.BAD_VALUE, "COUNT")),
        ("FREQ=DAILY;COUNT=1001", (Fault.BAD_VALUE, "COUNT")),
        ("FREQ=DAILY;COUNT=-1", (Fault.BAD_VALUE, "COUNT")),
        ("FREQ=DAILY;INTERVAL=0", (Fault.BAD_VALUE, "INTERVAL")),
        ("FREQ=YEARLY;INTERVAL=11", (Fault.BAD_VALUE, "INTERVAL")),
        ("FREQ=DAILY;INTERVAL=99999999999999999999", (Fault.BAD_VALUE, "INTERVAL")),
        ("FREQ=WEEKLY;BYDAY=XX", (Fault.BAD_VALUE, "BYDAY")),
        ("FREQ=MONTHLY;BYDAY=0MO", (Fault.BAD_VALUE, "BYDAY")),
        ("FREQ=MONTHLY;BYDAY=54MO", (Fault.BAD_VALUE, "BYDAY")),
        ("FREQ=MONTHLY;BYMONTHDAY=32", (Fault.BAD_VALUE, "BYMONTHDAY")),
        ("FREQ=MONTHLY;BYMONTHDAY=1.5", (Fault.BAD_VALUE, "BYMONTHDAY")),
        ("FREQ=YEARLY;BYMONTH=-1", (Fault.BAD_VALUE, "BYMONTH")),
        ("FREQ=YEARLY;BYMONTH=13", (Fault.BAD_VALUE, "BYMONTH")),
        ("FREQ=WEEKLY;WKST=1", (Fault.BAD_VALUE, "WKST")),
        ("FREQ=WEEKLY;BYDAY=1MO", (Fault.DOES_NOT_FIT, "BYDAY")),
        ("FREQ=YEARLY;BYWEEKNO=1;BYDAY=1MO", (Fault.DOES_NOT_FIT, "BYDAY")),
        ("FREQ=WEEKLY;BYMONTHDAY=1", (Fault.DOES_NOT_FIT, "BYMONTHDAY")),
        ("FREQ=MONTHLY;BYYEARDAY=1", (Fault.DOES_NOT_FIT, "BYYEARDAY")),
        ("FREQ=MONTHLY;BYWEEKNO=1", (Fault.DOES_NOT_FIT, "BYWEEKNO")),
        ("FREQ=MONTHLY;BYSETPOS=1", (Fault.DOES_NOT_FIT, "BYSETPOS")),
        ("FREQ=DAILY;COUNT=2;UNTIL=20260301", (Fault.COUNT_AND_UNTIL, None)),
        ("FREQ=DAILY;UNTIL=20260301T090000", (Fault.UNTIL_WITHOUT_ZONE, "UNTIL")),
        ("FREQ=DAILY;UNTIL=20260230", (Fault.BAD_VALUE, "UNTIL")),
        ("FREQ=DAILY;UNTIL=99991231", (Fault.BAD_VALUE, "UNTIL")),
        ("FREQ=DAILY;UNTIL=tomorrow", (Fault.BAD_VALUE, "UNTIL")),
        ("FREQ=DAILY;UNTIL=20260101", (Fault.NO_DAYS, None)),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_reason(text: str, expected: tuple[Fault, str | None]) -> None:
    assert fault(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;BYMONTH=2,4,6,9,11;BYMONTHDAY=31",
        "FREQ=YEARLY;BYMONTH=1;BYYEARDAY=366",
        "FREQ=YEARLY;BYWEEKNO=53;BYMONTH=6",
        "FREQ=WEEKLY;BYDAY=MO;BYSETPOS=5",
        "FREQ=DAILY;INTERVAL=7;BYDAY=TU",
        "FREQ=YEARLY;INTERVAL=2;BYMONTH=2;BYMONTHDAY=29;UNTIL=20270101",
    ],
)
@pytest.mark.parametrize("first_on", [MONDAY, date(2199, 12, 30)])
def test_a_rule_without_days_is_found_out_soon(text: str, first_on: date) -> None:
    """Left to itself the library looks for it until the year 9999."""
    began = wall.process_time()
    assert fault(text, first_on) == (Fault.NO_DAYS, None)
    assert wall.process_time() - began < 3


def test_a_rule_that_would_wait_for_decades_is_refused() -> None:
    assert fault("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO", date(2026, 1, 1)) == (Fault.NO_DAYS, None)


# Against every single day ------------------------------------------------------------------------------------------

FIRST_DAYS = st.dates(date(2024, 1, 1), date(2029, 12, 31))
WEEKDAYS = st.lists(st.integers(0, 6), unique=True, max_size=4).map(tuple)
MONTH_DAYS = st.lists(st.sampled_from([*range(1, 32), *range(-31, 0)]), unique=True, max_size=4).map(tuple)
MONTHS = st.lists(st.integers(1, 12), unique=True, max_size=5).map(tuple)


@st.composite
def naive_rules(draw: st.DrawFn, first_days: st.SearchStrategy[date] = FIRST_DAYS) -> NaiveRule:
    freq, first_on = draw(st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"])), draw(first_days)
    nth = None
    if freq == "MONTHLY" and draw(st.booleans()):
        nth = (draw(st.sampled_from([1, 2, 3, 4, 5, -1, -2])), draw(st.integers(0, 6)))
    end = draw(st.sampled_from(["never", "count", "until"]))
    return NaiveRule(
        freq=freq,
        first_on=first_on,
        interval=draw(st.integers(1, 3)),
        weekdays=draw(WEEKDAYS) if freq in {"DAILY", "WEEKLY"} else (),
        nth_weekday=nth,
        month_days=draw(MONTH_DAYS) if freq in {"DAILY", "MONTHLY", "YEARLY"} and nth is None else (),
        months=draw(MONTHS),
        count=draw(st.integers(1, 40)) if end == "count" else None,
        until=draw(st.dates(first_on, date(2032, 1, 1))) if end == "until" else None,
    )


def is_refused(text: str, first_on: date) -> bool:
    try:
        read_rule(text, first_on, MORNING)
    except RuleFault as refused:
        return refused.fault == Fault.NO_DAYS
    return False


@settings(max_examples=150, deadline=None)
@given(naive=naive_rules())
def test_a_rule_gives_the_days_that_asking_every_day_gives(naive: NaiveRule) -> None:
    last = date(naive.first_on.year + 3, 12, 31)
    expected = naive.days(last)
    if len(naive.days(date(naive.first_on.year + 8, 1, 1))) < 2 and is_refused(naive.text, naive.first_on):
        return
    rule = read_rule(naive.text, naive.first_on, MORNING)
    assert list(rule.days(naive.first_on, last)) == expected
    middle = date(naive.first_on.year + 1, 7, 1)
    assert list(rule.days(middle, last)) == [day for day in expected if day >= middle]


@settings(max_examples=300, deadline=None)
@given(text=st.text(alphabet="FREQ=;BYDAYMOWEKLUNTICSP0123456789-+,", max_size=60))
def test_whatever_is_sent_is_a_rule_or_a_fault(text: str) -> None:
    for sent in (text, f"FREQ=DAILY;{text}", f"FREQ=YEARLY;BYDAY={text}"):
        try:
            read_rule(sent, MONDAY, MORNING)
        except RuleFault:
            continue
