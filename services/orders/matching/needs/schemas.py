"""Answers about needs and services (需求清单, 服务清单)."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from models.orders import OrderStage, Priority
from services.chassis.schemas import Answer, Body
from services.orders.matching.helpers.schemas import Skill


class NeedCount(Answer):
    """How many orders of a kind wait, by where they wait."""

    kind: str
    kind_name: str
    receive: int
    """待接收"""
    dispatch: int
    """待派遣"""
    pool: int
    """In the open pool: anybody who serves the place may take them."""


class NeedRead(Answer):
    """An order that waits for somebody. Whose it is stands in the order itself."""

    order_id: UUID
    number: Annotated[str, Field(examples=["1000000064"])]
    kind: str
    kind_name: str
    stage: OrderStage
    is_in_pool: bool
    priority: Priority
    area_id: UUID
    area_name: str
    community_id: UUID
    helpers_wanted: int
    wanted_from: datetime | None
    wanted_until: datetime | None
    placed_at: datetime


class NeedsPage(Answer):
    counts: list[NeedCount]
    """Of all that fits, whatever the page."""
    items: list[NeedRead]
    """The longest waiting first."""
    next_cursor: str | None


class KindSkill(Body):
    skill: Skill
    is_needed: bool
    """Nobody is proposed without it; else it only speaks for whoever has it."""


class KindSkills(Body):
    """All skills a kind of order asks for."""

    items: Annotated[list[KindSkill], Field(max_length=20)]


class ServiceRead(Answer):
    """A kind of order that is offered, and who could do it here."""

    kind: str
    name: str
    category: str
    skills: list[KindSkill]
    helpers: int
    """Who serve the area and have every skill it needs."""


class ServiceList(Answer):
    """All of them: a district has a few dozen."""

    items: list[ServiceRead]
