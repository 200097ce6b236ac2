"""What a clock reads: running time against what is promised, under rules that change while it runs. Pure.

A clock is governed by the rules in force while it runs. When they change (another policy version, another calendar,
an extension granted), what has run is counted anew from its start by the new rules, with two reservations: what was
missed under the old rules stays missed, and nothing becomes due before the change. What has ended keeps its rules.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from models.clocks import ClockState, ClockUnit
from services.orders.clocks.work_time import WorkTime, day_of

NEVER = datetime(2300, 1, 1, tzinfo=UTC)
"""Later than anything that is counted."""

Interval = tuple[datetime, datetime | None]
"""Running from, until; open at the end while it runs on."""
Leg = tuple[int, ClockUnit]


@dataclass(frozen=True, slots=True)
class Terms:
    """What is promised. Warned when `warn_before` (in the same unit) or `warn_percent` of it is left, or never."""

    amount: int
    unit: ClockUnit
    warn_before: int | None = None
    warn_percent: int | None = None


@dataclass(frozen=True)
class Rules:
    """What counts from `since` on. Without terms nothing is promised."""

    since: datetime
    terms: Terms | None
    work: WorkTime
    extensions: tuple[Leg, ...] = ()
    """Granted so far. In the unit of the terms they add up; in another one (the policy changed) they follow."""
    source: Any = None
    """Where they come from, for whoever asks why."""


@dataclass(frozen=True, slots=True)
class Life:
    """What a clock is measured by: when it began, when it ran, and how it ended."""

    started_at: datetime
    ran: tuple[Interval, ...]
    """In order, apart; only the last may be open."""
    ended_at: datetime | None = None
    is_met: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """A clock at one moment. `due_at` is None while paused; `would_be_due_at` is then the limit without the pause."""

    state: ClockState
    ended_at: datetime | None
    due_at: datetime | None
    would_be_due_at: datetime
    warn_at: datetime | None
    left: int
    """In minutes of the unit, or in working days; 0 when it is over."""
    elapsed: int
    rules: Rules
    """Those that decided."""


def read_clock(life: Life, rules: Sequence[Rules], now: datetime) -> Reading | None:
    """The clock at `now`; None while nothing is promised. `rules` ascend by `since`."""
    end = life.ended_at or now
    held: tuple[Rules, datetime] | None = None
    withdrawn: Reading | None = None
    for one, begins, until in _in_turn(rules, life, end):
        if one.terms is None:
            withdrawn = _reading(life, *held, ClockState.STOPPED, begins) if held else withdrawn
            held = None
            continue
        due = _due(life, one, begins)
        held = one, begins
        if due is not None and due < min(until, end):
            return _reading(life, one, begins, ClockState.MISSED, life.ended_at, at=due)
    return withdrawn if held is None else _reading(life, *held, _state(life), life.ended_at, at=end)


def _state(life: Life) -> ClockState:
    if life.ended_at is not None:
        return ClockState.MET if life.is_met else ClockState.STOPPED
    return ClockState.RUNNING if _is_open(life.ran) else ClockState.PAUSED


def _in_turn(rules: Sequence[Rules], life: Life, end: datetime) -> Iterator[tuple[Rules, datetime, datetime]]:
    """The rules that ever governed this life, each with when it began to and when the next one did."""
    is_over = life.ended_at is not None
    known = [
        one for one in rules if one.since < end or one.since <= life.started_at or (one.since == end and not is_over)
    ]
    for place, one in enumerate(known):
        until = known[place + 1].since if place + 1 < len(known) else NEVER
        if until > life.started_at:
            yield one, max(one.since, life.started_at), until


def _reading(
    life: Life,
    rules: Rules,
    begins: datetime,
    state: ClockState,
    ended_at: datetime | None,
    *,
    at: datetime | None = None,
) -> Reading:
    moment = at or ended_at or begins
    due = _due(life, rules, begins)
    would_be_due = due or _due(life, rules, begins, going_on=True) or NEVER
    is_waiting = state in (ClockState.RUNNING, ClockState.PAUSED)
    terms = rules.terms
    assert terms is not None, "only what is promised is read"
    return Reading(
        state=state,
        ended_at=ended_at,
        due_at=None if state == ClockState.PAUSED else would_be_due,
        would_be_due_at=would_be_due,
        warn_at=_warn(life, rules, begins) if is_waiting else None,
        left=_left(life, rules, moment if state == ClockState.RUNNING else None) if is_waiting else 0,
        elapsed=measured(_until(life.ran, moment), terms.unit, rules.work, day_of(life.started_at)),
        rules=rules,
    )


def _left(life: Life, rules: Rules, now: datetime | None) -> int:
    """From now on, or, paused, from when it stood; nothing when the rules leave less than has run."""
    assert rules.terms is not None, "only what is promised is left"
    since = now or _stood_since(life)
    limit = _due(life, rules, life.started_at, going_on=True) or NEVER
    return measured([(since, max(since, limit))], rules.terms.unit, rules.work, day_of(life.started_at))


def _due(life: Life, rules: Rules, begins: datetime, *, going_on: bool = False) -> datetime | None:
    assert rules.terms is not None, "without terms nothing is due"
    terms = rules.terms
    total = terms.amount + sum(amount for amount, unit in rules.extensions if unit == terms.unit)
    others = [(amount, unit) for amount, unit in rules.extensions if unit != terms.unit]
    ran = _going_on(life) if going_on else life.ran
    return _reached(life, ran, rules.work, [(_ticks(total, terms.unit), terms.unit)], others, begins)


def _warn(life: Life, rules: Rules, begins: datetime) -> datetime | None:
    """Counted on what is in the unit of the terms: extensions in another one come after the warning."""
    assert rules.terms is not None, "without terms nothing is warned of"
    terms = rules.terms
    total = _ticks(terms.amount + sum(amount for amount, unit in rules.extensions if unit == terms.unit), terms.unit)
    if terms.warn_before is not None:
        left = _ticks(terms.warn_before, terms.unit)
    elif terms.warn_percent is not None:
        left = -(-total * terms.warn_percent // 100)
    else:
        return None
    return _reached(life, life.ran, rules.work, [(max(0, total - left), terms.unit)], [], begins)


def _ticks(amount: int, unit: ClockUnit) -> int:
    """What is counted of a unit: minutes, or working days."""
    return amount if unit == ClockUnit.WORK_DAYS else amount * 60


def _reached(
    life: Life, ran: Sequence[Interval], work: WorkTime, legs: list[Leg], others: list[Leg], begins: datetime
) -> datetime | None:
    """When all legs have run, one after the other; not before `begins`, and at a moment at which it runs."""
    moment = life.started_at
    for ticks, unit in [*legs, *((_ticks(amount, unit), unit) for amount, unit in others)]:
        reached = _leg_end(_from(ran, moment), ticks, unit, work, day_of(moment))
        if reached is None:
            return None
        moment = reached
    return moment if moment >= begins else _running_from(ran, begins)


def _leg_end(ran: Iterable[Interval], ticks: int, unit: ClockUnit, work: WorkTime, first_day: date) -> datetime | None:
    """The day on which it begins does not count (民法典 §201); a working day ends with its business (§203)."""
    if unit == ClockUnit.WORK_DAYS:
        return _nth_closing(ran, ticks, work, first_day)
    left = timedelta(minutes=ticks)
    for begin, end in ran:
        for opens, closes in _counted(begin, end or NEVER, unit, work):
            if left <= closes - opens:
                return opens + left
            left -= closes - opens
    return None


def _nth_closing(ran: Iterable[Interval], ticks: int, work: WorkTime, first_day: date) -> datetime | None:
    for begin, end in ran:
        if ticks == 0:
            return begin
        for closing in work.closings(begin, end or NEVER):
            ticks -= day_of(closing - timedelta(microseconds=1)) != first_day
            if ticks == 0:
                return closing
    return None


def _counted(begin: datetime, end: datetime, unit: ClockUnit, work: WorkTime) -> Iterable[tuple[datetime, datetime]]:
    return [(begin, end)] if unit == ClockUnit.CALENDAR_HOURS else work.spans(begin, end)


def measured(ran: Iterable[tuple[datetime, datetime]], unit: ClockUnit, work: WorkTime, first_day: date) -> int:
    """How much of a unit has run: whole minutes, or working days after the first."""
    if unit == ClockUnit.WORK_DAYS:
        closings = (closing for begin, end in ran for closing in work.closings(begin, end))
        return sum(day_of(closing - timedelta(microseconds=1)) != first_day for closing in closings)
    spans = (span for begin, end in ran for span in _counted(begin, end, unit, work))
    return int(sum((closes - opens for opens, closes in spans), timedelta()) // timedelta(minutes=1))


# Intervals --------------------------------------------------------------------------------------------------------


def _is_open(ran: Sequence[Interval]) -> bool:
    return bool(ran) and ran[-1][1] is None


def _from(ran: Iterable[Interval], moment: datetime) -> Iterator[Interval]:
    return ((max(begin, moment), end) for begin, end in ran if end is None or end > moment)


def _until(ran: Iterable[Interval], moment: datetime) -> list[tuple[datetime, datetime]]:
    return [(begin, min(end or moment, moment)) for begin, end in ran if begin < moment]


def _going_on(life: Life) -> tuple[Interval, ...]:
    """As if it had not been paused since."""
    return (*life.ran[:-1], (life.ran[-1][0] if life.ran else life.started_at, None))


def _stood_since(life: Life) -> datetime:
    return (life.ran[-1][1] if life.ran else None) or life.started_at


def _running_from(ran: Iterable[Interval], moment: datetime) -> datetime | None:
    return next((begin for begin, _ in _from(ran, moment)), None)


def without(intervals: Sequence[Interval], pauses: Sequence[Interval]) -> tuple[Interval, ...]:
    """The intervals with the pauses taken out."""
    left = list(intervals)
    for pause_begin, pause_end in pauses:
        left = [piece for interval in left for piece in _cut(interval, pause_begin, pause_end)]
    return tuple(left)


def _cut(interval: Interval, pause_begin: datetime, pause_end: datetime | None) -> Iterator[Interval]:
    begin, end = interval
    if (end is not None and end <= pause_begin) or (pause_end is not None and pause_end <= begin):
        yield interval
        return
    if begin < pause_begin:
        yield begin, pause_begin
    if pause_end is not None and (end is None or pause_end < end):
        yield max(begin, pause_end), end
