"""HTTP of residents."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from services.chassis.application import problems
from services.chassis.errors import Forbidden, InvalidToken, Unauthenticated
from services.chassis.idempotency import ONCE, IdempotencyKeyMissing, IdempotencyKeyReused, TenantRoute, Transaction
from services.chassis.identity import Caller
from services.chassis.pagination import Cursor, InvalidCursor, Limit
from services.chassis.schemas import text_of
from services.grid.areas.queries import AreaNotFound
from services.grid.households.queries import HouseholdNotFound
from services.grid.residents import actions, queries
from services.grid.residents.actions import AccountAlreadyLinked, AccountNotAMember
from services.grid.residents.queries import ResidentNotFound
from services.grid.residents.schemas import ResidentAccount, ResidentDetails, ResidentPage, ResidentRegistration

router = APIRouter(tags=["residents"], route_class=TenantRoute, responses=problems(Unauthenticated, InvalidToken))


@router.get("/v1/residents", response_model=ResidentPage, responses=problems(AreaNotFound, InvalidCursor))
async def list_residents(
    transaction: Transaction,
    caller: Caller,
    area_id: Annotated[UUID | None, Query(description="Only this area and everything below it.")] = None,
    name: Annotated[str | None, *text_of(60), Query(description="Text that the name contains.")] = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> ResidentPage:
    """Residents of the caller's areas by name; for a resident the people of the own household."""
    return await queries.list_residents(transaction, caller, area_id=area_id, name=name, limit=limit, cursor=cursor)


@router.get("/v1/residents/{resident_id}", response_model=ResidentDetails, responses=problems(ResidentNotFound))
async def read_resident(resident_id: UUID, transaction: Transaction, caller: Caller) -> ResidentDetails:
    """One resident. The phone is complete for oneself and for staff of the area, masked for others."""
    return await queries.read_resident(transaction, caller, resident_id)


@router.post(
    "/v1/residents",
    status_code=201,
    response_model=ResidentDetails,
    dependencies=ONCE,
    responses=problems(HouseholdNotFound, Forbidden, IdempotencyKeyMissing, IdempotencyKeyReused),
)
async def register_resident(body: ResidentRegistration, transaction: Transaction, caller: Caller) -> ResidentDetails:
    """Adds a resident to a household, for administrators and grid workers of its area."""
    resident_id = await actions.register_resident(transaction, caller, body)
    return await queries.read_resident(transaction, caller, resident_id)


@router.post(
    "/v1/residents/{resident_id}/account",
    response_model=ResidentDetails,
    dependencies=ONCE,
    responses=problems(
        ResidentNotFound,
        Forbidden,
        AccountNotAMember,
        AccountAlreadyLinked,
        IdempotencyKeyMissing,
        IdempotencyKeyReused,
    ),
)
async def link_account(
    resident_id: UUID, body: ResidentAccount, transaction: Transaction, caller: Caller
) -> ResidentDetails:
    """Says which account is this resident's, so that the newcomer of the mini-program can order (居民绑定账号)."""
    await actions.link_account(transaction, caller, resident_id, body.account_id)
    return await queries.read_resident(transaction, caller, resident_id)
