"""The ledger of points and service minutes: double entry, whole numbers, append-only."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    SmallInteger,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, TenantOwned, enumeration, reference


class Asset(StrEnum):
    """What is counted. Assets never mix in one sum; a conversion moves both, each summing to zero."""

    POINTS = "points"
    MINUTES = "minutes"
    """Service time (时间账户)."""


class LedgerAccountKind(StrEnum):
    MEMBER = "member"
    """What a person has earned. Never below zero, holds counted. The one kind whose credits are lots."""
    ISSUING_COMMUNITY = "issuing_community"
    """Where a community's points come from: minus its balance is what it has issued and not got back."""
    MERCHANT = "merchant"
    """What a partner merchant has taken in and not settled yet."""
    EXPIRY = "expiry"
    """What has expired of a community's points."""
    ESCROW = "escrow"
    """Set aside for a purpose until it is decided."""
    CORRECTION = "correction"
    """The other side of a correction: what was written wrong, in either direction."""
    DEBT = "debt"
    """What a person owes after earned points they had spent were taken back. Zero or below."""

    @property
    def normal_side(self) -> "Side | None":
        """The side its balance grows on: credit = a positive balance, debit = a negative one; None = either."""
        if self is LedgerAccountKind.CORRECTION:
            return None
        return Side.DEBIT if self in {LedgerAccountKind.ISSUING_COMMUNITY, LedgerAccountKind.DEBT} else Side.CREDIT


class Side(StrEnum):
    DEBIT = "debit"
    CREDIT = "credit"


class AccountStatus(StrEnum):
    OPEN = "open"
    FROZEN = "frozen"
    """Nothing goes out of it and nothing new is held; what comes in comes in, what was held can still be posted."""
    CLOSED = "closed"
    """Empty, and nothing moves."""


class AccountAction(StrEnum):
    OPEN = "open"
    FREEZE = "freeze"
    UNFREEZE = "unfreeze"
    CLOSE = "close"
    REOPEN = "reopen"


class TransactionKind(StrEnum):
    REWARD = "reward"
    """Earned by an order that was done and rated."""
    AWARD = "award"
    """Booked by a points clerk, with a reason."""
    SERVICE = "service"
    """Earned by certified service, e.g. an activity."""
    TRANSFER = "transfer"
    """From one person to another, lots and their expiry with it."""
    REDEMPTION = "redemption"
    """Spent: with a merchant, or back to the community for goods."""
    SETTLEMENT = "settlement"
    """A merchant's points taken back by the community that pays for them."""
    CONVERSION = "conversion"
    """Service minutes turned into points by rule."""
    CORRECTION = "correction"
    """Puts right what no reversal can."""
    EXPIRY = "expiry"
    REVERSAL = "reversal"


class ExpiryUnit(StrEnum):
    """How long a credit lives, from the moment it was effective, in Asia/Shanghai."""

    NONE = "none"
    DAYS = "days"
    """So many days, to the second."""
    MONTHS = "months"
    """Until the end of the n-th month after it (0 = its own month)."""
    YEARS = "years"
    """Until the end of the n-th year after it (0 = its own year)."""


class SpentEarning(StrEnum):
    """What happens when an earning is taken back that has been spent."""

    REFUSE = "refuse"
    DEBT = "debt"
    """What is missing becomes a debt, which later earnings settle first."""


class HoldOutcome(StrEnum):
    POSTED = "posted"
    VOIDED = "voided"
    EXPIRED = "expired"


class LedgerRecord(StrEnum):
    """What the hash chain seals."""

    TRANSACTION = "transaction"
    HOLD = "hold"
    HOLD_END = "hold_end"


