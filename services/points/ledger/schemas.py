"""Bodies of requests and answers about points. Points are whole numbers below 2^53."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from models.points import LedgerAccountKind, TransactionKind
from services.chassis.schemas import Answer, Body, Line

Points = Annotated[int, Field(ge=-(2**53) + 1, le=2**53 - 1, examples=[128])]


class Award(Body):
    """Points for something that no order shows, booked by a clerk of the community that gives them."""

    account_id: UUID
    """Who earned them: a member of the district."""
    community_id: UUID
    """The community that gives them, in the clerk's area."""
    amount: Annotated[int, Field(strict=True, ge=1, le=1000, examples=[20])]
    reason: Annotated[Line, Field(examples=["重阳节敬老志愿服务"])]


class PointsAccountRead(Answer):
    """A person's points. Without any entry yet the balance is 0."""

    account_id: UUID
    """The person, not a number of the ledger."""
    kind: LedgerAccountKind
    balance: Points
    version: Annotated[int, Field(ge=0, examples=[14])]
    """How many entries the account has: grows by one with each."""


class StatementLine(Answer):
    """One entry of the account. `amount` > 0 came in, < 0 went out."""

    posting_id: UUID
    sequence: Annotated[int, Field(ge=1, examples=[14])]
    """Counts the account's entries without gaps; the order of entries."""
    kind: TransactionKind
    amount: Annotated[Points, Field(examples=[10])]
    balance_after: Points
    reason: Annotated[str, Field(examples=["代购药品 服务获5星好评"])]
    source_kind: Annotated[str, Field(examples=["order_rated"])]
    source_id: str
    """For `order_rated` the order's id."""
    effective_at: datetime
    """When it was earned."""
    recorded_at: datetime
    """When it was booked."""


class LegRead(Answer):
    account_kind: LedgerAccountKind
    owner_id: UUID
    """A person's account id, or a community's area id."""
    owner_name: Annotated[str, Field(examples=["康乐路南社区"])]
    amount: Annotated[Points, Field(examples=[-10])]


class PostingRead(Answer):
    """One transaction of the ledger. Its legs add up to zero. It is never changed."""

    id: UUID
    kind: TransactionKind
    reason: str
    source_kind: str
    source_id: str
    """A source is posted once."""
    effective_at: datetime
    recorded_at: datetime
    recorded_by: UUID | None
    """The clerk; null when a rule did it."""
    details: dict[str, Any]
    """For a reward the rule and the sum."""
    legs: list[LegRead]
