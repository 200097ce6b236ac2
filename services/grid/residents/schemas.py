"""Bodies of the resident routes."""

from datetime import date, datetime
from typing import Annotated, TypeAlias
from uuid import UUID

from pydantic import AfterValidator, Field

from models.grid import Relation, Sex
from services.chassis.pagination import Page
from services.chassis.schemas import Answer, Body, Name, Phone
from services.grid.households.schemas import Dwelling
from services.grid.posts.terms import today


def _possible_birth(day: date) -> date:
    if day.year < 1900 or day > today():
        raise ValueError("the day must lie between 1900 and today")
    return day


BirthDate = Annotated[date, AfterValidator(_possible_birth)]
ToHead = Annotated[Relation, Field(description="To the head of the household: first digit of GB/T 4761.")]


class ResidentRegistration(Body):
    """A person of a household. Nobody is asked for an ID number."""

    household_id: UUID
    name: Name
    sex: Sex = Sex.UNKNOWN
    birth_date: BirthDate | None = None
    phone: Phone | None = None
    relation: ToHead = Relation.OTHER
    is_registered_here: bool = True
    lives_here: bool = True


class ResidentAccount(Body):
    """Which account a resident signs in with. People find the id of theirs in `GET /v1/me`."""

    account_id: UUID


class ResidentItem(Answer):
    """A resident as an item of a list."""

    id: UUID
    name: str
    phone: Annotated[str | None, Field(description="Masked.", examples=["138****8000"])]


ResidentPage: TypeAlias = Page[ResidentItem]


class ResidentHousehold(Answer):
    """One household of a resident, of those the caller may see."""

    household_id: UUID
    area_id: UUID
    area_name: str
    dwelling: Dwelling
    relation: ToHead
    is_registered_here: bool
    lives_here: bool


class ResidentDetails(ResidentItem):
    """Everything known about a resident."""

    phone: Annotated[str | None, Field(description="Masked, save for oneself and staff.", examples=["13800138000"])]
    sex: Annotated[Sex, Field(description="GB/T 2261.1.")]
    birth_date: date | None
    households: list[ResidentHousehold]
    created_at: datetime