class LedgerAccount(TenantOwned, Base):
    """An account of the ledger. `balance` equals the sum of its entries; `version` counts them.

    Accounts without a lower limit come in stripes, so that postings from one community do not wait for each other:
    the community's balance is the sum over its stripes.
    """

    __tablename__ = "ledger_accounts"
    __table_args__ = (
        UniqueConstraint("tenant_id", "asset", "kind", "owner_id", "stripe"),
        reference("areas", "community_id"),
        CheckConstraint(
            "CASE WHEN kind IN ('issuing_community', 'correction') THEN held = 0"
            " WHEN kind = 'debt' THEN balance <= 0 AND held = 0"
            " ELSE held >= 0 AND balance - held >= 0 END",
            name="no_overdraft",
        ),
        CheckConstraint("abs(balance) < 9007199254740992", name="balance_exact_in_json"),
        CheckConstraint("status <> 'closed' OR balance = 0", name="closed_is_empty"),
    )
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"), primary_key=True, sort_order=-2)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    asset: Mapped[Asset] = mapped_column(enumeration(Asset))
    kind: Mapped[LedgerAccountKind] = mapped_column(enumeration(LedgerAccountKind))
    owner_id: Mapped[UUID]
    """The person's account id, the community's area id, or, of a merchant and an escrow, an id of its own."""
    balance: Mapped[int] = mapped_column(server_default="0")
    version: Mapped[int] = mapped_column(server_default="0")
    stripe: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    held: Mapped[int] = mapped_column(server_default="0")
    """Reserved by holds that have not ended."""
    status: Mapped[AccountStatus] = mapped_column(enumeration(AccountStatus), server_default="open")
    name: Mapped[str | None] = mapped_column(String(60))
    """Of a merchant or an escrow; people and communities have names of their own."""
    community_id: Mapped[UUID | None]
    """The community that answers for a merchant or an escrow."""


class LedgerAccountEvent(TenantOwned, Base):
    """Who opened, froze or closed an account, and why. Append-only."""

    __tablename__ = "ledger_account_events"
    __table_args__ = (reference("ledger_accounts", "account_id"),)
    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    action: Mapped[AccountAction] = mapped_column(enumeration(AccountAction))
    reason: Mapped[str] = mapped_column(String(200))
    recorded_at: Mapped[datetime]
    recorded_by: Mapped[UUID]


class LedgerTransaction(TenantOwned, Base):
    """One movement. Its entries sum to zero per asset; its source is unique: one fact, one credit."""

    __tablename__ = "ledger_transactions"
    __table_args__ = (UniqueConstraint("tenant_id", "source_kind", "source_id"),)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[TransactionKind] = mapped_column(enumeration(TransactionKind))
    source_kind: Mapped[str] = mapped_column(String(40))
    """What brought it about, e.g. `order_rated`."""
    source_id: Mapped[str] = mapped_column(String(128))
    reason: Mapped[str] = mapped_column(String(200))
    effective_at: Mapped[datetime]
    recorded_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    recorded_by: Mapped[UUID | None]
    """The clerk; none when a rule did it."""
    details: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    approved_by: Mapped[UUID | None]
    """The second person, where a rule asks for one."""


class LedgerEntry(TenantOwned, Base):
    """One leg. Positive credits the account, negative debits it; the account's own sequence has no gaps."""

    __tablename__ = "ledger_entries"
    __table_args__ = (
        reference("ledger_transactions", "transaction_id"),
        reference("ledger_accounts", "account_id"),
        CheckConstraint("amount <> 0", name="amount"),
        Index("ix_ledger_entries_transaction_id", "tenant_id", "transaction_id"),
    )
    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(primary_key=True)
    transaction_id: Mapped[UUID]
    amount: Mapped[int]
    balance_after: Mapped[int]


class LedgerLot(TenantOwned, Base):
    """What one credit of a member's account brought, and what is left of it. Several when it came from several lots.

    `amount` = `remaining` + what allocations took (− what they returned). Lots are spent first to expire first.
    """

    __tablename__ = "ledger_lots"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "account_id", "sequence"],
            ["ledger_entries.tenant_id", "ledger_entries.account_id", "ledger_entries.sequence"],
        ),
        CheckConstraint("amount > 0 AND held >= 0 AND held <= remaining AND remaining <= amount", name="amounts"),
        Index(
            "ix_ledger_lots_left",
            "tenant_id", "account_id", "expires_at", "sequence", "part",
            postgresql_where=text("remaining > 0"),
        ),
        Index("ix_ledger_lots_due", "tenant_id", "expires_at", postgresql_where=text("remaining > 0")),
    )  # fmt: skip
    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(primary_key=True)
    """The entry that opened it."""
    part: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    amount: Mapped[int]
    remaining: Mapped[int]
    held: Mapped[int] = mapped_column(server_default="0")
    expires_at: Mapped[datetime]
    """The first moment at which it is over; infinity = never."""
    issuer_id: Mapped[UUID | None]
    """The community whose points these are."""


