"""The arithmetic of clocks against a counter of single minutes, over random lives, and by hand."""

from datetime import UTC, date, datetime, timedelta
from itertools import zip_longest

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.clocks import ClockState, ClockUnit
from services.chassis.clock import SHANGHAI
from services.orders.clocks.arithmetic import Interval, Life, Rules, Terms, read_clock, without
from services.orders.clocks.work_time import STANDARD_PERIODS, Period, WorkTime, parse_periods
from tests.orders.clocks.minutes import MINUTE, walked

FIRST_MOMENT = datetime(2000, 1, 1, tzinfo=UTC)
WEEKDAYS = WorkTime({}, frozenset({2026}))


def at(text: str) -> datetime:
    """A moment in Shanghai."""
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


def promised(amount: int, unit: ClockUnit, work: WorkTime = WEEKDAYS) -> list[Rules]:
    return [Rules(FIRST_MOMENT, Terms(amount, unit), work)]


def due(start: str, amount: int, unit: ClockUnit, work: WorkTime = WEEKDAYS) -> datetime | None:
    begin = at(start)
    reading = read_clock(Life(begin, ((begin, None),)), promised(amount, unit, work), begin)
    assert reading is not None
    return reading.due_at


# Random lives -----------------------------------------------------------------------------------------------------

STARTS = [
    "2026-02-12T23:59",  # before a make-up day and the Spring Festival
    "2026-09-30T16:20",  # before the National Day
    "2028-02-28T23:59",  # before a leap day
    "2026-12-31T08:30",  # the last day of a year
    "2026-03-02T12:00",  # in the break at noon
    "2026-01-31T00:00",  # a Saturday, the last of a month
]
DAYS_WALKED = 6


@st.composite
def work_times(draw: st.DrawFn, first: date) -> WorkTime:
    days = [first + timedelta(days=n) for n in range(-1, DAYS_WALKED + 2)]
    special = draw(st.dictionaries(st.sampled_from(days), st.booleans(), max_size=4))
    hours = [(date.min, draw(periods()))]
    if draw(st.booleans()):
        hours.append((draw(st.sampled_from(days)), draw(periods())))
    return WorkTime(special, frozenset({first.year}), tuple(hours))


@st.composite
def periods(draw: st.DrawFn) -> tuple[Period, ...]:
    edges = draw(st.sampled_from([(510, 720, 870, 1050), (0, 1440), (1439, 1440), (0, 1), (540, 1020), (600, 1439)]))
    return tuple(zip(edges[::2], edges[1::2], strict=True))


@st.composite
def lives(draw: st.DrawFn) -> tuple[Life, list[Rules], datetime]:
    """A clock that is paused and goes on, is ended and opened again, under rules that change."""
    begin = at(draw(st.sampled_from(STARTS))).astimezone(UTC)
    minutes = st.integers(0, draw(st.sampled_from([DAYS_WALKED * 24 * 60, 12 * 60])))
    now = begin + MINUTE * draw(minutes)

    def moments(least: int) -> list[datetime]:
        found = (
            begin + MINUTE * n for n in draw(st.lists(minutes.filter(lambda n: n >= least), max_size=4, unique=True))
        )
        return sorted(moment for moment in found if moment <= now)

    turns = [begin, *moments(1)]  # opened, ended, opened again, …
    ended_at = turns[-1] if len(turns) % 2 == 0 else None
    ran = without(_in_pairs(turns), _in_pairs(moments(0)))
    life = Life(begin, ran, ended_at, draw(st.booleans()) if ended_at else False)
    changes = sorted({FIRST_MOMENT, *(begin + MINUTE * n for n in draw(st.lists(minutes, max_size=3)))})
    rules = [draw(rules_from(since, begin.astimezone(SHANGHAI).date())) for since in changes]
    return life, rules, now


def _in_pairs(moments: list[datetime]) -> list[Interval]:
    """From one to the next; the last one open when it has no partner."""
    ends: list[datetime | None] = [*moments[1::2]]
    return list(zip_longest(moments[::2], ends))


@st.composite
def rules_from(draw: st.DrawFn, since: datetime, first: date) -> Rules:
    units = st.sampled_from(ClockUnit)
    unit = draw(units)
    amount = draw(st.integers(1, 3 if unit == ClockUnit.WORK_DAYS else 40))
    terms = Terms(amount, unit) if draw(st.integers(0, 7)) else None
    extensions = draw(st.lists(st.tuples(st.integers(1, 2), units), max_size=1))
    return Rules(since, terms, draw(work_times(first)), tuple(extensions))


