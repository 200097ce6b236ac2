"""The kinds of orders a district offers, and their forms."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from services.chassis.application import problems
from services.chassis.errors import Busy, Forbidden, Unauthenticated, UnreadableBody
from services.chassis.idempotency import ONCE, IdempotencyKeyMissing, IdempotencyKeyReused, TenantRoute, Transaction
from services.chassis.identity import Caller
from services.chassis.pagination import Cursor, InvalidCursor, Limit, Page
from services.orders.clocks.driving import driving
from services.orders.clocks.policy import rules_district
from services.orders.kinds import actions, queries
from services.orders.kinds.actions import OrderKindChanged, OrderKindTaken
from services.orders.kinds.queries import OrderKindFormNotFound, OrderKindNotFound
from services.orders.kinds.schemas import (
    KindId,
    OrderKindChangeRead,
    OrderKindDraft,
    OrderKindEdit,
    OrderKindFormEdit,
    OrderKindFormRead,
    OrderKindList,
    OrderKindRead,
)

router = APIRouter(
    prefix="/v1/order-kinds", tags=["orders"], route_class=TenantRoute, responses=problems(Unauthenticated)
)

_WRITE = (UnreadableBody, Forbidden, Busy)


@router.get("", response_model=OrderKindList)
async def list_order_kinds(
    transaction: Transaction,
    caller: Caller,
    with_inactive: Annotated[bool, Query(description="Also those that cannot be ordered any more.")] = False,
) -> OrderKindList:
    """What can be ordered here, with the questions each asks (订单类别)."""
    async with driving(transaction) as connection:
        return await queries.order_kinds(connection, caller.tenant_id, with_inactive=with_inactive)


@router.post(
    "",
    status_code=201,
    response_model=OrderKindRead,
    dependencies=ONCE,
    responses=problems(*_WRITE, IdempotencyKeyMissing, IdempotencyKeyReused, OrderKindTaken),
)
async def add_order_kind(body: OrderKindDraft, transaction: Transaction, caller: Caller) -> OrderKindRead:
    """District administrators: another kind of order, with the first version of its form."""
    async with driving(transaction) as connection:
        return await actions.add_kind(connection, caller, body)


@router.post(
    "/adopt-standard",
    response_model=OrderKindList,
    dependencies=ONCE,
    responses=problems(*_WRITE, IdempotencyKeyMissing, IdempotencyKeyReused),
)
async def adopt_standard(transaction: Transaction, caller: Caller) -> OrderKindList:
    """District administrators: the standard forms and times, where none are decided (采用标准表单和时限)."""
    async with driving(transaction) as connection:
        return await actions.adopt_standard(connection, caller)


@router.get("/{kind}", response_model=OrderKindRead, responses=problems(OrderKindNotFound))
async def read_order_kind(kind: KindId, transaction: Transaction, caller: Caller) -> OrderKindRead:
    """One kind, whether or not it can be ordered still."""
    async with driving(transaction) as connection:
        return await queries.order_kind(connection, caller.tenant_id, kind)


@router.put("/{kind}", response_model=OrderKindRead, responses=problems(*_WRITE, OrderKindNotFound, OrderKindChanged))
async def edit_order_kind(kind: KindId, body: OrderKindEdit, transaction: Transaction, caller: Caller) -> OrderKindRead:
    """District administrators: everything about a kind but its form."""
    async with driving(transaction) as connection:
        return await actions.edit_kind(connection, caller, kind, body)


@router.put(
    "/{kind}/form", response_model=OrderKindRead, responses=problems(*_WRITE, OrderKindNotFound, OrderKindChanged)
)
async def replace_order_kind_form(
    kind: KindId, body: OrderKindFormEdit, transaction: Transaction, caller: Caller
) -> OrderKindRead:
    """District administrators: other questions. Orders keep the version they were placed with."""
    async with driving(transaction) as connection:
        return await actions.replace_form(connection, caller, kind, body)


@router.get("/{kind}/forms/{version}", response_model=OrderKindFormRead, responses=problems(OrderKindFormNotFound))
async def read_order_kind_form(
    kind: KindId, version: Annotated[int, Path(ge=1, le=2**53)], transaction: Transaction, caller: Caller
) -> OrderKindFormRead:
    """The questions an order names by its `form_version`."""
    async with driving(transaction) as connection:
        return await queries.form_version(connection, caller.tenant_id, kind, version)


@router.get(
    "/{kind}/changes",
    response_model=Page[OrderKindChangeRead],
    responses=problems(Forbidden, OrderKindNotFound, InvalidCursor),
)
async def list_order_kind_changes(
    kind: KindId, transaction: Transaction, caller: Caller, cursor: Cursor = None, limit: Limit = 20
) -> Page[OrderKindChangeRead]:
    """District administrators: who changed what about a kind, the newest first."""
    async with driving(transaction) as connection:
        if not await rules_district(connection, caller):
            raise Forbidden
        return await queries.changes_page(connection, caller.tenant_id, kind, cursor=cursor, limit=limit)
