"""Which minutes are working time: special days, working hours, and Monday to Friday where nothing is known. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise

from services.chassis.clock import SHANGHAI

MINUTES_OF_A_DAY = 24 * 60
STANDARD_PERIODS = ((8 * 60 + 30, 12 * 60), (14 * 60 + 30, 17 * 60 + 30))
"""08:30–12:00 and 14:30–17:30."""

Period = tuple[int, int]
"""From one minute of the day to another; the second one is not worked any more."""
Span = tuple[datetime, datetime]


@dataclass(frozen=True)
class WorkTime:
    """A district's working time. Every moment in and out is aware; days are those of Asia/Shanghai."""

    special_days: Mapping[date, bool]
    """Whether it is worked, where the weekday does not tell."""
    known_years: frozenset[int]
    hours: tuple[tuple[date, tuple[Period, ...]], ...] = ((date.min, STANDARD_PERIODS),)
    """Periods of a working day by the day they hold from, ascending, the first from `date.min`."""

    def is_working_day(self, day: date) -> bool:
        return self.special_days.get(day, day.weekday() < 5)

    def periods_on(self, day: date) -> tuple[Period, ...]:
        """Nothing on a day off."""
        if not self.is_working_day(day):
            return ()
        return next(periods for since, periods in reversed(self.hours) if since <= day)

    def spans(self, begin: datetime, end: datetime) -> Iterator[Span]:
        """The working time between two moments, in order."""
        for day in _days(begin, end):
            for first, last in self.periods_on(day):
                opens, closes = max(begin, moment_of(day, first)), min(end, moment_of(day, last))
                if opens < closes:
                    yield opens, closes

    def closings(self, begin: datetime, end: datetime) -> Iterator[datetime]:
        """The closes of business after `begin` and up to `end`, in order."""
        for day in _days(begin, end):
            periods = self.periods_on(day)
            if periods and begin < (closing := moment_of(day, periods[-1][1])) <= end:
                yield closing

    def guessed_years(self, begin: datetime, end: datetime) -> list[int]:
        """The years between two moments of which only the weekdays are known."""
        return [y for y in range(day_of(begin).year, day_of(end).year + 1) if y not in self.known_years]


def day_of(moment: datetime) -> date:
    return moment.astimezone(SHANGHAI).date()


def moment_of(day: date, minute: int) -> datetime:
    return _midnight(day) + timedelta(minutes=minute)


@lru_cache(maxsize=4096)
def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), SHANGHAI).astimezone(UTC)


def _days(begin: datetime, end: datetime) -> Iterator[date]:
    day, last = day_of(begin), day_of(end)
    while day <= last:
        yield day
        day += timedelta(days=1)


def parse_periods(periods: list[list[str]]) -> tuple[Period, ...]:
    """`[["08:30", "12:00"], …]`, ascending and apart; raises ValueError."""
    parsed = tuple((_minute(first), _minute(last)) for first, last in periods)
    if not parsed or any(first >= last for first, last in parsed):
        raise ValueError("a period begins before it ends")
    if any(last > first for (_, last), (first, _) in pairwise(parsed)):
        raise ValueError("periods do not overlap and come in order")
    return parsed


def _minute(text: str) -> int:
    hours, _, minutes = text.partition(":")
    if not (len(text) == 5 and text.isascii() and hours.isdigit() and minutes.isdigit() and int(minutes) < 60):
        raise ValueError("a time of the day is written 08:30")
    minute = int(hours) * 60 + int(minutes)
    if minute > MINUTES_OF_A_DAY:
        raise ValueError("a day ends at 24:00")
    return minute
