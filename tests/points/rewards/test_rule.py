"""The arithmetic of a reward."""

import pytest

from services.chassis.schemas import new_id
from services.points.rewards.rule import Reward, Rule, reward_of


def rule(points: int = 8, min_stars: int = 3, bonus_points: int = 2, bonus_stars: int = 5) -> Rule:
    return Rule(new_id(), points, min_stars, bonus_points, bonus_stars)


@pytest.mark.parametrize(("stars", "points"), [(1, None), (2, None), (3, 8), (4, 8), (5, 10)])
def test_stars_decide(stars: int, points: int | None) -> None:
    reward = reward_of(rule(), stars=stars, solved=True)
    assert (reward and reward.points) == points


@pytest.mark.parametrize("stars", range(1, 6))
def test_what_was_not_solved_earns_nothing(stars: int) -> None:
    assert reward_of(rule(min_stars=1, bonus_stars=1), stars=stars, solved=False) is None


def test_the_sum_is_shown() -> None:
    assert reward_of(rule(), stars=4, solved=True) == Reward(8, "8")
    assert reward_of(rule(), stars=5, solved=True) == Reward(10, "8 + 2（5星）= 10")


def test_a_rule_may_give_nothing() -> None:
    assert reward_of(rule(points=0, bonus_points=0), stars=5, solved=True) is None


def test_a_rule_may_give_a_bonus_only() -> None:
    assert reward_of(rule(points=0), stars=4, solved=True) is None
    assert reward_of(rule(points=0), stars=5, solved=True) == Reward(2, "0 + 2（5星）= 2")


def test_the_bonus_does_not_lift_what_is_below_the_least() -> None:
    assert reward_of(rule(min_stars=4, bonus_stars=2), stars=3, solved=True) is None
