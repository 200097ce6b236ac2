"""The work calendar over HTTP. Everybody may read it: it says until when something is promised."""

from typing import Annotated

from fastapi import APIRouter, Path

from services.chassis.application import problems
from services.chassis.errors import Busy, Forbidden, Unauthenticated, UnreadableBody
from services.chassis.idempotency import ONCE, IdempotencyKeyMissing, IdempotencyKeyReused, TenantRoute, Transaction
from services.chassis.identity import Caller
from services.orders.clocks.driving import driving
from services.orders.clocks.work_calendar import actions, queries
from services.orders.clocks.work_calendar.actions import DayOfAnotherYear, HoursFromPast
from services.orders.clocks.work_calendar.schemas import (
    CalendarYear,
    CalendarYearRead,
    WorkHoursDraft,
    WorkHoursList,
    WorkHoursRead,
)

router = APIRouter(
    prefix="/v1/work-calendar", tags=["clocks"], route_class=TenantRoute, responses=problems(Unauthenticated)
)

_WRITE = (UnreadableBody, IdempotencyKeyMissing, IdempotencyKeyReused, Forbidden, Busy)

Year = Annotated[int, Path(ge=2000, le=2199, examples=[2026])]


@router.get("/years/{year}", response_model=CalendarYearRead)
async def read_calendar_year(year: Year, transaction: Transaction, caller: Caller) -> CalendarYearRead:
    """The special days of a year that count here (工作日历)."""
    async with driving(transaction) as connection:
        return await queries.calendar_year(connection, caller.tenant_id, year)


@router.post(
    "/years/{year}",
    status_code=201,
    response_model=CalendarYearRead,
    dependencies=ONCE,
    responses=problems(*_WRITE, DayOfAnotherYear),
)
async def load_calendar_year(
    year: Year, body: CalendarYear, transaction: Transaction, caller: Caller
) -> CalendarYearRead:
    """District administrators: load or replace a year. Running clocks are counted anew."""
    async with driving(transaction) as connection:
        return await actions.load_year(connection, caller, year, body)


@router.get("/hours", response_model=WorkHoursList)
async def list_work_hours(transaction: Transaction, caller: Caller) -> WorkHoursList:
    """When a working day is worked, by the day it holds from (作息时间)."""
    async with driving(transaction) as connection:
        return WorkHoursList(items=await queries.work_hours(connection, caller.tenant_id))


@router.post(
    "/hours",
    status_code=201,
    response_model=WorkHoursRead,
    dependencies=ONCE,
    responses=problems(*_WRITE, HoursFromPast),
)
async def decide_work_hours(body: WorkHoursDraft, transaction: Transaction, caller: Caller) -> WorkHoursRead:
    """District administrators: other hours, from tomorrow or later on."""
    async with driving(transaction) as connection:
        return await actions.decide_hours(connection, caller, body)
