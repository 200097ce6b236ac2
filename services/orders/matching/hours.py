"""Weekly hours as people write them: `[[1, "08:30", "12:00"], …]`, Monday = 1, in Asia/Shanghai."""

from collections.abc import Sequence
from datetime import date
from itertools import pairwise
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from services.orders.matching.availability import WeeklyHours

Weekday = Annotated[int, Field(strict=True, ge=1, le=7)]
TimeOfDay = Annotated[str, Field(pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$", examples=["08:30"])]
Row = tuple[Weekday, TimeOfDay, TimeOfDay]


def _are_apart(rows: list[Row]) -> list[Row]:
    ascending = sorted(rows)
    for before, after in pairwise(ascending):
        if before[0] == after[0] and after[1] < before[2]:
            raise ValueError("hours of one day must not overlap")
    if any(begins >= ends for _, begins, ends in rows):
        raise ValueError("hours end after they begin")
    return ascending


Hours = Annotated[
    list[Row],
    Field(max_length=50, examples=[[[1, "08:30", "12:00"], [6, "14:00", "18:00"]]]),
    AfterValidator(_are_apart),
]
"""Weekday (Monday = 1), from, until; until 24:00 at the latest."""


def weekly(rows: Sequence[Sequence[Any]] | None) -> tuple[WeeklyHours, ...] | None:
    """As they are stored, for reckoning with; None stays None."""
    if rows is None:
        return None
    return tuple(WeeklyHours(weekday, _minute(begins), _minute(ends)) for weekday, begins, ends in rows)


def of_day(rows: Sequence[Sequence[Any]] | None, day: date) -> list[tuple[str, str]] | None:
    """From and until on one day; None where no hours were stated."""
    if rows is None:
        return None
    return [(begins, ends) for weekday, begins, ends in rows if weekday == day.isoweekday()]


def _minute(written: str) -> int:
    return int(written[:2]) * 60 + int(written[3:])
