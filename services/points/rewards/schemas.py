"""Bodies of answers about reward rules."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from services.chassis.schemas import Answer


class RewardRuleRead(Answer):
    """How many points a rated order earns. The rule of the order's own kind comes before the rule for all kinds."""

    id: UUID
    order_kind: Annotated[str | None, Field(examples=["buy_medicine"])]
    """Null: for every kind that has no rule of its own."""
    points: Annotated[int, Field(ge=0, le=1000, examples=[8])]
    min_stars: Annotated[int, Field(ge=1, le=5, examples=[3])]
    """Fewer stars earn nothing; nor does what the resident calls unsolved."""
    bonus_points: Annotated[int, Field(ge=0, le=1000, examples=[2])]
    """On top of `points`, from `bonus_stars` on."""
    bonus_stars: Annotated[int, Field(ge=1, le=5, examples=[5])]
    valid_from: datetime
    valid_to: datetime | None
    """The first moment at which it is over; null while nobody has ended it."""
