"""Which clocks a history tells of, against a counter that walks it minute by minute, over random histories."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.clocks import ClockTarget, PauseAction
from models.orders import OrderStage
from services.orders.clocks.arithmetic import Interval
from services.orders.clocks.lives import (
    NOTHING,
    Holder,
    MarksOf,
    PauseStep,
    Round,
    Step,
    in_time,
    kinds_of,
    marks_of,
    pauses_of,
    rounds_of,
    shelved_of,
)
from services.orders.lifecycles.definition import BEFORE, Lifecycle, State, Transition
from services.orders.lifecycles.standard import STANDARD

T = ClockTarget
BEGIN = datetime(2026, 3, 16, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOLDERS: list[Holder] = [("chen", None), ("huang", None), (None, "team"), (None, None)]


def _own_life() -> Lifecycle:
    """The standard one with states of a district's own: waiting for a part, and a look at the place beforehand."""
    states = (
        State(id="waiting_for_part", name="等配件", name_en="waiting for a part", stage=OrderStage.HANDLE, pauses=True),
        State(
            id="surveyed", name="已勘查", name_en="surveyed", stage=OrderStage.HANDLE,
            clocks=(T.FINISH, T.DISPATCH), meets=(T.ACCEPT, T.ARRIVE),
        ),
    )  # fmt: skip
    steps = [("wait", "in_progress", "waiting_for_part"), ("go_on", "waiting_for_part", BEFORE)]
    steps += [("survey", "accepted", "surveyed"), ("part", "surveyed", "waiting_for_part")]
    steps += [("back", "surveyed", "in_progress"), ("give_up", "waiting_for_part", "cancelled")]
    added = tuple(
        Transition(action=action, name=action, name_en=action, from_states=(here,), to_state=there, who=("is_helper",))
        for action, here, there in steps
    )
    return Lifecycle(states=STANDARD.states + states, transitions=STANDARD.transitions + added)


LIVES = [STANDARD, _own_life()]


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Step], MarksOf]:
    """Any way through a lifecycle; every step takes a minute or more, so that a walk by minutes sees each."""
    life = draw(st.sampled_from(LIVES))
    steps = [Step(1, life.initial.id, BEGIN)]
    before: dict[str, str] = {}
    for minutes in draw(st.lists(st.integers(1, 40), max_size=16)):
        state = steps[-1].to_state
        possible = list(life.steps_from(state))
        if not possible:
            break
        chosen = draw(st.sampled_from(possible))
        to_state = before.get(state, life.initial.id) if chosen.to_state == BEFORE else chosen.to_state or state
        if to_state != state:
            before[to_state] = state
        given = draw(st.sampled_from(HOLDERS)) if chosen.action in ("dispatch", "transfer") else None
        steps.append(Step(len(steps) + 1, to_state, steps[-1].at + MINUTE * minutes, given))
    return steps, marks_of(life.states)


@st.composite
def pauses_by_hand(draw: st.DrawFn) -> list[Interval]:
    moments = sorted(BEGIN + MINUTE * n for n in draw(st.lists(st.integers(0, 300), max_size=4, unique=True)))
    ends: list[datetime | None] = [*moments[1::2], *([None] if len(moments) % 2 else [])]
    return list(zip(moments[::2], ends, strict=True))


@dataclass
class Counted:
    """A clock as the counter of minutes knows it."""

    started_at: datetime
    ran: set[datetime] = field(default_factory=set)
    """Every minute it ran, by its beginning."""
    ended_at: datetime | None = None
    is_met: bool = False


