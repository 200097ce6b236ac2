"""The facts services tell each other, and who listens. The only vocabulary they share.

A fact is recorded in the transaction that made it true (outbox_events, one outbox_deliveries row per listener) and
reaches every listener exactly once in effect, usually within a second.
"""

from datetime import date, datetime
from typing import ClassVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class Event(BaseModel):
    """Base of every fact. Names are past tense; fields are only added, with a default: old facts are still read."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)
    kind: ClassVar[str]
    listeners: ClassVar[tuple[str, ...]] = ()
    """Services whose `subscriptions.py` has an effect for it."""


class HelperShare(BaseModel):
    """One of several people who did the work of an order together, beside the one who led it."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)
    account_id: UUID
    minutes: int | None = Field(default=None, ge=0, le=1440)
    """The service time of this one person; None when nobody said."""


class OrderRated(Event):
    """The person who needed it has judged the work. Told again, it rewards nobody of the same order again."""

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
    """The account that did the work, or led it."""
    helpers: tuple[HelperShare, ...] = ()
    """Who assisted; never the lead."""
    stars: int = Field(ge=1, le=5)
    solved: bool
    rated_at: datetime
    began_at: datetime | None = None
    """When the work was started, or accepted if nobody said so."""
    ended_at: datetime | None = None
    """When it was completed."""
    minutes: int | None = Field(default=None, ge=0, le=1440)
    """Service time of the assignee: as stated, else from start to completion when that was within a day."""


class LedgerHeadPublished(Event):
    """A day's head of the points ledger is public: whoever keeps it can prove later that nothing before was changed."""

    kind = "ledger_head_published"

    published_on: date
    """The day in Asia/Shanghai."""
    position: int
    """How many records the chain had sealed."""
    hash: str
    """Of the last of them, in hexadecimal."""


class _OrderClockTold(Event):
    """What a clock of an order tells, once."""

    order_id: UUID
    number: int
    order_kind: str
    community_id: UUID
    assignee_id: UUID | None = None
    """Who has the order, if anybody."""
    target: str
    """What is promised: dispatch, accept, arrive or finish."""
    round: int = 1
    """Counts how often that was promised anew, e.g. with another dispatch."""
    due_at: datetime
    told_role: str = "community_admin"
    """Besides the assignee: whoever holds this role over `told_area_id`."""
    told_area_id: UUID
    told_at: datetime


class OrderClockWarned(_OrderClockTold):
    """A promised time is nearly over."""

    kind = "order_clock_warned"


class OrderClockMissed(_OrderClockTold):
    """A promised time is over without what was promised."""

    kind = "order_clock_missed"


EVENTS: dict[str, type[Event]] = {
    event.kind: event for event in (OrderRated, LedgerHeadPublished, OrderClockWarned, OrderClockMissed)
}
