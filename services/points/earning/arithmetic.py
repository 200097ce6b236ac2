"""What a service earns, as arithmetic: whole numbers and exact fractions, no database, no clock."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from fractions import Fraction
from typing import Any

from services.chassis.clock import SHANGHAI
from services.points.earning.terms import Caps, OrderTerms, Rate, ServiceTerms, Terms

MINUTES_PER_HOUR = 60


class CutBy(StrEnum):
    """What kept a credit below what the service earned."""

    PER_ACTIVITY = "per_activity"
    PER_DAY = "per_day"
    PER_MONTH = "per_month"
    BALANCE_CAP = "balance_cap"
    """The person's account is full."""
    ACCOUNT_CLOSED = "account_closed"
    BOOKED_BEFORE = "booked_before"
    """Somebody has booked the same source by hand."""


CUT_WORDS = {
    CutBy.PER_ACTIVITY: "每次上限",
    CutBy.PER_DAY: "每日上限",
    CutBy.PER_MONTH: "每月上限",
    CutBy.BALANCE_CAP: "账户上限",
    CutBy.ACCOUNT_CLOSED: "账户已关闭",
    CutBy.BOOKED_BEFORE: "此前已记分",
}


class NothingBecause(StrEnum):
    """Why a service earned nothing."""

    NO_RULE = "no_rule"
    UNSOLVED = "unsolved"
    RATED_TOO_LOW = "rated_too_low"
    TOO_SHORT = "too_short"


NOTHING_WORDS = {
    NothingBecause.NO_RULE: "此类服务不计分",
    NothingBecause.UNSOLVED: "问题未解决，不计分",
    NothingBecause.RATED_TOO_LOW: "评价低于{min_stars}星，不计分",
    NothingBecause.TOO_SHORT: "时长不足{min_minutes}分钟，不计分",
}


@dataclass(frozen=True, slots=True)
class Service:
    """What was done, as far as rules ask. `stars` and `solved` are an order's; certified service has neither."""

    kind: str
    is_order: bool
    minutes: int | None
    """Whole minutes; None when nobody knows."""
    stars: int | None = None
    solved: bool | None = None


@dataclass(frozen=True, slots=True)
class Used:
    """Points the person has earned already on the day and in the month of the service."""

    day: int = 0
    month: int = 0


@dataclass(frozen=True, slots=True)
class Earned:
    """What is credited, and how it came about. `sum` is shown to the person."""

    points: int
    minutes: int
    sum: str
    cut: int = 0
    """Points earned and not credited."""
    cut_by: CutBy | None = None
    nothing_because: NothingBecause | None = None

    @property
    def details(self) -> dict[str, Any]:
        """What a posting and a record say of it, apart from the version of the rule."""
        said: dict[str, Any] = {"sum": self.sum}
        if self.cut_by is not None:
            said |= {"cut": self.cut, "cut_by": self.cut_by}
        if self.nothing_because is not None:
            said["nothing_because"] = self.nothing_because
        return said

    def cut_to(self, points: int, minutes: int, by: CutBy) -> "Earned":
        """The same with no more than that credited."""
        points, minutes = min(self.points, points), min(self.minutes, minutes)
        words = f"{self.sum}；{CUT_WORDS[by]}，计 {points}"
        return Earned(points, minutes, words, self.cut + self.points - points, by)


def served_on(ended_at: datetime | None, judged_at: datetime) -> date:
    """The day limits go by: on which the service ended in Shanghai or, if nobody knows, on which it was judged."""
    return (ended_at or judged_at).astimezone(SHANGHAI).date()


def earned(terms: Terms, service: Service, used: Used) -> Earned:
    """What the service earns by these terms, after what the person has earned already."""
    own = _terms_for(terms, service)
    if own is None:
        return _nothing(NothingBecause.NO_RULE)
    because = _nothing_because(own, service)
    if because is not None:
        return _nothing(because, own)
    base, words = _base(own, service.minutes)
    bonus = _bonus(own, service)
    if bonus:
        words = f"{words}，+{bonus}（{service.stars}星）= {base + bonus}"
    full = Earned(base + bonus, (own.credits_minutes and service.minutes) or 0, words)
    return _within(terms.caps, full, used)


def _terms_for(terms: Terms, service: Service) -> ServiceTerms | None:
    rules = terms.orders if service.is_order else terms.services
    return rules.kinds.get(service.kind, rules.general)


def _nothing(because: NothingBecause, own: ServiceTerms | None = None) -> Earned:
    return Earned(0, 0, NOTHING_WORDS[because].format_map(dict(own or ())), nothing_because=because)


def _nothing_because(own: ServiceTerms, service: Service) -> NothingBecause | None:
    if service.is_order and not service.solved:
        return NothingBecause.UNSOLVED
    if isinstance(own, OrderTerms) and (service.stars or 0) < own.min_stars:
        return NothingBecause.RATED_TOO_LOW
    if (service.minutes or 0) < own.min_minutes:
        return NothingBecause.TOO_SHORT
    return None


def _base(own: ServiceTerms, minutes: int | None) -> tuple[int, str]:
    """Whole points before the bonus, rounded down, and the sum that says so."""
    if own.rate is None:
        return own.fixed_points or 0, str(own.fixed_points or 0)
    if minutes is None:
        return 0, "时长未知 = 0"
    exact = Fraction(minutes * own.rate.points * own.rate.coefficient_thousandths, own.rate.per_minutes * 1000)
    whole = exact.numerator // exact.denominator
    remainder = f"（余 {_written(exact - whole)}）" if exact != whole else ""
    return whole, f"{minutes} 分钟 × {_rate_words(own.rate)} = {whole}{remainder}"


def _rate_words(rate: Rate) -> str:
    unit = "小时" if rate.per_minutes == MINUTES_PER_HOUR else f"{rate.per_minutes}分钟"
    coefficient = Fraction(rate.coefficient_thousandths, 1000)
    return f"{rate.points}/{unit}" + (f" × {_written(coefficient)}" if coefficient != 1 else "")


def _written(number: Fraction) -> str:
    """As a decimal of up to three places when that is exact, else as a fraction."""
    thousandths = number * 1000
    if thousandths.denominator != 1:
        return f"{number.numerator}/{number.denominator}"
    whole, places = divmod(thousandths.numerator, 1000)
    return f"{whole}.{places:03}".rstrip("0").rstrip(".")


def _bonus(own: ServiceTerms, service: Service) -> int:
    if not isinstance(own, OrderTerms) or own.bonus is None or (service.stars or 0) < own.bonus.stars:
        return 0
    return own.bonus.points


def _within(caps: Caps, full: Earned, used: Used) -> Earned:
    """Cut to the tightest limit; of equally tight ones the shortest period is named. Time is never cut."""
    limits = ((CutBy.PER_ACTIVITY, caps.per_activity, 0), (CutBy.PER_DAY, caps.per_day, used.day),
              (CutBy.PER_MONTH, caps.per_month, used.month))  # fmt: skip
    left = [(max(0, cap - spent), by) for by, cap, spent in limits if cap is not None]
    if not left:
        return full
    points, by = min(left, key=lambda limit: limit[0])
    return full if full.points <= points else full.cut_to(points, full.minutes, by)