def counted(
    steps: list[Step], marks: MarksOf, pauses: list[Interval], until: datetime
) -> dict[tuple[ClockTarget, int], Counted]:
    """Told naively: at every minute one looks where the order is, and whether a clock runs, stands or is over."""
    found: dict[tuple[ClockTarget, int], Counted] = {}
    at_minute = {step.at: step for step in steps}
    for target in ClockTarget:
        present: Counted | None = None
        number, holder, state = 0, None, ""
        for minute in _minutes(BEGIN, until):
            step = at_minute.get(minute)
            is_passed_on = step is not None and step.given_to is not None and step.given_to != holder
            holder = step.given_to if step and step.given_to is not None else holder
            state = step.to_state if step else state
            here = marks.get(state, NOTHING)
            if present and ((target == T.ACCEPT and is_passed_on) or not (here.pauses or target in here.runs)):
                present.ended_at, present.is_met = minute, target in here.meets
                present = None
            if present is None and target in here.runs:
                if target == T.FINISH and number:
                    present = found[target, 1]
                    present.ended_at, present.is_met = None, False
                else:
                    number += 1
                    present = found[target, number] = Counted(minute)
            if present and not here.pauses and not _is_within(minute, pauses):
                present.ran.add(minute)
    return found


def as_counted(one: Round, pauses: list[Interval], until: datetime) -> Counted:
    life = one.life(pauses)
    ran = {minute for begin, end in life.ran for minute in _minutes(begin, min(end or until, until))}
    return Counted(life.started_at, ran, life.ended_at, life.is_met)


def _minutes(begin: datetime, until: datetime) -> Iterable[datetime]:
    while begin < until:
        yield begin
        begin += MINUTE


def _is_within(minute: datetime, intervals: list[Interval]) -> bool:
    return any(begin <= minute and (end is None or minute < end) for begin, end in intervals)


@settings(max_examples=300, deadline=None)
@given(histories(), pauses_by_hand())
def test_the_clocks_a_history_tells_of(history: tuple[list[Step], MarksOf], pauses: list[Interval]) -> None:
    """Shelved, returned, done again, passed on, reopened, merged, in states of the district's own."""
    steps, marks = history
    until = steps[-1].at + 30 * MINUTE
    standing = [*pauses, *shelved_of(steps, marks)]
    read = {(one.target, one.number): as_counted(one, standing, until) for one in rounds_of(steps, marks)}
    assert read == counted(steps, marks, pauses, until)


# By hand ----------------------------------------------------------------------------------------------------------

MARKS = marks_of(STANDARD.states)


def told(*path: str) -> dict[str, tuple[int, bool | None]]:
    """Minutes each clock ran and whether it was met (None: it runs on), when every step comes an hour after the last.

    A step is a state, or a state with whom it is given to: `dispatched:chen`.
    """
    steps = []
    for hour, name in enumerate(path):
        state, _, person = name.partition(":")
        given = (person, None) if person else None
        steps.append(Step(hour + 1, state, BEGIN + hour * timedelta(hours=1), given))
    until = steps[-1].at + timedelta(hours=1)
    standing = shelved_of(steps, MARKS)
    rounds = [(one, as_counted(one, standing, until)) for one in rounds_of(steps, MARKS)]
    return {
        f"{one.target}{one.number}": (len(read.ran), read.is_met if read.ended_at else None) for one, read in rounds
    }


def test_shelving_halts_and_ends_nothing() -> None:
    clocks = told("placed", "dispatched:chen", "shelved", "shelved", "dispatched", "accepted")
    assert clocks == {
        "dispatch1": (60, True), "accept1": (120, True), "arrive1": (60, None), "finish1": (240, None),
    }  # fmt: skip


def test_what_is_cancelled_out_of_the_shelf_was_not_kept() -> None:
    assert told("placed", "triaged", "shelved", "cancelled") == {"dispatch1": (120, False), "finish1": (120, False)}


def test_a_step_that_does_not_move_disturbs_nothing() -> None:
    assert told("placed", "dispatched:chen", "dispatched", "dispatched", "accepted")["accept1"] == (180, True)


def test_who_gets_it_passed_on_has_the_whole_time() -> None:
    clocks = told("placed", "dispatched:chen", "dispatched:chen", "dispatched:huang", "accepted")
    assert (clocks["accept1"], clocks["accept2"]) == ((120, False), (60, True))
    assert told("placed", "dispatched:chen", "dispatched", "dispatched:chen", "accepted")["accept1"] == (180, True)
    clocks = told("placed", "dispatched:chen", "accepted", "dispatched:huang", "accepted")
    assert (clocks["arrive1"], clocks["accept2"], clocks["arrive2"]) == ((60, False), (60, True), (60, None))


