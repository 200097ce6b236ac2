"""Suggestions over HTTP."""

from uuid import UUID

from fastapi import APIRouter

from services.chassis.application import problems
from services.chassis.errors import Forbidden, Unauthenticated
from services.chassis.idempotency import TenantRoute, Transaction
from services.chassis.identity import Caller
from services.chassis.pagination import Limit
from services.orders.clocks.driving import driving
from services.orders.matching.suggestions import queries
from services.orders.matching.suggestions.queries import OrderNotWaiting
from services.orders.matching.suggestions.schemas import SuggestionsRead
from services.orders.orders.actions import OrderNotFound

router = APIRouter(
    prefix="/v1/orders/{order_id}/suggestions",
    tags=["matching"],
    route_class=TenantRoute,
    responses=problems(Unauthenticated, OrderNotFound),
)


@router.get("", response_model=SuggestionsRead, responses=problems(Forbidden, OrderNotFound, OrderNotWaiting))
async def suggest_helpers(
    order_id: UUID, transaction: Transaction, caller: Caller, limit: Limit = 20
) -> SuggestionsRead:
    """Dispatchers: who fits the order, best first, with every point explained (派单建议)."""
    async with driving(transaction) as connection:
        return await queries.suggestions(connection, caller, order_id, limit=limit)