@settings(max_examples=250, deadline=None)
@given(lives())
def test_it_reads_what_a_counter_of_minutes_reads(case: tuple[Life, list[Rules], datetime]) -> None:
    life, rules, now = case
    reading = read_clock(life, rules, now)
    expected = walked(life, rules, now)
    assert (reading.state if reading else None) == (expected[0] if expected else None)
    if reading is not None and expected is not None and expected[0] == ClockState.MISSED:
        assert reading.due_at == expected[1]


@settings(max_examples=100, deadline=None)
@given(lives(), st.integers(0, 3 * 24 * 60))
def test_what_is_left_runs_out_at_the_limit(case: tuple[Life, list[Rules], datetime], later: int) -> None:
    """Read a little later, nothing but the time has changed; and at the limit nothing is left."""
    life, rules, now = case
    reading = read_clock(life, rules, now)
    if reading is None or reading.state != ClockState.RUNNING:
        return
    assert reading.due_at is not None
    moment = min(now + MINUTE * later, reading.due_at)
    again = read_clock(life, [one for one in rules if one.since <= now], moment)
    assert again is not None
    assert (again.state, again.due_at) == (ClockState.RUNNING, reading.due_at)
    assert again.left <= reading.left
    at_limit = read_clock(life, [one for one in rules if one.since <= now], reading.due_at)
    assert at_limit is not None
    assert at_limit.left == 0
    over = read_clock(life, [one for one in rules if one.since <= now], reading.due_at + MINUTE)
    assert over is not None
    assert over.state == ClockState.MISSED


# By hand ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "amount", "unit", "expected"),
    [
        ("2026-03-16T09:00", 2, ClockUnit.CALENDAR_HOURS, "2026-03-16T11:00"),
        ("2026-03-16T23:59", 24, ClockUnit.CALENDAR_HOURS, "2026-03-17T23:59"),
        ("2028-02-28T10:00", 48, ClockUnit.CALENDAR_HOURS, "2028-03-01T10:00"),  # 29 February counts
        ("2026-03-16T09:00", 2, ClockUnit.WORK_HOURS, "2026-03-16T11:00"),
        ("2026-03-16T11:00", 2, ClockUnit.WORK_HOURS, "2026-03-16T15:30"),  # across noon
        ("2026-03-16T11:00", 1, ClockUnit.WORK_HOURS, "2026-03-16T12:00"),  # up to noon, not from half past two
        ("2026-03-20T17:00", 1, ClockUnit.WORK_HOURS, "2026-03-23T09:00"),  # across a weekend
        ("2026-03-16T23:59", 1, ClockUnit.WORK_HOURS, "2026-03-17T09:30"),
        ("2026-03-16T08:00", 1, ClockUnit.WORK_DAYS, "2026-03-17T17:30"),  # the first day does not count
        ("2026-03-16T23:59", 1, ClockUnit.WORK_DAYS, "2026-03-17T17:30"),
        ("2026-03-20T18:00", 1, ClockUnit.WORK_DAYS, "2026-03-23T17:30"),
        ("2026-03-21T10:00", 1, ClockUnit.WORK_DAYS, "2026-03-23T17:30"),  # begun on a Saturday
        ("2026-03-30T10:00", 2, ClockUnit.WORK_DAYS, "2026-04-01T17:30"),  # into the next month
    ],
)
def test_when_it_is_due(start: str, amount: int, unit: ClockUnit, expected: str) -> None:
    assert due(start, amount, unit) == at(expected)


def test_a_pause_across_the_close_of_business_saves_the_day() -> None:
    begin = at("2026-03-16T09:00")
    ran: tuple[Interval, ...] = ((begin, at("2026-03-17T17:29")), (at("2026-03-17T17:31"), None))
    reading = read_clock(Life(begin, ran), promised(1, ClockUnit.WORK_DAYS), at("2026-03-18T09:00"))
    assert reading is not None
    assert (reading.due_at, reading.left) == (at("2026-03-18T17:30"), 1)


def test_while_it_is_paused_nobody_knows_the_limit_but_everybody_what_is_left() -> None:
    begin = at("2026-03-16T09:00")
    life = Life(begin, ((begin, at("2026-03-16T10:00")),))
    reading = read_clock(life, promised(3, ClockUnit.WORK_HOURS), at("2026-06-01T09:00"))
    assert reading is not None
    assert (reading.state, reading.due_at, reading.left) == (ClockState.PAUSED, None, 120)
    assert reading.would_be_due_at == at("2026-03-16T12:00")


