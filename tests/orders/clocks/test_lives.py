"""Which clocks a history tells of, against the same told by hand, over random histories."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from models.clocks import ClockTarget, PauseAction
from models.orders import OrderAction, OrderState
from services.orders.clocks.arithmetic import Life
from services.orders.clocks.lives import MET_IN, RUNS_IN, PauseStep, Step, pauses_of, rounds_of
from services.orders.orders.lifecycle import TRANSITIONS

A = OrderAction
BEGIN = datetime(2026, 3, 16, 1, tzinfo=UTC)


@st.composite
def histories(draw: st.DrawFn) -> list[Step]:
    """Whatever the lifecycle allows, and, as it will be, opened again once completed."""
    steps = [Step(1, A.PLACE, OrderState.PLACED, BEGIN)]
    for minutes in draw(st.lists(st.integers(0, 600), max_size=12)):
        state = steps[-1].to_state
        possible = [(action, t.to_state) for action, t in TRANSITIONS.items() if state in t.from_states]
        if state == OrderState.COMPLETED:
            possible.append((A.DISPATCH, OrderState.DISPATCHED))
        if not possible:
            break
        action, to_state = draw(st.sampled_from(possible))
        steps.append(Step(len(steps) + 1, action, to_state, steps[-1].at + timedelta(minutes=minutes)))
    return steps


def by_hand(steps: list[Step]) -> dict[tuple[ClockTarget, int], Life]:
    """One promise after the other, as one would tell a new dispatcher."""
    lives: dict[tuple[ClockTarget, int], Life] = {}
    nexts = [*steps[1:], None]
    beginnings = {
        ClockTarget.DISPATCH: {A.PLACE, A.DECLINE},
        ClockTarget.ACCEPT: {A.DISPATCH},
        ClockTarget.ARRIVE: {A.ACCEPT},
    }
    answers = {
        ClockTarget.DISPATCH: {A.DISPATCH},
        ClockTarget.ACCEPT: {A.ACCEPT},
        ClockTarget.ARRIVE: {A.START, A.COMPLETE},
    }
    for target, beginning in beginnings.items():
        rounds = [(step, following) for step, following in zip(steps, nexts, strict=True) if step.action in beginning]
        for number, (step, following) in enumerate(rounds, 1):
            end = following.at if following else None
            is_met = following is not None and following.action in answers[target]
            lives[target, number] = Life(step.at, ((step.at, end),), end, is_met)
    is_open = [step.to_state not in (OrderState.COMPLETED, OrderState.RATED, OrderState.CANCELLED) for step in steps]
    turns = [0, *(i for i, (before, after) in enumerate(pairwise(is_open), 1) if before != after)]
    moments = [steps[i].at for i in turns]
    ends: list[datetime | None] = [*moments[1::2], *([None] if len(moments) % 2 else [])]
    ended_at = None if is_open[-1] else moments[-1]
    is_done = not is_open[-1] and steps[-1].to_state != OrderState.CANCELLED
    lives[ClockTarget.FINISH, 1] = Life(BEGIN, tuple(zip(moments[::2], ends, strict=True)), ended_at, is_done)
    return lives


@settings(max_examples=300, deadline=None)
@given(histories())
def test_the_clocks_a_history_tells_of(steps: list[Step]) -> None:
    assert {(one.target, one.number): one.life([]) for one in rounds_of(steps)} == by_hand(steps)


def test_a_clock_that_ran_backwards_stands_still() -> None:
    """Two machines may disagree by a moment; nothing ends before it began."""
    steps = [
        Step(1, A.PLACE, OrderState.PLACED, BEGIN),
        Step(2, A.DISPATCH, OrderState.DISPATCHED, BEGIN - timedelta(seconds=3)),
    ]
    lives = {one.target: one.life([]) for one in rounds_of(steps)}
    assert lives[ClockTarget.DISPATCH].ended_at == lives[ClockTarget.ACCEPT].started_at == BEGIN


def test_pauses_are_told_in_turn() -> None:
    later = BEGIN + timedelta(hours=1)
    steps = [PauseStep(PauseAction.PAUSE, BEGIN), PauseStep(PauseAction.RESUME, later)]
    assert pauses_of([*steps, PauseStep(PauseAction.PAUSE, later)]) == [(BEGIN, later), (later, None)]


def test_every_state_is_known_to_the_clocks() -> None:
    """A state that is new to the lifecycle has to be told what it means here, or it stops every clock."""
    known = {state for target in ClockTarget for state in RUNS_IN[target] | MET_IN[target]}
    assert set(OrderState) - known == {OrderState.CANCELLED}
