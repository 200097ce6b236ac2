"""Bodies of requests and answers about orders that are left out of the rates (剔除)."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field, StrictBool

from models.completion import ExclusionReason
from services.chassis.schemas import Answer, Body, Paragraph


class ExclusionState(StrEnum):
    PENDING = "pending"
    APPROVED = "approved"
    """Left out."""
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


class ExclusionRequest(Body):
    reason_code: ExclusionReason
    words: Annotated[Paragraph, Field(examples=["多次核实，诉求人要求超出物业合同约定"])]


class ExclusionReview(Body):
    is_approved: StrictBool
    reason: Annotated[Paragraph, Field(examples=["情况属实，同意剔除"])]


class ExclusionWithdrawal(Body):
    reason: Annotated[Paragraph, Field(examples=["误报，撤回申请"])]


class ExclusionStepRead(Answer):
    outcome: ExclusionState
    reason: str
    decided_by: UUID
    decided_by_name: str
    decided_at: datetime


class ExclusionRead(Answer):
    id: UUID
    order_id: UUID
    number: Annotated[str, Field(examples=["1000000064"])]
    kind: str
    area_id: UUID
    state: ExclusionState
    reason_code: ExclusionReason
    words: str
    asked_by: UUID
    asked_by_name: str
    asked_at: datetime
    steps: list[ExclusionStepRead]
    """What became of it, in turn."""
