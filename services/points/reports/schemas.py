"""Bodies of answers with reports."""

from datetime import date
from typing import Annotated
from uuid import UUID

from pydantic import Field

from models.points import Asset
from services.chassis.schemas import Answer
from services.points.ledger.schemas import Points, PostingRead
from services.points.proof.schemas import Hash


class LiabilityLine(Answer):
    """opening + issued - redeemed - expired + other = closing."""

    community_id: UUID | None
    """Null for the total, and for points that came from no community."""
    community_name: Annotated[str, Field(examples=["康乐路南社区"])]
    opening: Points
    """What members had of it when the period began, debts taken off."""
    issued: Points
    redeemed: Points
    expired: Points
    other: Points
    """Corrections and what is set aside; may be negative."""
    closing: Points


class LiabilityRead(Answer):
    """What communities owe their members, and how it came about."""

    asset: Asset
    from_day: date
    to_day: date
    """The last day of the period, in Asia/Shanghai; it counts whole."""
    lines: list[LiabilityLine]
    total: LiabilityLine
    adds_up: bool
    """Whether every line of the district adds up; false only in damaged books."""
    ties_to_entries: bool
    """Whether what is left in the lots of all communities is what the entries of all members say."""


class JournalLine(Answer):
    """A transaction in its place in the chain."""

    position: Annotated[int, Field(ge=1, examples=[1204])]
    hash: Hash
    posting: PostingRead
