"""Bodies of requests and answers about anomalies."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field

from models.earning import AnomalyVerdict, ServiceSource
from services.chassis.schemas import Answer, Body, Line


class AnomalyKind(StrEnum):
    OVERLAP = "overlap"
    """Two services of one person that cannot both have lasted as long as they are said to."""
    LONG_DAY = "long_day"
    """More service of one person in a day than a day's work has hours."""
    MORE_THAN_ELAPSED = "more_than_elapsed"
    """More time stated than passed from the beginning to the end."""
    HOURS_IN_MINUTES = "hours_in_minutes"
    """Many hours certified by one clerk within minutes, each activity counted once however many took part."""
    AWARDS_IN_MINUTES = "awards_in_minutes"
    """Many awards booked by one clerk within minutes."""


class AnomalyReviewing(Body):
    """What somebody found who looked at it."""

    verdict: AnomalyVerdict
    note: Annotated[Line, Field(examples=["活动签到表已核对，两场活动时间登记有误，已冲正"])]


class AnomalyReviewRead(Answer):
    id: UUID
    anomaly_id: str
    verdict: AnomalyVerdict
    note: str
    reviewed_by: UUID
    reviewed_at: datetime


class ServiceRecordRead(Answer):
    """One service behind an anomaly."""

    id: UUID
    account_id: UUID
    source_kind: ServiceSource
    source_id: UUID
    activity_name: str | None
    community_id: UUID
    began_at: datetime | None
    ended_at: datetime | None
    minutes: int | None
    points: int
    recorded_by: UUID | None


class AnomalyRead(Answer):
    """Something a person should look at. Nothing was blocked because of it."""

    id: Annotated[str, Field(examples=["long_day.0198c5a0-7d3e-7c11-9a55-2f4f5d1c9b7e.2026-03-16"])]
    """Names what it is about: the same anomaly has the same id whenever it is asked for."""
    kind: AnomalyKind
    at: datetime
    account_id: UUID | None
    """Whose service it is; null where it is about a clerk."""
    booked_by: UUID | None
    """The clerk it is about."""
    minutes: int | None
    """Overlapping; of the day; stated; certified."""
    count: int
    """How many services or awards it is about."""
    records: list[ServiceRecordRead]
    """The first twenty of the services; those of other areas are only counted."""
    posting_ids: list[UUID]
    """The first twenty of the awards."""
    review: AnomalyReviewRead | None
    """The latest; null while nobody has looked."""
