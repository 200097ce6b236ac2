"""Bodies of requests and answers about the work calendar."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, StrictBool

from services.chassis.schemas import Answer, Body, Line, Name
from services.orders.clocks.work_time import parse_periods


class CalendarDay(Body):
    """A day whose weekday does not tell whether it is worked."""

    day: Annotated[date, Field(examples=["2027-02-06"])]
    is_working: StrictBool
    """True for a weekend day that is worked (调休上班)."""
    name: Annotated[Name, Field(examples=["春节"])]


def _are_distinct(days: list[CalendarDay]) -> list[CalendarDay]:
    if len({day.day for day in days}) != len(days):
        raise ValueError("a day stands there once")
    return sorted(days, key=lambda day: day.day)


class CalendarYear(Body):
    """All special days of a year: they replace what was known of it, from now on."""

    days: Annotated[list[CalendarDay], Field(max_length=366), AfterValidator(_are_distinct)]
    note: Annotated[Line, Field(examples=["按国务院办公厅2027年节假日安排"])]
    """Why, or by whose order."""


class CalendarYearRead(Answer):
    year: int
    version: int
    """0: the district has no calendar of its own for this year."""
    source: Literal["district", "national", "fallback"]
    is_fallback: bool
    """Nothing is known of the year: Monday to Friday are taken for working days."""
    days: list[CalendarDay]
    note: str | None
    recorded_by: UUID | None
    recorded_at: datetime | None


def _are_periods(periods: list[tuple[str, str]]) -> list[tuple[str, str]]:
    parse_periods([list(period) for period in periods])
    return periods


Periods = Annotated[
    list[tuple[str, str]],
    Field(min_length=1, max_length=6, examples=[[["08:30", "12:00"], ["14:30", "17:30"]]]),
    AfterValidator(_are_periods),
]
"""From and until, ascending, in Asia/Shanghai; a day ends at 24:00."""


class WorkHoursDraft(Body):
    valid_from: date
    """Tomorrow or later."""
    periods: Periods
    note: Annotated[Line, Field(examples=["夏季作息"])]


class WorkHoursRead(Answer):
    version: int
    """0: what holds where the district has decided nothing."""
    valid_from: date | None
    periods: list[tuple[str, str]]
    note: str | None
    recorded_by: UUID | None
    recorded_at: datetime | None


class WorkHoursList(Answer):
    """All of them, by the day they hold from: a district has a few."""

    items: list[WorkHoursRead]
