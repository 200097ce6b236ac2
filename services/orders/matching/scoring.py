"""How well somebody fits an order, and why. Pure: what is known of both goes in, points with their reasons come out.

A score compares helpers for one order at one moment and is never kept per person: workers are not ranked
(国办函〔2026〕12号). So there is no factor for how somebody performs; in its place stands familiarity (a known home, a
known kind of work), which saturates early, so that nobody collects an advantage.
"""

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from services.orders.matching.availability import ANY_TIME, Availability, Period, Presence

EARTH_RADIUS_METRES = 6_371_008.8
"""Mean radius (IUGG)."""
NEUTRAL = 50
"""Per cent, where something is not known or not asked for: neither for nor against."""
KNOWS_HOUSEHOLD = 100
KNOWS_KIND = (0, 30, 50, 60)
"""Per cent for none, one, two, three and more orders of the kind done in the last year."""


class Point(NamedTuple):
    """WGS-84, in degrees."""

    lng: float
    lat: float


class Factor(StrEnum):
    DISTANCE = "distance"
    LOAD = "load"
    SKILL = "skill"
    URGENCY = "urgency"
    FAMILIARITY = "familiarity"


WEIGHTS: Mapping[Factor, int] = {
    Factor.DISTANCE: 30,
    Factor.LOAD: 25,
    Factor.SKILL: 15,
    Factor.URGENCY: 15,
    Factor.FAMILIARITY: 15,
}
"""Per cent, where a district decides nothing else."""
REACH_METRES = 3000
"""Beyond it nearness counts for nothing, where a district decides nothing else."""
URGENCY = {"low": 25, "normal": 50, "high": 75, "urgent": 100}
"""Per cent by priority. The same for all helpers of one order: in a plan it says which orders come first."""


class Unfit(StrEnum):
    """Why somebody is not proposed at all, in the order in which it is asked."""

    OWN_NEED = "own_need"
    NOT_SERVING = "not_serving"
    """No grant over the place that is in force now and when the work is wanted."""
    DECLINED = "declined"
    """Has given this order back before."""
    SKILL_MISSING = "skill_missing"
    FULL = "full"
    """Has as much in hand as was agreed."""
    ABSENT = "absent"
    OFF_DUTY = "off_duty"


@dataclass(frozen=True, slots=True)
class OrderNeed:
    """What an order asks of whoever takes it."""

    order_id: UUID
    kind: str
    priority: str
    resident_id: UUID
    household: frozenset[UUID]
    """The residents of the home it is for, whoever of them asked."""
    ancestor_ids: frozenset[UUID]
    """Of its area, down to that area itself."""
    wanted: Period
    place: Point | None = None
    needed_skills: frozenset[str] = frozenset()
    useful_skills: frozenset[str] = frozenset()
    is_anonymous: bool = False
    """Neither a score nor a reason may tell whose need it is."""


@dataclass(frozen=True, slots=True)
class ServedArea:
    area_id: UUID
    until: datetime | None
    """When the grant ends, if that is known."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """What is known of somebody who may be sent."""

    account_id: UUID
    name: str
    serves: tuple[ServedArea, ...]
    resident_id: UUID | None = None
    skills: frozenset[str] = frozenset()
    availability: Availability = ANY_TIME
    open_orders: int = 0
    """Led or assisted."""
    max_open: int = 5
    home: Point | None = None
    known_residents: frozenset[UUID] = frozenset()
    """For whom they have done something before."""
    kinds_done: Mapping[str, int] = field(default_factory=dict)
    gave_back: frozenset[UUID] = frozenset()
    """Orders declined or handed back."""

    @property
    def free_places(self) -> int:
        return max(0, self.max_open - self.open_orders)


@dataclass(frozen=True, slots=True)
class Scale:
    """What a district decided about scores; weights in per cent, 100 together."""

    weights: Mapping[Factor, int] = field(default_factory=lambda: WEIGHTS)
    reach_metres: int = REACH_METRES


class Reason(NamedTuple):
    """One factor of a score. `points` are hundredths: weight × value, both in per cent."""

    factor: Factor
    value: int
    weight: int
    points: int
    text: str


class Score(NamedTuple):
    points: int
    """Hundredths of a point: 10,000 is the most there can be. The sum of the reasons' points."""
    reasons: tuple[Reason, ...]
    distance_metres: int | None


def distance_metres(one: Point, other: Point) -> float:
    """On the great circle (haversine)."""
    lat_one, lat_other = math.radians(one.lat), math.radians(other.lat)
    half_lat = (lat_other - lat_one) / 2
    half_lng = math.radians(other.lng - one.lng) / 2
    chord = math.sin(half_lat) ** 2 + math.cos(lat_one) * math.cos(lat_other) * math.sin(half_lng) ** 2
    return 2 * EARTH_RADIUS_METRES * math.asin(math.sqrt(min(1.0, chord)))


def unfitness(need: OrderNeed, helper: Candidate) -> Unfit | None:
    """The first reason why the helper cannot be proposed for the order, or None.

    Whose anonymous need it is does not serve there, like others: their own need would name them.
    """
    unfit = next((unfit for unfit, holds in _FILTERS.items() if holds(need, helper)), None)
    if unfit == Unfit.OWN_NEED and need.is_anonymous:
        return Unfit.NOT_SERVING
    return unfit or _UNPRESENT.get(helper.availability.presence(need.wanted))


def score(need: OrderNeed, helper: Candidate, scale: Scale) -> Score:
    """Of somebody who is fit. Unknown places count as neutral."""
    metres = _metres(need, helper)
    values = _values(need, helper, scale, metres)
    reasons = tuple(
        Reason(factor, value, scale.weights[factor], value * scale.weights[factor], text)
        for factor, (value, text) in values.items()
    )
    return Score(sum(reason.points for reason in reasons), reasons, None if metres is None else round(metres))


