"""Recurring orders: what is ordered again and again, when it is not as usual, and which orders were made of it."""

from datetime import date, datetime, time
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Float, Index, SmallInteger, String, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, TenantOwned, enumeration, reference


class HolidayPolicy(StrEnum):
    """What becomes of an occurrence on a day off of the work calendar (weekends that are nothing else do not count)."""

    KEEP = "keep"
    SKIP = "skip"
    BEFORE = "before"
    """On the nearest working day before."""
    AFTER = "after"


class CoverPolicy(StrEnum):
    """Who is asked when the kept helper cannot come."""

    FAMILIAR = "familiar"
    """People who have helped this household before; where there is none, the open pool."""
    POOL = "pool"
    DISPATCHER = "dispatcher"
    """Nobody: the dispatcher decides."""


class RecurringChange(StrEnum):
    """What was done to a recurring order."""

    ARRANGE = "arrange"
    EDIT = "edit"
    SKIP = "skip"
    MOVE = "move"
    PAUSE = "pause"
    RESUME = "resume"
    END = "end"
    CHANGE_HELPER = "change_helper"
    RUN_OUT = "run_out"
    """By the system: the rule has no day left."""


class OccurrenceOutcome(StrEnum):
    MADE = "made"
    MOVED = "moved"
    """Made, for another time than the rule says."""
    SKIPPED = "skipped"
    WITHDRAWN = "withdrawn"
    """Its order was cancelled, untouched, because the recurring order had changed; it may be made anew."""
    FAILED = "failed"


class RecurringOrder(TenantOwned, Base):
    """An order that is placed again and again. `version` counts its changes; row locks order all who act on it."""

    __tablename__ = "recurring_orders"
    __table_args__ = (
        reference("order_kinds", "kind"),
        reference("areas", "area_id"),
        reference("areas", "community_id"),
        reference("areas", "place_id"),
        reference("residents", "resident_id"),
        reference("households", "household_id"),
        reference("memberships", "placed_by", "account_id"),
        reference("memberships", "helper_id", "account_id"),
        CheckConstraint("from_time < until_time", name="window"),
        CheckConstraint("horizon_days BETWEEN 1 AND 60", name="horizon"),
        CheckConstraint("(lng IS NULL) = (lat IS NULL)", name="point"),
        CheckConstraint("paused_from IS NOT NULL OR paused_until IS NULL", name="pause_begins"),
        CheckConstraint("paused_until >= paused_from", name="pause"),
        Index("ix_recurring_orders_next_at", "tenant_id", "next_at", postgresql_where=text("next_at IS NOT NULL")),
        Index("ix_recurring_orders_resident", "tenant_id", "resident_id", "id"),
        Index("ix_recurring_orders_household", "tenant_id", "household_id", "id"),
        Index("ix_recurring_orders_placed_by", "tenant_id", "placed_by", "id"),
        Index("ix_recurring_orders_community", "tenant_id", "community_id", "id"),
        Index(
            "ix_recurring_orders_helper", "tenant_id", "helper_id", "id", postgresql_where=text("helper_id IS NOT NULL")
        ),
    )
    id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(server_default="1")
    kind: Mapped[str] = mapped_column(String(40))
    description: Mapped[str] = mapped_column(String(2000))
    resident_id: Mapped[UUID]
    household_id: Mapped[UUID | None]
    place_id: Mapped[UUID | None]
    """Where it is to be done, when not at home."""
    area_id: Mapped[UUID]
    """Where that was when it was arranged: who oversees this area sees it."""
    community_id: Mapped[UUID]
    placed_by: Mapped[UUID]
    contact_name: Mapped[str | None] = mapped_column(String(60))
    """Of contact and address what was said; the rest each order takes from the register."""
    contact_phone: Mapped[str | None] = mapped_column(String(20))
    address: Mapped[str | None] = mapped_column(String(200))
    answers: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    lng: Mapped[float | None] = mapped_column(Float)
    lat: Mapped[float | None] = mapped_column(Float)
    rule: Mapped[str] = mapped_column(String(200))
    first_on: Mapped[date]
    from_time: Mapped[time]
    """In Asia/Shanghai, as every day and time of day here."""
    until_time: Mapped[time]
    holiday_policy: Mapped[HolidayPolicy] = mapped_column(enumeration(HolidayPolicy))
    cover_policy: Mapped[CoverPolicy] = mapped_column(enumeration(CoverPolicy))
    helper_id: Mapped[UUID | None]
    horizon_days: Mapped[int] = mapped_column(SmallInteger)
    """How many days ahead orders are made."""
    paused_from: Mapped[date | None]
    paused_until: Mapped[date | None]
    """The last day without; none: until it is resumed."""
    pause_reason: Mapped[str | None] = mapped_column(String(2000))
    ends_on: Mapped[date | None]
    """The first day on which it is over."""
    end_reason: Mapped[str | None] = mapped_column(String(2000))
    holds_since: Mapped[datetime]
    """When it became what it is: no occurrence is made, or missed, that was over by then."""
    next_at: Mapped[datetime | None]
    """When the keeper looks at it next; none: never again."""
    kept_at: Mapped[datetime | None]
    arranged_at: Mapped[datetime]


