"""Bodies of requests and answers about the rules of a district's books."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator

from models.points import Asset, ExpiryUnit, SpentEarning
from services.chassis.schemas import Answer, Body

LARGEST = 2**53 - 1
LONGEST_LIFE = {ExpiryUnit.NONE: 36500, ExpiryUnit.DAYS: 36500, ExpiryUnit.MONTHS: 1200, ExpiryUnit.YEARS: 100}
"""A hundred years: what is over later than that has no date everybody can write."""


class BookRules(Body):
    """What holds for one asset from now on. What is already booked keeps its expiry."""

    asset: Asset
    expiry_unit: ExpiryUnit = ExpiryUnit.NONE
    """none, days (to the second), months or years (to the end of the n-th one after, 0 = its own), in Asia/Shanghai."""
    expiry_count: Annotated[int, Field(strict=True, ge=0, le=36500, examples=[1])] = 0
    expired_return_days: Annotated[int, Field(strict=True, ge=0, le=3650)] = 0
    """Spent points that come back when their lot is over: 0 = they lapse, n = they live n more days."""
    spent_earning: SpentEarning = SpentEarning.REFUSE
    """Taking back an earning that was spent: refuse, or debt, which later earnings settle first."""
    hold_days: Annotated[int, Field(strict=True, ge=1, le=365)] = 7
    """How long a hold lasts that does not say."""
    member_cap: Annotated[int | None, Field(strict=True, ge=1, le=LARGEST)] = None
    """The most one member may have."""
    second_person_from: Annotated[int | None, Field(strict=True, ge=1, le=LARGEST, examples=[200])] = None
    """A clerk's credit of so much or more needs a second person."""
    may_transfer: bool = False
    """Whether members may give to each other."""
    minutes_per_point: Annotated[int | None, Field(strict=True, ge=1, le=1_000_000, examples=[60])] = None
    """For `minutes`: what a point costs; null = not convertible."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.expiry_unit == ExpiryUnit.DAYS and self.expiry_count == 0:
            raise ValueError("expiry_count must be 1 or more days")
        if self.expiry_count > LONGEST_LIFE[self.expiry_unit]:
            raise ValueError(f"expiry_count must be {LONGEST_LIFE[self.expiry_unit]} or less for {self.expiry_unit}")
        if self.minutes_per_point is not None and self.asset != Asset.MINUTES:
            raise ValueError("minutes_per_point belongs to the asset minutes")
        return self


class BookRulesRead(Answer):
    asset: Asset
    version: Annotated[int, Field(ge=0)]
    """0: nobody has decided yet; these are the defaults."""
    expiry_unit: ExpiryUnit
    expiry_count: int
    expired_return_days: int
    spent_earning: SpentEarning
    hold_days: int
    member_cap: int | None
    second_person_from: int | None
    may_transfer: bool
    minutes_per_point: int | None
    recorded_at: datetime | None
    recorded_by: UUID | None
