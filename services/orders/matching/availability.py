"""When somebody can help: weekly hours in Asia/Shanghai, less absences. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import NamedTuple

from services.chassis.clock import SHANGHAI

AS_SOON_AS_POSSIBLE = timedelta(hours=24)
"""Where nobody said when, or the wanted time has passed: somebody who can come within a day will do."""
LEAST = timedelta(minutes=30)
"""Nobody goes out for less."""
DAY_MINUTES = 24 * 60


class WeeklyHours(NamedTuple):
    """One stretch of a week: Monday is 1 (ISO 8601); minutes after midnight, the end may be 24:00."""

    weekday: int
    begins: int
    ends: int


class Period(NamedTuple):
    begins: datetime
    ends: datetime


class Presence(StrEnum):
    FREE = "free"
    OFF_DUTY = "off_duty"
    """None of the weekly hours lies in the wanted time."""
    ABSENT = "absent"
    """They would, if it were not for an absence."""


@dataclass(frozen=True, slots=True)
class Availability:
    """`hours` None: not stated, any time will do. An empty list: no time of the week."""

    hours: Sequence[WeeklyHours] | None = None
    absences: Sequence[Period] = ()

    def presence(self, wanted: Period) -> Presence:
        """Whether there is time in the wanted period: half an hour, or all of it where it is shorter."""
        if self.hours is None and not self.absences:
            return Presence.FREE
        on_duty = duty_periods(self.hours, wanted)
        least = min(LEAST, wanted.ends - wanted.begins)
        if not _has(on_duty, least):
            return Presence.OFF_DUTY
        return Presence.FREE if _has(without(on_duty, self.absences), least) else Presence.ABSENT


ANY_TIME = Availability()


def wanted_period(wanted_from: datetime | None, wanted_until: datetime | None, now: datetime) -> Period:
    """The part of the wanted time that lies ahead; within a day where nothing was said or all of it has passed."""
    begins = max(now, wanted_from or now)
    ends = wanted_until or begins + AS_SOON_AS_POSSIBLE
    return Period(begins, ends) if begins < ends else Period(now, now + AS_SOON_AS_POSSIBLE)


def duty_periods(hours: Sequence[WeeklyHours] | None, within: Period) -> list[Period]:
    """The weekly hours that lie in a period, cut to it, ascending."""
    if hours is None:
        return [within]
    found = [
        Period(max(begins, within.begins), min(ends, within.ends))
        for day in _days(within)
        for one in sorted(hours)
        if one.weekday == day.isoweekday()
        for begins, ends in [(_moment(day, one.begins), _moment(day, one.ends))]
    ]
    return [period for period in _joined(found) if period.begins < period.ends]


def without(periods: Sequence[Period], absences: Sequence[Period]) -> list[Period]:
    """What is left of periods when the absences are taken out."""
    left = list(periods)
    for away in absences:
        left = [
            part
            for period in left
            for part in (
                Period(period.begins, min(period.ends, away.begins)),
                Period(max(period.begins, away.ends), period.ends),
            )
            if part.begins < part.ends
        ]
    return left


def _joined(periods: Sequence[Period]) -> list[Period]:
    """An evening up to 24:00 and the night after it are one stretch."""
    joined: list[Period] = []
    for period in periods:
        if joined and joined[-1].ends == period.begins:
            joined[-1] = Period(joined[-1].begins, period.ends)
        else:
            joined.append(period)
    return joined


def _has(periods: Sequence[Period], least: timedelta) -> bool:
    return any(period.ends - period.begins >= least for period in periods)


def _days(within: Period) -> list[date]:
    first, last = (moment.astimezone(SHANGHAI).date() for moment in within)
    days = min((last - first).days, 7)  # a week has every weekday
    return [first + timedelta(days=day) for day in range(days + 1)]


def _moment(day: date, minute: int) -> datetime:
    midnight = datetime.combine(day, time(), SHANGHAI)
    return midnight + timedelta(minutes=minute)  # China has no summer time
