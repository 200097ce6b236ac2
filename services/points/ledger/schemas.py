"""Bodies of requests and answers about the ledger. Amounts are whole numbers below 2^53, in points or in minutes."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, Field, model_validator

from models.earning import ServiceSource
from models.points import Asset, LedgerAccountKind, TransactionKind
from services.chassis.schemas import Answer, Body, Line, Moment, text_of

Points = Annotated[int, Field(ge=-(2**53) + 1, le=2**53 - 1, examples=[128])]
Amount = Annotated[int, Field(strict=True, ge=1, le=1_000_000_000, examples=[20])]
LegAmount = Annotated[int, Field(strict=True, ge=-1_000_000_000, le=1_000_000_000, examples=[-20])]
Metadata = Annotated[dict[Annotated[str, *text_of(40)], Line], Field(max_length=20, default_factory=dict)]
LONGEST_BULK = 500
MOST_LEGS_OF_A_BULK = 2000


class Award(Body):
    """Points for something that no order shows, booked by a clerk of the community that gives them."""

    account_id: UUID
    """Who earned them: a member of the district."""
    community_id: UUID
    """The community that gives them, in the clerk's area."""
    amount: Annotated[int, Field(strict=True, ge=1, le=1000, examples=[20])]
    reason: Annotated[Line, Field(examples=["重阳节敬老志愿服务"])]
    asset: Asset = Asset.POINTS


RESERVED_SOURCES = frozenset({*TransactionKind, *ServiceSource, "hold", "award_approved"})
"""What the product itself posts from. A clerk who could name these would post in its place."""


def _free_for_all(kind: str) -> str:
    if kind in RESERVED_SOURCES:
        raise ValueError("a source of this kind is posted by the product itself")
    return kind


class Source(Body):
    """The fact behind a transaction. A source is posted once: a second time its transaction is answered again."""

    kind: Annotated[
        str,
        Field(pattern="^[a-z][a-z0-9_]{1,39}$", examples=["activity_certified"]),
        AfterValidator(_free_for_all),
    ]
    id: Annotated[str, *text_of(128), Field(examples=["2026-10-29 重阳节"])]


class LegBody(Body):
    """One side. `amount` > 0 comes in, < 0 goes out."""

    account_kind: Literal[
        LedgerAccountKind.MEMBER,
        LedgerAccountKind.ISSUING_COMMUNITY,
        LedgerAccountKind.MERCHANT,
        LedgerAccountKind.ESCROW,
        LedgerAccountKind.CORRECTION,
    ]
    owner_id: UUID
    """A person's account id, a community's area id, or the id of a merchant or escrow."""
    amount: LegAmount
    asset: Asset = Asset.POINTS


class TransactionBody(Body):
    """A transaction as a clerk writes it: legs that add up to zero per asset."""

    kind: Literal[
        TransactionKind.AWARD,
        TransactionKind.SERVICE,
        TransactionKind.TRANSFER,
        TransactionKind.REDEMPTION,
        TransactionKind.SETTLEMENT,
        TransactionKind.CORRECTION,
    ]
    reason: Annotated[Line, Field(examples=["兑换洗衣液一瓶"])]
    legs: Annotated[list[LegBody], Field(min_length=2, max_length=20)]
    source: Source | None = None
    effective_at: Moment | None = None
    """When it happened; now if it is not said. Expiry counts from here."""
    metadata: Metadata


class BulkMode(StrEnum):
    ALL_OR_NOTHING = "all_or_nothing"
    """One refusal, and nothing is posted."""
    EACH = "each"
    """Every transaction by itself."""


class BulkBody(Body):
    """Up to 500 transactions with one key, e.g. everybody who took part in an activity."""

    mode: BulkMode
    transactions: Annotated[list[TransactionBody], Field(min_length=1, max_length=LONGEST_BULK)]

    @model_validator(mode="after")
    def _has_an_end(self) -> Self:
        if sum(len(transaction.legs) for transaction in self.transactions) > MOST_LEGS_OF_A_BULK:
            raise ValueError(f"at most {MOST_LEGS_OF_A_BULK} legs in all")
        return self


class BulkResult(Answer):
    index: Annotated[int, Field(ge=0)]
    """Its place in the request, from 0."""
    status: Annotated[int, Field(examples=[201])]
    posting_id: UUID | None
    code: Annotated[str | None, Field(examples=["insufficient_points"])]
    """Why it was refused."""


