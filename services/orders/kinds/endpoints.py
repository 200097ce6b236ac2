"""The kinds of orders a district offers."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field
from sqlalchemy import select

from models.orders import OrderKind
from services.chassis.application import problems
from services.chassis.errors import Unauthenticated
from services.chassis.idempotency import TenantRoute, Transaction
from services.chassis.identity import Caller
from services.chassis.schemas import Answer

router = APIRouter(
    prefix="/v1/order-kinds", tags=["orders"], route_class=TenantRoute, responses=problems(Unauthenticated)
)


class OrderKindRead(Answer):
    id: Annotated[str, Field(examples=["buy_medicine"])]
    name: Annotated[str, Field(examples=["代购药品"])]
    category: str
    evidence_required: int
    """How many pieces of evidence (photos, or a note) completing one needs."""


class OrderKindList(Answer):
    """All of them: a district has a few dozen."""

    items: list[OrderKindRead]


@router.get("", response_model=OrderKindList)
async def list_order_kinds(transaction: Transaction, caller: Caller) -> dict[str, Sequence[Any]]:
    """What can be ordered here."""
    kinds = await transaction.scalars(
        select(OrderKind)
        .where(OrderKind.tenant_id == caller.tenant_id, OrderKind.is_active)
        .order_by(OrderKind.category, OrderKind.id)
    )
    return {"items": kinds.all()}
