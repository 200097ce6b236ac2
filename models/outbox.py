"""Facts that left a transaction, and who has still to hear of them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, SmallInteger, String, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, TenantOwned, reference


class OutboxEvent(TenantOwned, Base):
    """One fact, written in the transaction that made it true. Never changed."""

    __tablename__ = "outbox_events"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(60))
    payload: Mapped[dict[str, Any]] = mapped_column(JSONB)
    occurred_at: Mapped[datetime]


class OutboxDelivery(TenantOwned, Base):
    """One row per listener of an event. Its effect and `delivered_at` commit together."""

    __tablename__ = "outbox_deliveries"
    __table_args__ = (
        reference("outbox_events", "event_id"),
        Index(
            "ix_outbox_deliveries_due", "tenant_id", "listener", "due_at", postgresql_where=text("delivered_at IS NULL")
        ),
    )
    event_id: Mapped[UUID] = mapped_column(primary_key=True)
    listener: Mapped[str] = mapped_column(String(40), primary_key=True)
    due_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    last_error: Mapped[str | None] = mapped_column(String(500))
    delivered_at: Mapped[datetime | None]
