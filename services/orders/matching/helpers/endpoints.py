"""Helpers over HTTP: what I offer and when I am away, and who there is to send."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from services.chassis.application import problems
from services.chassis.errors import Busy, Forbidden, NotFound, Unauthenticated, UnreadableBody
from services.chassis.idempotency import ONCE, IdempotencyKeyMissing, IdempotencyKeyReused, TenantRoute, Transaction
from services.chassis.identity import Caller
from services.chassis.pagination import Cursor, InvalidCursor, Limit, Page
from services.orders.clocks.driving import driving
from services.orders.matching.helpers import actions, queries
from services.orders.matching.helpers.actions import AbsenceNotFound, TooManyAbsences
from services.orders.matching.helpers.queries import HelperNotFound
from services.orders.matching.helpers.schemas import (
    AbsenceDraft,
    AbsenceList,
    AbsenceRead,
    HelperProfileDraft,
    HelperProfileRead,
    HelperRead,
    HelperReadFull,
)

router = APIRouter(
    prefix="/v1/helpers", tags=["matching"], route_class=TenantRoute, responses=problems(Unauthenticated)
)

_WRITE = (UnreadableBody, IdempotencyKeyMissing, IdempotencyKeyReused, Forbidden, Busy)


@router.get("/me", response_model=HelperProfileRead)
async def read_my_helper_profile(transaction: Transaction, caller: Caller) -> HelperProfileRead:
    """What I offer: skills, hours, how much at once."""
    async with driving(transaction) as connection:
        return await queries.profile(connection, caller)


@router.put("/me", response_model=HelperProfileRead, responses=problems(UnreadableBody, Forbidden, Busy))
async def state_my_helper_profile(
    body: HelperProfileDraft, transaction: Transaction, caller: Caller
) -> HelperProfileRead:
    """Whoever serves somewhere: say what I offer, in place of what I said before."""
    async with driving(transaction) as connection:
        return await actions.state_profile(connection, caller, body)


@router.get("/me/absences", response_model=AbsenceList)
async def list_my_absences(transaction: Transaction, caller: Caller) -> AbsenceList:
    """When I am away, from now on."""
    async with driving(transaction) as connection:
        return await queries.absences(connection, caller, caller.account_id)


@router.post(
    "/me/absences",
    status_code=201,
    response_model=AbsenceRead,
    dependencies=ONCE,
    responses=problems(*_WRITE, TooManyAbsences),
)
async def enter_my_absence(body: AbsenceDraft, transaction: Transaction, caller: Caller) -> AbsenceRead:
    """I am away: nobody proposes me for that time (请假)."""
    async with driving(transaction) as connection:
        return await actions.enter_own_absence(connection, caller, body)


@router.delete("/me/absences/{absence_id}", status_code=204, responses=problems(AbsenceNotFound, Busy))
async def take_back_my_absence(absence_id: UUID, transaction: Transaction, caller: Caller) -> Response:
    """I am there after all (销假)."""
    async with driving(transaction) as connection:
        await actions.take_back_own_absence(connection, caller, absence_id)
    return Response(status_code=204)


@router.get("", response_model=Page[HelperRead], responses=problems(Forbidden, NotFound, InvalidCursor))
async def list_helpers(
    transaction: Transaction,
    caller: Caller,
    area_id: Annotated[UUID | None, Query(description="By default all areas where the caller dispatches.")] = None,
    cursor: Cursor = None,
    limit: Limit = 20,
) -> Page[HelperRead]:
    """Dispatchers: who serves here, by name, with what they have in hand today."""
    async with driving(transaction) as connection:
        return await queries.helpers_page(connection, caller, area_id=area_id, cursor=cursor, limit=limit)


@router.get("/{account_id}", response_model=HelperReadFull, responses=problems(Forbidden, HelperNotFound))
async def read_helper(account_id: UUID, transaction: Transaction, caller: Caller) -> HelperReadFull:
    """Dispatchers: one of them."""
    async with driving(transaction) as connection:
        return await queries.helper(connection, caller, account_id)


@router.post(
    "/{account_id}/absences",
    status_code=201,
    response_model=AbsenceRead,
    dependencies=ONCE,
    responses=problems(*_WRITE, HelperNotFound, TooManyAbsences),
)
async def enter_absence_of_helper(
    account_id: UUID, body: AbsenceDraft, transaction: Transaction, caller: Caller
) -> AbsenceRead:
    """Dispatchers: somebody has called in (代登记请假)."""
    async with driving(transaction) as connection:
        return await actions.enter_absence_of(connection, caller, account_id, body)


@router.delete(
    "/{account_id}/absences/{absence_id}",
    status_code=204,
    responses=problems(Forbidden, HelperNotFound, AbsenceNotFound, Busy),
)
async def take_back_absence_of_helper(
    account_id: UUID, absence_id: UUID, transaction: Transaction, caller: Caller
) -> Response:
    """Dispatchers: they are there after all."""
    async with driving(transaction) as connection:
        await actions.take_back_absence_of(connection, caller, account_id, absence_id)
    return Response(status_code=204)
