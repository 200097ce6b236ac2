"""Bodies of requests and answers about certifying service (时长认定)."""

from collections import Counter
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field, model_validator

from services.chassis.schemas import Answer, Body, Moment, Name
from services.points.earning.terms import Kind

MOST_PARTICIPANTS = 500
LONGEST_SERVICE = timedelta(days=1)
MINUTE = timedelta(minutes=1)


class Mode(StrEnum):
    ALL_OR_NOTHING = "all_or_nothing"
    """One who cannot be certified, and nobody is."""
    EACH = "each"
    """Everyone by themselves."""


class Activity(Body):
    id: UUID | None = None
    """The one id of the activity, by which a person is certified once; a fresh one when left out."""
    name: Annotated[Name, Field(examples=["国庆小区清洁日"])]
    service_kind: Annotated[Kind, Field(examples=["environment"])]
    """What the earning rules go by."""


class Participant(Body):
    """Who served, from when, and until when or how long. Breaks make `minutes` less than the time between the two."""

    account_id: UUID
    began_at: Moment
    ended_at: Moment | None = None
    minutes: Annotated[int | None, Field(strict=True, ge=1, le=1440)] = None

    @model_validator(mode="after")
    def _is_a_service(self) -> "Participant":
        if self.ended_at is None and self.minutes is None:
            raise ValueError("ended_at or minutes says how long it took")
        if not MINUTE <= self.end - self.began_at <= LONGEST_SERVICE:
            raise ValueError("a service lasts from a minute to a day")
        if self.service_minutes * MINUTE > self.end - self.began_at:
            raise ValueError("minutes are more than the time it took")
        return self

    @property
    def end(self) -> datetime:
        return self.ended_at or self.began_at + (self.minutes or 0) * MINUTE

    @property
    def service_minutes(self) -> int:
        return self.minutes or (self.end - self.began_at) // MINUTE


class Certification(Body):
    """An activity with those who served in it, by a clerk of the community that credits them."""

    activity: Activity
    community_id: UUID
    participants: Annotated[tuple[Participant, ...], Field(min_length=1, max_length=MOST_PARTICIPANTS)]
    mode: Mode = Mode.ALL_OR_NOTHING

    @model_validator(mode="after")
    def _names_everyone_once(self) -> "Certification":
        if max(Counter(participant.account_id for participant in self.participants).values()) > 1:
            raise ValueError("a participant is named twice")
        return self


class ParticipantResult(Answer):
    """What became of one participant: credited, or refused with the code of the problem."""

    account_id: UUID
    minutes: int
    code: Annotated[str | None, Field(examples=["already_certified"])] = None
    """Why not; null when certified."""
    points: int = 0
    minutes_credited: int = 0
    sum: Annotated[str | None, Field(examples=["90 分钟 × 1/小时 = 1（余 0.5）"])] = None
    posting_id: UUID | None = None
    """Null too when the rules credit nothing."""


class CertificationRead(Answer):
    """What was certified. Results stand in the order of the participants."""

    activity_id: UUID
    rule_version: int
    certified_at: datetime
    certified: int
    refused: int
    results: list[ParticipantResult]
