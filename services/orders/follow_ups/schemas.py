"""Bodies of requests and answers about call-backs."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, StrictBool, model_validator

from models.completion import AnswerSource, FollowUpCause, UnreachableBecause
from models.orders import OrderStage
from services.chassis.schemas import Answer, Body, Moment, Paragraph


class FollowUpRecord(Body):
    """One attempt to ask. With `solved` the person has answered, and nobody need call again."""

    reached: StrictBool
    unreachable_because: UnreachableBecause | None = None
    """Of somebody who was not reached."""
    solved: StrictBool | None = None
    stars: Annotated[int | None, Field(strict=True, ge=1, le=5)] = None
    """Satisfaction; null when they would not say."""
    words: Annotated[Paragraph | None, Field(examples=["老人说药已收到，很满意"])] = None
    next_call_at: Moment | None = None
    """When to try again, if nobody answered yet; within 90 days."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.reached == (self.unreachable_because is not None):
            raise ValueError("unreachable_because is for whom nobody reached, and only for them")
        if self.solved is not None and not self.reached:
            raise ValueError("whom nobody reached has not answered")
        if self.stars is not None and self.solved is None:
            raise ValueError("stars come with solved")
        if self.next_call_at is not None and self.solved is not None:
            raise ValueError("who has answered is not called again")
        return self


class AnswerRead(Answer):
    """What was answered to one round of work."""

    sequence: int
    round: Annotated[int, Field(ge=1)]
    """Which completion it answers."""
    counts: bool
    """Whether it answers the round that stands; of several the resident's own goes before a call-back's."""
    source: AnswerSource
    solved: bool
    stars: int | None
    words: str | None
    account_id: UUID | None
    """Who gave it, or who called; null where the order is anonymous."""
    account_name: str | None
    at: datetime


class FollowUpRead(Answer):
    """One attempt to ask."""

    sequence: int
    round: int
    reached: bool
    unreachable_because: UnreachableBecause | None
    solved: bool | None
    """Null: no answer was given."""
    stars: int | None
    words: str | None
    next_call_at: datetime | None
    called_by: UUID
    called_by_name: str
    called_at: datetime


class DueFollowUpRead(Answer):
    """An order to call back about, or to decide on."""

    order_id: UUID
    number: Annotated[str, Field(examples=["1000000064"])]
    kind: str
    kind_name: str
    area_id: UUID
    area_name: str
    community_id: UUID
    state: str
    stage: OrderStage
    cause: FollowUpCause
    completed_at: datetime
    due_at: datetime
    """When it was completed or found unsolved; after an attempt, when to try again."""
    attempts: int
    """Call-backs to the round that stands."""
    answered_by: AnswerSource | None
    """Of an unsolved one, who said so."""
    words: str | None
    """What they said."""
