"""The plan as a whole: against every plan there could be, and with the numbers of a busy district."""

import itertools
from collections.abc import Sequence
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from services.orders.matching.assignment import assign, best_total
from services.orders.matching.scoring import Scale, Unfit
from tests.orders.matching.test_scoring import MONDAY, helper, need

Table = list[list[int | None]]


def worth(table: Sequence[Sequence[int | None]], chosen: Sequence[int | None]) -> tuple[int, int]:
    """How many get somebody, then the points together."""
    cells = [table[row][column] for row, column in enumerate(chosen) if column is not None]
    assert None not in cells, "a forbidden pair was chosen"
    return len(cells), sum(cell or 0 for cell in cells)


def best_of_all(table: Table, places: list[int]) -> tuple[int, int]:
    """By trying every plan there is."""
    columns: list[int | None] = [None, *range(len(places))]
    return max(
        worth(table, plan)
        for plan in itertools.product(columns, repeat=len(table))
        if all(plan.count(column) <= free for column, free in enumerate(places))
        and all(column is None or table[row][column] is not None for row, column in enumerate(plan))
    )


@st.composite
def _tables(draw: st.DrawFn) -> tuple[Table, list[int]]:
    rows, columns = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    cell = st.none() | st.integers(0, 10_000)
    table = draw(st.lists(st.lists(cell, min_size=columns, max_size=columns), min_size=rows, max_size=rows))
    return table, draw(st.lists(st.integers(0, 3), min_size=columns, max_size=columns))


@settings(deadline=None)  # the solver is imported by the first
@given(_tables())
def test_no_plan_is_better(case: tuple[Table, list[int]]) -> None:
    table, places = case
    chosen = best_total(table, places)
    assert all(chosen.count(column) <= free for column, free in enumerate(places))
    assert worth(table, chosen) == best_of_all(table, places)


def test_nobody_at_all() -> None:
    assert best_total([], []) == []
    assert best_total([[], []], []) == [None, None]
    assert best_total([[None], [None]], [5]) == [None, None]


def test_the_urgent_one_comes_first_when_there_are_too_few() -> None:
    only = helper(max_open=1)
    slow, fast = need(priority="low"), need(priority="urgent")
    plan = assign([slow, fast], [only], [Scale()] * 2)
    assert [(pair.need, pair.helper) for pair in plan.pairs] == [(fast, only)]
    assert [(left.need, left.unfit, left.is_crowded_out) for left in plan.left_over] == [(slow, {}, True)]


def test_who_is_left_over_says_why() -> None:
    plan = assign([need()], [helper(open_orders=5), helper(serves=())], [Scale()])
    assert plan.pairs == []
    assert plan.left_over[0].unfit == {Unfit.FULL: 1, Unfit.NOT_SERVING: 1}
    assert not plan.left_over[0].is_crowded_out


def test_a_helper_gets_no_more_than_agreed() -> None:
    plan = assign([need() for _ in range(4)], [helper(max_open=3, open_orders=1)], [Scale()] * 4)
    assert (len(plan.pairs), len(plan.left_over)) == (2, 2)


def test_the_same_again_gives_the_same() -> None:
    needs = [need(wanted=need().wanted._replace(begins=MONDAY + timedelta(minutes=place))) for place in range(6)]
    helpers = [helper() for _ in range(6)]
    assert assign(needs, helpers, [Scale()] * 6) == assign(needs, helpers, [Scale()] * 6)
