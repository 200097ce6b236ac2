"""What is wrong with a lifecycle, before an order lives by it: every fault at once, each with its place."""

from collections import Counter
from collections.abc import Collection, Iterator

from models.clocks import ClockTarget
from models.orders import OrderAction, OrderStage
from services.orders.lifecycles.definition import BEFORE, Lifecycle, Need, State, Transition
from services.orders.lifecycles.effects import (
    BY_THE_SYSTEM_ALONE,
    EFFECTS,
    HAS_IT,
    PLAIN_MOVES,
    SAYS_NO_REASON,
    TAKEN_BY_ACCEPTING,
    TAKES_PHOTOS,
    TIMED,
)
from services.orders.lifecycles.faults import Fault, fault_at
from services.orders.lifecycles.reaching import (
    can_be_taken,
    counting_on,
    edges,
    ends_of,
    is_taken_by_system,
    leading_to,
    reached_from,
)
from services.orders.lifecycles.wording import STAGES, stage_names
from services.orders.orders.policy import PREDICATES

RESERVED_ACTIONS = frozenset({"place", "steps", "clocks", "history", "extensions", "lifecycle"})
"""Mean something else behind an order's address."""


def faults_of(lifecycle: Lifecycle) -> list[Fault]:
    """Empty when orders can live by it."""
    found = [
        *_faults_of_states(lifecycle),
        *_faults_of_steps(lifecycle),
        *_faults_of_timers(lifecycle),
        *_faults_of_ways(lifecycle),
        *_faults_of_clocks(lifecycle),
        *_faults_of_limits(lifecycle),
    ]
    return list(dict.fromkeys(found))


def _known(lifecycle: Lifecycle) -> dict[str, State]:
    return {state.id: state for state in reversed(lifecycle.states)}


def _faults_of_states(lifecycle: Lifecycle) -> Iterator[Fault]:
    if lifecycle.initial.stage != OrderStage.RECEIVE or lifecycle.initial.pauses:
        yield fault_at("states[0].stage", "initial_stage")
    if not ends_of(lifecycle):
        yield fault_at("states", "no_final_state")
    seen: set[str] = set()
    named: dict[str, str] = {}
    for index, state in enumerate(lifecycle.states):
        if state.id in seen:
            yield fault_at(f"states[{index}].id", "duplicate_state", name=state.id)
        elif state.name in named:
            yield fault_at(f"states[{index}].name", "same_name", name=state.name, other=named[state.name])
        seen.add(state.id)
        named.setdefault(state.name, state.id)


def _faults_of_steps(lifecycle: Lifecycle) -> Iterator[Fault]:
    states = _known(lifecycle)
    names: dict[str, str] = {}
    yield from _faults_of_repeated_steps(lifecycle)
    for index, step in enumerate(lifecycle.transitions):
        place = f"transitions[{index}]"
        if step.action in RESERVED_ACTIONS:
            yield fault_at(f"{place}.action", "reserved_action", action=step.action)
        if names.setdefault(step.action, step.name) != step.name:
            yield fault_at(f"{place}.name", "two_names", action=step.action, other=names[step.action])
        for number, name in enumerate(step.from_states):
            if name not in states:
                yield fault_at(f"{place}.from_states[{number}]", "unknown_state", name=name)
        if step.to_state not in (None, BEFORE) and step.to_state not in states:
            yield fault_at(f"{place}.to_state", "unknown_state", name=step.to_state)
        yield from _faults_of_people(place, step)
        yield from _faults_of_needs(place, step)
        yield from _faults_of_effect(place, step, states)
        yield from _faults_of_pausing(place, step, lifecycle, states)


def _faults_of_repeated_steps(lifecycle: Lifecycle) -> Iterator[Fault]:
    seen: dict[tuple[str, str], str] = {}
    for index, step in enumerate(lifecycle.transitions):
        for number, name in enumerate(step.from_states):
            place = f"transitions[{index}].from_states[{number}]"
            if (other := seen.setdefault((step.action, name), place)) != place:
                yield fault_at(place, "duplicate_step", state=name, action=step.action, other=other)


def _faults_of_people(place: str, step: Transition) -> Iterator[Fault]:
    for number, name in enumerate(step.who):
        if name not in PREDICATES:
            yield fault_at(f"{place}.who[{number}]", "unknown_predicate", name=name)
        elif name in step.who[:number]:
            yield fault_at(f"{place}.who[{number}]", "named_twice", name=name)
        if name == "is_system" and _is_for_people(step.action):
            yield fault_at(f"{place}.who[{number}]", "needs_a_person", action=step.action)
        if name != "is_system" and step.action in BY_THE_SYSTEM_ALONE:
            yield fault_at(f"{place}.who[{number}]", "only_the_system", action=step.action)
        if name not in HAS_IT and step.action == OrderAction.COMPLETE:
            yield fault_at(f"{place}.who[{number}]", "without_assignee")


