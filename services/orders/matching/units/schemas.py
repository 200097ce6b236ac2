"""Bodies of requests and answers about units: teams, organisations, departments."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field, StrictBool

from models.orders import UnitKind
from services.chassis.schemas import Answer, Body, Name, Phone


class UnitDraft(Body):
    kind: UnitKind
    name: Annotated[Name, Field(examples=["康乐路南社区志愿服务队"])]
    area_id: UUID
    """Where it serves: this area and what lies in it."""
    phone: Phone | None = None


class UnitChange(Body):
    """The whole of what can be changed."""

    name: Name
    phone: Phone | None = None
    is_active: StrictBool
    """A unit that is not active gets no orders any more."""


class UnitMembership(Body):
    account_id: UUID
    is_leader: StrictBool = False
    """Leaders decline and pass on for the unit."""


class UnitLeadership(Body):
    is_leader: StrictBool


class UnitRead(Answer):
    id: UUID
    kind: UnitKind
    name: str
    area_id: UUID
    area_name: str
    phone: str | None
    is_active: bool
    members: int


class UnitMemberRead(Answer):
    account_id: UUID
    name: str
    is_leader: bool
    since: datetime


class UnitReadFull(UnitRead):
    people: list[UnitMemberRead]
    """Leaders first, then by name."""
