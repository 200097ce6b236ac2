"""Bodies of the post routes."""

from datetime import date
from typing import Annotated, Self, TypeAlias
from uuid import UUID

from pydantic import AfterValidator, Field, model_validator

from models.grid import PostKind
from services.chassis.pagination import Page
from services.chassis.schemas import Answer, Body, Name, Phone


def _plausible(day: date) -> date:
    if not 1950 <= day.year <= 2200:
        raise ValueError("the year must lie between 1950 and 2200")
    return day


TermDay = Annotated[date, AfterValidator(_plausible)]


class PostRead(Answer):
    """A post with its term. The duty phone is public; it is the post's, not the holder's."""

    id: UUID
    area_id: UUID
    kind: PostKind
    holder_name: Annotated[str, Field(examples=["王秀英"])]
    duty_phone: str | None
    account_id: UUID | None
    valid_from: date
    valid_to: date | None
    """First day on which the term is over; null while it is open."""


PostPage: TypeAlias = Page[PostRead]


class PostAppointment(Body):
    """Somebody takes up a post for an area."""

    area_id: UUID
    kind: PostKind
    holder_name: Name
    duty_phone: Phone | None = None
    account_id: UUID | None = None
    """The holder's account, when the holder has one in this tenant."""
    valid_from: TermDay | None = None
    """First day in office; today when left out."""
    valid_to: TermDay | None = None
    """First day on which the term is over; open when left out."""

    @model_validator(mode="after")
    def _order_the_term(self) -> Self:
        if self.valid_from is not None and self.valid_to is not None and self.valid_to < self.valid_from:
            raise ValueError("valid_to lies before valid_from")
        return self


class PostEnding(Body):
    valid_to: TermDay | None = None
    """First day on which the term is over; today when left out."""
