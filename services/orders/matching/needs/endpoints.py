"""The lists of needs and services over HTTP, and the skills that lie between them."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from services.chassis.application import problems
from services.chassis.errors import Busy, Forbidden, NotFound, Unauthenticated, UnreadableBody
from services.chassis.idempotency import TenantRoute, Transaction
from services.chassis.identity import Caller
from services.chassis.pagination import Cursor, InvalidCursor, Limit
from services.orders.clocks.driving import driving
from services.orders.clocks.policies.schemas import OrderKindId
from services.orders.matching.needs import queries
from services.orders.matching.needs.schemas import KindSkills, NeedsPage, ServiceList
from services.orders.orders.actions import UnknownOrderKind

router = APIRouter(prefix="/v1", tags=["matching"], route_class=TenantRoute, responses=problems(Unauthenticated))


@router.get("/needs", response_model=NeedsPage, responses=problems(Forbidden, NotFound, InvalidCursor))
async def list_needs(
    transaction: Transaction,
    caller: Caller,
    area_id: Annotated[UUID | None, Query(description="By default all areas the caller oversees.")] = None,
    kind: OrderKindId | None = None,
    cursor: Cursor = None,
    limit: Limit = 20,
) -> NeedsPage:
    """Whoever oversees an area: orders nobody has yet, the longest waiting first, counted by kind (需求清单)."""
    async with driving(transaction) as connection:
        return await queries.needs_page(connection, caller, area_id=area_id, kind=kind, cursor=cursor, limit=limit)


@router.get("/services", response_model=ServiceList, responses=problems(Forbidden, NotFound))
async def list_services(
    transaction: Transaction,
    caller: Caller,
    area_id: Annotated[UUID | None, Query(description="By default all areas of the caller.")] = None,
) -> ServiceList:
    """Whoever serves or oversees an area: what is offered, and how many could do it there (服务清单)."""
    async with driving(transaction) as connection:
        return await queries.services(connection, caller, area_id)


@router.get("/order-kinds/{kind}/skills", response_model=KindSkills, responses=problems(UnknownOrderKind))
async def read_kind_skills(kind: OrderKindId, transaction: Transaction, caller: Caller) -> KindSkills:
    """Which skills a kind of order asks for."""
    async with driving(transaction) as connection:
        return await queries.kind_skills(connection, caller.tenant_id, kind)


@router.put(
    "/order-kinds/{kind}/skills",
    response_model=KindSkills,
    responses=problems(UnreadableBody, Forbidden, UnknownOrderKind, Busy),
)
async def decide_kind_skills(
    kind: OrderKindId, body: KindSkills, transaction: Transaction, caller: Caller
) -> KindSkills:
    """District administrators: all skills a kind asks for, in place of those before."""
    async with driving(transaction) as connection:
        return await queries.decide_kind_skills(connection, caller, kind, body)
