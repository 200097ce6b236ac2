"""Dispatch policies over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Path

from services.chassis import clock
from services.chassis.application import problems
from services.chassis.errors import Busy, Forbidden, Unauthenticated, UnreadableBody
from services.chassis.idempotency import ONCE, IdempotencyKeyMissing, IdempotencyKeyReused, TenantRoute, Transaction
from services.chassis.identity import Caller
from services.chassis.pagination import Cursor, InvalidCursor, Limit, Page
from services.orders.clocks.driving import driving
from services.orders.clocks.policies.schemas import OrderKindId
from services.orders.matching.policies import actions, queries
from services.orders.matching.policies.actions import DispatchPolicyFromPast
from services.orders.matching.policies.queries import DispatchPolicyNotFound
from services.orders.matching.policies.schemas import DispatchPolicyDraft, DispatchPolicyRead
from services.orders.matching.policy import READING_ROLES
from services.orders.orders.actions import UnknownOrderKind

router = APIRouter(
    prefix="/v1/dispatch-policies",
    tags=["matching"],
    route_class=TenantRoute,
    responses=problems(Unauthenticated, Forbidden),
)


def _check_reads(caller: Caller) -> None:
    if not caller.areas_as(READING_ROLES):
        raise Forbidden


@router.get("", response_model=Page[DispatchPolicyRead], responses=problems(Forbidden, InvalidCursor))
async def list_dispatch_policies(
    transaction: Transaction, caller: Caller, cursor: Cursor = None, limit: Limit = 20
) -> Page[DispatchPolicyRead]:
    """Whoever serves or oversees: every version there ever was, newest first (派单规则)."""
    _check_reads(caller)
    async with driving(transaction) as connection:
        return await queries.versions_page(connection, caller.tenant_id, cursor=cursor, limit=limit)


@router.get("/in-force", response_model=DispatchPolicyRead)
async def read_dispatch_policy_in_force(
    order_kind: OrderKindId, transaction: Transaction, caller: Caller
) -> DispatchPolicyRead:
    """What counts now for a kind of order; version 0 where nothing was decided."""
    _check_reads(caller)
    async with driving(transaction) as connection:
        return (await queries.load_book(connection, caller.tenant_id, clock.now())).of(order_kind)


@router.get("/{version}", response_model=DispatchPolicyRead, responses=problems(Forbidden, DispatchPolicyNotFound))
async def read_dispatch_policy(
    version: Annotated[int, Path(ge=1, le=2**53)], transaction: Transaction, caller: Caller
) -> DispatchPolicyRead:
    """The version a decision names."""
    _check_reads(caller)
    async with driving(transaction) as connection:
        return await queries.policy_version(connection, caller.tenant_id, version)


@router.post(
    "",
    status_code=201,
    response_model=DispatchPolicyRead,
    dependencies=ONCE,
    responses=problems(
        UnreadableBody, IdempotencyKeyMissing, IdempotencyKeyReused, Forbidden, Busy, UnknownOrderKind,
        DispatchPolicyFromPast,
    ),
)  # fmt: skip
async def decide_dispatch_policy(
    body: DispatchPolicyDraft, transaction: Transaction, caller: Caller
) -> DispatchPolicyRead:
    """District administrators: manual, with suggestions, or automatic within limits. Versions are never edited."""
    async with driving(transaction) as connection:
        return await actions.decide_policy(connection, caller, body)
