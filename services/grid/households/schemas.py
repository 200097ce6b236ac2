"""Bodies of the household routes."""

from datetime import date, datetime
from typing import Annotated, TypeAlias
from uuid import UUID

from pydantic import Field

from models.grid import PostKind, Relation
from services.chassis.pagination import Page
from services.chassis.schemas import Answer, Body, text_of
from services.grid.areas.schemas import AreaLine

Dwelling = Annotated[str, *text_of(40), Field(examples=["2单元502"])]


class HouseholdRegistration(Body):
    """A dwelling of an area, normally of a building."""

    area_id: UUID
    dwelling: Dwelling
    """Its place in the area, unique there."""


class HouseholdItem(Answer):
    """A household as an item of a list."""

    id: UUID
    area_id: UUID
    area_code: str
    area_name: Annotated[str, Field(examples=["3栋"])]
    dwelling: Dwelling
    member_count: int


HouseholdPage: TypeAlias = Page[HouseholdItem]


class HouseholdMemberRead(Answer):
    """Somebody registered or living in a household. The phone is masked here; the resident's own page may show it."""

    resident_id: UUID
    name: str
    phone: Annotated[str | None, Field(examples=["138****8000"])]
    relation: Annotated[Relation, Field(description="To the head of the household: first digit of GB/T 4761.")]
    is_registered_here: bool
    lives_here: bool


class HouseholdDetails(Answer):
    """A household and everybody in it."""

    id: UUID
    area: AreaLine
    dwelling: Dwelling
    address: Annotated[str, Field(examples=["康乐路南社区万隆一品小区3栋2单元502"])]
    """From the community down to the door."""
    members: list[HouseholdMemberRead]
    created_at: datetime


class ResponsiblePost(Answer):
    """A post that answers for the household, or a vacancy: then the holder is null."""

    kind: PostKind
    title: Annotated[str, Field(examples=["楼栋长"])]
    area: AreaLine | None
    """Where the post is held; null when nobody ever held such a post on the way up."""
    is_vacant: bool
    post_id: UUID | None
    holder_name: str | None
    duty_phone: str | None
    account_id: UUID | None
    since: date | None


class ResponsibilityChain(Answer):
    """Who answers for a household, first to last."""

    household_id: UUID
    chain: list[ResponsiblePost]


class HomeHousehold(Answer):
    """Where somebody belongs, and who answers for it now."""

    id: UUID
    area: AreaLine
    dwelling: Dwelling
    address: str
    responsible: list[ResponsiblePost]


class GridHome(Answer):
    households: list[HomeHousehold]
    """The caller's own, those lived in first; at most three."""