class RecurringOrderChange(TenantOwned, Base):
    """Who did what to a recurring order, and why. Numbered without gaps. Append-only."""

    __tablename__ = "recurring_order_changes"
    __table_args__ = (reference("recurring_orders", "recurring_order_id"),)
    recurring_order_id: Mapped[UUID] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(primary_key=True)
    """The `version` it led to."""
    action: Mapped[RecurringChange] = mapped_column(enumeration(RecurringChange))
    actor_id: Mapped[UUID | None]
    """None: the system."""
    at: Mapped[datetime]
    reason: Mapped[str | None] = mapped_column(String(2000))
    details: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))


class RecurringOrderException(TenantOwned, Base):
    """One occurrence that is not as usual: skipped, or at another time. `occurrence_on` is the day the rule says."""

    __tablename__ = "recurring_order_exceptions"
    __table_args__ = (
        reference("recurring_orders", "recurring_order_id"),
        CheckConstraint(
            "num_nonnulls(moved_on, from_time, until_time) IN (0, 3) AND (moved_on IS NULL OR from_time < until_time)",
            name="moved_or_skipped",
        ),
    )
    recurring_order_id: Mapped[UUID] = mapped_column(primary_key=True)
    occurrence_on: Mapped[date] = mapped_column(primary_key=True)
    moved_on: Mapped[date | None]
    from_time: Mapped[time | None]
    until_time: Mapped[time | None]


class RecurringOrderOccurrence(TenantOwned, Base):
    """What became of one occurrence. Its key lets each be made once, whoever tries."""

    __tablename__ = "recurring_order_occurrences"
    __table_args__ = (
        reference("recurring_orders", "recurring_order_id"),
        reference("orders", "order_id"),
        CheckConstraint("(outcome IN ('made', 'moved', 'withdrawn')) = (order_id IS NOT NULL)", name="order"),
        CheckConstraint("planned_from < planned_until", name="window"),
        Index(
            "ix_recurring_order_occurrences_order_id",
            "tenant_id",
            "order_id",
            unique=True,
            postgresql_where=text("order_id IS NOT NULL"),
        ),
        Index(
            "ix_recurring_order_occurrences_failed",
            "tenant_id",
            "recurring_order_id",
            postgresql_where=text("outcome = 'failed'"),
        ),
    )
    recurring_order_id: Mapped[UUID] = mapped_column(primary_key=True)
    occurrence_on: Mapped[date] = mapped_column(primary_key=True)
    """The day the rule says."""
    planned_from: Mapped[datetime]
    """After holidays and exceptions."""
    planned_until: Mapped[datetime]
    order_id: Mapped[UUID | None]
    outcome: Mapped[OccurrenceOutcome] = mapped_column(enumeration(OccurrenceOutcome))
    reason: Mapped[str] = mapped_column(String(60))
    """Why so, as a code."""
    decided_at: Mapped[datetime]


class RecurringOrderWork(TenantOwned, Base):
    """An order of a recurring order waits for a helper again: one row per version of the order.

    Without a foreign key: it is written with the order's step, and gone a second later.
    """

    __tablename__ = "recurring_order_work"
    recurring_order_id: Mapped[UUID] = mapped_column(primary_key=True)
    order_id: Mapped[UUID] = mapped_column(primary_key=True)
    order_version: Mapped[int] = mapped_column(primary_key=True)
