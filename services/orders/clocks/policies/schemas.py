"""Bodies of requests and answers about clock policies."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from models.clocks import ClockTarget
from services.chassis.schemas import Answer, Body, Line, Moment
from services.orders.clocks.schemas import PromisedTarget

OrderKindId = Annotated[str, Field(min_length=1, max_length=40, pattern="^[a-z0-9_]+$", examples=["water_pressure"])]


class ClockPolicyDraft(Body):
    """What is promised, as a whole: a target that is missing is not promised."""

    order_kind: OrderKindId | None = None
    """Null: every kind that has no policy of its own."""
    targets: dict[ClockTarget, PromisedTarget]
    note: Annotated[Line, Field(examples=["供水类诉求24小时内办结"])]
    active_from: Moment | None = None
    """Not in the past; by default at once. Running orders are counted by it from then on."""


class ClockPolicyRead(Answer):
    version: int
    order_kind: str | None
    targets: dict[ClockTarget, PromisedTarget]
    note: str
    active_from: datetime
    recorded_by: UUID
    recorded_at: datetime