class LedgerAllocation(TenantOwned, Base):
    """What an entry took from a lot of its account (negative) or returned to it (positive). Append-only."""

    __tablename__ = "ledger_allocations"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "account_id", "sequence"],
            ["ledger_entries.tenant_id", "ledger_entries.account_id", "ledger_entries.sequence"],
        ),
        ForeignKeyConstraint(
            ["tenant_id", "account_id", "lot_sequence", "lot_part"],
            ["ledger_lots.tenant_id", "ledger_lots.account_id", "ledger_lots.sequence", "ledger_lots.part"],
            name="fk_ledger_allocations_lot",
        ),
        CheckConstraint("amount <> 0", name="amount"),
        Index("ix_ledger_allocations_lot", "tenant_id", "account_id", "lot_sequence", "lot_part"),
    )
    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(primary_key=True)
    lot_sequence: Mapped[int] = mapped_column(primary_key=True)
    lot_part: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    amount: Mapped[int]


class LedgerHold(TenantOwned, Base):
    """A reservation of a member's points. Immutable: its end is a row of `ledger_hold_ends`."""

    __tablename__ = "ledger_holds"
    __table_args__ = (
        UniqueConstraint("tenant_id", "source_kind", "source_id"),
        reference("ledger_accounts", "account_id"),
        CheckConstraint("amount > 0", name="amount"),
    )
    id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID]
    amount: Mapped[int]
    kind: Mapped[TransactionKind] = mapped_column(enumeration(TransactionKind))
    """Of the transaction that posts it."""
    to_kind: Mapped[LedgerAccountKind] = mapped_column(enumeration(LedgerAccountKind, "to_kind"))
    to_owner_id: Mapped[UUID]
    source_kind: Mapped[str] = mapped_column(String(40))
    source_id: Mapped[str] = mapped_column(String(128))
    reason: Mapped[str] = mapped_column(String(200))
    details: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    expires_at: Mapped[datetime]
    recorded_at: Mapped[datetime]
    recorded_by: Mapped[UUID | None]


class LedgerHoldLot(TenantOwned, Base):
    """Which lots a hold reserves: those that expire first. Append-only."""

    __tablename__ = "ledger_hold_lots"
    __table_args__ = (
        reference("ledger_holds", "hold_id"),
        ForeignKeyConstraint(
            ["tenant_id", "account_id", "lot_sequence", "lot_part"],
            ["ledger_lots.tenant_id", "ledger_lots.account_id", "ledger_lots.sequence", "ledger_lots.part"],
            name="fk_ledger_hold_lots_lot",
        ),
        CheckConstraint("amount > 0", name="amount"),
    )
    hold_id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID]
    lot_sequence: Mapped[int] = mapped_column(primary_key=True)
    lot_part: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    amount: Mapped[int]


class LedgerHoldEnd(TenantOwned, Base):
    """How a hold ended. One row per hold: it ends once. Append-only."""

    __tablename__ = "ledger_hold_ends"
    __table_args__ = (
        reference("ledger_holds", "hold_id"),
        reference("ledger_transactions", "transaction_id"),
        CheckConstraint(
            "(outcome = 'posted') = (transaction_id IS NOT NULL) AND (outcome = 'posted') = (amount > 0)",
            name="posted_has_transaction",
        ),
    )
    hold_id: Mapped[UUID] = mapped_column(primary_key=True)
    outcome: Mapped[HoldOutcome] = mapped_column(enumeration(HoldOutcome))
    amount: Mapped[int]
    """What was posted; the rest was released."""
    transaction_id: Mapped[UUID | None]
    reason: Mapped[str] = mapped_column(String(200))
    recorded_at: Mapped[datetime]
    recorded_by: Mapped[UUID | None]


class LedgerOpenHold(TenantOwned, Base):
    """The holds that have not ended: what is pending, and what may be due. A row goes when its hold ends."""

    __tablename__ = "ledger_open_holds"
    __table_args__ = (
        reference("ledger_holds", "hold_id"),
        Index("ix_ledger_open_holds_account", "tenant_id", "account_id", "expires_at"),
        Index("ix_ledger_open_holds_due", "tenant_id", "expires_at"),
    )
    hold_id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID]
    expires_at: Mapped[datetime]


