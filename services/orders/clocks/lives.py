"""The clocks an order ever had, told from its history: which state begins, ends and stops which. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from models.clocks import ClockTarget, PauseAction
from models.orders import OrderAction, OrderState
from services.orders.clocks.arithmetic import Interval, Life, without

S = OrderState
_DONE = frozenset({S.COMPLETED, S.RATED})
_OPEN = frozenset({S.PLACED, S.DISPATCHED, S.ACCEPTED, S.IN_PROGRESS})

RUNS_IN: dict[ClockTarget, frozenset[OrderState]] = {
    ClockTarget.DISPATCH: frozenset({S.PLACED}),
    ClockTarget.ACCEPT:   frozenset({S.DISPATCHED}),
    ClockTarget.ARRIVE:   frozenset({S.ACCEPTED}),
    ClockTarget.FINISH:   _OPEN,
}  # fmt: skip
MET_IN: dict[ClockTarget, frozenset[OrderState]] = {
    ClockTarget.DISPATCH: _DONE | {S.DISPATCHED, S.ACCEPTED, S.IN_PROGRESS},
    ClockTarget.ACCEPT:   _DONE | {S.ACCEPTED, S.IN_PROGRESS},
    ClockTarget.ARRIVE:   _DONE | {S.IN_PROGRESS},
    ClockTarget.FINISH:   _DONE,
}  # fmt: skip
"""Leaving for any other state stops the clock without an answer."""
GOES_ON = frozenset({ClockTarget.FINISH})
"""Opened again, it goes on where it stood; the others begin anew."""


@dataclass(frozen=True, slots=True)
class Step:
    """A row of the order's history."""

    sequence: int
    action: OrderAction
    to_state: OrderState
    at: datetime


@dataclass(frozen=True, slots=True)
class PauseStep:
    action: PauseAction
    at: datetime


@dataclass
class Round:
    """One clock of an order: a target, for the n-th time."""

    target: ClockTarget
    number: int
    started_at: datetime
    from_sequence: int
    """The history row that began it."""
    intervals: list[Interval] = field(default_factory=list)
    """When the order was in a state in which it runs; pauses are not taken out."""
    to_sequence: int | None = None
    """The history row that ended it."""
    ended_at: datetime | None = None
    is_met: bool = False

    def life(self, pauses: Sequence[Interval]) -> Life:
        return Life(self.started_at, without(self.intervals, pauses), self.ended_at, self.is_met)

    def go_on(self, step: Step) -> None:
        self.intervals.append((step.at, None))
        self.ended_at, self.to_sequence, self.is_met = None, None, False

    def end(self, step: Step) -> None:
        self.intervals[-1] = (self.intervals[-1][0], step.at)
        self.ended_at, self.to_sequence = step.at, step.sequence
        self.is_met = step.to_state in MET_IN[self.target]


def rounds_of(history: Iterable[Step]) -> list[Round]:
    """Every clock the history tells of, in the order of their targets. Times that run backwards count as standing."""
    steps = _in_time(history)
    return [one for target in ClockTarget for one in _rounds(target, steps)]


def _in_time(history: Iterable[Step]) -> list[Step]:
    steps: list[Step] = []
    for step in history:
        at = max(step.at, steps[-1].at) if steps else step.at
        steps.append(Step(step.sequence, step.action, step.to_state, at))
    return steps


def _rounds(target: ClockTarget, steps: Iterable[Step]) -> list[Round]:
    rounds: list[Round] = []
    for step in steps:
        is_running = bool(rounds) and rounds[-1].ended_at is None
        runs = step.to_state in RUNS_IN[target]
        if is_running and (not runs or _begins_anew(target, step)):
            rounds[-1].end(step)
            is_running = False
        if not runs or is_running:
            continue
        if rounds and target in GOES_ON:
            rounds[-1].go_on(step)
        else:
            rounds.append(Round(target, len(rounds) + 1, step.at, step.sequence, [(step.at, None)]))
    return rounds


def _begins_anew(target: ClockTarget, step: Step) -> bool:
    """Dispatched to somebody else: the other one has the whole time."""
    return target == ClockTarget.ACCEPT and step.action == OrderAction.DISPATCH


def pauses_of(steps: Iterable[PauseStep]) -> list[Interval]:
    """When the order's clocks were paused; the last one open while they still are."""
    pauses: list[Interval] = []
    for step in steps:
        if step.action == PauseAction.PAUSE:
            begin = max(step.at, pauses[-1][1] or step.at) if pauses else step.at
            pauses.append((begin, None))
        else:
            pauses[-1] = (pauses[-1][0], max(step.at, pauses[-1][0]))
    return pauses
