"""What a lifecycle is refused for, and where; and that one that is not refused never leaves an order stuck."""

import random
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.orders import OrderAction, OrderStage
from services.orders.lifecycles.checking import faults_of
from services.orders.lifecycles.definition import BEFORE, Lifecycle
from services.orders.lifecycles.effects import BY_THE_SYSTEM_ALONE, EFFECTS
from services.orders.lifecycles.faults import WORDS
from services.orders.lifecycles.standard import STANDARD
from services.orders.lifecycles.wording import PEOPLE
from services.orders.orders.policy import PREDICATES
from tests.orders.lifecycles.model import SYSTEM, Carried, ModelOrder, Person, Refused, complaints_about

Definition = dict[str, Any]


def definition() -> Definition:
    return STANDARD.model_dump(mode="json")


def faults(changed: Definition) -> dict[str, set[str]]:
    """By code, the places."""
    found: dict[str, set[str]] = {}
    for fault in faults_of(Lifecycle.model_validate(changed)):
        found.setdefault(fault.fault, set()).add(fault.place)
    return found


def at(changed: Definition, action: str, from_state: str = "") -> int:
    """The index of a transition."""
    steps = enumerate(changed["transitions"])
    return next(i for i, t in steps if t["action"] == action and from_state in (*t["from_states"], ""))


def step(changed: Definition, action: str, from_state: str = "") -> Definition:
    found: Definition = changed["transitions"][at(changed, action, from_state)]
    return found


def state(changed: Definition, name: str) -> Definition:
    return next(one for one in changed["states"] if one["id"] == name)


def place(name: str) -> int:
    return [one.id for one in STANDARD.states].index(name)


def new_step(action: str, from_states: list[str], to_state: str | None, **values: Any) -> Definition:
    """Named after itself, taken by dispatchers."""
    words = {"action": action, "name": action[:20], "name_en": action, "who": ["is_dispatcher"]}
    return {**words, "from_states": from_states, "to_state": to_state, **values}


def new_state(name: str, stage: str, **values: Any) -> Definition:
    return {"id": name, "name": name, "name_en": name, "stage": stage, **values}


def test_the_standard_lifecycle_has_no_fault() -> None:
    assert faults_of(STANDARD) == []


def test_every_known_action_has_its_place_and_every_predicate_its_name() -> None:
    assert EFFECTS.keys() == set(OrderAction) - {OrderAction.PLACE}
    assert PEOPLE.keys() == PREDICATES


def test_every_fault_is_said_in_both_languages_about_the_same_things() -> None:
    for words in WORDS.values():
        names = [{name.removesuffix("_zh") for name in re.findall(r"{(\w+)}", said)} for said in words]
        assert names[0] == names[1] or names[1] <= names[0]


Change = Callable[[Definition], Any]
N = len(STANDARD.transitions)

