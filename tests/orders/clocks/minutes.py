"""The same rules as services/orders/clocks/arithmetic.py, told naively: walk every minute and count."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from models.clocks import ClockState, ClockUnit
from services.chassis.clock import SHANGHAI
from services.orders.clocks.arithmetic import Life, Rules
from services.orders.clocks.work_time import WorkTime

MINUTE = timedelta(minutes=1)


@dataclass
class Count:
    """How far one set of rules has got: legs of minutes or days, one after the other."""

    legs: list[tuple[int, ClockUnit]]
    work: WorkTime
    first_day: object
    """The day on which the present leg began: it is no day of it."""
    counted: int = 0

    def tick(self, minute: datetime) -> None:
        """One minute more has run, up to `minute`."""
        if not self.legs:
            return
        needed, unit = self.legs[0]
        self.counted += counts(minute, unit, self.work, self.first_day)
        if self.counted >= needed:
            self.legs.pop(0)
            self.first_day, self.counted = minute.astimezone(SHANGHAI).date(), 0


def counts(minute: datetime, unit: ClockUnit, work: WorkTime, first_day: object) -> bool:
    """Whether the minute that ends at `minute` counts."""
    if unit == ClockUnit.CALENDAR_HOURS:
        return True
    begun = (minute - MINUTE).astimezone(SHANGHAI)
    day, of_day = begun.date(), begun.hour * 60 + begun.minute
    is_special = day in work.special_days
    if not (work.special_days[day] if is_special else day.weekday() < 5):
        return False
    periods = [periods for since, periods in work.hours if since <= day][-1]
    if unit == ClockUnit.WORK_HOURS:
        return any(first <= of_day < last for first, last in periods)
    return of_day + 1 == periods[-1][1] and day != first_day


def legs_of(rules: Rules) -> list[tuple[int, ClockUnit]]:
    assert rules.terms is not None
    unit = rules.terms.unit
    same = rules.terms.amount + sum(amount for amount, other in rules.extensions if other == unit)
    return [
        (amount if unit == ClockUnit.WORK_DAYS else amount * 60, unit)
        for amount, unit in [(same, unit), *((a, u) for a, u in rules.extensions if u != unit)]
    ]


@dataclass
class Walk:
    """Where the walk has come to: every set of rules counts all the time, one of them is in force."""

    life: Life
    rules: Sequence[Rules]
    counts: list[Count | None]
    was_promised: bool = False

    def in_force(self, minute: datetime) -> int:
        """What begins at the very moment of the end does not govern it any more."""
        is_end = minute == self.life.ended_at and minute > self.life.started_at
        return max(i for i, one in enumerate(self.rules) if one.since < minute or (one.since == minute and not is_end))

    def is_missed(self, minute: datetime) -> bool:
        """All legs have run, before the end: at the minute that completes them, or, used up before these rules began,
        at the first at which it runs."""
        count = self.counts[self.in_force(minute)]
        self.was_promised = self.was_promised or count is not None
        if count is None or count.legs:
            return False
        since = max(self.rules[self.in_force(minute)].since, self.life.started_at)
        return is_running(self.life, minute) or (is_running(self.life, minute - MINUTE) and minute > since)

    def tick(self, minute: datetime) -> None:
        if is_running(self.life, minute):
            for count in self.counts:
                if count is not None:
                    count.tick(minute + MINUTE)


def walked(life: Life, rules: Sequence[Rules], now: datetime) -> tuple[ClockState, datetime | None] | None:
    """State at `now`, all times being whole minutes, and when it was missed."""
    end, first_day = life.ended_at or now, life.started_at.astimezone(SHANGHAI).date()
    walk = Walk(life, rules, [Count(legs_of(one), one.work, first_day) if one.terms else None for one in rules])
    minute = life.started_at
    while minute < end:
        if walk.is_missed(minute):
            return ClockState.MISSED, minute
        walk.tick(minute)
        minute += MINUTE
    is_promised = rules[walk.in_force(end)].terms is not None
    if not is_promised:
        return (ClockState.STOPPED, None) if walk.was_promised else None
    if life.ended_at is not None:
        return (ClockState.MET if life.is_met else ClockState.STOPPED), None
    return (ClockState.RUNNING if is_running(life, end) else ClockState.PAUSED), None


def is_running(life: Life, minute: datetime) -> bool:
    """Whether it runs in the minute that begins now."""
    return any(begin <= minute and (end is None or minute < end) for begin, end in life.ran)
