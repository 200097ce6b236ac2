"""Dispatch plans over HTTP: many orders at once, reviewed and confirmed as a whole."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from services.chassis.application import problems
from services.chassis.errors import Busy, Forbidden, NotFound, Unauthenticated, UnreadableBody
from services.chassis.idempotency import ONCE, IdempotencyKeyMissing, IdempotencyKeyReused, TenantRoute, Transaction
from services.chassis.identity import Caller
from services.chassis.pagination import Cursor, InvalidCursor, Limit, Page
from services.orders.clocks.driving import driving
from services.orders.matching.plans import actions, queries
from services.orders.matching.plans.actions import (
    NotInPlan,
    PersonCannotServe,
    PlanDecided,
    PlanEmpty,
    PlanExpired,
    PlanOutdated,
)
from services.orders.matching.plans.planning import OrdersNotWaiting
from services.orders.matching.plans.queries import PlanNotFound
from services.orders.matching.plans.schemas import PlanChange, PlanDraft, PlanRead, PlanSummary

router = APIRouter(
    prefix="/v1/dispatch-plans", tags=["matching"], route_class=TenantRoute, responses=problems(Unauthenticated)
)

_ONCE = (IdempotencyKeyMissing, IdempotencyKeyReused, Busy)


@router.get("", response_model=Page[PlanSummary], responses=problems(Forbidden, NotFound, InvalidCursor))
async def list_dispatch_plans(
    transaction: Transaction,
    caller: Caller,
    area_id: Annotated[UUID | None, Query(description="By default all areas where the caller dispatches.")] = None,
    cursor: Cursor = None,
    limit: Limit = 20,
) -> Page[PlanSummary]:
    """Dispatchers: the plans of their areas, newest first."""
    async with driving(transaction) as connection:
        return await queries.plans_page(connection, caller, area_id=area_id, cursor=cursor, limit=limit)


@router.post(
    "",
    status_code=201,
    response_model=PlanRead,
    dependencies=ONCE,
    responses=problems(UnreadableBody, *_ONCE, Forbidden, NotFound, OrdersNotWaiting),
)
async def make_dispatch_plan(body: PlanDraft, transaction: Transaction, caller: Caller) -> PlanRead:
    """Dispatchers: who could take what waits here, best as a whole. Nothing is dispatched yet (批量派单)."""
    async with driving(transaction) as connection:
        return await actions.make_plan(connection, caller, body)


@router.get("/{plan_id}", response_model=PlanRead, responses=problems(PlanNotFound))
async def read_dispatch_plan(plan_id: UUID, transaction: Transaction, caller: Caller) -> PlanRead:
    """One plan: who is proposed for what, why, and which orders are left over."""
    async with driving(transaction) as connection:
        return await queries.plan(connection, caller, plan_id)


@router.put(
    "/{plan_id}/items",
    response_model=PlanRead,
    responses=problems(UnreadableBody, Busy, PlanNotFound, PlanDecided, PlanExpired, NotInPlan, PersonCannotServe),
)
async def change_dispatch_plan(plan_id: UUID, body: PlanChange, transaction: Transaction, caller: Caller) -> PlanRead:
    """Drop items, choose others, or somebody for an order that was left over."""
    async with driving(transaction) as connection:
        return await actions.change_plan(connection, caller, plan_id, body)


@router.post(
    "/{plan_id}/reckon",
    response_model=PlanRead,
    dependencies=ONCE,
    responses=problems(*_ONCE, PlanNotFound, PlanDecided, OrdersNotWaiting),
)
async def reckon_dispatch_plan_again(plan_id: UUID, transaction: Transaction, caller: Caller) -> PlanRead:
    """The same anew, with orders and helpers as they are now."""
    async with driving(transaction) as connection:
        return await actions.reckon_again(connection, caller, plan_id)


@router.post(
    "/{plan_id}/confirm",
    response_model=PlanRead,
    dependencies=ONCE,
    responses=problems(*_ONCE, PlanNotFound, PlanDecided, PlanExpired, PlanEmpty, PlanOutdated),
)
async def confirm_dispatch_plan(plan_id: UUID, transaction: Transaction, caller: Caller) -> PlanRead:
    """Dispatch everything in it, or nothing, where anything has changed since."""
    async with driving(transaction) as connection:
        return await actions.confirm_plan(connection, caller, plan_id)


@router.post(
    "/{plan_id}/discard",
    response_model=PlanRead,
    dependencies=ONCE,
    responses=problems(*_ONCE, PlanNotFound, PlanDecided),
)
async def discard_dispatch_plan(plan_id: UUID, transaction: Transaction, caller: Caller) -> PlanRead:
    """Nothing comes of it."""
    async with driving(transaction) as connection:
        return await actions.discard_plan(connection, caller, plan_id)
