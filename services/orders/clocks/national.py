"""The national work calendar: what the package `chinesecalendar` knows, taken into the database at the start."""

from collections import defaultdict
from datetime import date
from typing import Any, NamedTuple

import chinese_calendar  # type: ignore[import-untyped]
import msgspec

from services.chassis import clock
from services.chassis.database import Database

SOURCE = f"chinesecalendar {chinese_calendar.__version__}"


class SpecialDay(NamedTuple):
    """A day whose weekday does not tell whether it is worked."""

    day: date
    is_working: bool
    name: str

    def as_json(self) -> dict[str, Any]:
        return self._asdict() | {"day": self.day.isoformat()}


def national_years() -> dict[int, list[SpecialDay]]:
    """Every year the package knows, with its days off and the weekend days that are worked for them (调休)."""
    names = {holiday.value: str(holiday.chinese) for holiday in chinese_calendar.Holiday}
    years: dict[int, list[SpecialDay]] = defaultdict(list)
    for days, is_working in ((chinese_calendar.holidays, False), (chinese_calendar.workdays, True)):
        for day, name in days.items():
            years[day.year].append(SpecialDay(day, is_working, names[name] + ("调休上班" if is_working else "")))
    return {year: sorted(years[year]) for year in sorted(years)}


async def load_national_calendars(database: Database) -> int:
    """Takes in the years that are not known yet; how many. Any number of workers may do it at once."""
    years = [{"year": year, "days": [day.as_json() for day in days]} for year, days in national_years().items()]
    loaded: int = await database.pool.fetchval(
        "SELECT clock_load_national($1, $2, $3)", msgspec.json.encode(years).decode(), SOURCE, clock.now()
    )
    return loaded
