"""When the occurrences of a recurring order take place: rule, exceptions, holidays, pauses, and what is made. Pure.

Days and times of day are those of Asia/Shanghai.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum

from models.recurring import HolidayPolicy
from services.chassis.clock import SHANGHAI
from services.orders.clocks.work_time import WorkTime
from services.orders.recurring.rules import Rule

MOST_DAYS_MOVED = 60
"""How far from its day an occurrence can be moved."""
MOST_DAYS_SEARCHED = 31
"""Where no working day lies so near, a holiday moves nothing."""
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Slot:
    """A time window of one day."""

    on: date
    starts: time
    ends: time

    @property
    def begins_at(self) -> datetime:
        return datetime.combine(self.on, self.starts, SHANGHAI).astimezone(UTC)

    @property
    def ends_at(self) -> datetime:
        return datetime.combine(self.on, self.ends, SHANGHAI).astimezone(UTC)


@dataclass(frozen=True)
class Calendar:
    """What the district's work calendar says of days off."""

    work: WorkTime
    names: Mapping[date, str] = field(default_factory=dict)
    """Of special days, e.g. 春节."""

    def is_holiday(self, day: date) -> bool:
        """A day off that is named in the calendar. An ordinary weekend is none: who says Saturday means Saturday."""
        return self.work.special_days.get(day) is False

    def is_known(self, day: date) -> bool:
        """Whether anybody knows the holidays of its year yet."""
        return day.year in self.work.known_years

    def working_day(self, day: date, step: timedelta) -> date | None:
        """The nearest one in that direction."""
        for distance in range(1, MOST_DAYS_SEARCHED + 1):
            found = day + distance * step
            if self.work.is_working_day(found):
                return found
        return None


class Why(StrEnum):
    """Why an occurrence takes place when it does, or does not."""

    RULE = "rule"
    HOLIDAY = "holiday"
    """Moved, or skipped, by a holiday."""
    EXCEPTION = "exception"
    """Moved, or skipped, by somebody."""
    PAUSED = "paused"
    ENDED = "ended"
    SAME_DAY = "same_day"
    """Another one takes place on that day: two become one."""
    KEPT = "kept"
    """Made as it is, and somebody has begun with it."""


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One occurrence of a recurring order. `on` is the day the rule says, and its name for good."""

    on: date
    slot: Slot | None
    """None: it does not take place."""
    why: Why
    holiday: str | None = None
    """The name of the holiday its day is, whatever that does."""
    joins: date | None = None
    """With SAME_DAY: the occurrence it is one with."""
    joined: tuple[date, ...] = ()
    """The occurrences that are one with it."""


@dataclass(frozen=True)
class Series:
    """What a recurring order says of its times."""

    rule: Rule
    starts: time
    ends: time
    holiday_policy: HolidayPolicy = HolidayPolicy.KEEP
    exceptions: Mapping[date, Slot | None] = field(default_factory=dict)
    """By the day the rule says: moved there, or skipped."""
    paused_from: date | None = None
    paused_until: date | None = None
    ends_on: date | None = None

    def is_paused(self, day: date) -> bool:
        if self.paused_from is None or day < self.paused_from:
            return False
        return self.paused_until is None or day <= self.paused_until

    def is_over(self, day: date) -> bool:
        return self.ends_on is not None and day >= self.ends_on


def plan(
    series: Series, calendar: Calendar, begin: date, end: date, pinned: Mapping[date, Slot] | None = None
) -> list[Occurrence]:
    """The occurrences that take place from `begin` to `end`, or would have by the rule; by their time.

    `pinned` ones are made and stay as they are, whatever the rule says now. What an occurrence becomes does not depend
    on where the plan begins and ends.
    """
    stays = pinned or {}
    reach = timedelta(days=2 * MOST_DAYS_MOVED)
    wanted = [_wanted(series, calendar, day) for day in series.rule.days(_back(begin, reach), _on(end, reach))]
    fixed = [_pinned(series, calendar, day, slot) for day, slot in stays.items()]
    settled = _settled([*fixed, *(one for one in wanted if one.on not in stays)])
    shown = (one for one in settled if begin <= (one.slot.on if one.slot else one.on) <= end)
    return sorted(shown, key=lambda one: ((one.slot.on if one.slot else one.on), one.on))


def _back(day: date, distance: timedelta) -> date:
    return day - distance if day - date.min > distance else date.min


def _on(day: date, distance: timedelta) -> date:
    return day + distance if date.max - day > distance else date.max


def _wanted(series: Series, calendar: Calendar, day: date) -> Occurrence:
    """Where it would take place if it were the only one."""
    holiday = calendar.names.get(day, "") if calendar.is_holiday(day) else None
    slot, why = _slot(series, calendar, day)
    if series.is_over(day) or (slot is not None and series.is_over(slot.on)):
        return Occurrence(day, None, Why.ENDED, holiday)
    if slot is not None and series.is_paused(slot.on):
        return Occurrence(day, None, Why.PAUSED, holiday)
    return Occurrence(day, slot, why, holiday)


def _slot(series: Series, calendar: Calendar, day: date) -> tuple[Slot | None, Why]:
    if day in series.exceptions:
        return series.exceptions[day], Why.EXCEPTION
    as_ruled = Slot(day, series.starts, series.ends)
    if series.holiday_policy == HolidayPolicy.KEEP or not calendar.is_holiday(day):
        return as_ruled, Why.RULE
    if series.holiday_policy == HolidayPolicy.SKIP:
        return None, Why.HOLIDAY
    moved_on = calendar.working_day(day, -DAY if series.holiday_policy == HolidayPolicy.BEFORE else DAY)
    if moved_on is None:
        return as_ruled, Why.RULE
    return Slot(moved_on, series.starts, series.ends), Why.HOLIDAY


def _pinned(series: Series, calendar: Calendar, day: date, slot: Slot) -> Occurrence:
    holiday = calendar.names.get(day, "") if calendar.is_holiday(day) else None
    return Occurrence(day, slot, Why.KEPT, holiday)


def _settled(wanted: Iterable[Occurrence]) -> list[Occurrence]:
    """Of those that fall on one day one takes place. What is made stays, what somebody moved there comes next."""
    by_day: dict[date, list[Occurrence]] = defaultdict(list)
    settled: list[Occurrence] = []
    for one in wanted:
        if one.slot is None:
            settled.append(one)
        else:
            by_day[one.slot.on].append(one)
    for rivals in by_day.values():
        first, *others = sorted(rivals, key=_precedence)
        joining = [other for other in others if other.why != Why.KEPT]
        settled.append(replace(first, joined=tuple(other.on for other in joining)))
        settled.extend(other for other in others if other.why == Why.KEPT)
        settled.extend(Occurrence(other.on, None, Why.SAME_DAY, other.holiday, first.on) for other in joining)
    return settled


_RANKS = (Why.KEPT, Why.EXCEPTION, Why.RULE, Why.HOLIDAY)


def _precedence(one: Occurrence) -> tuple[int, date]:
    return _RANKS.index(one.why), one.on
