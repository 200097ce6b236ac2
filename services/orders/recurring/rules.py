"""Recurrence rules (RFC 5545) over whole days: what is understood, what is refused and why, which days they give. Pure.

The time of day is not part of a rule: it stands beside it, in Asia/Shanghai, which knows no summer time.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any

from dateutil.rrule import DAILY, MONTHLY, WEEKLY, YEARLY, rrule, weekday  # type: ignore[import-untyped]

from services.chassis.clock import SHANGHAI

LONGEST_RULE = 200
MOST_TIMES = 1000
WIDEST_INTERVAL = {"DAILY": 366, "WEEKLY": 104, "MONTHLY": 48, "YEARLY": 10}
LONGEST_WAIT = timedelta(days=366 * 10)
"""Two days of a rule do not lie further apart when it begins: it would be none that anybody waits for."""

_FREQUENCIES = {"DAILY": DAILY, "WEEKLY": WEEKLY, "MONTHLY": MONTHLY, "YEARLY": YEARLY}
_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_ERA = 7600
"""Years by which days are moved while the library counts: it gives up after the year 9999, and only there, so that a
rule without any day is found out within four centuries instead of eighty. The calendar repeats every 400 years to the
weekday."""


class Fault(StrEnum):
    """What is wrong with a rule."""

    UNREADABLE = "unreadable"
    REPEATED = "repeated"
    UNKNOWN_PART = "unknown_part"
    BAD_VALUE = "bad_value"
    NO_FREQUENCY = "no_frequency"
    TOO_FINE = "too_fine"
    TIME_OF_DAY = "time_of_day"
    DOES_NOT_FIT = "does_not_fit"
    COUNT_AND_UNTIL = "count_and_until"
    UNTIL_WITHOUT_ZONE = "until_without_zone"
    NO_DAYS = "no_days"


class RuleFault(ValueError):
    """The rule is refused: `fault`, and the `part` of it (e.g. `BYDAY`) where one is to blame."""

    def __init__(self, fault: Fault, part: str | None = None) -> None:
        super().__init__(fault if part is None else f"{fault}: {part}")
        self.fault = fault
        self.part = part


@dataclass(frozen=True)
class Rule:
    """A rule that was understood, from a first day on."""

    text: str
    """As stored: the parts in capitals, in the order they were given."""
    first_on: date
    _arguments: Mapping[str, Any]
    _until: date | None

    def days(self, begin: date, end: date) -> Iterator[date]:
        """The rule's days from `begin` to `end`, both included, ascending."""
        for day in self._all_days():
            if day > end:
                return
            if day >= begin:
                yield day

    def next_days(self, begin: date, count: int) -> list[date]:
        """The first `count` days from `begin` on; fewer where the rule ends by itself."""
        found: list[date] = []
        for day in self._all_days():
            if day >= begin:
                found.append(day)
            if len(found) == count:
                break
        return found

    def _all_days(self) -> Iterator[date]:
        moments = iter(rrule(dtstart=_later(self.first_on), **self._arguments))
        while True:
            try:
                day = _earlier(next(moments))
            except (StopIteration, OverflowError):  # the library's calendar ends with the year 9999
                return
            if self._until is not None and day > self._until:
                return
            yield day


def read_rule(text: str, first_on: date, starts: time) -> Rule:
    """The rule, for occurrences that start at this time of day. Raises RuleFault."""
    parts = _parts_of(text)
    _check_together(parts)
    arguments = {name.lower(): _READERS[name](name, value) for name, value in parts.items() if name in _READERS}
    by_day = arguments.pop("byday", None)
    if by_day is not None:
        arguments["byweekday"] = by_day
    arguments.setdefault("wkst", 0)
    arguments["freq"] = _FREQUENCIES[parts["FREQ"]]
    if not 1 <= arguments.get("interval", 1) <= WIDEST_INTERVAL[parts["FREQ"]]:
        raise RuleFault(Fault.BAD_VALUE, "INTERVAL")
    until = _until(parts["UNTIL"], starts) if "UNTIL" in parts else None
    rule = Rule(";".join(f"{name}={value}" for name, value in parts.items()), first_on, arguments, until)
    begins = rule.next_days(first_on, 2)
    if not begins or begins[0] - first_on > LONGEST_WAIT or begins[-1] - begins[0] > LONGEST_WAIT:
        raise RuleFault(Fault.NO_DAYS)
    return rule


def _later(day: date) -> datetime:
    return datetime(day.year + _ERA, day.month, day.day)  # noqa: DTZ001 (whole days, in the library's calendar)


def _earlier(moment: datetime) -> date:
    return date(moment.year - _ERA, moment.month, moment.day)


# Reading ----------------------------------------------------------------------------------------------------------

_FINE = frozenset({"HOURLY", "MINUTELY", "SECONDLY"})
_OF_A_DAY = frozenset({"BYHOUR", "BYMINUTE", "BYSECOND"})
_KNOWN = frozenset(
    {
        "FREQ",
        "UNTIL",
        "COUNT",
        "INTERVAL",
        "BYDAY",
        "BYMONTHDAY",
        "BYYEARDAY",
        "BYWEEKNO",
        "BYMONTH",
        "BYSETPOS",
        "WKST",
    }
)
_FITS = {"BYMONTHDAY": {"DAILY", "MONTHLY", "YEARLY"}, "BYYEARDAY": {"YEARLY"}, "BYWEEKNO": {"YEARLY"}}
"""Frequencies a part goes with, where not with all."""