def _is_for_people(action: str) -> bool:
    return action in EFFECTS and action not in TIMED | BY_THE_SYSTEM_ALONE


def _faults_of_needs(place: str, step: Transition) -> Iterator[Fault]:
    for number, need in enumerate(step.needs):
        if need in step.needs[:number]:
            yield fault_at(f"{place}.needs[{number}]", "named_twice", name=need.value)
        elif fault := _unfulfillable(need, step):
            yield fault_at(f"{place}.needs[{number}]", fault, action=step.action)


def _unfulfillable(need: Need, step: Transition) -> str | None:
    match need:
        case Need.EVIDENCE if step.action in EFFECTS and step.action not in TAKES_PHOTOS:
            return "evidence_elsewhere"
        case Need.REASON if step.action in SAYS_NO_REASON:
            return "no_place_for_reason"
        case Need.REASON if is_taken_by_system(step) and step.action not in BY_THE_SYSTEM_ALONE:
            return "system_gives_no_reason"
        case Need.SECOND_PERSON if HAS_IT.issuperset(step.who):
            return "nobody_second"
    return None


def _faults_of_effect(place: str, step: Transition, states: dict[str, State]) -> Iterator[Fault]:
    if step.action not in EFFECTS:
        yield from _faults_of_plain_step(place, step, states)
        return
    effect = EFFECTS[OrderAction(step.action)]
    for number, name in enumerate(step.from_states):
        if name in states and states[name].stage not in effect.takes_from:
            yield fault_at(
                f"{place}.from_states[{number}]", "out_of_place", action=step.action, state=name,
                **_in_words("stages", effect.takes_from), **_in_words("stage", frozenset({states[name].stage})),
            )  # fmt: skip
    if not effect.leads_to:
        if step.to_state is not None:
            yield fault_at(f"{place}.to_state", "stays", action=step.action)
        return
    if step.to_state is None:
        yield fault_at(f"{place}.to_state", "must_move", action=step.action)
    elif _misses(step, states, effect.leads_to):
        yield fault_at(f"{place}.to_state", "wrong_target", action=step.action, **_in_words("stages", effect.leads_to))


def _misses(step: Transition, states: dict[str, State], stages: frozenset[OrderStage]) -> bool:
    """Whether the effect would not be true where the step leads."""
    if step.to_state == BEFORE:
        return step.action != OrderAction.RESUME
    if step.to_state not in states:
        return False
    target = states[step.to_state]
    if step.action == OrderAction.RESUME:  # who has it, has it still; what nobody has is in nobody's hands
        return target.pauses or any(
            target.stage not in PLAIN_MOVES[states[name].stage] for name in step.from_states if name in states
        )
    return target.stage not in stages


def _faults_of_plain_step(place: str, step: Transition, states: dict[str, State]) -> Iterator[Fault]:
    if step.to_state not in states:
        return
    to_stage = states[str(step.to_state)].stage
    for number, name in enumerate(step.from_states):
        if name in states and (stage := states[name].stage) != OrderStage.DONE and to_stage not in PLAIN_MOVES[stage]:
            yield fault_at(
                f"{place}.from_states[{number}]", "plain_move",
                **_in_words("stage", frozenset({stage})), **_in_words("to", frozenset({to_stage})),
            )  # fmt: skip


def _in_words(name: str, stages: frozenset[OrderStage]) -> dict[str, str]:
    said = stage_names(stages)
    return {f"{name}_zh": said.zh, name: " or ".join(stage.value for stage in STAGES if stage in stages)}


def _faults_of_pausing(place: str, step: Transition, lifecycle: Lifecycle, states: dict[str, State]) -> Iterator[Fault]:
    if step.action == OrderAction.SHELVE and step.to_state in states:
        if not states[str(step.to_state)].pauses:
            yield fault_at(f"{place}.to_state", "does_not_pause")
        if lifecycle.step(OrderAction.RESUME, str(step.to_state)) is None:
            yield fault_at(f"{place}.to_state", "nobody_resumes", state=step.to_state)
    if step.to_state != BEFORE:
        return
    for number, name in enumerate(step.from_states):
        if name in states and not states[name].pauses:
            yield fault_at(f"{place}.from_states[{number}]", "nowhere_before", state=name)


def _faults_of_timers(lifecycle: Lifecycle) -> Iterator[Fault]:
    timers: dict[str, str] = {}
    for index, step in enumerate(lifecycle.transitions):
        place = f"transitions[{index}]"
        if step.after_minutes is not None:
            yield from _faults_of_timer(f"{place}.after_minutes", step)
        elif set(step.who) == {"is_system"} and step.action not in BY_THE_SYSTEM_ALONE:
            yield fault_at(f"{place}.after_minutes", "never_taken", action=step.action)
        if step.after_minutes is None and step.action != OrderAction.LAPSE:
            continue
        for number, name in enumerate(dict.fromkeys(step.from_states)):
            if (other := timers.setdefault(name, place)) != place:
                yield fault_at(f"{place}.from_states[{number}]", "second_timer", state=name, other=other)


