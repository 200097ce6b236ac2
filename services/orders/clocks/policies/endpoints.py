"""Clock policies over HTTP. Everybody may read them: they are promises."""

from typing import Annotated

from fastapi import APIRouter, Path

from services.chassis import clock
from services.chassis.application import problems
from services.chassis.errors import Busy, Forbidden, Unauthenticated, UnreadableBody
from services.chassis.idempotency import ONCE, IdempotencyKeyMissing, IdempotencyKeyReused, TenantRoute, Transaction
from services.chassis.identity import Caller
from services.chassis.pagination import Cursor, InvalidCursor, Limit, Page
from services.orders.clocks.driving import driving
from services.orders.clocks.policies import actions, queries
from services.orders.clocks.policies.actions import PolicyFromPast, UnknownLevel
from services.orders.clocks.policies.queries import ClockPolicyNotFound
from services.orders.clocks.policies.schemas import ClockPolicyDraft, ClockPolicyRead, OrderKindId
from services.orders.orders.actions import UnknownOrderKind

router = APIRouter(
    prefix="/v1/clock-policies", tags=["clocks"], route_class=TenantRoute, responses=problems(Unauthenticated)
)

_WRITE = (UnreadableBody, IdempotencyKeyMissing, IdempotencyKeyReused, Forbidden, Busy)


@router.get("", response_model=Page[ClockPolicyRead], responses=problems(InvalidCursor))
async def list_clock_policies(
    transaction: Transaction, caller: Caller, cursor: Cursor = None, limit: Limit = 20
) -> Page[ClockPolicyRead]:
    """Every version there ever was, newest first (办理时限规则)."""
    async with driving(transaction) as connection:
        return await queries.versions_page(connection, caller.tenant_id, cursor=cursor, limit=limit)


@router.get("/in-force", response_model=ClockPolicyRead, responses=problems(ClockPolicyNotFound))
async def read_policy_in_force(
    transaction: Transaction, caller: Caller, order_kind: OrderKindId | None = None
) -> ClockPolicyRead:
    """What is promised now for a kind of order, or for any without a policy of its own."""
    async with driving(transaction) as connection:
        return await queries.policy_in_force(connection, caller.tenant_id, order_kind, clock.now())


@router.get("/{version}", response_model=ClockPolicyRead, responses=problems(ClockPolicyNotFound))
async def read_clock_policy(
    version: Annotated[int, Path(ge=1, le=2**53)], transaction: Transaction, caller: Caller
) -> ClockPolicyRead:
    """The version a clock names."""
    async with driving(transaction) as connection:
        return await queries.policy_version(connection, caller.tenant_id, version)


@router.post(
    "",
    status_code=201,
    response_model=ClockPolicyRead,
    dependencies=ONCE,
    responses=problems(*_WRITE, UnknownOrderKind, UnknownLevel, PolicyFromPast),
)
async def decide_clock_policy(body: ClockPolicyDraft, transaction: Transaction, caller: Caller) -> ClockPolicyRead:
    """District administrators: what is promised from a moment on. Versions are never edited."""
    async with driving(transaction) as connection:
        return await actions.decide_policy(connection, caller, body)
