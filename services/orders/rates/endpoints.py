"""The three rates over HTTP (三率): of kinds, areas, months and organisations, never of persons."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from services.chassis.application import problems
from services.chassis.errors import Forbidden, NotFound, Unauthenticated
from services.chassis.idempotency import TenantRoute, Transaction
from services.chassis.identity import Caller
from services.chassis.pagination import Cursor, InvalidCursor, Limit, Page
from services.chassis.schemas import CalendarDay
from services.orders.clocks.driving import driving
from services.orders.rates import queries
from services.orders.rates.definition import RESPONSE_HOURS, SATISFIED_STARS
from services.orders.rates.queries import Asked, RatePeriodInvalid
from services.orders.rates.schemas import GroupBy, Measure, Outcome, RatedOrderRead, RatesRead
from services.orders.rates.workbook import RatePeriodTooLarge, rates_workbook

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

router = APIRouter(
    tags=["rates"],
    route_class=TenantRoute,
    responses=problems(Unauthenticated, Forbidden, NotFound, RatePeriodInvalid),
)


def _asked(
    area_id: Annotated[UUID | None, Query(description="One of mine, or inside them; all of mine if not said.")] = None,
    first_day: Annotated[
        CalendarDay | None, Query(alias="from", description="First day, Asia/Shanghai; the month of `until` begins it.")
    ] = None,
    last_day: Annotated[CalendarDay | None, Query(alias="until", description="Last day; today if not said.")] = None,
    kind: Annotated[str | None, Query(pattern="^[a-z0-9_]{1,40}$", description="Only orders of this kind.")] = None,
    group_by: GroupBy = GroupBy.NONE,
    satisfied_stars: Annotated[int, Query(ge=1, le=5, description="From so many stars on.")] = SATISFIED_STARS,
    response_hours: Annotated[int, Query(ge=1, le=720, description="Where no time is promised.")] = RESPONSE_HOURS,
) -> Asked:
    return Asked(area_id, first_day, last_day, kind, group_by, satisfied_stars, response_hours)


AskedFor = Annotated[Asked, Depends(_asked)]


@router.get("/v1/rates", response_model=RatesRead)
async def read_rates(transaction: Transaction, caller: Caller, asked: AskedFor) -> RatesRead:
    """Dispatchers: response, resolution and satisfaction of a period, with what they are made of (三率)."""
    async with driving(transaction) as connection:
        return await queries.rates(connection, caller, asked)


@router.get("/v1/rates/orders", response_model=Page[RatedOrderRead], responses=problems(InvalidCursor))
async def list_rated_orders(
    transaction: Transaction,
    caller: Caller,
    asked: AskedFor,
    measure: Measure,
    outcome: Annotated[
        list[Outcome] | None,
        Query(max_length=len(Outcome), description="`met` is the numerator, `met` and `not_met` the denominator."),
    ] = None,
    group: Annotated[
        str | None, Query(max_length=60, pattern="^[0-9a-z_-]*$", description="A line's `group`; empty: that of null.")
    ] = None,
    cursor: Cursor = None,
    limit: Limit = 20,
) -> Page[RatedOrderRead]:
    """Dispatchers: exactly the orders behind a number, the earliest counted first (三率明细)."""
    async with driving(transaction) as connection:
        return await queries.rated_orders_page(
            connection, caller, asked, measure, outcomes=outcome, group=group, cursor=cursor, limit=limit
        )


@router.get(
    "/v1/rates.xlsx",
    response_class=Response,
    responses={
        200: {"content": {XLSX: {"schema": {"type": "string", "format": "binary"}}}},
        **problems(RatePeriodTooLarge),
    },
)
async def export_rates(transaction: Transaction, caller: Caller, asked: AskedFor) -> Response:
    """Dispatchers: the same as a file, a sheet of the numbers and one of all orders behind them (三率导出)."""
    async with driving(transaction) as connection:
        content = await rates_workbook(connection, caller, asked)
    return Response(content, media_type=XLSX, headers={"Content-Disposition": 'attachment; filename="rates.xlsx"'})