def _faults_of_timer(place: str, step: Transition) -> Iterator[Fault]:
    if step.action in BY_THE_SYSTEM_ALONE:
        yield fault_at(place, "own_timing", action=step.action)
    elif "is_system" not in step.who:
        yield fault_at(place, "timer_without_system")
    if step.to_state is None or step.to_state in step.from_states:
        yield fault_at(place, "timer_stays")


def _faults_of_ways(lifecycle: Lifecycle) -> Iterator[Fault]:
    yield from _faults_of_passing_on(lifecycle)
    yield from _faults_of_following(lifecycle)
    ends = set(ends_of(lifecycle))
    taken = set(edges(lifecycle, can_be_taken))
    reached = reached_from(lifecycle.initial.id, taken)
    ending = leading_to(ends, taken)
    without_fail = leading_to(ends, set(edges(lifecycle, counting_on(lifecycle))))
    for index, state in enumerate(lifecycle.states):
        if state.id not in reached:
            yield fault_at(f"states[{index}]", "unreachable_state", name=state.id)
        elif state.id not in ending:
            yield fault_at(f"states[{index}]", "dead_end", name=state.id)
        elif state.id not in without_fail:
            yield fault_at(f"states[{index}]", "stranded", name=state.id)


def _faults_of_passing_on(lifecycle: Lifecycle) -> Iterator[Fault]:
    states = _known(lifecycle)
    accepting = {name for step in lifecycle.transitions if step.action == "accept" for name in step.from_states}
    for index, step in enumerate(lifecycle.transitions):
        place = f"transitions[{index}]"
        if step.action in TAKEN_BY_ACCEPTING and step.to_state in states and step.to_state not in accepting:
            yield fault_at(f"{place}.to_state", "nobody_accepts", state=step.to_state)
        for number, name in enumerate(step.from_states):
            if name not in states:
                continue
            if states[name].is_final and (step.action != OrderAction.REOPEN and step.to_state is not None):
                yield fault_at(f"{place}.from_states[{number}]", "leaves_final", state=name)
            if not can_be_taken(step, states[name]) and set(step.who) != {"is_system"}:
                yield fault_at(f"{place}.who", "nobody_there", state=name)


def _faults_of_following(lifecycle: Lifecycle) -> Iterator[Fault]:
    """What the system does to the orders that were merged into another, once that one is over."""
    for index, state in enumerate(lifecycle.states):
        for action in (OrderAction.FOLLOW, OrderAction.UNMERGE):
            if state.stage == OrderStage.FOLLOW and lifecycle.step(action, state.id) is None:
                yield fault_at(f"states[{index}]", "left_behind", state=state.id, action=action.value)


def _faults_of_clocks(lifecycle: Lifecycle) -> Iterator[Fault]:
    met = {target for state in lifecycle.states for target in state.meets}
    runs: set[ClockTarget] = set()
    for index, state in enumerate(lifecycle.states):
        place = f"states[{index}]"
        yield from _faults_of_state_clocks(place, state)
        for number, target in enumerate(state.clocks):
            if target not in met | runs:
                yield fault_at(f"{place}.clocks[{number}]", "never_met", target=target.value)
            runs.add(target)
    if ClockTarget.FINISH not in met | runs:
        yield fault_at("states", "never_met", target=ClockTarget.FINISH.value)


def _faults_of_state_clocks(place: str, state: State) -> Iterator[Fault]:
    if state.pauses and (state.clocks or state.meets):
        yield fault_at(f"{place}.{'clocks' if state.clocks else 'meets'}", "pauses_and_counts")
    if state.is_final and state.clocks:
        yield fault_at(f"{place}.clocks", "counts_after_end")
    for number, target in enumerate(state.meets):
        if target in state.clocks:
            yield fault_at(f"{place}.meets[{number}]", "runs_and_met", target=target.value)
    yield from _faults_of_repeated(f"{place}.clocks", state.clocks)
    yield from _faults_of_repeated(f"{place}.meets", state.meets)


def _faults_of_repeated(place: str, targets: Collection[ClockTarget]) -> Iterator[Fault]:
    for target, times in Counter(targets).items():
        if times > 1:
            yield fault_at(place, "named_twice", name=target.value)


def _faults_of_limits(lifecycle: Lifecycle) -> Iterator[Fault]:
    if lifecycle.limits.reopen_days == 0 and any(
        step.action == OrderAction.REOPEN and _leaves_end(lifecycle, step) for step in lifecycle.transitions
    ):
        yield fault_at("limits.reopen_days", "never_reopened")


def _leaves_end(lifecycle: Lifecycle, step: Transition) -> bool:
    return any(state.is_final and state.id in step.from_states for state in lifecycle.states)
