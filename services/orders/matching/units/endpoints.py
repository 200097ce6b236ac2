"""Units over HTTP: teams, organisations and departments that take orders."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from services.chassis.application import problems
from services.chassis.errors import Busy, Forbidden, NotFound, Unauthenticated, UnreadableBody
from services.chassis.idempotency import ONCE, IdempotencyKeyMissing, IdempotencyKeyReused, TenantRoute, Transaction
from services.chassis.identity import Caller
from services.chassis.pagination import Cursor, InvalidCursor, Limit, Page
from services.orders.clocks.driving import driving
from services.orders.matching.units import actions, queries
from services.orders.matching.units.actions import PersonUnknown, UnitMemberNotFound, UnitNameTaken
from services.orders.matching.units.queries import UnitNotFound
from services.orders.matching.units.schemas import (
    UnitChange,
    UnitDraft,
    UnitLeadership,
    UnitMembership,
    UnitRead,
    UnitReadFull,
)

router = APIRouter(prefix="/v1/units", tags=["matching"], route_class=TenantRoute, responses=problems(Unauthenticated))

_CHANGE = (UnreadableBody, Forbidden, Busy)
_WRITE = (*_CHANGE, IdempotencyKeyMissing, IdempotencyKeyReused)


@router.get("", response_model=Page[UnitRead], responses=problems(Forbidden, NotFound, InvalidCursor))
async def list_units(
    transaction: Transaction,
    caller: Caller,
    area_id: Annotated[UUID | None, Query(description="By default all areas of the caller.")] = None,
    cursor: Cursor = None,
    limit: Limit = 20,
) -> Page[UnitRead]:
    """Whoever serves or oversees an area: which units there are, by name (队伍与单位)."""
    async with driving(transaction) as connection:
        return await queries.units_page(connection, caller, area_id=area_id, cursor=cursor, limit=limit)


@router.post(
    "",
    status_code=201,
    response_model=UnitReadFull,
    dependencies=ONCE,
    responses=problems(*_WRITE, NotFound, UnitNameTaken),
)
async def make_unit(body: UnitDraft, transaction: Transaction, caller: Caller) -> UnitReadFull:
    """Administrators of the area."""
    async with driving(transaction) as connection:
        return await actions.make_unit(connection, caller, body)


@router.get("/{unit_id}", response_model=UnitReadFull, responses=problems(UnitNotFound))
async def read_unit(unit_id: UUID, transaction: Transaction, caller: Caller) -> UnitReadFull:
    """One unit with its people."""
    async with driving(transaction) as connection:
        return await queries.unit(connection, caller, unit_id)


@router.put("/{unit_id}", response_model=UnitReadFull, responses=problems(*_CHANGE, UnitNotFound, UnitNameTaken))
async def change_unit(unit_id: UUID, body: UnitChange, transaction: Transaction, caller: Caller) -> UnitReadFull:
    """Administrators of its area."""
    async with driving(transaction) as connection:
        return await actions.change_unit(connection, caller, unit_id, body)


@router.post(
    "/{unit_id}/members",
    status_code=201,
    response_model=UnitReadFull,
    dependencies=ONCE,
    responses=problems(*_WRITE, UnitNotFound, PersonUnknown),
)
async def add_unit_member(
    unit_id: UUID, body: UnitMembership, transaction: Transaction, caller: Caller
) -> UnitReadFull:
    """Administrators of its area: somebody belongs to it from now on."""
    async with driving(transaction) as connection:
        return await actions.add_member(connection, caller, unit_id, body)


@router.put(
    "/{unit_id}/members/{account_id}",
    response_model=UnitReadFull,
    responses=problems(*_CHANGE, UnitNotFound, UnitMemberNotFound),
)
async def name_unit_leader(
    unit_id: UUID, account_id: UUID, body: UnitLeadership, transaction: Transaction, caller: Caller
) -> UnitReadFull:
    """Administrators of its area: who leads it, and who does not any more."""
    async with driving(transaction) as connection:
        return await actions.name_leader(connection, caller, unit_id, account_id, body)


@router.delete(
    "/{unit_id}/members/{account_id}",
    status_code=204,
    responses=problems(Forbidden, UnitNotFound, UnitMemberNotFound, Busy),
)
async def remove_unit_member(unit_id: UUID, account_id: UUID, transaction: Transaction, caller: Caller) -> Response:
    """Administrators of its area: somebody does not belong to it any more."""
    async with driving(transaction) as connection:
        await actions.remove_member(connection, caller, unit_id, account_id)
    return Response(status_code=204)
