"""Bodies of requests and answers about versions of the earning rules."""

from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

from pydantic import Field, computed_field, model_validator

from models.earning import RuleState
from services.chassis.schemas import Answer, Body, Line, Moment
from services.points.earning.terms import Terms

LONGEST_PERIOD = timedelta(days=366)


class RuleDraft(Body):
    """A version to be discussed: whole terms, never a change of some of them."""

    terms: Terms
    note: Annotated[Line, Field(examples=["铲雪按时长计分，每日不超过20分"])]
    """Why."""


class RuleVersionRead(Answer):
    """One version of the rules. In force is the latest `active_from` that has come."""

    version: Annotated[int, Field(examples=[3])]
    state: RuleState
    terms: Terms
    note: str
    drafted_by: UUID | None
    """Null: taken over from the rules before there were versions."""
    drafted_at: datetime
    simulated_at: datetime | None
    """When these very terms were last simulated; without that they cannot be activated."""
    active_from: datetime | None
    activated_by: UUID | None
    activated_at: datetime | None


class RuleActivation(Body):
    active_from: Moment
    """From then on it counts for what is rated or certified. Not in the past; what is less than a minute ago is now."""


class SimulationPeriod(Body):
    """Work rated or certified from `from` on and before `to`, 366 days at most."""

    begins_at: Annotated[Moment, Field(alias="from")]
    ends_at: Annotated[Moment, Field(alias="to")]

    @model_validator(mode="after")
    def _is_a_period(self) -> "SimulationPeriod":
        if not self.begins_at < self.ends_at <= self.begins_at + LONGEST_PERIOD:
            raise ValueError("`to` lies after `from`, by 366 days at most")
        return self


class Difference(Answer):
    """Credited then and not taken back since, and what the simulated terms would have credited."""

    records: int
    points_before: int
    points_after: int
    minutes_before: int
    minutes_after: int

    @computed_field
    def points_difference(self) -> int:
        return self.points_after - self.points_before


class KindDifference(Difference):
    is_order: bool
    service_kind: Annotated[str, Field(examples=["buy_medicine"])]


class SimulationRead(Difference):
    """What a version would have credited in a period. Nothing was posted. The table of persons is read by page."""

    id: UUID
    version: int
    terms: Terms
    """As they were simulated; a draft may have been replaced since."""
    period_from: datetime
    period_to: datetime
    kinds: list[KindDifference]
    simulated_by: UUID
    simulated_at: datetime


class SimulationLineRead(Difference):
    """One person."""

    place: int
    account_id: UUID
