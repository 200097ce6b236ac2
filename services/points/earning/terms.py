"""The terms of one version of the earning rules, as a district writes them and as they are stored: whole numbers only.

Practice behind them: an hour is a point, with a limit per activity; kinds of service weigh differently; what was rated
well earns a bonus.
"""

from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from services.chassis.schemas import Body

Kind = Annotated[str, StringConstraints(pattern="^[a-z0-9_]{1,40}$")]
Stars = Annotated[int, Field(strict=True, ge=1, le=5)]
Limit = Annotated[int | None, Field(strict=True, ge=0, le=1_000_000)]


class Rate(Body):
    """Points by the time served: `points` for every `per_minutes`, times a coefficient. An exact ratio."""

    points: Annotated[int, Field(strict=True, ge=1, le=1000, examples=[1])]
    per_minutes: Annotated[int, Field(strict=True, ge=1, le=1440)] = 60
    coefficient_thousandths: Annotated[int, Field(strict=True, ge=1, le=100_000, examples=[1500])] = 1000
    """1500 = one and a half times the rate."""


class RatingBonus(Body):
    """On top, from so many stars on."""

    points: Annotated[int, Field(strict=True, ge=1, le=1000)]
    stars: Stars = 5


class ServiceTerms(Body):
    """What a kind of certified service earns: fixed points, or points by the time served."""

    fixed_points: Annotated[int | None, Field(strict=True, ge=0, le=1000)] = None
    rate: Rate | None = None
    min_minutes: Annotated[int, Field(strict=True, ge=0, le=1440)] = 0
    """Less time earns nothing; nor does time nobody knows, unless this is 0."""
    credits_minutes: Annotated[bool, Field(strict=True)] = False
    """Whether the time is also credited to the time account (时间账户)."""

    @model_validator(mode="after")
    def _says_how_much(self) -> "ServiceTerms":
        if (self.fixed_points is None) == (self.rate is None):
            raise ValueError("either fixed_points or rate")
        return self


class OrderTerms(ServiceTerms):
    """What a kind of order earns once it is rated. What was not solved earns nothing."""

    min_stars: Stars = 1
    """Fewer stars earn nothing."""
    bonus: RatingBonus | None = None


class OrderRules(Body):
    """The terms of a kind come before the general ones; a kind that has neither earns nothing."""

    general: OrderTerms | None = None
    kinds: dict[Kind, OrderTerms] = Field(default_factory=dict, max_length=200)


class ServiceRules(Body):
    """The same for certified service."""

    general: ServiceTerms | None = None
    kinds: dict[Kind, ServiceTerms] = Field(default_factory=dict, max_length=200)


class Caps(Body):
    """The most points one person earns. Days and months are those of Asia/Shanghai on which the service ended."""

    per_activity: Limit = None
    """By one order or one activity."""
    per_day: Limit = None
    per_month: Limit = None


class Terms(Body):
    """All of it. Points are rounded down to whole ones per service; the sum shown with a credit names the remainder."""

    orders: OrderRules = Field(default_factory=OrderRules)
    services: ServiceRules = Field(default_factory=ServiceRules)
    caps: Caps = Field(default_factory=Caps)
