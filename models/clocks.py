"""Service clocks: the promises on an order's time, what they are counted by, and what became of them."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, String, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, TenantOwned, enumeration, reference
from models.identity import Role


class ClockTarget(StrEnum):
    """What is promised within a time."""

    DISPATCH = "dispatch"
    """From placed, or given back, to dispatched."""
    ACCEPT = "accept"
    """From dispatched to accepted; anew for everybody it is dispatched to."""
    ARRIVE = "arrive"
    """From accepted to started."""
    FINISH = "finish"
    """From placed to completed, whoever has it in between; goes on when it is opened again."""


class ClockUnit(StrEnum):
    CALENDAR_HOURS = "calendar_hours"
    WORK_HOURS = "work_hours"
    """Working time of the district's work calendar."""
    WORK_DAYS = "work_days"
    """Working days after the day it began, the last one up to the close of business."""


class ClockState(StrEnum):
    RUNNING = "running"
    PAUSED = "paused"
    MET = "met"
    MISSED = "missed"
    STOPPED = "stopped"
    """Ended without an answer being due any more: taken back, cancelled, or no longer promised."""


class PauseAction(StrEnum):
    PAUSE = "pause"
    RESUME = "resume"


class FiringKind(StrEnum):
    WARNED = "warned"
    MISSED = "missed"


class NationalCalendar(Base):
    """The special days of one year in the whole country, as the package knows them. Loaded once, never changed."""

    __tablename__ = "national_calendars"
    year: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    days: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    """`{"day", "is_working", "name"}`: days off, and weekend days that are worked (调休)."""
    source: Mapped[str] = mapped_column(String(60))
    loaded_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class WorkCalendar(TenantOwned, Base):
    """A district's own version of one year's special days, instead of the national ones. Append-only."""

    __tablename__ = "work_calendars"
    __table_args__ = (CheckConstraint("year BETWEEN 2000 AND 2199 AND version > 0", name="year"),)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"), primary_key=True, sort_order=-2)
    year: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    days: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    note: Mapped[str] = mapped_column(String(200))
    recorded_by: Mapped[UUID]
    recorded_at: Mapped[datetime]


class WorkHours(TenantOwned, Base):
    """When a district works on a working day, from a day on. Append-only."""

    __tablename__ = "work_hours"
    __table_args__ = (CheckConstraint("version > 0", name="version"),)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"), primary_key=True, sort_order=-2)
    version: Mapped[int] = mapped_column(primary_key=True)
    valid_from: Mapped[date]
    """Later than the day it was recorded: no minute that has passed is counted differently."""
    periods: Mapped[list[list[str]]] = mapped_column(JSONB)
    """`[["08:30", "12:00"], …]`, ascending, in Asia/Shanghai; a day ends at 24:00."""
    note: Mapped[str] = mapped_column(String(200))
    recorded_by: Mapped[UUID]
    recorded_at: Mapped[datetime]


class ClockPolicy(TenantOwned, Base):
    """What is promised for a kind of order, or for all without a policy of their own, from a moment on. Append-only."""

    __tablename__ = "clock_policies"
    __table_args__ = (
        reference("order_kinds", "order_kind"),
        CheckConstraint("version > 0", name="version"),
        CheckConstraint("active_from >= recorded_at", name="not_for_the_past"),
    )
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"), primary_key=True, sort_order=-2)
    version: Mapped[int] = mapped_column(primary_key=True)
    order_kind: Mapped[str | None] = mapped_column(String(40))
    """None: for every kind without a policy of its own."""
    targets: Mapped[dict[str, Any]] = mapped_column(JSONB)
    """By target: amount, unit, warn_before or warn_percent, escalate_to."""
    note: Mapped[str] = mapped_column(String(200))
    active_from: Mapped[datetime]
    recorded_by: Mapped[UUID]
    recorded_at: Mapped[datetime]


_CLOCK_LIST = ("state", "sorts_at", "order_id", "target", "round")
_IS_OPEN = "ended_at IS NULL"