class BulkRead(Answer):
    posted: Annotated[int, Field(ge=0)]
    refused: Annotated[int, Field(ge=0)]
    results: list[BulkResult]


class Transfer(Body):
    """Points of the caller for somebody else. They keep their expiry."""

    to_account_id: UUID
    amount: Amount
    reason: Annotated[Line, Field(examples=["送给邻居赖阿姨"])]
    asset: Asset = Asset.POINTS


class Conversion(Body):
    """Service minutes of the caller into points, at the district's rate: whole points, minutes that make none stay."""

    points: Annotated[int, Field(strict=True, ge=1, le=1000, examples=[2])]
    community_id: UUID
    """The community that gives the points and takes the minutes: one where some of them were served."""


class Reversal(Body):
    reason: Annotated[Line, Field(examples=["登记错误，更正"])]


class NextExpiry(Answer):
    expires_at: datetime
    amount: Points


class PointsAccountRead(Answer):
    """A person's account. Without any entry yet the balance is 0."""

    account_id: UUID
    """The person, not a number of the ledger."""
    kind: LedgerAccountKind
    asset: Asset
    normal_side: Annotated[str, Field(examples=["credit"])]
    status: Annotated[str, Field(examples=["open"])]
    """open, frozen (nothing goes out) or closed."""
    balance: Points
    """All that is booked: what is held, and what is over but not booked as expired yet, included."""
    held: Points
    """Reserved by holds."""
    available: Points
    """What can be spent now."""
    debt: Points
    """What later earnings settle first."""
    version: Annotated[int, Field(ge=0, examples=[14])]
    """How many entries the account has: grows by one with each."""
    next_expiry: NextExpiry | None
    """What is lost next if it is not spent."""


class PointsHome(Answer):
    """My accounts, for the first screen."""

    points: PointsAccountRead
    minutes: PointsAccountRead


class BalanceAtRead(Answer):
    account_id: UUID
    asset: Asset
    effective_at: datetime
    recorded_at: datetime
    balance: Points
    """Of what had happened by `effective_at`, as far as it had been booked by `recorded_at`."""


class BalanceRead(Answer):
    account_id: UUID
    balance: Points
    held: Points


class BalancesRead(Answer):
    """Balances of one moment."""

    items: list[BalanceRead]
    total: Points


class LotRead(Answer):
    """What one credit brought and what is left of it."""

    sequence: Annotated[int, Field(ge=1)]
    """The entry of the statement that opened it."""
    part: Annotated[int, Field(ge=1)]
    amount: Points
    remaining: Points
    held: Points
    expires_at: datetime | None
    """The first moment at which it is over; null = never."""
    issuer_id: UUID | None
    issuer_name: str | None
    """The community whose points these are."""


class StatementLine(Answer):
    """One entry of the account. `amount` > 0 came in, < 0 went out."""

    posting_id: UUID
    sequence: Annotated[int, Field(ge=1, examples=[14])]
    """Counts the account's entries without gaps; the order of entries."""
    kind: TransactionKind
    asset: Asset
    amount: Annotated[Points, Field(examples=[10])]
    balance_after: Points
    reason: Annotated[str, Field(examples=["代购药品 服务获5星好评"])]
    source_kind: Annotated[str, Field(examples=["order_rated"])]
    source_id: str
    """For `order_rated` the order's id; of who assisted, or came to it later, followed by `:` and their account id."""
    effective_at: datetime
    """When it was earned."""
    recorded_at: datetime
    """When it was booked."""
    details: dict[str, Any]
    """For a reward the version of the rule and the sum."""


class LegRead(Answer):
    asset: Asset
    account_kind: LedgerAccountKind
    owner_id: UUID
    """A person's account id, a community's area id, or the id of a merchant or escrow."""
    owner_name: Annotated[str | None, Field(examples=["康乐路南社区"])]
    amount: Annotated[Points, Field(examples=[-10])]


class PostingRead(Answer):
    """One transaction of the ledger. Its legs add up to zero per asset. It is never changed."""

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
    approved_by: UUID | None
    """The second person, where a rule asks for one."""
    reversed_by: UUID | None
    """The transaction that took it back."""
    details: dict[str, Any]
    """For a reward the rule and the sum."""
    legs: list[LegRead]


class StoredAnswerRead(Answer):
    """What was answered to a request with this key, for who does not know what became of it."""

    key: str
    status: Annotated[int, Field(examples=[201])]
    body: dict[str, Any]
    """The answer, or `{"code": …}` of the refusal."""
    answered_at: datetime