class LedgerSettings(TenantOwned, Base):
    """The rules of a district's books, per asset. The newest version counts; none is ever changed."""

    __tablename__ = "ledger_settings"
    __table_args__ = (
        CheckConstraint("version > 0", name="version"),
        CheckConstraint("expiry_count BETWEEN 0 AND 36500", name="expiry_count"),
        CheckConstraint("expired_return_days BETWEEN 0 AND 3650", name="expired_return_days"),
        CheckConstraint("hold_days BETWEEN 1 AND 365", name="hold_days"),
        CheckConstraint("member_cap BETWEEN 1 AND 9007199254740991", name="member_cap"),
        CheckConstraint("second_person_from BETWEEN 1 AND 9007199254740991", name="second_person_from"),
        CheckConstraint("minutes_per_point BETWEEN 1 AND 1000000", name="minutes_per_point"),
    )
    asset: Mapped[Asset] = mapped_column(enumeration(Asset), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    expiry_unit: Mapped[ExpiryUnit] = mapped_column(enumeration(ExpiryUnit))
    expiry_count: Mapped[int]
    expired_return_days: Mapped[int]
    """Spent points that come back when their lot is over: 0 = they lapse, n = they live n more days."""
    spent_earning: Mapped[SpentEarning] = mapped_column(enumeration(SpentEarning))
    hold_days: Mapped[int]
    """How long a hold lasts that does not say."""
    member_cap: Mapped[int | None]
    """The most a member may have; a credit beyond it is refused."""
    second_person_from: Mapped[int | None]
    """A clerk's credit of so much or more needs a second person (四眼)."""
    may_transfer: Mapped[bool]
    """Whether members may give to each other."""
    minutes_per_point: Mapped[int | None]
    """What a point costs in minutes; none = not convertible."""
    recorded_at: Mapped[datetime]
    recorded_by: Mapped[UUID]


class LedgerUnsealed(TenantOwned, Base):
    """What the hash chain has not sealed yet, written with the record itself: the chain's bookmark."""

    __tablename__ = "ledger_unsealed"
    record_kind: Mapped[LedgerRecord] = mapped_column(enumeration(LedgerRecord), primary_key=True)
    record_id: Mapped[UUID] = mapped_column(primary_key=True)


class LedgerSeal(TenantOwned, Base):
    """One link of the hash chain: seals its position, its neighbour and the whole record. Append-only."""

    __tablename__ = "ledger_chain"
    __table_args__ = (UniqueConstraint("tenant_id", "record_kind", "record_id"),)
    position: Mapped[int] = mapped_column(primary_key=True)
    record_kind: Mapped[LedgerRecord] = mapped_column(enumeration(LedgerRecord))
    record_id: Mapped[UUID]
    hash: Mapped[bytes] = mapped_column(LargeBinary)


class LedgerChainHead(TenantOwned, Base):
    """Where the chain of the district stands."""

    __tablename__ = "ledger_chain_heads"
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"), primary_key=True, sort_order=-2)
    position: Mapped[int]
    hash: Mapped[bytes] = mapped_column(LargeBinary)
    sealed_at: Mapped[datetime]


class LedgerPublishedHead(TenantOwned, Base):
    """A head as it was published, one a day. Append-only."""

    __tablename__ = "ledger_published_heads"
    published_on: Mapped[date] = mapped_column(primary_key=True)
    """The day in Asia/Shanghai."""
    position: Mapped[int]
    hash: Mapped[bytes] = mapped_column(LargeBinary)
    published_at: Mapped[datetime]


class LedgerImport(TenantOwned, Base):
    """Where the books of the district come from, if they were imported. Until that is completed nothing is due."""

    __tablename__ = "ledger_imports"
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"), primary_key=True, sort_order=-2)
    source_code: Mapped[str] = mapped_column(String(40))
    source_name: Mapped[str] = mapped_column(String(60))
    exported_at: Mapped[datetime]
    position: Mapped[int]
    """How far it has got."""
    head_position: Mapped[int]
    """Where the exported chain ended."""
    head_hash: Mapped[bytes] = mapped_column(LargeBinary)
    started_at: Mapped[datetime]
    started_by: Mapped[UUID]
    completed_at: Mapped[datetime | None]
