"""Orders over HTTP. Writing is one SQL command per request; reading is JSON straight from SQL."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from models.orders import OrderState
from services.chassis.application import problems
from services.chassis.commands import CommandAnswer
from services.chassis.database import Database
from services.chassis.errors import Busy, Forbidden, NotFound, Unauthenticated
from services.chassis.hot_routes import HotRoute
from services.chassis.idempotency import REPLAYED, IdempotencyKeyMissing, IdempotencyKeyReused, OnceKey
from services.chassis.identity import Caller
from services.chassis.pagination import Cursor, InvalidCursor, Limit, Page
from services.orders.orders import actions, queries
from services.orders.orders.actions import (
    AssigneeCannotServe,
    EvidenceMissing,
    NotAResident,
    NotInHousehold,
    OrderChanged,
    OrderCommands,
    OrderIdTaken,
    OrderNotFound,
    OrderStateConflict,
    OwnNeed,
    OwnWork,
    PlaceNeeded,
    ResidentNotFound,
    UnknownFile,
    UnknownOrderKind,
)
from services.orders.orders.queries import OrderView
from services.orders.orders.schemas import (
    OrderCompletion,
    OrderDispatch,
    OrderPlacement,
    OrderRating,
    OrderRead,
    OrderReadFull,
    OrderReason,
    OrderStart,
    OrderStep,
)

router = APIRouter(prefix="/v1/orders", tags=["orders"], route_class=HotRoute, responses=problems(Unauthenticated))

_WRITE = (IdempotencyKeyMissing, IdempotencyKeyReused)
_STEP = (*_WRITE, OrderNotFound, Forbidden, OrderStateConflict, OrderChanged, Busy)


async def _database(request: Request) -> Database:
    database: Database = request.app.state.database
    return database


async def _commands(request: Request) -> OrderCommands:
    commands: OrderCommands = request.app.state.order_commands
    return commands


FromDatabase = Annotated[Database, Depends(_database)]
Commands = Annotated[OrderCommands, Depends(_commands)]


def _json(body: str | bytes) -> Response:
    return Response(body, media_type="application/json")


def _answer(answer: CommandAnswer) -> Response:
    headers = {REPLAYED: "true"} if answer.replayed else None
    return Response(answer.body, answer.status, headers, media_type="application/json")


@router.post(
    "",
    status_code=201,
    response_model=OrderRead,
    responses=problems(
        *_WRITE,
        Forbidden,
        ResidentNotFound,
        NotAResident,
        OrderIdTaken,
        NotInHousehold,
        PlaceNeeded,
        UnknownOrderKind,
        UnknownFile,
    ),
)
async def place_order(body: OrderPlacement, commands: Commands, caller: Caller, once: OnceKey) -> Any:
    """Place an order, for oneself or on behalf of somebody (点单, 代下单)."""
    return _answer(await actions.place_order(commands, caller, once, body))


@router.get("", response_model=Page[OrderRead], responses=problems(Forbidden, NotFound, InvalidCursor))
async def list_orders(
    database: FromDatabase,
    caller: Caller,
    view: OrderView = OrderView.MINE,
    area_id: Annotated[UUID | None, Query(description="Only for the views `area` and `pool`.")] = None,
    state: Annotated[list[OrderState] | None, Query(max_length=len(OrderState))] = None,
    cursor: Cursor = None,
    limit: Limit = 20,
) -> Any:
    """Mine, my tasks, my area's, or the open pool; newest first."""
    page = await queries.list_orders(
        database, caller, view=view, area_id=area_id, states=state, cursor=cursor, limit=limit
    )
    return _json(page)


@router.get("/by-number/{number}", response_model=OrderReadFull, responses=problems(OrderNotFound))
async def read_order_by_number(number: str, database: FromDatabase, caller: Caller) -> Any:
    """The order whose number somebody reads out on the phone."""
    return _json(await queries.read_order(database, caller, number=queries.number_of(number)))


@router.get("/{order_id}", response_model=OrderReadFull, responses=problems(OrderNotFound))
async def read_order(order_id: UUID, database: FromDatabase, caller: Caller) -> Any:
    """One order with its history, its files and what the caller may do now."""
    return _json(await queries.read_order(database, caller, order_id=order_id))


@router.post("/{order_id}/dispatch", response_model=OrderRead, responses=problems(*_STEP, OwnNeed, AssigneeCannotServe))
async def dispatch_order(order_id: UUID, body: OrderDispatch, commands: Commands, caller: Caller, once: OnceKey) -> Any:
    """To a person, or into the open pool (派单)."""
    return _answer(await actions.dispatch_order(commands, caller, once, order_id, body))


@router.post("/{order_id}/accept", response_model=OrderRead, responses=problems(*_STEP, OwnNeed))
async def accept_order(order_id: UUID, body: OrderStep, commands: Commands, caller: Caller, once: OnceKey) -> Any:
    """Take the order that was given to me, or one from the pool (接单, 认领)."""
    return _answer(await actions.accept_order(commands, caller, once, order_id, body))


@router.post("/{order_id}/decline", response_model=OrderRead, responses=problems(*_STEP))
async def decline_order(order_id: UUID, body: OrderReason, commands: Commands, caller: Caller, once: OnceKey) -> Any:
    """Give it back to the dispatcher, with a reason (退单)."""
    return _answer(await actions.decline_order(commands, caller, once, order_id, body))


@router.post("/{order_id}/start", response_model=OrderRead, responses=problems(*_STEP))
async def start_order(order_id: UUID, body: OrderStart, commands: Commands, caller: Caller, once: OnceKey) -> Any:
    """Work begins."""
    return _answer(await actions.start_order(commands, caller, once, order_id, body))


@router.post("/{order_id}/complete", response_model=OrderRead, responses=problems(*_STEP, EvidenceMissing, UnknownFile))
async def complete_order(
    order_id: UUID, body: OrderCompletion, commands: Commands, caller: Caller, once: OnceKey
) -> Any:
    """Done, with evidence (办结)."""
    return _answer(await actions.complete_order(commands, caller, once, order_id, body))


@router.post("/{order_id}/rate", response_model=OrderRead, responses=problems(*_STEP, OwnWork))
async def rate_order(order_id: UUID, body: OrderRating, commands: Commands, caller: Caller, once: OnceKey) -> Any:
    """The judgement of the person who needed it (评单)."""
    return _answer(await actions.rate_order(commands, caller, once, order_id, body))


@router.post("/{order_id}/cancel", response_model=OrderRead, responses=problems(*_STEP))
async def cancel_order(order_id: UUID, body: OrderReason, commands: Commands, caller: Caller, once: OnceKey) -> Any:
    """Not needed any more."""
    return _answer(await actions.cancel_order(commands, caller, once, order_id, body))
