"""Recurring orders day by day, without a library and without thinking: what the arithmetic is held against."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from models.recurring import HolidayPolicy
from services.orders.recurring.arithmetic import Calendar, Slot

DAY = timedelta(days=1)
NAMES = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


@dataclass(frozen=True)
class NaiveRule:
    """The parts of a rule as plain values."""

    freq: str
    first_on: date
    interval: int = 1
    weekdays: tuple[int, ...] = ()
    nth_weekday: tuple[int, int] | None = None
    """Monthly: the n-th (−1: last) of a weekday."""
    month_days: tuple[int, ...] = ()
    months: tuple[int, ...] = ()
    count: int | None = None
    until: date | None = None

    @property
    def text(self) -> str:
        parts = [f"FREQ={self.freq}", f"INTERVAL={self.interval}"]
        if self.nth_weekday:
            parts.append(f"BYDAY={self.nth_weekday[0]}{NAMES[self.nth_weekday[1]]}")
        if self.weekdays:
            parts.append("BYDAY=" + ",".join(NAMES[day] for day in self.weekdays))
        if self.month_days:
            parts.append("BYMONTHDAY=" + ",".join(str(day) for day in self.month_days))
        if self.months:
            parts.append("BYMONTH=" + ",".join(str(month) for month in self.months))
        if self.count:
            parts.append(f"COUNT={self.count}")
        if self.until:
            parts.append(f"UNTIL={self.until:%Y%m%d}")
        return ";".join(parts)

    def days(self, last: date) -> list[date]:
        """Every day of the rule up to `last`, by asking each day."""
        found: list[date] = []
        day = self.first_on
        while day <= last and (self.until is None or day <= self.until):
            if self._is_in_step(day) and self._fits(day):
                found.append(day)
            if self.count and len(found) == self.count:
                break
            day += DAY
        return found

    def _is_in_step(self, day: date) -> bool:
        steps: dict[str, Callable[[], int]] = {
            "DAILY": lambda: (day - self.first_on).days,
            "WEEKLY": lambda: (_monday(day) - _monday(self.first_on)).days // 7,
            "MONTHLY": lambda: (day.year - self.first_on.year) * 12 + day.month - self.first_on.month,
            "YEARLY": lambda: day.year - self.first_on.year,
        }
        return steps[self.freq]() % self.interval == 0

    def _fits(self, day: date) -> bool:
        from_end = day.day - (_last_of_month(day) + 1)
        weekdays, month_days, months = self.weekdays, self.month_days, self.months
        if not (weekdays or month_days or self.nth_weekday):
            weekdays = (self.first_on.weekday(),) if self.freq == "WEEKLY" else ()
            month_days = (self.first_on.day,) if self.freq in {"MONTHLY", "YEARLY"} else ()
            months = months or ((self.first_on.month,) if self.freq == "YEARLY" else ())
        return (
            (not weekdays or day.weekday() in weekdays)
            and (not month_days or day.day in month_days or from_end in month_days)
            and (not months or day.month in months)
            and (self.nth_weekday is None or self._is_nth(day, *self.nth_weekday))
        )

    @staticmethod
    def _is_nth(day: date, nth: int, weekday: int) -> bool:
        place = (day.day - 1) // 7 + 1 if nth > 0 else -((_last_of_month(day) - day.day) // 7 + 1)
        return day.weekday() == weekday and place == nth


def _monday(day: date) -> date:
    return day - day.weekday() * DAY


def _last_of_month(day: date) -> int:
    return next(day + n * DAY for n in range(31) if (day + (n + 1) * DAY).month != day.month).day


@dataclass(frozen=True)
class NaiveSeries:
    rule: NaiveRule
    policy: HolidayPolicy
    exceptions: Mapping[date, Slot | None] = field(default_factory=dict)
    paused: tuple[date, date | None] | None = None
    ends_on: date | None = None
    pinned: Mapping[date, Slot] = field(default_factory=dict)


def takes_place(series: NaiveSeries, calendar: Calendar, begin: date, end: date) -> dict[date, set[date]]:
    """Every day from `begin` to `end` on which something takes place, with the rule's days that it stands for."""
    ruled = series.rule.days(end + 130 * DAY)
    found: dict[date, set[date]] = {}
    day = begin
    while day <= end:
        made = {on for on, slot in series.pinned.items() if slot.on == day}
        moved = {on for on, slot in series.exceptions.items() if slot and slot.on == day}
        free = [on for on in ruled if on not in series.pinned and _may(series, on) and _may_take_place(series, day)]
        plain = [on for on in free if on not in series.exceptions]
        candidates = (
            sorted(made),
            sorted(on for on in free if on in moved),
            [on for on in plain if on == day and _where(series.policy, calendar, on) == day],
            [on for on in plain if on != day and _where(series.policy, calendar, on) == day],
        )
        ranked = [on for some in candidates for on in some]
        if made:
            found[day] = made
        elif ranked:
            found[day] = {ranked[0]}
        day += DAY
    return found


def _may(series: NaiveSeries, on: date) -> bool:
    return series.ends_on is None or on < series.ends_on


def _may_take_place(series: NaiveSeries, day: date) -> bool:
    if series.ends_on is not None and day >= series.ends_on:
        return False
    if series.paused is None:
        return True
    begin, end = series.paused
    return day < begin or (end is not None and day > end)


def _where(policy: HolidayPolicy, calendar: Calendar, on: date) -> date | None:
    """The day an occurrence goes to, by the calendar alone."""
    is_off = calendar.work.special_days.get(on) is False
    if not is_off or policy == HolidayPolicy.KEEP:
        return on
    if policy == HolidayPolicy.SKIP:
        return None
    day = on
    for _ in range(31):
        day += DAY if policy == HolidayPolicy.AFTER else -DAY
        if calendar.work.special_days.get(day, day.weekday() < 5):
            return day
    return on
