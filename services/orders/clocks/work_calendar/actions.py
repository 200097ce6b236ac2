"""Deciding when the district works. Every version stays; running clocks are counted anew."""

from typing import Any

import msgspec

from services.chassis import clock
from services.chassis.errors import Forbidden, Problem
from services.chassis.identity import Identity
from services.orders.clocks.policy import rules_district
from services.orders.clocks.recounts import ask_for_recount, lock_rules
from services.orders.clocks.work_calendar import queries
from services.orders.clocks.work_calendar.schemas import CalendarYear, CalendarYearRead, WorkHoursDraft, WorkHoursRead
from services.orders.clocks.work_time import day_of


async def load_year(connection: Any, caller: Identity, year: int, body: CalendarYear) -> CalendarYearRead:
    """A new version of the year. Raises Forbidden, DayOfAnotherYear. The route commits."""
    if not await rules_district(connection, caller):
        raise Forbidden
    if any(day.day.year != year for day in body.days):
        raise DayOfAnotherYear(year=year)
    await lock_rules(connection, caller.tenant_id)
    now = clock.now()
    await connection.execute(
        _LOAD,
        caller.tenant_id, year, _json([day.model_dump(mode="json") for day in body.days]), body.note,
        caller.account_id, now,
    )  # fmt: skip
    await ask_for_recount(connection, caller.tenant_id, now)
    return await queries.calendar_year(connection, caller.tenant_id, year)


async def decide_hours(connection: Any, caller: Identity, body: WorkHoursDraft) -> WorkHoursRead:
    """Other hours from a day on. Raises Forbidden, HoursFromPast. The route commits."""
    if not await rules_district(connection, caller):
        raise Forbidden
    await lock_rules(connection, caller.tenant_id)
    now = clock.now()
    if body.valid_from <= day_of(now):
        raise HoursFromPast
    version = await connection.fetchval(
        _DECIDE, caller.tenant_id, body.valid_from, _json(body.periods), body.note, caller.account_id, now
    )
    await ask_for_recount(connection, caller.tenant_id, now)
    return next(hours for hours in await queries.work_hours(connection, caller.tenant_id) if hours.version == version)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


_LOAD = """
INSERT INTO work_calendars (tenant_id, year, version, days, note, recorded_by, recorded_at)
SELECT $1, $2, COALESCE(max(version), 0) + 1, $3, $4, $5, $6 FROM work_calendars WHERE tenant_id = $1 AND year = $2
"""
_DECIDE = """
INSERT INTO work_hours (tenant_id, version, valid_from, periods, note, recorded_by, recorded_at)
SELECT $1, COALESCE(max(version), 0) + 1, $2, $3, $4, $5, $6 FROM work_hours WHERE tenant_id = $1
RETURNING version
"""


class DayOfAnotherYear(Problem):
    status = 422
    code = "day_of_another_year"
    zh = "日期必须属于 {year} 年。"
    en = "Every day must lie in {year}."


class HoursFromPast(Problem):
    status = 422
    code = "hours_from_past"
    zh = "新的工作时间最早从明天起生效。"
    en = "Other working hours hold from tomorrow at the earliest."
