"""Bodies of requests and answers about helpers."""

from datetime import datetime, timedelta
from typing import Annotated, Self
from uuid import UUID

from pydantic import AfterValidator, Field, StrictBool, model_validator

from models.matching import AbsenceKind
from services.chassis.schemas import Answer, Body, Latitude, Longitude, Moment, text_of
from services.orders.matching.hours import Hours

LONGEST_ABSENCE = timedelta(days=366)

Skill = Annotated[str, *text_of(30), Field(examples=["电工"])]


def _are_distinct(skills: list[str]) -> list[str]:
    if len(set(skills)) != len(skills):
        raise ValueError("a skill stands there once")
    return skills


Skills = Annotated[list[Skill], Field(max_length=20), AfterValidator(_are_distinct)]


class HelperProfileDraft(Body):
    """What I offer, as a whole: a field that is missing is not stated any more."""

    skills: Annotated[Skills, Field(default_factory=list)]
    hours: Hours | None = None
    """When I can help, by weekday; null: any time."""
    max_open: Annotated[int, Field(strict=True, ge=0, le=50)] = 5
    """How many orders at once."""
    lng: Longitude | None = None
    """Where I start from, if I choose to say (WGS-84). Nobody is shown it: it only counts as nearness."""
    lat: Latitude | None = None

    @model_validator(mode="after")
    def _is_a_point(self) -> Self:
        if (self.lng is None) != (self.lat is None):
            raise ValueError("lng and lat go together")
        return self


class HelperProfileRead(Answer):
    skills: list[str]
    hours: list[tuple[int, str, str]] | None
    max_open: int
    lng: float | None
    lat: float | None
    updated_at: datetime | None
    """Null while nothing was stated."""


class AbsenceDraft(Body):
    starts_at: Moment
    ends_at: Moment
    kind: AbsenceKind = AbsenceKind.LEAVE

    @model_validator(mode="after")
    def _is_a_period(self) -> Self:
        if not timedelta() < self.ends_at - self.starts_at <= LONGEST_ABSENCE:
            raise ValueError("ends_at must lie after starts_at, by a year at most")
        return self


class AbsenceRead(Answer):
    id: UUID
    starts_at: datetime
    ends_at: datetime
    kind: AbsenceKind | None
    """Null for everybody but the absent themselves and whoever entered it."""


class AbsenceList(Answer):
    """Those that are not over yet, the next one first."""

    items: list[AbsenceRead]


class HelperUnit(Answer):
    id: UUID
    name: str
    is_leader: bool


class HelperRead(Answer):
    """Somebody who serves an area, as who dispatches there sees them. Where they live is not shown."""

    account_id: UUID
    name: str
    skills: list[str]
    hours: list[tuple[int, str, str]] | None
    hours_today: list[tuple[str, str]] | None
    """Null: not stated."""
    is_absent: StrictBool
    """At this moment."""
    open_orders: int
    """Led or assisted at this moment."""
    max_open: int
    units: list[HelperUnit]


class HelperReadFull(HelperRead):
    absences: list[AbsenceRead]
