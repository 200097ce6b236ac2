"""Who is proposed for an order, how well they fit it, and why."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.chassis.clock import SHANGHAI
from services.orders.matching.availability import Availability, Period, WeeklyHours
from services.orders.matching.scoring import (
    NEUTRAL,
    WEIGHTS,
    Candidate,
    Factor,
    OrderNeed,
    Point,
    Scale,
    ServedArea,
    Unfit,
    best_first,
    distance_metres,
    points,
    score,
    unfitness,
)

COMMUNITY, BUILDING = uuid4(), uuid4()
MONDAY = datetime(2026, 3, 16, 9, tzinfo=SHANGHAI)
HOME = Point(114.6904, 23.7412)


def need(**changes: Any) -> OrderNeed:
    plain = OrderNeed(
        order_id=uuid4(), kind="buy_medicine", priority="normal", resident_id=uuid4(), household=frozenset({uuid4()}),
        ancestor_ids=frozenset({COMMUNITY, BUILDING}), wanted=Period(MONDAY, MONDAY + timedelta(hours=2)),
    )  # fmt: skip
    return replace(plain, **changes)


def helper(**changes: Any) -> Candidate:
    return replace(Candidate(uuid4(), "陈志强", serves=(ServedArea(COMMUNITY, None),)), **changes)


def values(of: OrderNeed, by: Candidate) -> dict[Factor, int]:
    return {reason.factor: reason.value for reason in score(of, by, Scale()).reasons}


def test_weights_are_per_cent() -> None:
    assert sum(WEIGHTS.values()) == 100


@pytest.mark.parametrize(
    ("unfit", "changes"),
    [
        (Unfit.NOT_SERVING, {"serves": ()}),
        (Unfit.NOT_SERVING, {"serves": (ServedArea(uuid4(), None),)}),
        (Unfit.NOT_SERVING, {"serves": (ServedArea(COMMUNITY, MONDAY),)}),
        (None, {"serves": (ServedArea(COMMUNITY, MONDAY + timedelta(minutes=1)),)}),
        (Unfit.FULL, {"open_orders": 5}),
        (None, {"open_orders": 4}),
        (Unfit.FULL, {"max_open": 0}),
        (Unfit.OFF_DUTY, {"availability": Availability(hours=[WeeklyHours(2, 0, 1440)])}),
        (Unfit.OFF_DUTY, {"availability": Availability(hours=[])}),
        (None, {"availability": Availability(hours=[WeeklyHours(1, 540, 600)])}),
        (Unfit.ABSENT, {"availability": Availability(absences=[Period(MONDAY, MONDAY + timedelta(hours=3))])}),
        (None, {"availability": Availability(absences=[Period(MONDAY, MONDAY + timedelta(hours=1))])}),
    ],
)
def test_who_is_left_out(unfit: Unfit | None, changes: dict[str, Any]) -> None:
    assert unfitness(need(), helper(**changes)) == unfit


def test_nobody_is_sent_to_themselves_nor_back_to_what_they_gave_back() -> None:
    one = need()
    assert unfitness(one, helper(resident_id=one.resident_id)) == Unfit.OWN_NEED
    assert unfitness(one, helper(gave_back=frozenset({one.order_id}))) == Unfit.DECLINED
    assert unfitness(need(), helper(gave_back=frozenset({one.order_id}))) is None


def test_needed_skills_are_needed_and_useful_ones_count() -> None:
    wired = need(needed_skills=frozenset({"电工"}), useful_skills=frozenset({"会本地话"}))
    assert unfitness(wired, helper()) == Unfit.SKILL_MISSING
    electrician, native = helper(skills=frozenset({"电工"})), helper(skills=frozenset({"电工", "会本地话"}))
    assert [values(wired, one)[Factor.SKILL] for one in (electrician, native)] == [50, 100]
    assert values(need(), electrician)[Factor.SKILL] == NEUTRAL


def test_nearness_falls_to_nothing_at_the_reach() -> None:
    here = need(place=HOME)
    assert values(here, helper(home=HOME))[Factor.DISTANCE] == 100
    assert values(here, helper(home=Point(114.6904, 23.7547)))[Factor.DISTANCE] == 50  # 1.5 km north
    assert values(here, helper(home=Point(115.6904, 23.7412)))[Factor.DISTANCE] == 0


@pytest.mark.parametrize(("place", "home"), [(None, HOME), (HOME, None), (None, None)])
def test_an_unknown_place_is_neutral(place: Point | None, home: Point | None) -> None:
    found = score(need(place=place), helper(home=home), Scale())
    assert (found.reasons[0].value, found.distance_metres) == (NEUTRAL, None)


def test_less_in_hand_fits_better() -> None:
    assert [values(need(), helper(open_orders=many))[Factor.LOAD] for many in (0, 1, 4)] == [100, 80, 20]


def test_a_known_household_counts_most_and_kinds_saturate() -> None:
    """Beyond three orders of a kind nobody gains by having done more: scores rank nobody's work."""
    one = need()
    assert values(one, helper(known_residents=frozenset({one.resident_id})))[Factor.FAMILIARITY] == 100
    assert values(one, helper(known_residents=one.household))[Factor.FAMILIARITY] == 100
    done = [values(one, helper(kinds_done={"buy_medicine": times}))[Factor.FAMILIARITY] for times in (0, 1, 2, 3, 99)]
    assert done == [0, 30, 50, 60, 60]


