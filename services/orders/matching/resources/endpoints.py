"""Resources over HTTP: what members and organisations put at a community's disposal."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from models.matching import ResourceKind
from services.chassis.application import problems
from services.chassis.errors import Busy, Forbidden, NotFound, Unauthenticated, UnreadableBody
from services.chassis.idempotency import ONCE, IdempotencyKeyMissing, IdempotencyKeyReused, TenantRoute, Transaction
from services.chassis.identity import Caller
from services.chassis.pagination import Cursor, InvalidCursor, Limit, Page
from services.orders.clocks.driving import driving
from services.orders.matching.resources import actions, queries
from services.orders.matching.resources.actions import ResourceChanged, UnitUnknown
from services.orders.matching.resources.queries import ResourceNotFound
from services.orders.matching.resources.schemas import ResourceChange, ResourceDraft, ResourceRead

router = APIRouter(
    prefix="/v1/resources", tags=["matching"], route_class=TenantRoute, responses=problems(Unauthenticated)
)


@router.get("", response_model=Page[ResourceRead], responses=problems(Forbidden, NotFound, InvalidCursor))
async def list_resources(
    transaction: Transaction,
    caller: Caller,
    area_id: Annotated[UUID | None, Query(description="By default all areas of the caller.")] = None,
    kind: ResourceKind | None = None,
    includes_past: Annotated[bool, Query(description="Also what is not offered any more.")] = False,
    cursor: Cursor = None,
    limit: Limit = 20,
) -> Page[ResourceRead]:
    """Whoever serves or oversees an area: what there is to work with, newest first (资源清单)."""
    async with driving(transaction) as connection:
        return await queries.resources_page(
            connection, caller, area_id=area_id, kind=kind, includes_past=includes_past, cursor=cursor, limit=limit
        )


@router.post(
    "",
    status_code=201,
    response_model=ResourceRead,
    dependencies=ONCE,
    responses=problems(
        UnreadableBody, IdempotencyKeyMissing, IdempotencyKeyReused, Forbidden, NotFound, Busy, UnitUnknown
    ),
)
async def offer_resource(body: ResourceDraft, transaction: Transaction, caller: Caller) -> ResourceRead:
    """Offer something, for oneself or for a unit one leads; dispatchers enter what units of their area offer."""
    async with driving(transaction) as connection:
        return await actions.offer_resource(connection, caller, body)


@router.get("/{resource_id}", response_model=ResourceRead, responses=problems(ResourceNotFound))
async def read_resource(resource_id: UUID, transaction: Transaction, caller: Caller) -> ResourceRead:
    """One of them."""
    async with driving(transaction) as connection:
        return await queries.resource(connection, caller, resource_id)


@router.put(
    "/{resource_id}",
    response_model=ResourceRead,
    responses=problems(UnreadableBody, Forbidden, Busy, ResourceNotFound, ResourceChanged),
)
async def change_resource(
    resource_id: UUID, body: ResourceChange, transaction: Transaction, caller: Caller
) -> ResourceRead:
    """Its owner, the leaders of its unit, who dispatches there: change it, or withdraw it."""
    async with driving(transaction) as connection:
        return await actions.change_resource(connection, caller, resource_id, body)
