"""Bodies of answers about the three rates (三率)."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field

from models.completion import AnswerSource
from models.orders import OrderStage
from services.chassis.schemas import Answer


class Measure(StrEnum):
    RESPONSE = "response"
    """响应率."""
    RESOLUTION = "resolution"
    """解决率."""
    SATISFACTION = "satisfaction"
    """满意率."""


class Outcome(StrEnum):
    """What one order is to one measure. Every order that a measure looks at is exactly one of them."""

    MET = "met"
    """Counts above and below the line."""
    NOT_MET = "not_met"
    """Counts below the line only."""
    OPEN = "open"
    """Not decided: nobody answered, or there still is time. Counts nowhere."""
    EXCLUDED = "excluded"
    """Left out, as two people decided. Counts nowhere."""


class GroupBy(StrEnum):
    NONE = "none"
    KIND = "kind"
    AREA = "area"
    """By the areas right below the ones that are asked for."""
    MONTH = "month"
    """Of Asia/Shanghai, by the date that counts for the measure."""
    UNIT = "unit"
    """By the organisation or department that led. Teams and single people are never compared: they are one group."""


class RateFigure(Answer):
    """One rate, and the numbers of orders behind it; /v1/rates/orders lists them."""

    percent: Annotated[float | None, Field(examples=[96.55])]
    """100 × numerator ÷ denominator, to two places; null when nothing counts."""
    numerator: int
    denominator: int
    unanswered: int
    """Orders that are not decided."""
    excluded: int
    """Orders left out, as two people decided."""


class RateLine(Answer):
    group: Annotated[str | None, Field(examples=["buy_medicine"])]
    """What `group` of /v1/rates/orders asks for; null for orders without (a unit)."""
    name: Annotated[str | None, Field(examples=["代购药品"])]
    response: RateFigure
    resolution: RateFigure
    satisfaction: RateFigure


class MeasureDefinition(Answer):
    name: Annotated[str, Field(examples=["解决率"])]
    counts_by: Annotated[str, Field(examples=["completed_at"])]
    """Which time of an order decides whether it belongs to the period."""
    definition: str
    definition_en: str


class RatesDefinition(Answer):
    """What is divided by what."""

    satisfied_stars: int
    response_hours: int
    response: MeasureDefinition
    resolution: MeasureDefinition
    satisfaction: MeasureDefinition


class RatesRead(Answer):
    """The three rates of a period, in all and by group."""

    first_day: Annotated[date, Field(serialization_alias="from")]
    last_day: Annotated[date, Field(serialization_alias="until")]
    area_id: UUID | None
    kind: str | None
    group_by: GroupBy
    read_at: datetime
    definition: RatesDefinition
    total: RateLine
    groups: list[RateLine]


class RatedOrderRead(Answer):
    """One order behind a number."""

    order_id: UUID
    number: Annotated[str, Field(examples=["1000000064"])]
    kind: str
    kind_name: str
    area_id: UUID
    area_name: str
    state: str
    stage: OrderStage
    counted_at: datetime
    """The time by which it belongs to the period."""
    outcome: Outcome
    group: str | None
    stars: int | None
    solved: bool | None
    answered_by: AnswerSource | None
