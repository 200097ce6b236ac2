"""The ledger of volunteer points: double entry, whole points, append-only."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, String, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, TenantOwned, enumeration, reference


class Asset(StrEnum):
    POINTS = "points"


class LedgerAccountKind(StrEnum):
    MEMBER = "member"
    """What a person has earned. Never below zero."""
    ISSUING_COMMUNITY = "issuing_community"
    """Where a community's points come from: minus its balance is what it has issued."""


class TransactionKind(StrEnum):
    REWARD = "reward"
    """Earned by an order that was done and rated."""
    AWARD = "award"
    """Booked by a points clerk, with a reason."""


class LedgerAccount(TenantOwned, Base):
    """An account of the ledger. `balance` equals the sum of its entries; `version` counts them."""

    __tablename__ = "ledger_accounts"
    __table_args__ = (
        UniqueConstraint("tenant_id", "asset", "kind", "owner_id"),
        CheckConstraint("balance >= 0 OR kind = 'issuing_community'", name="no_overdraft"),
        CheckConstraint("abs(balance) < 9007199254740992", name="balance_exact_in_json"),
    )
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"), primary_key=True, sort_order=-2)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    asset: Mapped[Asset] = mapped_column(enumeration(Asset))
    kind: Mapped[LedgerAccountKind] = mapped_column(enumeration(LedgerAccountKind))
    owner_id: Mapped[UUID]
    """The person's account id, or the community's area id."""
    balance: Mapped[int] = mapped_column(server_default="0")
    version: Mapped[int] = mapped_column(server_default="0")


class LedgerTransaction(TenantOwned, Base):
    """One movement of points. Its entries sum to zero; its source is unique: one fact, one credit."""

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


class RewardRule(TenantOwned, Base):
    """How many points a rated order earns. The rule of the order's kind comes before the rule for all kinds."""

    __tablename__ = "reward_rules"
    __table_args__ = (
        CheckConstraint("points BETWEEN 0 AND 1000 AND bonus_points BETWEEN 0 AND 1000", name="points"),
        CheckConstraint("min_stars BETWEEN 1 AND 5 AND bonus_stars BETWEEN 1 AND 5", name="stars"),
        CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name="term"),
        Index("ix_reward_rules_kind", "tenant_id", "order_kind", "valid_from"),
    )
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"), primary_key=True, sort_order=-2)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    order_kind: Mapped[str | None] = mapped_column(String(40))
    points: Mapped[int]
    min_stars: Mapped[int] = mapped_column(SmallInteger)
    """Fewer stars earn nothing; nor does an order the resident calls unsolved."""
    bonus_points: Mapped[int] = mapped_column(server_default="0")
    bonus_stars: Mapped[int] = mapped_column(SmallInteger, server_default="5")
    valid_from: Mapped[datetime]
    valid_to: Mapped[datetime | None]
