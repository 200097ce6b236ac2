"""Bodies of requests and answers about resources (资源清单)."""

from datetime import date, datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, StrictBool, model_validator

from models.matching import ResourceKind
from services.chassis.schemas import Answer, Body, Name, Paragraph, text_of
from services.orders.matching.hours import Hours

Day = Annotated[date, Field(ge=date(2000, 1, 1), le=date(2199, 12, 31), examples=["2026-03-16"])]


class ResourceFields(Body):
    kind: ResourceKind
    name: Annotated[Name, Field(examples=["社区多功能厅"])]
    quantity: Annotated[int | None, Field(strict=True, ge=1, le=1_000_000)] = None
    measure: Annotated[str, *text_of(20), Field(examples=["间"])] | None = None
    """What the quantity counts."""
    hours: Hours | None = None
    """When it can be had, by weekday; null: not stated."""
    valid_from: Day
    valid_until: Day | None = None
    """The last day."""
    note: Paragraph | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.quantity is None) != (self.measure is None):
            raise ValueError("quantity and measure go together")
        if self.valid_until is not None and self.valid_until < self.valid_from:
            raise ValueError("valid_until must not lie before valid_from")
        return self


class ResourceDraft(ResourceFields):
    area_id: UUID
    """For whom: this area and what lies in it."""
    unit_id: UUID | None = None
    """The unit that offers it; null: the caller does."""


class ResourceChange(ResourceFields):
    """The whole of what can be changed."""

    is_withdrawn: StrictBool = False
    """Not offered any more."""
    expected_version: Annotated[int, Field(strict=True, ge=1, le=2**53)]
    """As it was read: somebody else's change is not overwritten."""


class ResourceRead(Answer):
    id: UUID
    kind: ResourceKind
    name: str
    area_id: UUID
    area_name: str
    unit_id: UUID | None
    account_id: UUID | None
    owner_name: str
    """Of the unit or the person that offers it."""
    quantity: int | None
    measure: str | None
    hours: list[tuple[int, str, str]] | None
    valid_from: date
    valid_until: date | None
    note: str | None
    is_withdrawn: bool
    version: int
    updated_at: datetime
