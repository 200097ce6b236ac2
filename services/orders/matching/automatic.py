"""What automatic dispatch may do: within its limits the best one, else nothing, and why. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from services.orders.matching.availability import LEAST, Availability, Period, Presence
from services.orders.matching.candidates import WaitingOrder
from services.orders.matching.hours import weekly
from services.orders.matching.policies.schemas import AutomaticLimits
from services.orders.matching.scoring import Ranked


class LeftBecause(StrEnum):
    """Why an order is left to a dispatcher."""

    ESCALATED = "escalated"
    SEVERAL_WANTED = "several_wanted"
    CAME_BACK = "came_back"
    PRIORITY = "priority"
    NEW_RESIDENT = "new_resident"
    NOBODY_FITS = "nobody_fits"
    TOO_FAR = "too_far"
    """Everybody who fits is, or nobody knows how far away they are."""
    SCORE_TOO_LOW = "score_too_low"
    DAILY_LIMIT = "daily_limit"
    """Everybody else who would do has been sent often enough today."""
    NOT_POSSIBLE = "not_possible"
    """The order's life does not let the system dispatch it, or its rules refuse who was chosen."""


LEFT_TEXTS = {
    LeftBecause.ESCALATED: "订单已升级，由上级人员决定",
    LeftBecause.SEVERAL_WANTED: "需要多人协作，由人工安排",
    LeftBecause.CAME_BACK: "订单曾被退回，由人工安排",
    LeftBecause.PRIORITY: "该轻重缓急不自动派单",
    LeftBecause.NEW_RESIDENT: "首次服务的居民，由人工安排",
    LeftBecause.NOBODY_FITS: "没有符合条件的人员",
    LeftBecause.TOO_FAR: "符合条件的人员距离过远或位置未知",
    LeftBecause.SCORE_TOO_LOW: "匹配得分未达到自动派单要求",
    LeftBecause.DAILY_LIMIT: "符合条件的人员今日自动派单已达上限",
    LeftBecause.NOT_POSSIBLE: "按流程规定不能自动派单",
}


def may_act(limits: AutomaticLimits, now: datetime) -> bool:
    """Whether this is an hour at which the system may send anybody."""
    within = Availability(weekly(limits.only_hours))
    return within.presence(Period(now, now + LEAST / 30)) == Presence.FREE


def left_because(order: WaitingOrder, limits: AutomaticLimits) -> list[LeftBecause]:
    """What keeps the order itself from being dispatched automatically, whoever there is."""
    reasons = {
        LeftBecause.ESCALATED: order.is_escalated,
        LeftBecause.SEVERAL_WANTED: order.helpers_wanted > 1,
        LeftBecause.CAME_BACK: order.hops > 0 and not limits.after_returns,
        LeftBecause.PRIORITY: order.need.priority not in limits.priorities,
        LeftBecause.NEW_RESIDENT: order.is_new_resident and limits.known_residents_only,
    }
    return [reason for reason, holds in reasons.items() if holds]


def choose(ranked: Sequence[Ranked], limits: AutomaticLimits, sent_today: Mapping[UUID, int]) -> Ranked | LeftBecause:
    """The best of those within the limits; else what kept the one who came farthest."""
    near = [one for one in ranked if _is_near(one, limits)]
    good = [one for one in near if one.score.points >= limits.min_score * 100]
    free = [one for one in good if sent_today.get(one.helper.account_id, 0) < limits.max_per_day]
    if free:
        return free[0]
    if good:
        return LeftBecause.DAILY_LIMIT
    if near:
        return LeftBecause.SCORE_TOO_LOW
    return LeftBecause.TOO_FAR if ranked else LeftBecause.NOBODY_FITS


def _is_near(one: Ranked, limits: AutomaticLimits) -> bool:
    if limits.max_distance_metres is None:
        return True
    return one.score.distance_metres is not None and one.score.distance_metres <= limits.max_distance_metres
