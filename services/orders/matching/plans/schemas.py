"""Bodies of requests and answers about dispatch plans."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field, StrictBool

from models.matching import PlanState
from services.chassis.schemas import Answer, Body
from services.orders.clocks.policies.schemas import OrderKindId
from services.orders.matching.suggestions.schemas import LeftOutRead, ReasonRead

MOST_ORDERS = 200
"""In one plan; the most urgent, then the longest waiting, where there are more."""


class PlanDraft(Body):
    """What to plan: all orders of an area that wait to be dispatched, or some of them."""

    area_id: UUID
    kinds: Annotated[list[OrderKindId] | None, Field(min_length=1, max_length=50)] = None
    order_ids: Annotated[list[UUID] | None, Field(min_length=1, max_length=MOST_ORDERS)] = None
    """Only these."""
    includes_received: StrictBool = False
    """Also orders that have not been accepted for handling yet: dispatching them accepts them."""


class PlanChoice(Body):
    order_id: UUID
    helper_id: UUID


def _are_distinct(items: list[PlanChoice]) -> list[PlanChoice]:
    if len({item.order_id for item in items}) != len(items):
        raise ValueError("an order stands there once")
    return items


class PlanChange(Body):
    """Who is to have which order; orders of the plan that are missing are left over."""

    items: Annotated[list[PlanChoice], Field(max_length=MOST_ORDERS), AfterValidator(_are_distinct)]


class PlanItemRead(Answer):
    order_id: UUID
    number: Annotated[str, Field(examples=["1000000064"])]
    kind: str
    order_version: int
    helper_id: UUID
    helper_name: str
    is_chosen_by_hand: bool
    """Put there by a dispatcher: what the matching thinks of it does not count any more."""
    score: float | None
    """Null where the helper was chosen by hand."""
    distance_metres: int | None
    reasons: list[ReasonRead]


class PlanLeftOver(Answer):
    """An order the plan has nobody for."""

    order_id: UUID
    number: str
    kind: str
    text: Annotated[str, Field(examples=["没有符合条件的人员"])]
    left_out: list[LeftOutRead]
    """How many were not thought of, and why."""


class PlanSummary(Answer):
    id: UUID
    area_id: UUID
    state: PlanState
    made_by: UUID
    made_at: datetime
    expires_at: datetime
    decided_by: UUID | None
    decided_at: datetime | None
    orders: int
    """For which somebody is proposed."""


class PlanRead(PlanSummary):
    asked: PlanDraft
    helpers: int
    """How many were thought of."""
    total: float
    """Points of all that were not chosen by hand."""
    items: list[PlanItemRead]
    left_over: list[PlanLeftOver]