def test_the_reasons_add_up_and_speak_chinese() -> None:
    found = score(need(place=HOME, priority="urgent"), helper(home=HOME, open_orders=2), Scale())
    assert sum(reason.points for reason in found.reasons) == found.points == 3000 + 1500 + 750 + 1500
    assert [reason.text for reason in found.reasons] == [
        "距离约10米", "手头2单，最多5单", "无需专门技能", "紧急", "首次办理同类订单"
    ]  # fmt: skip


def test_best_first_and_the_others_counted() -> None:
    busy, free, full, elsewhere = helper(open_orders=3), helper(), helper(open_orders=5), helper(serves=())
    ranked, left_out = best_first(need(), [busy, full, free, elsewhere], Scale())
    assert [one.helper for one in ranked] == [free, busy]
    assert left_out == {Unfit.FULL: 1, Unfit.NOT_SERVING: 1}


_degrees = st.tuples(st.floats(-180, 180), st.floats(-90, 90)).map(lambda pair: Point(*pair))


@given(_degrees, _degrees)
def test_distances_are_distances(one: Point, other: Point) -> None:
    there, back = distance_metres(one, other), distance_metres(other, one)
    assert 0 <= there <= 20_015_200
    assert there == pytest.approx(back, abs=1e-3)


def test_a_distance_one_can_look_up() -> None:
    """A minute of latitude is a nautical mile."""
    assert distance_metres(Point(0, 0), Point(0, 1 / 60)) == pytest.approx(1853.25, abs=0.1)


_helpers = st.builds(
    helper,
    open_orders=st.integers(0, 4),
    max_open=st.integers(5, 9),
    home=st.none() | _degrees,
    skills=st.sets(st.sampled_from(["电工", "理发"])).map(frozenset),
    kinds_done=st.dictionaries(st.just("buy_medicine"), st.integers(1, 9)),
)
_needs = st.builds(
    need,
    place=st.none() | _degrees,
    priority=st.sampled_from(["low", "normal", "high", "urgent"]),
    useful_skills=st.sets(st.sampled_from(["电工", "理发"])).map(frozenset),
)


@given(_needs, _helpers)
def test_points_are_the_scores_points(of: OrderNeed, by: Candidate) -> None:
    """What a plan counts with is what a reader is told."""
    assert points(of, by, Scale()) == score(of, by, Scale()).points
    assert 0 <= points(of, by, Scale()) <= 10_000