class OrderClock(TenantOwned, Base):
    """One clock as it was last computed. Derived: order history, pauses, extensions, policies and calendars decide."""

    __tablename__ = "order_clocks"
    __table_args__ = (
        reference("orders", "order_id"),
        CheckConstraint("round > 0", name="round"),
        CheckConstraint("state IN ('running', 'paused', 'missed') OR ended_at IS NOT NULL", name="over_when_decided"),
        CheckConstraint("state NOT IN ('running', 'paused') OR ended_at IS NULL", name="open_while_undecided"),
        Index("ix_order_clocks_next_at", "tenant_id", "next_at", postgresql_where=text("next_at IS NOT NULL")),
        Index("ix_order_clocks_community", "tenant_id", "community_id", *_CLOCK_LIST, postgresql_where=text(_IS_OPEN)),
        Index("ix_order_clocks_area", "tenant_id", "area_id", *_CLOCK_LIST, postgresql_where=text(_IS_OPEN)),
        Index("ix_order_clocks_assignee", "tenant_id", "assignee_id", *_CLOCK_LIST, postgresql_where=text(_IS_OPEN)),
    )
    order_id: Mapped[UUID] = mapped_column(primary_key=True)
    target: Mapped[ClockTarget] = mapped_column(enumeration(ClockTarget), primary_key=True)
    round: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    """1 for the first; another one begins where the promise begins anew, e.g. with another dispatch."""
    community_id: Mapped[UUID]
    area_id: Mapped[UUID]
    assignee_id: Mapped[UUID | None]
    state: Mapped[ClockState] = mapped_column(enumeration(ClockState))
    unit: Mapped[ClockUnit] = mapped_column(enumeration(ClockUnit))
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    due_at: Mapped[datetime | None]
    """None while it is paused: then nobody knows."""
    sorts_at: Mapped[datetime]
    """`due_at`; of a paused clock when it would have been due without the pause."""
    warn_at: Mapped[datetime | None]
    next_at: Mapped[datetime | None]
    """When it next has something to tell."""
    segments: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    why: Mapped[dict[str, Any]] = mapped_column(JSONB)
    computed_at: Mapped[datetime]


class OrderClockPause(TenantOwned, Base):
    """The clocks of an order were paused (挂账), or went on. Numbered without gaps, in turn. Append-only."""

    __tablename__ = "order_clock_pauses"
    __table_args__ = (
        reference("orders", "order_id"),
        CheckConstraint("sequence > 0 AND (mod(sequence, 2) = 1) = (action = 'pause')", name="in_turn"),
    )
    order_id: Mapped[UUID] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(primary_key=True)
    action: Mapped[PauseAction] = mapped_column(enumeration(PauseAction))
    reason: Mapped[str] = mapped_column(String(2000))
    actor_id: Mapped[UUID]
    at: Mapped[datetime]


class ClockExtension(TenantOwned, Base):
    """More time, asked for before the limit by who does the work. Append-only."""

    __tablename__ = "clock_extensions"
    __table_args__ = (
        reference("orders", "order_id"),
        CheckConstraint("amount > 0", name="amount"),
        Index("ix_clock_extensions_order_id", "tenant_id", "order_id", "id"),
    )
    id: Mapped[UUID] = mapped_column(primary_key=True)
    order_id: Mapped[UUID]
    target: Mapped[ClockTarget] = mapped_column(enumeration(ClockTarget))
    round: Mapped[int] = mapped_column(SmallInteger)
    amount: Mapped[int]
    unit: Mapped[ClockUnit] = mapped_column(enumeration(ClockUnit))
    reason: Mapped[str] = mapped_column(String(2000))
    asked_by: Mapped[UUID]
    asked_at: Mapped[datetime]


class ClockExtensionDecision(TenantOwned, Base):
    """An extension was granted or refused, once. Append-only."""

    __tablename__ = "clock_extension_decisions"
    __table_args__ = (reference("clock_extensions", "extension_id"),)
    extension_id: Mapped[UUID] = mapped_column(primary_key=True)
    is_granted: Mapped[bool]
    reason: Mapped[str | None] = mapped_column(String(2000))
    decided_by: Mapped[UUID]
    decided_at: Mapped[datetime]


class OrderClockFiring(TenantOwned, Base):
    """Somebody was told that a clock is nearly due, or missed: once each. Append-only."""

    __tablename__ = "order_clock_firings"
    __table_args__ = (reference("orders", "order_id"),)
    order_id: Mapped[UUID] = mapped_column(primary_key=True)
    target: Mapped[ClockTarget] = mapped_column(enumeration(ClockTarget), primary_key=True)
    round: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    kind: Mapped[FiringKind] = mapped_column(enumeration(FiringKind), primary_key=True)
    due_at: Mapped[datetime]
    """The limit, as it was when it fired."""
    told_role: Mapped[Role] = mapped_column(enumeration(Role))
    told_area_id: Mapped[UUID]
    event_id: Mapped[UUID]
    fired_at: Mapped[datetime]


class OrderClockWork(TenantOwned, Base):
    """An order whose clocks are to be computed anew: one row per history row, 0 for any other cause.

    Without a foreign key: it is written with every step of an order, and gone a second later.
    """

    __tablename__ = "order_clock_work"
    order_id: Mapped[UUID] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(primary_key=True)


class ClockRecount(TenantOwned, Base):
    """From a moment on every open order of the district is counted by something new."""

    __tablename__ = "clock_recounts"
    __table_args__ = (Index("ix_clock_recounts_due_at", "tenant_id", "due_at"),)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"), primary_key=True, sort_order=-2)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    due_at: Mapped[datetime]
