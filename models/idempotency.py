"""Answers already given, so that a repeated request changes nothing."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import LargeBinary, SmallInteger, String, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, TenantOwned


class IdempotencyKey(TenantOwned, Base):
    """The stored answer, refusals too. `service` is the database role that gave it: no service sees another's rows."""

    __tablename__ = "idempotency_keys"
    service: Mapped[str] = mapped_column(String(40), primary_key=True, server_default=text("CURRENT_USER"))
    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    request_hash: Mapped[bytes] = mapped_column(LargeBinary)
    """SHA-256 over method, path and body."""
    status: Mapped[int] = mapped_column(SmallInteger)
    body: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
