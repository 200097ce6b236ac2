"""The clocks an order ever had, told from its history: its lifecycle says which state runs, keeps or halts which."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from models.clocks import ClockTarget, PauseAction
from services.orders.clocks.arithmetic import Interval, Life, without
from services.orders.lifecycles.definition import State

GOES_ON = frozenset({ClockTarget.FINISH})
"""Opened again, it goes on where it stood; the others begin anew."""

Holder = tuple[str | None, str | None]
"""The person and the unit an order was given to; neither: the open pool."""


@dataclass(frozen=True, slots=True)
class Marks:
    """What a state means to the clocks of an order that comes into it. What it neither runs nor halts, ends."""

    runs: frozenset[ClockTarget] = frozenset()
    meets: frozenset[ClockTarget] = frozenset()
    """Kept, if they end by coming here; else they are stopped without an answer."""
    pauses: bool = False
    """Everything that ran stands still, and nothing ends (挂账)."""


NOTHING = Marks()
MarksOf = Mapping[str, Marks]
"""By state. What the lifecycle does not know stops every clock."""


@dataclass(frozen=True, slots=True)
class Step:
    """A row of the order's history."""

    sequence: int
    to_state: str
    at: datetime
    given_to: Holder | None = None
    """To whom it was dispatched or passed on by this step; None for any other action."""
    new_kind: tuple[str, str] | None = None
    """The kind it had and the one it was given, where the step changed that."""


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
    """When the order was in a state in which it runs or stands; pauses are not taken out."""
    to_sequence: int | None = None
    """The history row that ended it."""
    ended_at: datetime | None = None
    is_met: bool = False

    def life(self, pauses: Sequence[Interval]) -> Life:
        return Life(self.started_at, without(self.intervals, pauses), self.ended_at, self.is_met)

    def since(self, moment: datetime) -> "Round | None":
        """The same, as if nothing of it lay before `moment`; None when all of it does."""
        left = without(self.intervals, [(self.started_at, moment)])
        return replace(self, started_at=left[0][0], intervals=list(left)) if left else None

    def go_on(self, step: Step) -> None:
        self.intervals.append((step.at, None))
        self.ended_at, self.to_sequence, self.is_met = None, None, False

    def end(self, step: Step, *, is_met: bool) -> None:
        self.intervals[-1] = (self.intervals[-1][0], step.at)
        self.ended_at, self.to_sequence, self.is_met = step.at, step.sequence, is_met


def marks_of(states: Iterable[State]) -> dict[str, Marks]:
    return {state.id: Marks(frozenset(state.clocks), frozenset(state.meets), state.pauses) for state in states}


def in_time(history: Iterable[Step]) -> list[Step]:
    """Times that run backwards count as standing: two machines may disagree by a moment."""
    steps: list[Step] = []
    for step in history:
        steps.append(replace(step, at=max(step.at, steps[-1].at)) if steps else step)
    return steps


def rounds_of(steps: Sequence[Step], marks: MarksOf) -> list[Round]:
    """Every clock the history (`in_time`) tells of, in the order of their targets."""
    anew = _passed_on(steps)
    return [one for target in ClockTarget for one in _rounds(target, steps, marks, anew)]


def _rounds(target: ClockTarget, steps: Sequence[Step], marks: MarksOf, anew: frozenset[int]) -> list[Round]:
    rounds: list[Round] = []
    for step in steps:
        here = marks.get(step.to_state, NOTHING)
        is_running = bool(rounds) and rounds[-1].ended_at is None
        begins_anew = target == ClockTarget.ACCEPT and step.sequence in anew
        if is_running and (begins_anew or not (here.pauses or target in here.runs)):
            rounds[-1].end(step, is_met=target in here.meets)
            is_running = False
        if is_running or target not in here.runs:
            continue
        if rounds and target in GOES_ON:
            rounds[-1].go_on(step)
        else:
            rounds.append(Round(target, len(rounds) + 1, step.at, step.sequence, [(step.at, None)]))
    return rounds


def _passed_on(steps: Iterable[Step]) -> frozenset[int]:
    """The steps that gave the order to somebody else than before: the other one has the whole time to accept."""
    found: set[int] = set()
    holder: Holder | None = None
    for step in steps:
        if step.given_to is not None and step.given_to != holder:
            found.add(step.sequence)
        holder = holder if step.given_to is None else step.given_to
    return frozenset(found)


def shelved_of(steps: Iterable[Step], marks: MarksOf) -> list[Interval]:
    """When the order was in a state in which no time runs; the last one open while it still is."""
    shelved: list[Interval] = []
    for step in steps:
        is_shelved = bool(shelved) and shelved[-1][1] is None
        pauses = marks.get(step.to_state, NOTHING).pauses
        if pauses and not is_shelved:
            shelved.append((step.at, None))
        elif is_shelved and not pauses:
            shelved[-1] = (shelved[-1][0], step.at)
    return shelved


def pauses_of(steps: Iterable[PauseStep]) -> list[Interval]:
    """When the order's clocks were paused by hand; the last one open while they still are."""
    pauses: list[Interval] = []
    for step in steps:
        if step.action == PauseAction.PAUSE:
            begin = max(step.at, pauses[-1][1] or step.at) if pauses else step.at
            pauses.append((begin, None))
        else:
            pauses[-1] = (pauses[-1][0], max(step.at, pauses[-1][0]))
    return pauses


def kinds_of(steps: Iterable[Step], kind: str) -> list[tuple[datetime | None, str]]:
    """What kind of order it was since when (None: from the beginning); `kind` is what it is now."""
    changes = [(step.at, step.new_kind) for step in steps if step.new_kind is not None]
    if not changes:
        return [(None, kind)]
    return [(None, changes[0][1][0]), *((at, after) for at, (_, after) in changes)]
