"""Recurring orders over HTTP (周期订单): what is ordered again and again."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from services.chassis import clock
from services.chassis.application import problems
from services.chassis.errors import Busy, Forbidden, NotFound, Unauthenticated, UnreadableBody
from services.chassis.idempotency import ONCE, IdempotencyKeyMissing, IdempotencyKeyReused, TenantRoute, Transaction
from services.chassis.identity import Caller
from services.chassis.pagination import Cursor, InvalidCursor, Limit, Page
from services.orders.clocks.driving import driving
from services.orders.orders.actions import (
    AssigneeCannotServe,
    NotAResident,
    NotInHousehold,
    OwnNeed,
    PlaceNeeded,
    ReasonNeeded,
    ResidentNotFound,
    UnknownOrderKind,
)
from services.orders.recurring import actions, queries
from services.orders.recurring.actions import (
    CannotMoveThere,
    DayHasPassed,
    FirstDayOutOfReach,
    NotAnOccurrence,
    NotPaused,
    OccurrenceUnderWay,
    RecurringOrderEnded,
    RecurringOrderIdTaken,
    RecurringOrderStale,
    RuleNotUnderstood,
)
from services.orders.recurring.queries import ComingView, RecurringOrderNotFound, RecurringView
from services.orders.recurring.records import load_calendar
from services.orders.recurring.schemas import (
    ComingOccurrences,
    HelperChange,
    OccurrenceMove,
    OccurrenceSkip,
    PreviewedTimes,
    RecurringEnd,
    RecurringOrderChanged,
    RecurringOrderDraft,
    RecurringOrderEdit,
    RecurringOrderRead,
    RecurringOrderReadFull,
    RecurringPause,
    RecurringStep,
    TimesPreview,
)

router = APIRouter(
    prefix="/v1/recurring-orders",
    tags=["recurring orders"],
    route_class=TenantRoute,
    responses=problems(Unauthenticated),
)

_POST = (UnreadableBody, IdempotencyKeyMissing, IdempotencyKeyReused, Busy)
_CHANGE = (*_POST, Forbidden, RecurringOrderNotFound, RecurringOrderStale, RecurringOrderEnded)
_AS_PLACING = (NotAResident, ResidentNotFound, NotInHousehold, PlaceNeeded, UnknownOrderKind)
_TERMS = (*_AS_PLACING, RuleNotUnderstood, FirstDayOutOfReach)


@router.post(
    "",
    status_code=201,
    response_model=RecurringOrderRead,
    dependencies=ONCE,
    responses=problems(*_POST, *_TERMS, Forbidden, RecurringOrderIdTaken, AssigneeCannotServe, OwnNeed),
)
async def arrange_recurring_order(
    body: RecurringOrderDraft, transaction: Transaction, caller: Caller
) -> RecurringOrderRead:
    """Residents, their household, workers of the area: order something again and again (周期订单)."""
    async with driving(transaction) as connection:
        return await actions.arrange(connection, caller, body)


@router.post(
    "/preview", response_model=PreviewedTimes, dependencies=ONCE, responses=problems(*_POST, RuleNotUnderstood)
)
async def preview_recurring_order(body: TimesPreview, transaction: Transaction, caller: Caller) -> PreviewedTimes:
    """The days a rule gives, holidays considered. Nothing is saved."""
    rule = actions.understood(body.rule, body.first_on, body.from_time)
    async with driving(transaction) as connection:
        return queries.preview(rule, body, await load_calendar(connection, caller.tenant_id, clock.now()))


@router.get("", response_model=Page[RecurringOrderRead], responses=problems(Forbidden, NotFound, InvalidCursor))
async def list_recurring_orders(
    transaction: Transaction,
    caller: Caller,
    view: RecurringView = RecurringView.MINE,
    area_id: Annotated[UUID | None, Query(description="Only for the view `area`.")] = None,
    failing: Annotated[bool, Query(description="Only those of which orders could not be made.")] = False,
    ended: Annotated[bool | None, Query(description="Whether it is over; both when left out.")] = None,
    cursor: Cursor = None,
    limit: Limit = 20,
) -> Page[RecurringOrderRead]:
    """The newest first."""
    async with driving(transaction) as connection:
        return await queries.recurring_orders_page(
            connection,
            caller,
            view=view,
            area_id=area_id,
            is_failing=failing,
            is_ended=ended,
            cursor=cursor,
            limit=limit,
        )


@router.get("/coming", response_model=ComingOccurrences)
async def list_coming_weeks(
    transaction: Transaction,
    caller: Caller,
    view: ComingView = ComingView.MINE,
    weeks: Annotated[int, Query(ge=1, le=26)] = 8,
) -> ComingOccurrences:
    """What comes to the household in the next weeks, or what a helper is asked for, by time."""
    async with driving(transaction) as connection:
        return await queries.coming_weeks(connection, caller, view, weeks)


@router.get("/{recurring_order_id}", response_model=RecurringOrderReadFull, responses=problems(RecurringOrderNotFound))
async def read_recurring_order(
    recurring_order_id: UUID, transaction: Transaction, caller: Caller
) -> RecurringOrderReadFull:
    async with driving(transaction) as connection:
        return await queries.read_in_full(connection, caller, recurring_order_id)


@router.get(
    "/{recurring_order_id}/coming", response_model=ComingOccurrences, responses=problems(RecurringOrderNotFound)
)
async def list_coming_occurrences(
    recurring_order_id: UUID, transaction: Transaction, caller: Caller, count: Annotated[int, Query(ge=1, le=60)] = 8
) -> ComingOccurrences:
    """The next ones, with what holidays and exceptions make of them, and the orders that are made already."""
    async with driving(transaction) as connection:
        return await queries.coming_of_one(connection, caller, recurring_order_id, count)


@router.put(
    "/{recurring_order_id}",
    response_model=RecurringOrderChanged,
    responses=problems(
        UnreadableBody, Busy, Forbidden, RecurringOrderNotFound, RecurringOrderStale, RecurringOrderEnded, *_TERMS
    ),
)
async def edit_recurring_order(
    recurring_order_id: UUID, body: RecurringOrderEdit, transaction: Transaction, caller: Caller
) -> RecurringOrderChanged:
    """From now on. Orders made already that nobody has begun with are made anew; the others stay."""
    async with driving(transaction) as connection:
        return await actions.edit(connection, caller, recurring_order_id, body)


@router.post(
    "/{recurring_order_id}/skip",
    response_model=RecurringOrderChanged,
    dependencies=ONCE,
    responses=problems(*_CHANGE, NotAnOccurrence, OccurrenceUnderWay),
)
async def skip_occurrence(
    recurring_order_id: UUID, body: OccurrenceSkip, transaction: Transaction, caller: Caller
) -> RecurringOrderChanged:
    """One of them does not take place."""
    async with driving(transaction) as connection:
        return await actions.skip_one(connection, caller, recurring_order_id, body)


@router.post(
    "/{recurring_order_id}/move",
    response_model=RecurringOrderChanged,
    dependencies=ONCE,
    responses=problems(*_CHANGE, NotAnOccurrence, OccurrenceUnderWay, CannotMoveThere),
)
async def move_occurrence(
    recurring_order_id: UUID, body: OccurrenceMove, transaction: Transaction, caller: Caller
) -> RecurringOrderChanged:
    """One of them takes place on another day, or at another time of day."""
    async with driving(transaction) as connection:
        return await actions.move_one(connection, caller, recurring_order_id, body)


@router.post(
    "/{recurring_order_id}/pause",
    response_model=RecurringOrderChanged,
    dependencies=ONCE,
    responses=problems(*_CHANGE, DayHasPassed, ReasonNeeded),
)
async def pause_recurring_order(
    recurring_order_id: UUID, body: RecurringPause, transaction: Transaction, caller: Caller
) -> RecurringOrderChanged:
    """Nothing takes place in these days."""
    async with driving(transaction) as connection:
        return await actions.pause(connection, caller, recurring_order_id, body)


@router.post(
    "/{recurring_order_id}/resume",
    response_model=RecurringOrderChanged,
    dependencies=ONCE,
    responses=problems(*_CHANGE, NotPaused),
)
async def resume_recurring_order(
    recurring_order_id: UUID, body: RecurringStep, transaction: Transaction, caller: Caller
) -> RecurringOrderChanged:
    """It goes on from today."""
    async with driving(transaction) as connection:
        return await actions.resume(connection, caller, recurring_order_id, body)


@router.post(
    "/{recurring_order_id}/end",
    response_model=RecurringOrderChanged,
    dependencies=ONCE,
    responses=problems(*_CHANGE, DayHasPassed, ReasonNeeded),
)
async def end_recurring_order(
    recurring_order_id: UUID, body: RecurringEnd, transaction: Transaction, caller: Caller
) -> RecurringOrderChanged:
    """From a day on it is over."""
    async with driving(transaction) as connection:
        return await actions.end(connection, caller, recurring_order_id, body)


@router.post(
    "/{recurring_order_id}/helper",
    response_model=RecurringOrderChanged,
    dependencies=ONCE,
    responses=problems(*_CHANGE, ReasonNeeded, AssigneeCannotServe, OwnNeed),
)
async def change_kept_helper(
    recurring_order_id: UUID, body: HelperChange, transaction: Transaction, caller: Caller
) -> RecurringOrderChanged:
    """Dispatchers: who is asked each time."""
    async with driving(transaction) as connection:
        return await actions.change_helper(connection, caller, recurring_order_id, body)
