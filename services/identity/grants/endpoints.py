"""HTTP of grants."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from services.chassis.application import problems
from services.chassis.errors import Forbidden, InvalidRequest, InvalidToken, NotFound, Unauthenticated, UnreadableBody
from services.chassis.idempotency import (
    IdempotencyKeyMissing,
    IdempotencyKeyReused,
    OnceKey,
    TenantRoute,
    Transaction,
)
from services.chassis.identity import Caller
from services.chassis.pagination import Cursor, InvalidCursor, Limit, Page
from services.identity.grants import actions, policy, queries
from services.identity.grants.actions import (
    AccountNotFound,
    AlreadyGranted,
    AreaNotFound,
    GrantHasEnded,
    OwnGrant,
    TermInvalid,
)
from services.identity.grants.schemas import GrantEnd, GrantGift, GrantRead

ALWAYS = (InvalidRequest, Unauthenticated, InvalidToken, Forbidden)
ON_POST = (*ALWAYS, UnreadableBody, IdempotencyKeyMissing, IdempotencyKeyReused)

router = APIRouter(prefix="/v1/grants", tags=["grants"], route_class=TenantRoute)


@router.get("", response_model=Page[GrantRead], responses=problems(*ALWAYS, InvalidCursor))
async def list_grants(
    caller: Caller,
    transaction: Transaction,
    account_id: Annotated[UUID | None, Query(description="Only those of this account.")] = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Page[GrantRead]:
    """Administrators: the grants in the areas they administer, ended ones included."""
    if not caller.areas_as(policy.ADMINS):
        raise Forbidden
    return await queries.grants_page(transaction, caller, account_id=account_id, limit=limit, cursor=cursor)


@router.post(
    "",
    status_code=201,
    response_model=GrantRead,
    responses=problems(*ON_POST, AccountNotFound, AreaNotFound, AlreadyGranted, TermInvalid),
)
async def give_grant(body: GrantGift, caller: Caller, transaction: Transaction, _: OnceKey) -> GrantRead:
    """Administrators: give a member of the tenant a role in an area they administer. In force within a minute."""
    return await actions.give_grant(transaction, caller, body)


@router.post(
    "/{grant_id}/end", response_model=GrantRead, responses=problems(*ON_POST, NotFound, GrantHasEnded, OwnGrant)
)
async def end_grant(grant_id: UUID, body: GrantEnd, caller: Caller, transaction: Transaction, _: OnceKey) -> GrantRead:
    """Administrators: end a grant now. It opens no door any more within a minute, in every service."""
    return await actions.end_grant(transaction, caller, grant_id)
