"""Answers about who fits an order, and why."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import Field

from models.matching import MatchingMode
from services.chassis.schemas import Answer
from services.orders.matching.automatic import LEFT_TEXTS, LeftBecause
from services.orders.matching.scoring import UNFIT_TEXTS, Factor, Ranked, Reason, Score, Unfit


class ReasonRead(Answer):
    """One factor of a score: points = weight × value."""

    factor: Factor
    value: Annotated[int, Field(ge=0, le=100)]
    """Per cent."""
    weight: int
    """Per cent of the whole, by the policy."""
    points: float
    """Of 100."""
    text: Annotated[str, Field(examples=["距离约320米"])]

    @classmethod
    def of(cls, reason: Reason) -> Self:
        return cls(
            factor=reason.factor, value=reason.value, weight=reason.weight, points=reason.points / 100, text=reason.text
        )


class ScoreRead(Answer):
    """How well somebody fits this one order now. It says nothing about the person, and is kept for nobody."""

    score: Annotated[float, Field(ge=0, le=100, examples=[78.5])]
    distance_metres: int | None
    reasons: list[ReasonRead]

    @classmethod
    def of(cls, score: Score) -> Self:
        return cls(
            score=score.points / 100,
            distance_metres=score.distance_metres,
            reasons=[ReasonRead.of(reason) for reason in score.reasons],
        )


class SuggestionRead(ScoreRead):
    account_id: UUID
    name: str
    open_orders: int
    max_open: int

    @classmethod
    def about(cls, one: Ranked) -> Self:
        helper = one.helper
        return cls(
            **ScoreRead.of(one.score).model_dump(),
            account_id=helper.account_id,
            name=helper.name,
            open_orders=helper.open_orders,
            max_open=helper.max_open,
        )


class LeftOutRead(Answer):
    """How many are not proposed, and why."""

    reason: Unfit
    text: Annotated[str, Field(examples=["手头订单已满"])]
    helpers: int

    @classmethod
    def all_of(cls, counts: Mapping[Unfit, int]) -> list[Self]:
        return [
            cls(reason=reason, text=UNFIT_TEXTS[reason], helpers=counts[reason]) for reason in Unfit if reason in counts
        ]


class LeftReasonRead(Answer):
    reason: LeftBecause
    text: Annotated[str, Field(examples=["匹配得分未达到自动派单要求"])]

    @classmethod
    def of(cls, reason: LeftBecause) -> Self:
        return cls(reason=reason, text=LEFT_TEXTS[reason])


class AutomaticRead(Answer):
    """What automatic dispatch makes of the order as it is."""

    is_left: bool
    """To a dispatcher, because of the reasons; else the system will see to it."""
    reasons: list[LeftReasonRead]
    waits_for_hours: bool
    """It will, but only at the hours it keeps."""
    decided_at: datetime | None
    """Null while the system has not been there."""


class SuggestionsRead(Answer):
    order_id: UUID
    order_version: int
    """To be sent along with the dispatch: the suggestions are for the order as it was."""
    mode: MatchingMode
    policy_version: int
    """0: the district has decided nothing."""
    automatic: AutomaticRead | None
    """Only under an automatic policy, while the order waits to be dispatched."""
    helpers: int
    """How many who serve the place were thought of."""
    items: list[SuggestionRead]
    """Best first; none in the mode `manual`."""
    left_out: list[LeftOutRead]


def as_why(one: Ranked, policy_version: int, **more: Any) -> dict[str, Any]:
    """What an order's history keeps of the decision."""
    return {"policy_version": policy_version, **ScoreRead.of(one.score).model_dump(mode="json"), **more}
