"""Bodies of requests and answers about dispatch policies."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import AfterValidator, Field, StrictBool, model_validator

from models.matching import MatchingMode
from models.orders import Priority
from services.chassis.schemas import Answer, Body, Line, Moment
from services.orders.clocks.policies.schemas import OrderKindId
from services.orders.matching.hours import Hours
from services.orders.matching.scoring import REACH_METRES, WEIGHTS, Factor

Percent = Annotated[int, Field(strict=True, ge=0, le=100)]
Metres = Annotated[int, Field(strict=True, ge=100, le=100_000, examples=[3000])]


def _are_complete(weights: dict[Factor, int]) -> dict[Factor, int]:
    if set(weights) != set(Factor) or sum(weights.values()) != 100:
        raise ValueError("every factor has a weight, 100 together")
    return weights


Weights = Annotated[dict[Factor, Percent], AfterValidator(_are_complete), Field(examples=[dict(WEIGHTS)])]


class AutomaticLimits(Body):
    """Within these the system sends somebody itself. What is beyond them a dispatcher decides."""

    min_score: Percent = 60
    """Points of 100 the best one has at least."""
    max_distance_metres: Metres | None = None
    """Nobody farther away, nor anybody whose distance is not known; null: any distance."""
    max_per_day: Annotated[int, Field(strict=True, ge=1, le=50)] = 3
    """So many a day at most to one helper."""
    priorities: Annotated[tuple[Priority, ...], Field(min_length=1, max_length=len(Priority))] = (
        Priority.LOW,
        Priority.NORMAL,
    )
    only_hours: Hours | None = None
    """Only at these hours of the week, when somebody could step in; till then orders wait. Null: always."""
    known_residents_only: StrictBool = True
    """Whoever is served for the first time is met by a decision of people."""
    after_returns: StrictBool = False
    """Also an order that somebody has given back."""


class DispatchPolicyDraft(Body):
    """How orders find their helper, as a whole."""

    order_kind: OrderKindId | None = None
    """Null: every kind that has no policy of its own."""
    mode: MatchingMode
    weights: Weights = dict(WEIGHTS)  # noqa: RUF012 (pydantic copies it)
    reach_metres: Metres = REACH_METRES
    """Beyond it nearness counts for nothing."""
    limits: AutomaticLimits | None = None
    """Only for the mode `automatic`."""
    note: Annotated[Line, Field(examples=["代购类订单试行自动派单"])]
    active_from: Moment | None = None
    """Not in the past; by default at once."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.mode == MatchingMode.AUTOMATIC) != (self.limits is not None):
            raise ValueError("limits belong to the mode automatic, and to no other")
        return self


class DispatchPolicyRead(Answer):
    version: int
    """0: nothing was decided; this is what counts then."""
    order_kind: str | None
    mode: MatchingMode
    weights: dict[Factor, int]
    reach_metres: int
    limits: AutomaticLimits | None
    note: str
    active_from: datetime | None
    recorded_by: UUID | None
    recorded_at: datetime | None