def _parts_of(text: str) -> dict[str, str]:
    stripped = text.strip().upper().removeprefix("RRULE:")
    if not stripped or len(stripped) > LONGEST_RULE or not stripped.isascii():
        raise RuleFault(Fault.UNREADABLE)
    parts: dict[str, str] = {}
    for pair in stripped.rstrip(";").split(";"):
        name, equals, value = pair.partition("=")
        if not equals or not value:
            raise RuleFault(Fault.UNREADABLE)
        _check_name(name)
        if name in parts:
            raise RuleFault(Fault.REPEATED, name)
        parts[name] = value
    return parts


def _check_name(name: str) -> None:
    if name in _OF_A_DAY:
        raise RuleFault(Fault.TIME_OF_DAY, name)
    if name not in _KNOWN:
        raise RuleFault(Fault.UNKNOWN_PART)  # not repeated: it is the sender's own text


def _check_together(parts: Mapping[str, str]) -> None:
    """What RFC 5545 says of parts that do not go together."""
    frequency = _frequency(parts)
    if "COUNT" in parts and "UNTIL" in parts:
        raise RuleFault(Fault.COUNT_AND_UNTIL)
    for name, frequencies in _FITS.items():
        if name in parts and frequency not in frequencies:
            raise RuleFault(Fault.DOES_NOT_FIT, name)
    if "BYSETPOS" in parts and not any(name.startswith("BY") for name in parts if name != "BYSETPOS"):
        raise RuleFault(Fault.DOES_NOT_FIT, "BYSETPOS")
    is_counted = any(character.isdigit() for character in parts.get("BYDAY", ""))
    if is_counted and (frequency in {"DAILY", "WEEKLY"} or "BYWEEKNO" in parts):
        raise RuleFault(Fault.DOES_NOT_FIT, "BYDAY")


def _frequency(parts: Mapping[str, str]) -> str:
    frequency = parts.get("FREQ")
    if frequency is None:
        raise RuleFault(Fault.NO_FREQUENCY)
    if frequency in _FINE:
        raise RuleFault(Fault.TOO_FINE, "FREQ")
    if frequency not in _FREQUENCIES:
        raise RuleFault(Fault.BAD_VALUE, "FREQ")
    return frequency


def _number(name: str, value: str, least: int, most: int, *, is_signed: bool = False) -> int:
    """Between `least` and `most`, or the same counted from the end."""
    if not re.fullmatch(r"[+-]?[0-9]{1,4}" if is_signed else "[0-9]{1,4}", value):
        raise RuleFault(Fault.BAD_VALUE, name)
    number = int(value)
    if not least <= abs(number) <= most:
        raise RuleFault(Fault.BAD_VALUE, name)
    return number


def _numbers(least: int, most: int, *, is_signed: bool = True) -> Any:
    def read(name: str, value: str) -> list[int]:
        return [_number(name, one, least, most, is_signed=is_signed) for one in value.split(",")]

    return read


def _count(name: str, value: str) -> int:
    return _number(name, value, 1, MOST_TIMES)


def _interval(name: str, value: str) -> int:
    return _number(name, value, 1, max(WIDEST_INTERVAL.values()))


def _week_start(name: str, value: str) -> int:
    if value not in _WEEKDAYS:
        raise RuleFault(Fault.BAD_VALUE, name)
    return _WEEKDAYS.index(value)


def _by_day(name: str, value: str) -> list[Any]:
    days = []
    for one in value.split(","):
        found = re.fullmatch(r"([+-]?[0-9]{1,2})?(MO|TU|WE|TH|FR|SA|SU)", one)
        if found is None:
            raise RuleFault(Fault.BAD_VALUE, name)
        number = _number(name, found[1], 1, 53, is_signed=True) if found[1] else None
        days.append(weekday(_WEEKDAYS.index(found[2]), number))
    return days


_READERS: dict[str, Any] = {
    "COUNT": _count,
    "INTERVAL": _interval,
    "BYDAY": _by_day,
    "BYMONTHDAY": _numbers(1, 31),
    "BYYEARDAY": _numbers(1, 366),
    "BYWEEKNO": _numbers(1, 53),
    "BYMONTH": _numbers(1, 12, is_signed=False),
    "BYSETPOS": _numbers(1, 366),
    "WKST": _week_start,
}


def _until(value: str, starts: time) -> date:
    """The last day on which an occurrence may start: a day, or a moment in UTC, as RFC 5545 asks of local times."""
    if re.fullmatch("[0-9]{8}", value):
        return _read_moment(value, "%Y%m%d").date()
    if re.fullmatch("[0-9]{8}T[0-9]{6}", value):
        raise RuleFault(Fault.UNTIL_WITHOUT_ZONE, "UNTIL")
    local = _read_moment(value, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).astimezone(SHANGHAI)
    return local.date() if starts <= local.time() else local.date() - timedelta(days=1)


def _read_moment(value: str, form: str) -> datetime:
    try:
        moment = datetime.strptime(value, form)  # noqa: DTZ007 (its zone is told by the form)
    except ValueError:
        raise RuleFault(Fault.BAD_VALUE, "UNTIL") from None
    if not 2000 <= moment.year <= 2199:
        raise RuleFault(Fault.BAD_VALUE, "UNTIL")
    return moment
