"""Bodies of requests and answers about clocks."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, StrictBool, model_validator

from models.clocks import ClockState, ClockTarget, ClockUnit, FiringKind, PauseAction
from models.identity import Role
from services.chassis.schemas import Answer, Body, Paragraph

MOST = {ClockUnit.CALENDAR_HOURS: 8784, ClockUnit.WORK_HOURS: 2500, ClockUnit.WORK_DAYS: 366}
"""About a year of each."""

Amount = Annotated[int, Field(strict=True, ge=1, le=8784, examples=[3])]


class Escalation(Body):
    role: Role = Role.COMMUNITY_ADMIN
    level: Annotated[str | None, Field(min_length=1, max_length=40, examples=["subdistrict"])] = None
    """The level of the area tree, above the order's place, whose holders of the role are told; null: its community."""


class PromisedTarget(Body):
    """What is promised for one target."""

    amount: Amount
    unit: ClockUnit
    warn_before: Annotated[int | None, Field(strict=True, ge=1, le=8784)] = None
    """Warned when so much is left, in the same unit."""
    warn_percent: Annotated[int | None, Field(strict=True, ge=1, le=99, examples=[20])] = None
    """Warned when so much of the whole is left. Neither: no warning."""
    escalate_to: Escalation = Escalation()
    """Who is told when it is missed."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.amount > MOST[self.unit]:
            raise ValueError(f"amount must be {MOST[self.unit]} or less for {self.unit}")
        if self.warn_before is not None and self.warn_percent is not None:
            raise ValueError("warn_before and warn_percent exclude each other")
        return self


class ClockPause(Body):
    reason: Annotated[Paragraph, Field(examples=["等待自来水公司停水检修"])]


class ExtensionRequest(Body):
    """More time, in the unit of the clock."""

    amount: Amount
    reason: Annotated[Paragraph, Field(examples=["配件需从外地调货"])]


class ExtensionDecision(Body):
    is_granted: StrictBool
    reason: Paragraph | None = None

    @model_validator(mode="after")
    def _says_why_not(self) -> Self:
        if not self.is_granted and self.reason is None:
            raise ValueError("a refusal says why")
        return self


class TimeLeft(Answer):
    """Minutes of calendar hours or work hours, or working days."""

    count: int
    unit: ClockUnit


class ClockSegment(Answer):
    since: Annotated[datetime, Field(serialization_alias="from")]
    until: datetime | None
    is_running: bool
    """False while it was paused."""


class ClockWhy(Answer):
    """What the reading follows from."""

    policy_version: int
    policy_order_kind: str | None
    """Null: the policy for every kind without one of its own."""
    counted_as: str
    """The kind the order was when these rules began to count for it."""
    amount: int
    unit: ClockUnit
    rules_since: datetime | None
    """When the rules that decide changed while it ran; null: they are those it began with."""
    extension_ids: list[UUID]
    calendar_versions: dict[int, int]
    """By year; 0 = the national calendar. Years that are missing have no calendar."""
    from_sequence: int
    """The row of the order's history that began it."""
    to_sequence: int | None


class ClockRead(Answer):
    target: ClockTarget
    round: int
    state: ClockState
    started_at: datetime
    ended_at: datetime | None
    due_at: datetime | None
    """Null while paused."""
    warn_at: datetime | None
    left: TimeLeft
    elapsed: TimeLeft
    is_fallback: bool
    """Counted Monday to Friday in a year without a work calendar."""
    told: list[FiringKind]
    """What has been told of it so far."""
    segments: list[ClockSegment]
    why: ClockWhy


class PauseRead(Answer):
    action: PauseAction
    at: datetime
    actor_id: UUID
    reason: str | None
    """Null for those who may not see the order's details."""


class ExtensionRead(Answer):
    id: UUID
    target: ClockTarget
    round: int
    amount: int
    unit: ClockUnit
    reason: str | None
    asked_by: UUID
    asked_at: datetime
    is_granted: bool | None
    """Null while nobody has decided."""
    decided_by: UUID | None
    decided_at: datetime | None
    decision_reason: str | None


class OrderClocksRead(Answer):
    """The clocks of one order at this moment."""

    order_id: UUID
    read_at: datetime
    is_paused: bool
    """No time of it runs now: paused, or shelved."""
    is_shelved: bool
    """It is in a state of its lifecycle in which no time runs (挂账); the order is resumed, not its clocks."""
    clocks: list[ClockRead]
    pauses: list[PauseRead]
    extensions: list[ExtensionRead]


class OpenClockRead(Answer):
    """One open clock as the list shows it."""

    order_id: UUID
    number: Annotated[str, Field(examples=["1000000064"])]
    kind: str
    kind_name: str
    area_id: UUID
    area_name: str
    community_id: UUID
    assignee_id: UUID | None
    assignee_name: str | None
    target: ClockTarget
    round: int
    state: ClockState
    due_at: datetime | None
    left: TimeLeft
    is_fallback: bool
    told: list[FiringKind]
