"""Call-backs over HTTP: of one order, and those that are due in an area."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from models.completion import FollowUpCause
from services.chassis.application import problems
from services.chassis.errors import Busy, Forbidden, NotFound, Unauthenticated, UnreadableBody
from services.chassis.idempotency import ONCE, IdempotencyKeyMissing, IdempotencyKeyReused, TenantRoute, Transaction
from services.chassis.identity import Caller
from services.chassis.pagination import Cursor, InvalidCursor, Limit, Page
from services.orders.clocks.driving import driving
from services.orders.follow_ups import actions, queries
from services.orders.follow_ups.actions import (
    AnsweredAlready,
    CallInThePast,
    CallTooLate,
    NothingToAskAbout,
    TooManyAttempts,
)
from services.orders.follow_ups.policy import PartyToOrder
from services.orders.follow_ups.schemas import AnswerRead, DueFollowUpRead, FollowUpRead, FollowUpRecord
from services.orders.orders.actions import OrderNotFound

order_router = APIRouter(
    prefix="/v1/orders/{order_id}",
    tags=["follow-ups"],
    route_class=TenantRoute,
    responses=problems(Unauthenticated, OrderNotFound, Forbidden),
)
router = APIRouter(
    prefix="/v1/follow-ups", tags=["follow-ups"], route_class=TenantRoute, responses=problems(Unauthenticated)
)


@order_router.get("/answers", response_model=Page[AnswerRead], responses=problems(InvalidCursor))
async def list_answers(
    order_id: UUID, transaction: Transaction, caller: Caller, cursor: Cursor = None, limit: Limit = 20
) -> Page[AnswerRead]:
    """What was answered to each round of the order's work, oldest first (评价与回访结果)."""
    async with driving(transaction) as connection:
        return await queries.answers_page(connection, caller, order_id, cursor=cursor, limit=limit)


@order_router.get("/follow-ups", response_model=Page[FollowUpRead], responses=problems(InvalidCursor))
async def list_follow_ups(
    order_id: UUID, transaction: Transaction, caller: Caller, cursor: Cursor = None, limit: Limit = 20
) -> Page[FollowUpRead]:
    """Staff of the area: every attempt to ask how it went, oldest first (回访记录)."""
    async with driving(transaction) as connection:
        return await queries.follow_ups_page(connection, caller, order_id, cursor=cursor, limit=limit)


@order_router.post(
    "/follow-ups",
    status_code=201,
    response_model=FollowUpRead,
    dependencies=ONCE,
    responses=problems(
        UnreadableBody, IdempotencyKeyMissing, IdempotencyKeyReused, Busy, PartyToOrder, NothingToAskAbout,
        AnsweredAlready, CallInThePast, CallTooLate, TooManyAttempts,
    ),
)  # fmt: skip
async def record_follow_up(
    order_id: UUID, body: FollowUpRecord, transaction: Transaction, caller: Caller
) -> FollowUpRead:
    """Staff of the area who had no hand in the work: somebody was called and asked how it went (登记回访).

    Not solved, the order is done again, or waits for a senior. What is said on the phone is not rewarded: a rating is.
    """
    async with driving(transaction) as connection:
        return await actions.record_follow_up(connection, caller, order_id, body)


@router.get("", response_model=Page[DueFollowUpRead], responses=problems(Forbidden, NotFound, InvalidCursor))
async def list_due_follow_ups(
    transaction: Transaction,
    caller: Caller,
    area_id: UUID | None = None,
    cause: Annotated[
        list[FollowUpCause] | None,
        Query(max_length=len(FollowUpCause), description="To be asked about, or answered as not solved."),
    ] = None,
    cursor: Cursor = None,
    limit: Limit = 20,
) -> Page[DueFollowUpRead]:
    """Staff: whom to call, and what to decide on because it is not solved; the longest due first (待回访)."""
    async with driving(transaction) as connection:
        return await queries.due_page(connection, caller, area_id=area_id, causes=cause, cursor=cursor, limit=limit)
