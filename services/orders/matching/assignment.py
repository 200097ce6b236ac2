"""Who takes which of many orders, so that the whole fits best. Pure, and worth a thread of its own.

As many orders as possible get somebody; among all ways to do that, the one with the most points together.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from services.orders.matching.scoring import Candidate, OrderNeed, Scale, Unfit, points, unfitness

MOST_POINTS = 10_000


class Pair(NamedTuple):
    need: OrderNeed
    helper: Candidate
    points: int


@dataclass(frozen=True)
class LeftOver:
    """An order nobody is proposed for: nobody fits it (why, and how many), or who does is needed elsewhere."""

    need: OrderNeed
    unfit: dict[Unfit, int]
    is_crowded_out: bool
    """Somebody fits, but the others need all of them."""


class Assignment(NamedTuple):
    pairs: list[Pair]
    left_over: list[LeftOver]

    @property
    def total(self) -> int:
        return sum(pair.points for pair in self.pairs)


def assign(needs: Sequence[OrderNeed], helpers: Sequence[Candidate], scales: Sequence[Scale]) -> Assignment:
    """One helper at most per order, no helper more than has free places; `scales` is one per order.

    Deterministic: the same orders and helpers in the same sequence give the same answer. Blocks for up to seconds.
    """
    table = [
        [points(need, helper, scale) if unfitness(need, helper) is None else None for helper in helpers]
        for need, scale in zip(needs, scales, strict=True)
    ]
    chosen = best_total(table, [helper.free_places for helper in helpers])
    pairs = [
        Pair(needs[row], helpers[column], table[row][column] or 0)
        for row, column in enumerate(chosen)
        if column is not None
    ]
    left = [_left_over(needs[row], helpers, table[row]) for row, column in enumerate(chosen) if column is None]
    return Assignment(pairs, left)


def best_total(table: Sequence[Sequence[int | None]], places: Sequence[int]) -> list[int | None]:
    """By row the column chosen, or None. `table` holds points, None where a pair is forbidden; `places` how often a
    column may be chosen.

    scipy's solver, one column per free place, and one more per row for staying without.
    """
    import numpy  # noqa: PLC0415 (heavy, and needed by this alone)
    from scipy.optimize import linear_sum_assignment  # type: ignore[import-untyped]  # noqa: PLC0415

    rows = len(table)
    columns = [column for column, free in enumerate(places) for _ in range(min(free, rows))]
    if not rows or not columns:
        return [None] * rows
    given = MOST_POINTS * (rows + 1)  # giving one more order to somebody is worth more than any points
    worth: Any = numpy.array([[-1 if cell is None else given + cell for cell in row] for row in table], dtype=float)
    without = numpy.zeros((rows, rows))
    _, chosen = linear_sum_assignment(numpy.hstack([worth[:, columns], without]), maximize=True)
    return [columns[column] if column < len(columns) else None for column in chosen.tolist()]


def _left_over(need: OrderNeed, helpers: Sequence[Candidate], row: Sequence[int | None]) -> LeftOver:
    reasons = Counter(unfit for helper in helpers if (unfit := unfitness(need, helper)) is not None)
    return LeftOver(need, dict(reasons), is_crowded_out=any(cell is not None for cell in row))