REFUSED: dict[str, tuple[Change, str, str]] = {
    # what is changed, and which fault is found where
    "a target that is not there": (
        lambda d: step(d, "triage").update(to_state="nowhere"), "unknown_state", "transitions[0].to_state",
    ),
    "a source that is not there": (
        lambda d: step(d, "return")["from_states"].append("nowhere"), "unknown_state", "transitions[1].from_states[2]",
    ),
    "a state twice": (
        lambda d: d["states"].append({**state(d, "rated"), "name": "另一"}), "duplicate_state", "states[14].id",
    ),
    "two states of one name": (
        lambda d: state(d, "rated").update(name="已核查"), "same_name", f"states[{place('rated')}].name",
    ),
    "an action twice from one state": (
        lambda d: d["transitions"].append({**step(d, "triage"), "to_state": "triaged"}),
        "duplicate_step", f"transitions[{N}].from_states[0]",
    ),
    "a source named twice": (
        lambda d: step(d, "triage")["from_states"].append("placed"), "duplicate_step", "transitions[0].from_states[1]",
    ),
    "one action, two names": (
        lambda d: step(d, "close", "rated").update(name="了结"),
        "two_names", f"transitions[{at(definition(), 'close', 'rated')}].name",
    ),
    "placing as a step": (
        lambda d: d["transitions"].append(new_step("place", ["placed"], "triaged")),
        "reserved_action", f"transitions[{N}].action",
    ),
    "a first state where nothing is received": (
        lambda d: d["states"].insert(0, d["states"].pop(2)), "initial_stage", "states[0].stage",
    ),
    "no end": (
        lambda d: [one.update(stage="close") for one in d["states"] if one["stage"] == "done"],
        "no_final_state", "states",
    ),
    "a state no order comes to": (
        lambda d: d["states"].append(new_state("island", "handle")), "unreachable_state", "states[14]",
    ),
    "a state nobody leaves": (
        lambda d: (
            d["states"].append(new_state("limbo", "handle")),
            d["transitions"].append(new_step("lose", ["in_progress"], "limbo")),
        ),
        "dead_end", "states[14]",
    ),
    "two states that only lead to each other": (
        lambda d: (
            d["states"].extend([new_state("ping", "handle"), new_state("pong", "handle")]),
            d["transitions"].extend([
                new_step("lose", ["in_progress"], "ping"), new_step("hit", ["ping"], "pong"),
                new_step("hit_back", ["pong"], "ping"),
            ]),
        ),
        "dead_end", "states[15]",
    ),
    "a state only the resident leaves": (
        lambda d: [step(d, name)["from_states"].remove("returned") for name in ("reject", "cancel")],
        "stranded", f"states[{place('returned')}]",
    ),
    "a final state left by another action": (
        lambda d: d["transitions"].append(new_step("revive", ["closed"], "triaged")),
        "leaves_final", f"transitions[{N}].from_states[0]",
    ),
    "a predicate that is not there": (
        lambda d: step(d, "triage")["who"].append("is_mayor"), "unknown_predicate", "transitions[0].who[1]",
    ),
    "the system, at no time": (
        lambda d: d["transitions"].append(new_step("tidy", ["placed"], "triaged", who=["is_system"])),
        "never_taken", f"transitions[{N}].after_minutes",
    ),
    "a time without the system": (
        lambda d: step(d, "triage").update(after_minutes=60), "timer_without_system", "transitions[0].after_minutes",
    ),
    "two timers in one state": (
        lambda d: d["transitions"].append(
            new_step("hurry", ["rated"], "closed", who=["is_system"], after_minutes=60)
        ),
        "second_timer", f"transitions[{N}].from_states[0]",
    ),
    "a timer beside a lease": (
        lambda d: d["transitions"].append(
            new_step("hurry", ["accepted"], "rejected", who=["is_system"], after_minutes=60)
        ),
        "second_timer", f"transitions[{N}].from_states[0]",
    ),
    "a timer that leads nowhere": (
        lambda d: d["transitions"].append(new_step("remind", ["placed"], None, who=["is_system"], after_minutes=60)),
        "timer_stays", f"transitions[{N}].after_minutes",
    ),
    "a lease of its own time": (
        lambda d: step(d, "lapse").update(after_minutes=60),
        "own_timing", f"transitions[{at(definition(), 'lapse')}].after_minutes",
    ),
    "a system that judges": (
        lambda d: step(d, "verify").update(who=["is_system"], after_minutes=60),
        "needs_a_person", f"transitions[{at(definition(), 'verify')}].who[0]",
    ),
    "a system that gives reasons": (
        lambda d: step(d, "reject").update(who=["is_system"], after_minutes=60, from_states=["placed"]),
        "system_gives_no_reason", f"transitions[{at(definition(), 'reject')}].needs[0]",
    ),
    "a person who lets a lease run out": (
        lambda d: step(d, "lapse").update(who=["is_system", "is_dispatcher"]),
        "only_the_system", f"transitions[{at(definition(), 'lapse')}].who[1]",
    ),
    "an assignee where nobody has it": (
        lambda d: d["transitions"].append(new_step("wake", ["triaged"], "placed", who=["is_helper"])),
        "nobody_there", f"transitions[{N}].who",
    ),
    "accepting what is not dispatched": (
        lambda d: step(d, "accept")["from_states"].append("triaged"),
        "out_of_place", f"transitions[{at(definition(), 'accept')}].from_states[1]",
    ),
    "accepting that leads to the check": (
        lambda d: step(d, "accept").update(to_state="completed"),
        "wrong_target", f"transitions[{at(definition(), 'accept')}].to_state",
    ),
    "completing that leads to more work": (
        lambda d: step(d, "complete").update(to_state="in_progress"),
        "wrong_target", f"transitions[{at(definition(), 'complete')}].to_state",
    ),
    "dispatching that waits": (
        lambda d: step(d, "dispatch").update(to_state="triaged"),
        "wrong_target", f"transitions[{at(definition(), 'dispatch')}].to_state",
    ),
    "merging that does not follow": (
        lambda d: step(d, "merge").update(to_state="cancelled"),
        "wrong_target", f"transitions[{at(definition(), 'merge')}].to_state",
    ),
    "joining that moves": (
        lambda d: step(d, "join").update(to_state="in_progress"),
        "stays", f"transitions[{at(definition(), 'join')}].to_state",
    ),
    "verifying that stays": (
        lambda d: step(d, "verify").update(to_state=None),
        "must_move", f"transitions[{at(definition(), 'verify')}].to_state",
    ),
    "work that is done without completing it": (
        lambda d: d["transitions"].append(new_step("skip_it", ["accepted"], "completed")),
        "plain_move", f"transitions[{N}].from_states[0]",
    ),
    "dispatching to where nobody accepts": (
        lambda d: step(d, "dispatch").update(to_state="in_progress"),
        "nobody_accepts", f"transitions[{at(definition(), 'dispatch')}].to_state",
    ),
    "shelving without a pause": (
        lambda d: state(d, "shelved").update(pauses=False),
        "does_not_pause", f"transitions[{at(definition(), 'shelve')}].to_state",
    ),
    "going back from where nothing was shelved": (
        lambda d: d["transitions"].append(new_step("undo", ["completed"], BEFORE)),
        "nowhere_before", f"transitions[{N}].from_states[0]",
    ),
    "shelving what nothing resumes": (
        lambda d: step(d, "resume").update(action="unshelve"),
        "nobody_resumes", f"transitions[{at(definition(), 'shelve')}].to_state",
    ),
    "followers left behind": (
        lambda d: d["transitions"].pop(at(d, "follow")), "left_behind", f"states[{place('merged')}]",
    ),
    "photos of a cancellation": (
        lambda d: step(d, "cancel")["needs"].append("evidence"),
        "evidence_elsewhere", f"transitions[{at(definition(), 'cancel')}].needs[1]",
    ),
    "a reason for starting": (
        lambda d: step(d, "start")["needs"].append("reason"),
        "no_place_for_reason", f"transitions[{at(definition(), 'start')}].needs[0]",
    ),
    "a second person who is the first": (
        lambda d: step(d, "complete")["needs"].append("second_person"),
        "nobody_second", f"transitions[{at(definition(), 'complete')}].needs[1]",
    ),
    "done by who does not have it": (
        lambda d: step(d, "complete")["who"].append("is_dispatcher"),
        "without_assignee", f"transitions[{at(definition(), 'complete')}].who[1]",
    ),
    "a clock that runs and is met": (
        lambda d: state(d, "accepted")["clocks"].append("accept"),
        "runs_and_met", f"states[{place('accepted')}].meets[1]",
    ),
    "a pause that counts": (
        lambda d: state(d, "shelved").update(clocks=["finish"]),
        "pauses_and_counts", f"states[{place('shelved')}].clocks",
    ),
    "an end that counts": (
        lambda d: state(d, "rejected").update(clocks=["finish"]),
        "counts_after_end", f"states[{place('rejected')}].clocks",
    ),
    "a promise nobody can keep": (
        lambda d: [one["meets"].remove("finish") for one in d["states"] if "finish" in one["meets"]],
        "never_met", "states[0].clocks[0]",
    ),
    "a need named twice": (
        lambda d: step(d, "cancel").update(needs=["reason", "reason"]),
        "named_twice", f"transitions[{at(definition(), 'cancel')}].needs[1]",
    ),
    "reopening within no days": (
        lambda d: d["limits"].update(reopen_days=0), "never_reopened", "limits.reopen_days",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_and_where(case: str) -> None:
    change, fault, where = REFUSED[case]
    changed = definition()
    change(changed)
    assert where in faults(changed).get(fault, set()), faults(changed)


def test_every_fault_there_is_can_be_found() -> None:
    assert {fault for _, fault, _ in REFUSED.values()} == WORDS.keys()


def test_all_faults_come_at_once() -> None:
    changed = definition()
    for case in ("a target that is not there", "a predicate that is not there", "reopening within no days"):
        REFUSED[case][0](changed)
    assert {"unknown_state", "unknown_predicate", "never_reopened"} <= faults(changed).keys()


ACCEPTED: dict[str, Change] = {
    "steps of its own within a stage": lambda d: (
        d["states"].append(new_state("measured", "handle", clocks=["finish"], meets=["dispatch", "accept", "arrive"])),
        d["transitions"].append(new_step("measure", ["accepted"], "measured", who=["is_helper"], needs=["evidence"])),
        [step(d, name)["from_states"].append("measured") for name in ("complete", "dispatch")],
    ),
    "a note that moves nothing": lambda d: d["transitions"].append(new_step("look_in", ["in_progress"], None)),
    "no check, no merging, no pool lease": lambda d: (
        step(d, "cancel", "merged")["from_states"].remove("merged"),
        [d["transitions"].pop(at(d, name)) for name in ("verify", "lapse", "follow", "unmerge", "merge")],
        d["transitions"].pop(at(d, "close", "verified")),
        [one["from_states"].remove("verified") for one in d["transitions"] if "verified" in one["from_states"]],
        [d["states"].remove(state(d, name)) for name in ("verified", "merged")],
    ),
    "coming to the shelf by another way, and from pause to pause": lambda d: (
        d["states"].append(new_state("parked", "handle", pauses=True)),
        d["transitions"].append(new_step("park", ["accepted", "shelved"], "parked")),
        d["transitions"].append(new_step("unpark", ["parked"], BEFORE)),
    ),
    "shelving that ends by itself": lambda d: step(d, "resume").update(
        who=["is_dispatcher", "is_system"], after_minutes=30 * 24 * 60
    ),
    "a state of another name": lambda d: d.update(
        Lifecycle.model_validate_json(STANDARD.model_dump_json().replace('"in_progress"', '"on_the_way"')).model_dump(
            mode="json"
        )
    ),
}


@pytest.mark.parametrize("case", ACCEPTED)
def test_what_a_district_may_change(case: str) -> None:
    changed = definition()
    ACCEPTED[case](changed)
    assert faults(changed) == {}


# Random changes: refused, or an order can be brought to its end from wherever it gets.

names = st.sampled_from([one.id for one in STANDARD.states])
transitions = st.integers(0, N - 1)


@st.composite
def changes(draw: st.DrawFn) -> Change:
    kind = draw(st.sampled_from(["drop", "retarget", "extend", "narrow", "who", "needs", "timer", "stage", "forget"]))
    index, name, stage = draw(transitions), draw(names), draw(st.sampled_from(list(OrderStage)))
    who = draw(st.lists(st.sampled_from(sorted(PREDICATES)), min_size=1, max_size=3, unique=True))
    values: dict[str, Change] = {
        "drop": lambda d: d["transitions"].pop(index % len(d["transitions"])),
        "retarget": lambda d: _one(d, index).update(to_state=name),
        "extend": lambda d: _one(d, index)["from_states"].append(name),
        "narrow": lambda d: _one(d, index).update(from_states=_one(d, index)["from_states"][:1]),
        "who": lambda d: _one(d, index).update(who=who),
        "needs": lambda d: _one(d, index).update(needs=[]),
        "timer": lambda d: _one(d, index).update(after_minutes=60, who=[*_one(d, index)["who"], "is_system"]),
        "stage": lambda d: d["states"][index % len(d["states"])].update(stage=stage),
        "forget": lambda d: _forget(d, name),
    }
    return values[kind]


def _one(changed: Definition, index: int) -> Definition:
    found: Definition = changed["transitions"][index % len(changed["transitions"])]
    return found


def _forget(changed: Definition, name: str) -> None:
    """A state, wherever it is named."""
    changed["states"] = [one for one in changed["states"] if one["id"] != name] or changed["states"]
    for one in changed["transitions"]:
        one["from_states"] = [source for source in one["from_states"] if source != name]
    changed["transitions"] = [one for one in changed["transitions"] if one["from_states"] and one["to_state"] != name]


PEOPLE_OF_A_WALK = (
    Person("zhang", frozenset({"is_requester"})),
    Person("li", frozenset({"is_overseer", "is_dispatcher"})),
    Person("zeng", frozenset({"is_overseer", "is_dispatcher", "is_senior"})),
    Person("ye", frozenset({"is_overseer", "is_dispatcher", "is_senior"})),
    Person("chen", frozenset({"is_server"})),
    Person("huang", frozenset({"is_server"})),
)
STAFF = PEOPLE_OF_A_WALK[1:4]


@settings(max_examples=250, deadline=None, derandomize=True)
@given(st.lists(changes(), min_size=1, max_size=3), st.randoms(use_true_random=False))
def test_an_accepted_lifecycle_never_leaves_an_order_stuck(some: list[Change], chance: random.Random) -> None:
    changed = definition()
    for change in some:
        change(changed)
    if len(changed["states"]) < 2 or not changed["transitions"]:
        return
    life = Lifecycle.model_validate(changed)
    if not faults_of(life):
        wander(life, chance)


def test_the_standard_lifecycle_never_leaves_an_order_stuck() -> None:
    for seed in range(40):
        wander(STANDARD, random.Random(seed))


def wander(life: Lifecycle, chance: random.Random) -> None:
    """Many steps of anybody; after each the staff alone could end it."""
    main = ModelOrder(life)
    order = ModelOrder(life)
    for _ in range(30):
        move_at_random(order, main, chance)
        assert list(complaints_about(order)) == []
        assert can_be_ended(order), (order.state, order)


def move_at_random(order: ModelOrder, main: ModelOrder, chance: random.Random) -> None:
    person = chance.choice((*PEOPLE_OF_A_WALK, SYSTEM))
    if person is SYSTEM:
        order.let_pass(chance.choice((60, 24 * 60, 20 * 24 * 60)))
    elif actions := order.available(person):
        carried = Carried(chance.choice((None, "chen", "huang")), solved=chance.random() < 0.5, into=main)
        with suppress(Refused):  # the main order may be over
            order.take(person, chance.choice(actions), carried)


def can_be_ended(order: ModelOrder) -> bool:
    """By staff and by the system, nobody else lifting a finger. What follows another may wait for that one."""
    seen: set[tuple[Any, ...]] = set()
    waiting = [order.copy()]
    while waiting:
        one = waiting.pop(0)
        if one.is_over:
            return True
        key = (one.state, one.assignee, one.is_accepted, one.is_escalated, one.resumes_to, one.timer is None)
        if key not in seen:
            seen.add(key)
            waiting.extend(_moved_by_staff(one))
    return False


def _moved_by_staff(order: ModelOrder) -> list[ModelOrder]:
    moved = []
    for person in STAFF:
        for action in order.available(person):
            if action not in ("merge", "reopen"):
                moved.append(order.copy())
                moved[-1].take(person, action)
    if order.timer is not None:
        moved.append(order.copy())
        moved[-1].let_pass(order.timer[1] - order.now)
    if order.life.step("follow", order.state) is not None:
        moved.append(order.copy())
        moved[-1].take(SYSTEM, "follow")
    return moved


def test_what_the_system_takes_alone_has_no_time_of_its_own() -> None:
    for one in STANDARD.transitions:
        if one.action in BY_THE_SYSTEM_ALONE:
            assert (one.who, one.after_minutes) == (("is_system",), None)
