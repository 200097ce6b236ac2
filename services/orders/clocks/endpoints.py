"""Clocks over HTTP: those of one order, and the open ones of an area."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from models.clocks import ClockState, ClockTarget
from services.chassis.application import problems
from services.chassis.errors import Busy, Forbidden, NotFound, Unauthenticated, UnreadableBody
from services.chassis.idempotency import ONCE, IdempotencyKeyMissing, IdempotencyKeyReused, TenantRoute, Transaction
from services.chassis.identity import Caller
from services.chassis.pagination import Cursor, InvalidCursor, Limit, Page
from services.orders.clocks import actions, queries
from services.orders.clocks.actions import (
    ClocksNotPaused,
    ClocksPaused,
    ExtensionDecided,
    ExtensionNotFound,
    ExtensionPending,
    NothingRuns,
    NotInTime,
    OrderShelved,
    OwnExtension,
    TooMuchTime,
)
from services.orders.clocks.driving import driving
from services.orders.clocks.queries import OPEN_STATES, ClockView
from services.orders.clocks.schemas import (
    ClockPause,
    ExtensionDecision,
    ExtensionRequest,
    OpenClockRead,
    OrderClocksRead,
)
from services.orders.orders.actions import OrderNotFound, OrderStateConflict, OwnWork

order_router = APIRouter(
    prefix="/v1/orders/{order_id}/clocks",
    tags=["clocks"],
    route_class=TenantRoute,
    responses=problems(Unauthenticated, OrderNotFound),
)
router = APIRouter(prefix="/v1/clocks", tags=["clocks"], route_class=TenantRoute, responses=problems(Unauthenticated))

_WRITE = (UnreadableBody, IdempotencyKeyMissing, IdempotencyKeyReused, Forbidden, Busy)
_STEP = (*_WRITE, OrderNotFound, OrderStateConflict)


@order_router.get("", response_model=OrderClocksRead)
async def read_order_clocks(order_id: UUID, transaction: Transaction, caller: Caller) -> OrderClocksRead:
    """What was promised, how much of it is left, and why (办理时限)."""
    async with driving(transaction) as connection:
        return await queries.order_clocks(connection, caller, order_id)


@order_router.post(
    "/pause",
    response_model=OrderClocksRead,
    dependencies=ONCE,
    responses=problems(*_WRITE, OrderNotFound, OrderShelved, NothingRuns, ClocksPaused),
)
async def pause_clocks(order_id: UUID, body: ClockPause, transaction: Transaction, caller: Caller) -> OrderClocksRead:
    """Dispatchers: for a short while no time of the order counts (暂停计时). Longer: the order is shelved."""
    async with driving(transaction) as connection:
        return await actions.pause_clocks(connection, caller, order_id, body)


@order_router.post(
    "/resume",
    response_model=OrderClocksRead,
    dependencies=ONCE,
    responses=problems(*_WRITE, OrderNotFound, OrderShelved, ClocksNotPaused),
)
async def resume_clocks(order_id: UUID, body: ClockPause, transaction: Transaction, caller: Caller) -> OrderClocksRead:
    """Dispatchers: time counts again (恢复计时)."""
    async with driving(transaction) as connection:
        return await actions.resume_clocks(connection, caller, order_id, body)


@order_router.post(
    "/{target}/extensions",
    status_code=201,
    response_model=OrderClocksRead,
    dependencies=ONCE,
    responses=problems(*_STEP, NotInTime, ExtensionPending, TooMuchTime),
)
async def ask_for_time(
    order_id: UUID, target: ClockTarget, body: ExtensionRequest, transaction: Transaction, caller: Caller
) -> OrderClocksRead:
    """Who has the order asks for more time, before the limit (申请延期)."""
    async with driving(transaction) as connection:
        return await actions.ask_for_time(connection, caller, order_id, target, body)


@order_router.post(
    "/extensions/{extension_id}/decide",
    response_model=OrderClocksRead,
    dependencies=ONCE,
    responses=problems(*_STEP, OwnWork, ExtensionNotFound, ExtensionDecided, OwnExtension, NotInTime),
)
async def decide_on_time(
    order_id: UUID, extension_id: UUID, body: ExtensionDecision, transaction: Transaction, caller: Caller
) -> OrderClocksRead:
    """Dispatchers: grant it before the limit, or refuse it (审批延期)."""
    async with driving(transaction) as connection:
        return await actions.decide_on_time(connection, caller, order_id, extension_id, body)


@router.get("", response_model=Page[OpenClockRead], responses=problems(Forbidden, NotFound, InvalidCursor))
async def list_open_clocks(
    transaction: Transaction,
    caller: Caller,
    view: ClockView = ClockView.AREA,
    area_id: Annotated[UUID | None, Query(description="Only for the view `area`.")] = None,
    state: Annotated[
        list[ClockState] | None, Query(max_length=len(OPEN_STATES), description="running, paused or missed.")
    ] = None,
    cursor: Cursor = None,
    limit: Limit = 20,
) -> Page[OpenClockRead]:
    """What is promised and not done yet, the next one due first; as computed a second ago."""
    async with driving(transaction) as connection:
        return await queries.open_clocks_page(
            connection, caller, view=view, area_id=area_id, states=state, cursor=cursor, limit=limit
        )
