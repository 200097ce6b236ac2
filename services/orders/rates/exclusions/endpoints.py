"""Exclusions over HTTP: of one order, and those that wait to be decided on."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from services.chassis.application import problems
from services.chassis.errors import Busy, Forbidden, NotFound, Unauthenticated, UnreadableBody
from services.chassis.idempotency import ONCE, IdempotencyKeyMissing, IdempotencyKeyReused, TenantRoute, Transaction
from services.chassis.identity import Caller
from services.chassis.pagination import Cursor, InvalidCursor, Limit, Page
from services.orders.clocks.driving import driving
from services.orders.follow_ups.policy import PartyToOrder
from services.orders.orders.actions import OrderNotFound
from services.orders.rates.exclusions import actions, queries
from services.orders.rates.exclusions.actions import (
    ExclusionDecided,
    ExclusionExists,
    ExclusionNotFound,
    OwnExclusion,
)
from services.orders.rates.exclusions.schemas import (
    ExclusionRead,
    ExclusionRequest,
    ExclusionReview,
    ExclusionState,
    ExclusionWithdrawal,
)

order_router = APIRouter(
    prefix="/v1/orders/{order_id}/rate-exclusions",
    tags=["rates"],
    route_class=TenantRoute,
    responses=problems(Unauthenticated, OrderNotFound, Forbidden),
)
router = APIRouter(
    prefix="/v1/rate-exclusions", tags=["rates"], route_class=TenantRoute, responses=problems(Unauthenticated)
)

_WRITE = (UnreadableBody, IdempotencyKeyMissing, IdempotencyKeyReused, Busy)


@order_router.get("", response_model=Page[ExclusionRead], responses=problems(InvalidCursor))
async def list_order_exclusions(
    order_id: UUID, transaction: Transaction, caller: Caller, cursor: Cursor = None, limit: Limit = 20
) -> Page[ExclusionRead]:
    """Dispatchers: what was asked for and decided on this order, oldest first (剔除记录)."""
    async with driving(transaction) as connection:
        return await queries.order_exclusions_page(connection, caller, order_id, cursor=cursor, limit=limit)


@order_router.post(
    "",
    status_code=201,
    response_model=ExclusionRead,
    dependencies=ONCE,
    responses=problems(*_WRITE, ExclusionExists),
)
async def ask_exclusion(
    order_id: UUID, body: ExclusionRequest, transaction: Transaction, caller: Caller
) -> ExclusionRead:
    """Dispatchers: the order should not count in the rates; somebody else decides (申请剔除)."""
    async with driving(transaction) as connection:
        return await actions.ask_exclusion(connection, caller, order_id, body)


@order_router.post(
    "/{exclusion_id}/review",
    response_model=ExclusionRead,
    dependencies=ONCE,
    responses=problems(*_WRITE, OrderNotFound, ExclusionNotFound, ExclusionDecided, OwnExclusion, PartyToOrder),
)
async def review_exclusion(
    order_id: UUID, exclusion_id: UUID, body: ExclusionReview, transaction: Transaction, caller: Caller
) -> ExclusionRead:
    """Another administrator of the area who had no share in the order nor directed it: approve or refuse (审核剔除)."""
    async with driving(transaction) as connection:
        return await actions.review_exclusion(connection, caller, order_id, exclusion_id, body)


@order_router.post(
    "/{exclusion_id}/withdraw",
    response_model=ExclusionRead,
    dependencies=ONCE,
    responses=problems(*_WRITE, OrderNotFound, ExclusionNotFound, ExclusionDecided),
)
async def withdraw_exclusion(
    order_id: UUID, exclusion_id: UUID, body: ExclusionWithdrawal, transaction: Transaction, caller: Caller
) -> ExclusionRead:
    """Who asked, or an administrator of the area: the order counts again (撤回剔除)."""
    async with driving(transaction) as connection:
        return await actions.withdraw_exclusion(connection, caller, order_id, exclusion_id, body)


@router.get("", response_model=Page[ExclusionRead], responses=problems(Forbidden, NotFound, InvalidCursor))
async def list_exclusions(
    transaction: Transaction,
    caller: Caller,
    area_id: UUID | None = None,
    state: Annotated[ExclusionState, Query(description="Those that wait for a decision if not said.")] = (
        ExclusionState.PENDING
    ),
    cursor: Cursor = None,
    limit: Limit = 20,
) -> Page[ExclusionRead]:
    """Dispatchers: exclusions of an area, those that have waited longest first (待审核剔除)."""
    async with driving(transaction) as connection:
        return await queries.exclusions_page(
            connection, caller, area_id=area_id, state=state, cursor=cursor, limit=limit
        )
