"""HTTP of households."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from services.chassis.application import problems
from services.chassis.errors import Forbidden, InvalidToken, Unauthenticated
from services.chassis.idempotency import ONCE, IdempotencyKeyMissing, IdempotencyKeyReused, TenantRoute, Transaction
from services.chassis.identity import Caller
from services.chassis.pagination import Cursor, InvalidCursor, Limit
from services.grid.areas.actions import AreaClosed
from services.grid.areas.queries import AreaNotFound
from services.grid.households import actions, home, queries, responsibility
from services.grid.households.actions import DwellingTaken
from services.grid.households.queries import HouseholdNotFound
from services.grid.households.schemas import (
    GridHome,
    HouseholdDetails,
    HouseholdPage,
    HouseholdRegistration,
    ResponsibilityChain,
)

router = APIRouter(tags=["households"], route_class=TenantRoute, responses=problems(Unauthenticated, InvalidToken))


@router.get("/v1/households", response_model=HouseholdPage, responses=problems(AreaNotFound, InvalidCursor))
async def list_households(
    transaction: Transaction,
    caller: Caller,
    area_id: Annotated[UUID | None, Query(description="Only this area and everything below it.")] = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> HouseholdPage:
    """Households of the caller's areas, by building and door; a resident's own."""
    return await queries.list_households(transaction, caller, area_id=area_id, limit=limit, cursor=cursor)


@router.get("/v1/households/{household_id}", response_model=HouseholdDetails, responses=problems(HouseholdNotFound))
async def read_household(household_id: UUID, transaction: Transaction, caller: Caller) -> HouseholdDetails:
    """One household and everybody in it."""
    return await queries.read_household(transaction, caller, household_id)


@router.get(
    "/v1/households/{household_id}/responsible",
    response_model=ResponsibilityChain,
    responses=problems(HouseholdNotFound),
)
async def read_responsible(household_id: UUID, transaction: Transaction, caller: Caller) -> ResponsibilityChain:
    """Who answers for this household, first to last, vacancies included."""
    return await responsibility.read_chain(transaction, caller, household_id)


@router.post(
    "/v1/households",
    status_code=201,
    response_model=HouseholdDetails,
    dependencies=ONCE,
    responses=problems(AreaNotFound, Forbidden, AreaClosed, DwellingTaken, IdempotencyKeyMissing, IdempotencyKeyReused),
)
async def register_household(body: HouseholdRegistration, transaction: Transaction, caller: Caller) -> HouseholdDetails:
    """Adds a household to the register, for administrators and grid workers of its area."""
    household_id = await actions.register_household(transaction, caller, body)
    return await queries.read_household(transaction, caller, household_id)


@router.get("/v1/home/grid", response_model=GridHome, tags=["home"])
async def read_grid_home(transaction: Transaction, caller: Caller) -> GridHome:
    """The part of my first screen that says where I live and who answers for it."""
    return await home.read_home(transaction, caller)