def test_who_takes_it_over_has_accepted_it() -> None:
    assert told("placed", "dispatched:chen", "accepted")["accept1"] == (60, True)


def test_done_again_the_finish_goes_on_where_it_stood() -> None:
    clocks = told("placed", "dispatched:chen", "accepted", "in_progress", "completed", "accepted", "in_progress")
    assert (clocks["finish1"], clocks["arrive1"], clocks["arrive2"]) == ((360, None), (60, True), (60, True))
    clocks = told("placed", "dispatched:chen", "accepted", "in_progress", "completed", "rated", "triaged")
    assert (clocks["finish1"], clocks["dispatch2"]) == ((300, None), (60, None))


def test_what_lies_before_the_first_promise_is_left_out() -> None:
    steps = [Step(1, "placed", BEGIN), Step(2, "completed", BEGIN + MINUTE), Step(3, "accepted", BEGIN + 3 * MINUTE)]
    (finish,) = (one for one in rounds_of(steps, MARKS) if one.target == T.FINISH)
    from_within = finish.since(BEGIN + MINUTE / 2)
    assert from_within is not None
    assert (from_within.started_at, len(from_within.intervals)) == (BEGIN + MINUTE / 2, 2)
    from_between = finish.since(BEGIN + 2 * MINUTE)
    assert from_between is not None
    assert from_between.intervals == [(BEGIN + 3 * MINUTE, None)]
    assert from_between.started_at == BEGIN + 3 * MINUTE
    (dispatch,) = (one for one in rounds_of(steps, MARKS) if one.target == T.DISPATCH)
    assert dispatch.since(BEGIN + MINUTE) is None


def test_what_is_returned_waits_for_who_asked() -> None:
    assert told("placed", "returned", "placed", "dispatched:chen")["dispatch1"] == (120, True)


def test_a_merged_order_has_no_time_of_its_own() -> None:
    assert told("placed", "triaged", "merged") == {"dispatch1": (120, False), "finish1": (120, False)}


@pytest.mark.parametrize("state", STANDARD.states, ids=lambda state: state.id)
def test_what_ends_an_order_well_keeps_all_its_times(state: State) -> None:
    if state.stage in (OrderStage.VERIFY, OrderStage.CLOSE):
        assert set(state.meets) == set(ClockTarget)


def test_a_clock_that_ran_backwards_stands_still() -> None:
    """Two machines may disagree by a moment; nothing ends before it began."""
    steps = in_time([Step(1, "placed", BEGIN), Step(2, "dispatched", BEGIN - timedelta(seconds=3))])
    lives = {one.target: one.life([]) for one in rounds_of(steps, MARKS)}
    assert lives[T.DISPATCH].ended_at == lives[T.ACCEPT].started_at == BEGIN


def test_a_state_nobody_knows_stops_every_clock() -> None:
    assert told("placed", "abolished") == {"dispatch1": (60, False), "finish1": (60, False)}


def test_pauses_are_told_in_turn() -> None:
    later = BEGIN + timedelta(hours=1)
    steps = [PauseStep(PauseAction.PAUSE, BEGIN), PauseStep(PauseAction.RESUME, later)]
    assert pauses_of([*steps, PauseStep(PauseAction.PAUSE, later)]) == [(BEGIN, later), (later, None)]


def test_what_kind_it_was_is_told_from_its_changes() -> None:
    first, second = BEGIN + timedelta(hours=1), BEGIN + timedelta(hours=2)
    steps = [
        Step(1, "placed", BEGIN),
        Step(2, "triaged", first, new_kind=("errand", "snow_clearing")),
        Step(3, "triaged", second, new_kind=("snow_clearing", "road_repair")),
    ]
    assert kinds_of(steps[:1], "errand") == [(None, "errand")]
    assert kinds_of(steps, "road_repair") == [(None, "errand"), (first, "snow_clearing"), (second, "road_repair")]
    assert all(before[1] != after[1] for before, after in pairwise(kinds_of(steps, "road_repair")))