def test_shorter_terms_in_a_pause_leave_nothing() -> None:
    """It has run longer than they allow: due as soon as it goes on."""
    begin, pause, change = at("2026-03-16T09:00"), at("2026-03-16T12:00"), at("2026-03-16T15:00")
    rules = [
        Rules(FIRST_MOMENT, Terms(24, ClockUnit.CALENDAR_HOURS), WEEKDAYS),
        Rules(change, Terms(2, ClockUnit.CALENDAR_HOURS), WEEKDAYS),
    ]
    paused = read_clock(Life(begin, ((begin, pause),)), rules, at("2026-03-17T09:00"))
    resumed = at("2026-03-17T10:00")
    going_on = read_clock(Life(begin, ((begin, pause), (resumed, None))), rules, resumed + MINUTE)
    assert paused is not None
    assert going_on is not None
    assert (paused.state, paused.due_at, paused.left) == (ClockState.PAUSED, None, 0)
    assert (going_on.state, going_on.due_at) == (ClockState.MISSED, resumed)


def test_a_clock_that_begins_in_a_pause_has_all_of_its_time() -> None:
    reading = read_clock(
        Life(at("2026-03-16T09:00"), ()), promised(3, ClockUnit.CALENDAR_HOURS), at("2026-03-17T09:00")
    )
    assert reading is not None
    assert (reading.state, reading.due_at, reading.left) == (ClockState.PAUSED, None, 180)


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        ({"warn_before": 1}, "2026-03-16T15:00"),
        ({"warn_percent": 50}, "2026-03-16T11:30"),
        ({"warn_before": 9}, "2026-03-16T09:30"),  # longer than the whole: at once
        ({}, None),
    ],
)
def test_when_it_warns(terms: dict[str, int], expected: str | None) -> None:
    begin = at("2026-03-16T09:30")
    reading = read_clock(
        Life(begin, ((begin, None),)), [Rules(FIRST_MOMENT, Terms(4, ClockUnit.WORK_HOURS, **terms), WEEKDAYS)], begin
    )
    assert reading is not None
    assert reading.due_at == at("2026-03-16T16:00")
    assert reading.warn_at == (at(expected) if expected else None)


def test_shorter_terms_are_due_at_their_beginning_at_the_earliest() -> None:
    begin, change = at("2026-03-16T09:00"), at("2026-03-16T15:00")
    rules = [
        Rules(FIRST_MOMENT, Terms(24, ClockUnit.CALENDAR_HOURS), WEEKDAYS),
        Rules(change, Terms(2, ClockUnit.CALENDAR_HOURS), WEEKDAYS),
    ]
    reading = read_clock(Life(begin, ((begin, None),)), rules, change + MINUTE)
    assert reading is not None
    assert (reading.state, reading.due_at) == (ClockState.MISSED, change)


def test_what_was_missed_stays_missed_under_longer_terms() -> None:
    begin = at("2026-03-16T09:00")
    rules = [
        Rules(FIRST_MOMENT, Terms(2, ClockUnit.CALENDAR_HOURS), WEEKDAYS),
        Rules(at("2026-03-16T12:00"), Terms(24, ClockUnit.CALENDAR_HOURS), WEEKDAYS),
    ]
    reading = read_clock(Life(begin, ((begin, None),)), rules, at("2026-03-16T13:00"))
    assert reading is not None
    assert (reading.state, reading.due_at) == (ClockState.MISSED, at("2026-03-16T11:00"))


def test_the_last_moment_is_in_time() -> None:
    begin, end = at("2026-03-16T09:00"), at("2026-03-16T11:00")
    in_time = read_clock(Life(begin, ((begin, end),), end, True), promised(2, ClockUnit.CALENDAR_HOURS), end)
    late = read_clock(
        Life(begin, ((begin, end + MINUTE),), end + MINUTE, True), promised(2, ClockUnit.CALENDAR_HOURS), end + MINUTE
    )
    assert in_time is not None
    assert late is not None
    assert (in_time.state, late.state) == (ClockState.MET, ClockState.MISSED)
    assert late.ended_at == end + MINUTE


class TestPeriods:
    def test_standard(self) -> None:
        assert parse_periods([["08:30", "12:00"], ["14:30", "17:30"]]) == STANDARD_PERIODS

    @pytest.mark.parametrize(
        "periods",
        [
            [], [["12:00", "08:30"]], [["08:30", "08:30"]], [["08:30", "12:00"], ["11:00", "17:00"]],
            [["14:00", "17:00"], ["08:00", "12:00"]], [["8:30", "12:00"]], [["08:60", "12:00"]], [["08:30", "24:01"]],
            [["０８:30", "12:00"]], [["-1:30", "12:00"]], [["", "12:00"]],
        ],
    )  # fmt: skip
    def test_odd_ones_are_refused(self, periods: list[list[str]]) -> None:
        with pytest.raises(ValueError, match=r"period|time of the day|24:00"):
            parse_periods(periods)
