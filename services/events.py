"""The facts services tell each other, and who listens. The only vocabulary they share.

A fact is recorded in the transaction that made it true (outbox_events, one outbox_deliveries row per listener) and
reaches every listener exactly once in effect, usually within a second.
"""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class Event(BaseModel):
    """Base of every fact. Names are past tense; fields are only added, with a default: old facts are still read."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)
    kind: ClassVar[str]
    listeners: ClassVar[tuple[str, ...]] = ()
    """Services whose `subscriptions.py` has an effect for it."""


class OrderRated(Event):
    """The person who needed it has judged the work. Rated once, so that it can be rewarded once."""

    kind = "order_rated"
    listeners = ("points",)

    order_id: UUID
    number: int
    order_kind: str
    order_kind_name: str = ""
    """As the district calls it, for whoever reads the statement."""
    community_id: UUID
    """The community that pays the reward."""
    assignee_id: UUID
    """The account that did the work."""
    stars: int = Field(ge=1, le=5)
    solved: bool
    rated_at: datetime


EVENTS: dict[str, type[Event]] = {event.kind: event for event in (OrderRated,)}
