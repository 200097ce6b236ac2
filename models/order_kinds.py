"""What a kind of order asks for, and who changed what about it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, String
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, TenantOwned, reference


class OrderKindForm(TenantOwned, Base):
    """A version of the questions a kind asks. Orders keep the version they were placed with. Append-only."""

    __tablename__ = "order_kind_forms"
    __table_args__ = (
        reference("order_kinds", "kind"),
        CheckConstraint("version > 0", name="version"),
        CheckConstraint("jsonb_typeof(questions) = 'array'", name="questions"),
    )
    kind: Mapped[str] = mapped_column(String(40), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    questions: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    """As services/orders/kinds/forms.py `Question`, in the order in which they are asked."""
    recorded_by: Mapped[UUID | None]
    """None: laid down when the district was founded."""
    recorded_at: Mapped[datetime]


class OrderKindChange(TenantOwned, Base):
    """A kind was added or edited: by whom, and what it was before and after. Append-only."""

    __tablename__ = "order_kind_changes"
    __table_args__ = (reference("order_kinds", "kind"), CheckConstraint("version > 0", name="version"))
    kind: Mapped[str] = mapped_column(String(40), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    """The kind's version that came of it."""
    before: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    """None: it was added."""
    after: Mapped[dict[str, Any]] = mapped_column(JSONB)
    changed_by: Mapped[UUID]
    changed_at: Mapped[datetime]
