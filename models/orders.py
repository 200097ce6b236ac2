"""Orders: what a resident asked for, who does it, and what became of it."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Float,
    ForeignKey,
    Index,
    LargeBinary,
    Sequence,
    SmallInteger,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, TenantOwned, enumeration, reference


class OrderState(StrEnum):
    PLACED = "placed"
    DISPATCHED = "dispatched"
    ACCEPTED = "accepted"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    RATED = "rated"
    CANCELLED = "cancelled"


class OrderAction(StrEnum):
    PLACE = "place"
    DISPATCH = "dispatch"
    ACCEPT = "accept"
    DECLINE = "decline"
    START = "start"
    COMPLETE = "complete"
    RATE = "rate"
    CANCEL = "cancel"


class FilePurpose(StrEnum):
    REQUEST = "request"
    EVIDENCE = "evidence"


ORDER_NUMBERS = Sequence("order_numbers", start=10_000_000, metadata=Base.metadata)


class OrderKind(TenantOwned, Base):
    """A kind of order the tenant offers, e.g. 代购药品."""

    __tablename__ = "order_kinds"
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"), primary_key=True, sort_order=-2)
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    """Stable identifier in snake_case, e.g. `buy_medicine`."""
    name: Mapped[str] = mapped_column(String(60))
    category: Mapped[str] = mapped_column(String(40))
    evidence_required: Mapped[int] = mapped_column(SmallInteger, server_default="1")
    """How many pieces of evidence (photos or a note) a completion needs."""
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))


class Order(TenantOwned, Base):
    """One order. `state` is written by `order_advance` alone (services/orders/orders/actions.py `_advance`)."""

    __tablename__ = "orders"
    __table_args__ = (
        reference("order_kinds", "kind"),
        reference("areas", "area_id"),
        reference("areas", "community_id"),
        reference("residents", "resident_id"),
        reference("households", "household_id"),
        reference("memberships", "placed_by", "account_id"),
        reference("memberships", "assignee_id", "account_id"),
        UniqueConstraint("tenant_id", "number"),
        CheckConstraint("(state = 'rated') = (stars IS NOT NULL)", name="stars_when_rated"),
        CheckConstraint("(stars IS NULL) = (solved IS NULL)", name="stars_with_solved"),
        CheckConstraint("stars BETWEEN 1 AND 5", name="stars_range"),
        CheckConstraint(
            "state IN ('placed', 'cancelled') OR state = 'dispatched' OR assignee_id IS NOT NULL",
            name="work_has_assignee",
        ),
        CheckConstraint("state <> 'placed' OR assignee_id IS NULL", name="placed_has_no_assignee"),
        CheckConstraint("(lng IS NULL) = (lat IS NULL)", name="point"),
        Index("ix_orders_community_number", "tenant_id", "community_id", "number"),
        Index("ix_orders_community_state_number", "tenant_id", "community_id", "state", "number"),
        Index("ix_orders_area_number", "tenant_id", "area_id", "number"),
        Index("ix_orders_resident_number", "tenant_id", "resident_id", "number"),
        Index("ix_orders_placed_by_number", "tenant_id", "placed_by", "number"),
        Index(
            "ix_orders_assignee_number",
            "tenant_id",
            "assignee_id",
            "number",
            postgresql_where=text("assignee_id IS NOT NULL"),
        ),
        Index(
            "ix_orders_pool",
            "tenant_id",
            "community_id",
            "number",
            postgresql_where=text("state = 'dispatched' AND assignee_id IS NULL"),
        ),
    )
    id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(ORDER_NUMBERS, server_default=ORDER_NUMBERS.next_value())
    """Grows with every order: what lists page by, and, with two check digits, what people read out on the phone."""
    kind: Mapped[str] = mapped_column(String(40))
    state: Mapped[OrderState] = mapped_column(enumeration(OrderState), server_default=OrderState.PLACED.value)
    version: Mapped[int] = mapped_column(server_default="1")
    """Number of history rows; the last row of the history has this sequence."""
    area_id: Mapped[UUID]
    """The smallest area known, usually the building."""
    community_id: Mapped[UUID]
    household_id: Mapped[UUID | None]
    resident_id: Mapped[UUID]
    """Whose need it is."""
    placed_by: Mapped[UUID]
    """The account that placed it: the resident's own, or a proxy's."""
    assignee_id: Mapped[UUID | None]
    """Who is to do it. Dispatched without an assignee = in the open pool."""
    description: Mapped[str] = mapped_column(String(2000))
    contact_name: Mapped[str] = mapped_column(String(60))
    contact_phone: Mapped[str | None] = mapped_column(String(20))
    address: Mapped[str] = mapped_column(String(200))
    wanted_from: Mapped[datetime | None]
    wanted_until: Mapped[datetime | None]
    lng: Mapped[float | None] = mapped_column(Float)
    lat: Mapped[float | None] = mapped_column(Float)
    placed_at: Mapped[datetime]
    dispatched_at: Mapped[datetime | None]
    accepted_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]
    rated_at: Mapped[datetime | None]
    cancelled_at: Mapped[datetime | None]
    completion_note: Mapped[str | None] = mapped_column(String(2000))
    stars: Mapped[int | None] = mapped_column(SmallInteger)
    solved: Mapped[bool | None]
    rating_comment: Mapped[str | None] = mapped_column(String(2000))


class OrderHistory(TenantOwned, Base):
    """What happened, one row per action, numbered without gaps. Append-only."""

    __tablename__ = "order_history"
    __table_args__ = (reference("orders", "order_id"),)
    order_id: Mapped[UUID] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(primary_key=True)
    action: Mapped[OrderAction] = mapped_column(enumeration(OrderAction))
    from_state: Mapped[OrderState | None] = mapped_column(enumeration(OrderState, name="from_state"))
    to_state: Mapped[OrderState] = mapped_column(enumeration(OrderState, name="to_state"))
    actor_id: Mapped[UUID]
    at: Mapped[datetime]
    note: Mapped[str | None] = mapped_column(String(2000))
    """The reason given, or the note left."""
    details: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))


class StoredFile(TenantOwned, Base):
    """One uploaded photo, checked by content and freed of EXIF. Its bytes lie in the file store under `id`."""

    __tablename__ = "files"
    __table_args__ = (reference("memberships", "uploaded_by", "account_id"),)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    uploaded_by: Mapped[UUID]
    media_type: Mapped[str] = mapped_column(String(40))
    size_bytes: Mapped[int]
    sha256: Mapped[bytes] = mapped_column(LargeBinary)
    width: Mapped[int]
    height: Mapped[int]
    uploaded_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class OrderFile(TenantOwned, Base):
    """A file of one order. A file belongs to one order at most."""

    __tablename__ = "order_files"
    __table_args__ = (
        reference("orders", "order_id"),
        reference("files", "file_id"),
        UniqueConstraint("tenant_id", "file_id"),
    )
    order_id: Mapped[UUID] = mapped_column(primary_key=True)
    file_id: Mapped[UUID] = mapped_column(primary_key=True)
    purpose: Mapped[FilePurpose] = mapped_column(enumeration(FilePurpose))
