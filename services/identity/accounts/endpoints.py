"""HTTP of one's own account."""

from fastapi import APIRouter

from services.chassis.application import problems
from services.chassis.errors import InvalidToken, Unauthenticated
from services.chassis.idempotency import TenantRoute, Transaction
from services.chassis.identity import Caller
from services.identity.accounts import queries
from services.identity.accounts.schemas import Me

router = APIRouter(tags=["accounts"], route_class=TenantRoute)


@router.get("/v1/me", response_model=Me, responses=problems(Unauthenticated, InvalidToken))
async def me(caller: Caller, transaction: Transaction) -> Me:
    """Who I am: account, tenant, roles with their areas, the resident I am, and my other tenants."""
    return await queries.me(transaction, caller)


@router.get("/v1/home/identity", response_model=Me, responses=problems(Unauthenticated, InvalidToken), tags=["home"])
async def read_identity_home(caller: Caller, transaction: Transaction) -> Me:
    """The part of my first screen that says who I am: the same as GET /v1/me."""
    return await queries.me(transaction, caller)
