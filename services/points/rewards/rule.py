"""The reward rule as arithmetic: no database, no clock."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Rule:
    """The terms of one version of a rule (models.points.RewardRule)."""

    id: UUID
    points: int
    min_stars: int
    bonus_points: int
    bonus_stars: int


@dataclass(frozen=True, slots=True)
class Reward:
    """What an order earned, with the sum it came from."""

    points: int
    sum: str


def reward_of(rule: Rule, *, stars: int, solved: bool) -> Reward | None:
    """None when nothing was earned: not solved, too few stars, or a rule that gives nothing."""
    if not solved or stars < rule.min_stars:
        return None
    bonus = rule.bonus_points if stars >= rule.bonus_stars else 0
    if rule.points + bonus == 0:
        return None
    if bonus == 0:
        return Reward(rule.points, str(rule.points))
    return Reward(rule.points + bonus, f"{rule.points} + {bonus}（{stars}星）= {rule.points + bonus}")
