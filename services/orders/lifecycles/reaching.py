"""Which states of a lifecycle lead to which. Pure; names that the lifecycle does not have are left out."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from models.orders import OrderAction, OrderStage
from services.orders.lifecycles.definition import BEFORE, Lifecycle, State, Transition
from services.orders.lifecycles.effects import BY_THE_SYSTEM_ALONE, HAS_IT, UNCERTAIN, WAITING

NEEDS_SOMEBODY_AT_IT = frozenset({"is_assignee", "is_helper", "is_assisting"})
"""Nobody is that while an order waits to be received or dispatched."""
ALWAYS_THERE = frozenset({"is_dispatcher", "is_senior", "is_overseer"})
"""Who answers for an area. The person whose need it is, or who does it, may move away."""


class Edge(NamedTuple):
    from_state: str
    to_state: str


Taking = Callable[[Transition, State], bool]
"""Whether a transition is taken from a state at all, as far as the question goes."""


def can_be_taken(step: Transition, state: State) -> bool:
    """By somebody, or by the system."""
    return is_taken_by_system(step) or any(
        fact != "is_system" and not (fact in NEEDS_SOMEBODY_AT_IT and state.stage in WAITING) for fact in step.who
    )


def counting_on(lifecycle: Lifecycle) -> Taking:
    """By somebody who is always there, or by the system without fail."""

    def can_be_counted_on(step: Transition, state: State) -> bool:
        if step.action in UNCERTAIN:
            return False
        if not ALWAYS_THERE.isdisjoint(step.who):
            return True
        if (
            is_taken_by_system(step) and step.action != OrderAction.DISPATCH
        ):  # what came back too often waits for a senior
            return True
        return not HAS_IT.isdisjoint(step.who) and _can_be_taken_over(lifecycle, state)

    return can_be_counted_on


def _can_be_taken_over(lifecycle: Lifecycle, state: State) -> bool:
    """Whether somebody who is always there can become the one who has it, in this state."""
    step = lifecycle.step(OrderAction.TAKE_OVER, state.id)
    return step is not None and step.to_state == state.id and not ALWAYS_THERE.isdisjoint(step.who)


def is_taken_by_system(step: Transition) -> bool:
    return "is_system" in step.who and (step.after_minutes is not None or step.action in BY_THE_SYSTEM_ALONE)


def edges(lifecycle: Lifecycle, is_taken: Taking) -> Iterator[Edge]:
    """From every state to every other that a taken transition leads to, `@before` spelled out."""
    states = {state.id: state for state in lifecycle.states}
    for step in lifecycle.transitions:
        for name in step.from_states:
            if name in states and is_taken(step, states[name]):
                yield from (Edge(name, target) for target in targets(lifecycle, step, name) if target in states)


def targets(lifecycle: Lifecycle, step: Transition, from_state: str) -> Sequence[str]:
    """Where a transition may lead from a state; nowhere if it stays."""
    if step.to_state is None:
        return ()
    return came_from(lifecycle, from_state) if step.to_state == BEFORE else (step.to_state,)


def came_from(lifecycle: Lifecycle, paused: str) -> Sequence[str]:
    """The states that do not pause from which an order comes into this one, straight or from pause to pause."""
    pausing = {state.id for state in lifecycle.states if state.pauses}
    between = [
        Edge(name, step.to_state)
        for step in lifecycle.transitions
        if step.to_state in pausing
        for name in pausing.intersection(step.from_states)
    ]
    pauses = leading_to({paused}, between)
    into = [step for step in lifecycle.transitions if step.to_state in pauses]
    return tuple(dict.fromkeys(name for step in into for name in step.from_states if name not in pausing))


def reached_from(start: str, ways: Collection[Edge]) -> set[str]:
    """The start, and what lies behind it."""
    return _closure({start}, _grouped(ways))


def leading_to(ends: Collection[str], ways: Collection[Edge]) -> set[str]:
    """The ends, and from where one of them can be come to."""
    return _closure(set(ends), _grouped(Edge(way.to_state, way.from_state) for way in ways))


def ends_of(lifecycle: Lifecycle) -> list[str]:
    return [state.id for state in lifecycle.states if state.stage == OrderStage.DONE]


def _grouped(ways: Collection[Edge] | Iterator[Edge]) -> Mapping[str, set[str]]:
    grouped: dict[str, set[str]] = defaultdict(set)
    for way in ways:
        grouped[way.from_state].add(way.to_state)
    return grouped


def _closure(found: set[str], ways: Mapping[str, set[str]]) -> set[str]:
    waiting = list(found)
    while waiting:
        fresh = ways.get(waiting.pop(), set()) - found
        found |= fresh
        waiting.extend(fresh)
    return found
