"""Reading the work calendar."""

from typing import Any
from uuid import UUID

import msgspec

from services.orders.clocks.work_calendar.schemas import CalendarYearRead, WorkHoursRead
from services.orders.clocks.work_time import STANDARD_PERIODS


async def calendar_year(connection: Any, tenant_id: UUID, year: int) -> CalendarYearRead:
    """The district's own, or the national one, or none."""
    own = await connection.fetchrow(_OWN, tenant_id, year)
    if own is not None:
        days = msgspec.json.decode(own["days"])
        return CalendarYearRead.model_validate({**own, "source": "district", "is_fallback": False, "days": days})
    national = await connection.fetchrow(_NATIONAL, year)
    return CalendarYearRead(
        year=year,
        version=0,
        source="national" if national else "fallback",
        is_fallback=national is None,
        days=msgspec.json.decode(national["days"]) if national else [],
        note=national and national["source"],
        recorded_by=None,
        recorded_at=national and national["loaded_at"],
    )


async def work_hours(connection: Any, tenant_id: UUID) -> list[WorkHoursRead]:
    """The standard hours, and whatever the district has decided."""
    standard = WorkHoursRead(
        version=0,
        valid_from=None,
        periods=[(_time(first), _time(last)) for first, last in STANDARD_PERIODS],
        note=None,
        recorded_by=None,
        recorded_at=None,
    )
    rows = await connection.fetch(_HOURS, tenant_id)
    return [
        standard,
        *(WorkHoursRead.model_validate({**r, "periods": msgspec.json.decode(r["periods"])}) for r in rows),
    ]


def _time(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


_OWN = """
SELECT year, version, days::text, note, recorded_by, recorded_at FROM work_calendars
WHERE tenant_id = $1 AND year = $2 ORDER BY version DESC LIMIT 1
"""
_NATIONAL = "SELECT days::text, source, loaded_at FROM national_calendars WHERE year = $1"
_HOURS = """
SELECT version, valid_from, periods::text, note, recorded_by, recorded_at FROM work_hours
WHERE tenant_id = $1 ORDER BY valid_from, version
"""