def points(need: OrderNeed, helper: Candidate, scale: Scale) -> int:
    """`score(...).points` without the words: a plan asks for tens of thousands of them."""
    metres = _metres(need, helper)
    weights = scale.weights
    return (
        weights[Factor.DISTANCE] * _nearness(metres, scale.reach_metres)
        + weights[Factor.LOAD] * _freedom(helper)
        + weights[Factor.SKILL] * _skill(need, helper)
        + weights[Factor.URGENCY] * URGENCY[need.priority]
        + weights[Factor.FAMILIARITY] * _familiarity(need, helper)
    )


# Who cannot be sent ------------------------------------------------------------------------------------------------


def _is_own_need(need: OrderNeed, helper: Candidate) -> bool:
    return helper.resident_id is not None and helper.resident_id == need.resident_id


def _serves_elsewhere(need: OrderNeed, helper: Candidate) -> bool:
    return not any(
        served.area_id in need.ancestor_ids and (served.until is None or served.until > need.wanted.begins)
        for served in helper.serves
    )


_FILTERS: Mapping[Unfit, Callable[[OrderNeed, Candidate], bool]] = {
    Unfit.OWN_NEED: _is_own_need,
    Unfit.NOT_SERVING: _serves_elsewhere,
    Unfit.DECLINED: lambda need, helper: need.order_id in helper.gave_back,
    Unfit.SKILL_MISSING: lambda need, helper: not need.needed_skills <= helper.skills,
    Unfit.FULL: lambda _, helper: helper.free_places == 0,
}
_UNPRESENT = {Presence.ABSENT: Unfit.ABSENT, Presence.OFF_DUTY: Unfit.OFF_DUTY}

UNFIT_TEXTS = {
    Unfit.OWN_NEED: "是本人的订单",
    Unfit.NOT_SERVING: "届时不在此区域服务",
    Unfit.DECLINED: "曾退回此订单",
    Unfit.SKILL_MISSING: "缺少所需技能",
    Unfit.ABSENT: "请假或外出",
    Unfit.OFF_DUTY: "不在服务时间",
    Unfit.FULL: "手头订单已满",
}


# What speaks for somebody ------------------------------------------------------------------------------------------


def _metres(need: OrderNeed, helper: Candidate) -> float | None:
    return None if need.place is None or helper.home is None else distance_metres(need.place, helper.home)


def _values(need: OrderNeed, helper: Candidate, scale: Scale, metres: float | None) -> dict[Factor, tuple[int, str]]:
    """Per cent and words, by factor."""
    return {
        Factor.DISTANCE: (_nearness(metres, scale.reach_metres), _distance_text(metres)),
        Factor.LOAD: (_freedom(helper), f"手头{helper.open_orders}单，最多{helper.max_open}单"),
        Factor.SKILL: (_skill(need, helper), _skill_text(need, helper)),
        Factor.URGENCY: (URGENCY[need.priority], _URGENCY_TEXTS[need.priority]),
        Factor.FAMILIARITY: (_familiarity(need, helper), _familiarity_text(need, helper)),
    }


def _nearness(metres: float | None, reach_metres: int) -> int:
    return NEUTRAL if metres is None else round(100 * max(0.0, 1 - metres / reach_metres))


def _freedom(helper: Candidate) -> int:
    return 100 * helper.free_places // helper.max_open if helper.max_open else 0


def _skill(need: OrderNeed, helper: Candidate) -> int:
    asked = need.needed_skills | need.useful_skills
    return 100 * len(asked & helper.skills) // len(asked) if asked else NEUTRAL


def _familiarity(need: OrderNeed, helper: Candidate) -> int:
    if _knows(need, helper):
        return KNOWS_HOUSEHOLD
    return KNOWS_KIND[min(helper.kinds_done.get(need.kind, 0), len(KNOWS_KIND) - 1)]


def _knows(need: OrderNeed, helper: Candidate) -> bool:
    return not need.is_anonymous and not helper.known_residents.isdisjoint(need.household | {need.resident_id})


def _distance_text(metres: float | None) -> str:
    return "位置未知，按中等计" if metres is None else f"距离约{max(10, round(metres, -1)):.0f}米"


def _skill_text(need: OrderNeed, helper: Candidate) -> str:
    asked = need.needed_skills | need.useful_skills
    if not asked:
        return "无需专门技能"
    held = asked & helper.skills
    return f"具备技能：{_listed(held)}" if held else f"未登记技能：{_listed(asked)}"


def _listed(skills: Iterable[str]) -> str:
    return "、".join(sorted(skills))


def _familiarity_text(need: OrderNeed, helper: Candidate) -> str:
    if _knows(need, helper):
        return "曾为此户服务"
    return "办过同类订单" if helper.kinds_done.get(need.kind) else "首次办理同类订单"


_URGENCY_TEXTS = {"low": "不急", "normal": "一般", "high": "较急", "urgent": "紧急"}


# Best first --------------------------------------------------------------------------------------------------------


class Ranked(NamedTuple):
    helper: Candidate
    score: Score


def best_first(need: OrderNeed, helpers: Collection[Candidate], scale: Scale) -> tuple[list[Ranked], dict[Unfit, int]]:
    """Everybody who fits the order, best first, and how many do not, by reason. Equals are in order of their ids."""
    fitting: list[Ranked] = []
    left_out: dict[Unfit, int] = {}
    for helper in helpers:
        unfit = unfitness(need, helper)
        if unfit is None:
            fitting.append(Ranked(helper, score(need, helper, scale)))
        else:
            left_out[unfit] = left_out.get(unfit, 0) + 1
    fitting.sort(key=lambda one: (-one.score.points, one.helper.account_id))
    return fitting, left_out
