"""Orders over HTTP. Writing is one SQL command per request; reading is JSON straight from SQL."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from models.orders import OrderAction, OrderStage, Priority
from services.chassis.application import problems
from services.chassis.commands import CommandAnswer
from services.chassis.database import Database
from services.chassis.errors import Busy, Forbidden, NotFound, Unauthenticated
from services.chassis.hot_routes import HotRoute
from services.chassis.idempotency import REPLAYED, IdempotencyKeyMissing, IdempotencyKeyReused, OnceKey
from services.chassis.identity import Caller
from services.chassis.pagination import Cursor, InvalidCursor, Limit, Page
from services.orders.kinds.forms import FormIncomplete
from services.orders.lifecycles.definition import ActionName, StateName
from services.orders.orders import actions, queries
from services.orders.orders.actions import (
    AssigneeCannotServe,
    AssigneeNeeded,
    ClaimLapsed,
    EvidenceMissing,
    HelpersHaveJoined,
    KindDoesNotFit,
    MainOrderIsOver,
    NotAnonymously,
    NotAResident,
    NotInHousehold,
    OrderChanged,
    OrderCommands,
    OrderFull,
    OrderIdTaken,
    OrderNotFound,
    OrderStateConflict,
    OrderSteps,
    OwnNeed,
    OwnWork,
    PlaceNeeded,
    ReasonNeeded,
    ReopeningOver,
    ResidentNotFound,
    SeniorNeeded,
    TimeIsOver,
    UnitCannotServe,
    UnknownFile,
    UnknownHelper,
    UnknownMainOrder,
    UnknownOrderKind,
)
from services.orders.orders.queries import FilterNeedsOpenStage, OrderFilters, OrderView
from services.orders.orders.schemas import (
    OrderAmendment,
    OrderCompletion,
    OrderDispatch,
    OrderJoining,
    OrderMerge,
    OrderPlacement,
    OrderRating,
    OrderRead,
    OrderReadFull,
    OrderReason,
    OrderResubmission,
    OrderShelving,
    OrderStart,
    OrderStep,
    OrderTransfer,
    OrderWork,
)

router = APIRouter(prefix="/v1/orders", tags=["orders"], route_class=HotRoute, responses=problems(Unauthenticated))

_WRITE = (IdempotencyKeyMissing, IdempotencyKeyReused)
_STEP = (*_WRITE, OrderNotFound, Forbidden, OrderStateConflict, OrderChanged, OwnWork, ReasonNeeded, Busy)
_SORTING = (UnknownOrderKind, KindDoesNotFit, HelpersHaveJoined)
_GIVING = (OwnNeed, AssigneeCannotServe, UnitCannotServe, SeniorNeeded, HelpersHaveJoined)
_EVIDENCE = (EvidenceMissing, UnknownFile)
_MERGING = (UnknownMainOrder, MainOrderIsOver, SeniorNeeded)


async def _database(request: Request) -> Database:
    database: Database = request.app.state.database
    return database


async def _commands(request: Request) -> OrderCommands:
    commands: OrderCommands = request.app.state.order_commands
    return commands


FromDatabase = Annotated[Database, Depends(_database)]
OfKind = Annotated[str | None, Query(max_length=40, pattern="^[a-z0-9_]+$", examples=["buy_medicine"])]
Commands = Annotated[OrderCommands, Depends(_commands)]


def answer_json(body: str | bytes) -> Response:
    """What a query has made, as it stands."""
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
        NotAnonymously,
        FormIncomplete,
        UnknownFile,
        UnknownHelper,
    ),
)
async def place_order(body: OrderPlacement, commands: Commands, caller: Caller, once: OnceKey) -> Any:
    """Place an order, for oneself or on behalf of somebody (点单, 代下单)."""
    return _answer(await actions.place_order(commands, caller, once, body))


@router.get(
    "", response_model=Page[OrderRead], responses=problems(Forbidden, NotFound, InvalidCursor, FilterNeedsOpenStage)
)
async def list_orders(
    database: FromDatabase,
    caller: Caller,
    view: OrderView = OrderView.MINE,
    area_id: Annotated[UUID | None, Query(description="Only for the views `area` and `pool`.")] = None,
    state: Annotated[list[StateName] | None, Query(max_length=40)] = None,
    stage: Annotated[list[OrderStage] | None, Query(max_length=len(OrderStage))] = None,
    kind: OfKind = None,
    priority: Priority | None = None,
    assignee_id: UUID | None = None,
    unit_id: UUID | None = None,
    cursor: Cursor = None,
    limit: Limit = 20,
) -> Any:
    """Mine, my tasks, my area's, or the open pool; newest first.

    In the view `area`, `priority`, `assignee_id` and `unit_id` are of open orders.
    """
    filters = OrderFilters(state, stage, kind, priority, assignee_id, unit_id)
    page = await queries.list_orders(
        database, caller, view=view, area_id=area_id, filters=filters, cursor=cursor, limit=limit
    )
    return answer_json(page)


@router.get("/by-number/{number}", response_model=OrderReadFull, responses=problems(OrderNotFound))
async def read_order_by_number(number: str, database: FromDatabase, caller: Caller) -> Any:
    """The order whose number somebody reads out on the phone."""
    return answer_json(await queries.read_order(database, caller, number=queries.number_of(number)))


@router.get("/{order_id}", response_model=OrderReadFull, responses=problems(OrderNotFound))
async def read_order(order_id: UUID, database: FromDatabase, caller: Caller) -> Any:
    """One order with its history, its files and what the caller may do now."""
    return answer_json(await queries.read_order(database, caller, order_id=order_id))


@router.post(
    "/{order_id}/triage", response_model=OrderRead, responses=problems(*_STEP, UnknownOrderKind, KindDoesNotFit)
)
async def triage_order(order_id: UUID, body: OrderAmendment, commands: Commands, caller: Caller, once: OnceKey) -> Any:
    """Accepted for handling; kind, priority, visibility set (受理)."""
    return _answer(await OrderSteps(commands, caller, once, order_id).triage(body))


@router.post(
    "/{order_id}/amend", response_model=OrderRead, responses=problems(*_STEP, UnknownOrderKind, KindDoesNotFit)
)
async def amend_order(order_id: UUID, body: OrderAmendment, commands: Commands, caller: Caller, once: OnceKey) -> Any:
    """Kind, priority, visibility or the number of helpers, later."""
    return _answer(await OrderSteps(commands, caller, once, order_id).amend(body))


@router.post("/{order_id}/return", response_model=OrderRead, responses=problems(*_STEP))
async def return_order(order_id: UUID, body: OrderReason, commands: Commands, caller: Caller, once: OnceKey) -> Any:
    """Back to who placed it: something is missing (退回补充)."""
    return _answer(await OrderSteps(commands, caller, once, order_id).with_reason(OrderAction.RETURN, body))


@router.post("/{order_id}/resubmit", response_model=OrderRead, responses=problems(*_STEP, UnknownFile, FormIncomplete))
async def resubmit_order(
    order_id: UUID, body: OrderResubmission, commands: Commands, caller: Caller, once: OnceKey
) -> Any:
    """What was missing is added."""
    return _answer(await OrderSteps(commands, caller, once, order_id).resubmit(body))


@router.post("/{order_id}/reject", response_model=OrderRead, responses=problems(*_STEP))
async def reject_order(order_id: UUID, body: OrderReason, commands: Commands, caller: Caller, once: OnceKey) -> Any:
    """Not taken up, with the reason (不予受理)."""
    return _answer(await OrderSteps(commands, caller, once, order_id).with_reason(OrderAction.REJECT, body))


@router.post(
    "/{order_id}/dispatch",
    response_model=OrderRead,
    responses=problems(*_STEP, *_GIVING),
)
async def dispatch_order(order_id: UUID, body: OrderDispatch, commands: Commands, caller: Caller, once: OnceKey) -> Any:
    """To a person or a unit, or into the open pool (派单)."""
    return _answer(await OrderSteps(commands, caller, once, order_id).dispatch(body))


@router.post("/{order_id}/accept", response_model=OrderRead, responses=problems(*_STEP, OwnNeed, ClaimLapsed))
async def accept_order(order_id: UUID, body: OrderStep, commands: Commands, caller: Caller, once: OnceKey) -> Any:
    """Take the order that was given to me or my unit, or one from the pool (接单, 认领)."""
    return _answer(await OrderSteps(commands, caller, once, order_id).plainly(OrderAction.ACCEPT, body))


@router.post("/{order_id}/decline", response_model=OrderRead, responses=problems(*_STEP))
async def decline_order(order_id: UUID, body: OrderReason, commands: Commands, caller: Caller, once: OnceKey) -> Any:
    """Not accepted, with a reason (拒单). Counts as a hop."""
    return _answer(await OrderSteps(commands, caller, once, order_id).with_reason(OrderAction.DECLINE, body))


@router.post("/{order_id}/hand-back", response_model=OrderRead, responses=problems(*_STEP))
async def hand_back_order(order_id: UUID, body: OrderReason, commands: Commands, caller: Caller, once: OnceKey) -> Any:
    """Accepted, but it cannot be done: back to the dispatcher (退单). Counts as a hop."""
    return _answer(await OrderSteps(commands, caller, once, order_id).with_reason(OrderAction.HAND_BACK, body))


@router.post(
    "/{order_id}/transfer",
    response_model=OrderRead,
    responses=problems(*_STEP, *_GIVING, AssigneeNeeded),
)
async def transfer_order(order_id: UUID, body: OrderTransfer, commands: Commands, caller: Caller, once: OnceKey) -> Any:
    """From one helper to another (转派). Counts as a hop."""
    return _answer(await OrderSteps(commands, caller, once, order_id).transfer(body))


@router.post("/{order_id}/take-over", response_model=OrderRead, responses=problems(*_STEP, OwnNeed))
async def take_over_order(order_id: UUID, body: OrderReason, commands: Commands, caller: Caller, once: OnceKey) -> Any:
    """A senior takes it (接管)."""
    return _answer(await OrderSteps(commands, caller, once, order_id).with_reason(OrderAction.TAKE_OVER, body))


@router.post("/{order_id}/join", response_model=OrderRead, responses=problems(*_STEP, OwnNeed, OrderFull))
async def join_order(order_id: UUID, body: OrderJoining, commands: Commands, caller: Caller, once: OnceKey) -> Any:
    """Assist who leads, while helpers are wanted (加入协办)."""
    return _answer(await OrderSteps(commands, caller, once, order_id).join(body))


@router.post("/{order_id}/leave", response_model=OrderRead, responses=problems(*_STEP))
async def leave_order(order_id: UUID, body: OrderStep, commands: Commands, caller: Caller, once: OnceKey) -> Any:
    """No longer assist (退出协办)."""
    return _answer(await OrderSteps(commands, caller, once, order_id).plainly(OrderAction.LEAVE, body))


@router.post("/{order_id}/start", response_model=OrderRead, responses=problems(*_STEP))
async def start_order(order_id: UUID, body: OrderStart, commands: Commands, caller: Caller, once: OnceKey) -> Any:
    """Work begins."""
    return _answer(await OrderSteps(commands, caller, once, order_id).plainly(OrderAction.START, body))


@router.post("/{order_id}/shelve", response_model=OrderRead, responses=problems(*_STEP, TimeIsOver))
async def shelve_order(order_id: UUID, body: OrderShelving, commands: Commands, caller: Caller, once: OnceKey) -> Any:
    """It has to wait, and its clocks stand still (挂账)."""
    return _answer(await OrderSteps(commands, caller, once, order_id).shelve(body))


@router.post("/{order_id}/resume", response_model=OrderRead, responses=problems(*_STEP))
async def resume_order(order_id: UUID, body: OrderStep, commands: Commands, caller: Caller, once: OnceKey) -> Any:
    """It goes on where it was (恢复办理)."""
    return _answer(await OrderSteps(commands, caller, once, order_id).plainly(OrderAction.RESUME, body))


@router.post("/{order_id}/complete", response_model=OrderRead, responses=problems(*_STEP, *_EVIDENCE, UnknownHelper))
async def complete_order(
    order_id: UUID, body: OrderCompletion, commands: Commands, caller: Caller, once: OnceKey
) -> Any:
    """Done, with evidence (办结)."""
    return _answer(await OrderSteps(commands, caller, once, order_id).complete(body))


@router.post("/{order_id}/verify", response_model=OrderRead, responses=problems(*_STEP))
async def verify_order(order_id: UUID, body: OrderStep, commands: Commands, caller: Caller, once: OnceKey) -> Any:
    """Somebody else has looked: it is done (核查)."""
    return _answer(await OrderSteps(commands, caller, once, order_id).plainly(OrderAction.VERIFY, body))


@router.post("/{order_id}/redo", response_model=OrderRead, responses=problems(*_STEP, SeniorNeeded))
async def redo_order(order_id: UUID, body: OrderReason, commands: Commands, caller: Caller, once: OnceKey) -> Any:
    """It is not done as it should be (退回重办)."""
    return _answer(await OrderSteps(commands, caller, once, order_id).with_reason(OrderAction.REDO, body))


@router.post("/{order_id}/rate", response_model=OrderRead, responses=problems(*_STEP))
async def rate_order(order_id: UUID, body: OrderRating, commands: Commands, caller: Caller, once: OnceKey) -> Any:
    """The answer of the person who needed it: solved? satisfied? (评单)"""
    return _answer(await OrderSteps(commands, caller, once, order_id).rate(body))


@router.post("/{order_id}/close", response_model=OrderRead, responses=problems(*_STEP, SeniorNeeded))
async def close_order(order_id: UUID, body: OrderStep, commands: Commands, caller: Caller, once: OnceKey) -> Any:
    """Nothing more is to be done (结案)."""
    return _answer(await OrderSteps(commands, caller, once, order_id).plainly(OrderAction.CLOSE, body))


@router.post("/{order_id}/reopen", response_model=OrderRead, responses=problems(*_STEP, ReopeningOver))
async def reopen_order(order_id: UUID, body: OrderReason, commands: Commands, caller: Caller, once: OnceKey) -> Any:
    """It was not over after all (重新打开)."""
    return _answer(await OrderSteps(commands, caller, once, order_id).with_reason(OrderAction.REOPEN, body))


@router.post("/{order_id}/cancel", response_model=OrderRead, responses=problems(*_STEP))
async def cancel_order(order_id: UUID, body: OrderReason, commands: Commands, caller: Caller, once: OnceKey) -> Any:
    """Not needed any more."""
    return _answer(await OrderSteps(commands, caller, once, order_id).with_reason(OrderAction.CANCEL, body))


@router.post("/{order_id}/merge", response_model=OrderRead, responses=problems(*_STEP, *_MERGING))
async def merge_order(order_id: UUID, body: OrderMerge, commands: Commands, caller: Caller, once: OnceKey) -> Any:
    """It means the same as another: it shares that one's way (合并)."""
    return _answer(await OrderSteps(commands, caller, once, order_id).merge(body))


@router.post("/{order_id}/unmerge", response_model=OrderRead, responses=problems(*_STEP))
async def unmerge_order(order_id: UUID, body: OrderReason, commands: Commands, caller: Caller, once: OnceKey) -> Any:
    """It goes its own way again (取消合并)."""
    return _answer(await OrderSteps(commands, caller, once, order_id).with_reason(OrderAction.UNMERGE, body))


@router.post(
    "/{order_id}/steps/{action}",
    response_model=OrderRead,
    responses=problems(*_STEP, NotFound, *_EVIDENCE),
)
async def take_own_step(
    order_id: UUID, action: ActionName, body: OrderWork, commands: Commands, caller: Caller, once: OnceKey
) -> Any:
    """A step that only the district's own lifecycle has."""
    return _answer(await OrderSteps(commands, caller, once, order_id).work(action, body))
