"""The way an order usually goes, out of all the ways a lifecycle allows. Pure."""

from collections.abc import Iterator
from itertools import pairwise

from models.orders import OrderStage
from services.orders.lifecycles.definition import Lifecycle, State, Transition
from services.orders.lifecycles.wording import STAGES

_RANK = {stage: rank for rank, stage in enumerate(STAGES)}


def in_order_of_life(lifecycle: Lifecycle) -> list[State]:
    """The states by stage, within a stage as they are defined."""
    return sorted(lifecycle.states, key=lambda state: _RANK[state.stage])


def main_path(lifecycle: Lifecycle) -> list[State]:
    """The longest way from the first state to an end that only ever goes forward and does not pause."""
    states = [state for state in in_order_of_life(lifecycle) if _lies_on_the_way(state)]
    best: dict[str, list[State]] = {lifecycle.initial.id: [lifecycle.initial]}
    for number, state in enumerate(states):
        if state.id not in best:
            continue
        for later in states[number + 1 :]:
            longer = [*best[state.id], later]
            if forward_step(lifecycle, state, later) and len(longer) > len(best.get(later.id, ())):
                best[later.id] = longer
    ends = [best[state.id] for state in states if state.is_final and state.id in best]
    return max(ends, key=len, default=[lifecycle.initial])


def forward_step(lifecycle: Lifecycle, state: State, later: State) -> Transition | None:
    """The first transition that leads from one to the other."""
    return next((step for step in lifecycle.steps_from(state.id) if step.to_state == later.id), None)


def steps_of(lifecycle: Lifecycle, path: list[State]) -> Iterator[tuple[Transition, State]]:
    """The steps of a path, each with the state it is taken from."""
    for state, later in pairwise(path):
        if (step := forward_step(lifecycle, state, later)) is not None:
            yield step, state


def _lies_on_the_way(state: State) -> bool:
    return not state.pauses and state.stage != OrderStage.FOLLOW
