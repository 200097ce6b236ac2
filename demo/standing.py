"""How an order stands after each of its steps: what `order_step` would have written, by the standard lifecycle."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from models.orders import OrderAction, OrderStage, Priority, Visibility
from services.orders.lifecycles.definition import BEFORE
from services.orders.lifecycles.standard import STANDARD

A = OrderAction

LEASE = timedelta(minutes=STANDARD.limits.lease_minutes)
TO_WAITING = frozenset({OrderStage.RECEIVE, OrderStage.DISPATCH, OrderStage.FOLLOW})
"""Stages in which nobody has the order, and nothing has been done yet."""


@dataclass(frozen=True, slots=True)
class Step:
    """One row of an order's history."""

    action: OrderAction
    actor_id: UUID | None
    """None: the system, by the lifecycle's own rule."""
    at: datetime
    note: str | None = None
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Standing:
    """What an order says of itself because of its steps."""

    wanted_from: datetime | None
    main: "Standing | None" = None
    """Of the order it was merged into, as that one stood when it came to be closed."""
    state: str = STANDARD.initial.id
    assignee_id: UUID | None = None
    unit_id: UUID | None = None
    is_in_pool: bool = False
    helpers_wanted: int = 1
    helping: int = 0
    priority: Priority = Priority.NORMAL
    visibility: Visibility = Visibility.PRIVATE
    hops: int = 0
    redos: int = 0
    is_escalated: bool = False
    timer_at: datetime | None = None
    timer_action: str | None = None
    resumes_to: str | None = None
    is_merged: bool = False
    triaged_at: datetime | None = None
    dispatched_at: datetime | None = None
    accepted_at: datetime | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    verified_at: datetime | None = None
    rated_at: datetime | None = None
    closed_at: datetime | None = None
    rewarded_at: datetime | None = None
    cancelled_at: datetime | None = None
    completion_note: str | None = None
    stars: int | None = None
    solved: bool | None = None
    rating_comment: str | None = None
    noted: dict[datetime, dict[str, Any]] = field(default_factory=dict)
    """What the history says of a step besides what the step brought with it."""

    @property
    def stage(self) -> OrderStage:
        return STANDARD.state(self.state).stage

    def take(self, step: Step) -> None:
        """Raises LookupError when the lifecycle does not know the step here."""
        transition = STANDARD.step(step.action, self.state)
        if transition is None:
            raise LookupError(f"{step.action} in {self.state}")
        state_before, was_in_pool = self.state, self.is_in_pool and self.assignee_id is None
        moves = transition.to_state is not None
        if transition.to_state is not None:
            self.state = (self.resumes_to or "") if transition.to_state == BEFORE else transition.to_state
        if self.stage in TO_WAITING:
            self._forget_work()
        if self.stage is OrderStage.DONE:
            self.closed_at = step.at
        if STANDARD.state(self.state).pauses and not STANDARD.state(state_before).pauses:
            self.resumes_to = state_before
        if step.action is A.ACCEPT and was_in_pool:
            self.noted[step.at] = {"claimed": True}
        self._write(step)
        self._open_or_leave_the_pool()
        if moves:
            self._set_timer(step, was_in_pool)

    def _forget_work(self) -> None:
        self.assignee_id = self.unit_id = None
        self.dispatched_at = self.accepted_at = self.started_at = None
        self.completed_at = self.verified_at = self.closed_at = None

    def _write(self, step: Step) -> None:
        if (moment := _MOMENTS.get(step.action)) is not None:
            setattr(self, moment, step.at)
        if (writes := _WRITES.get(step.action)) is not None:
            writes(self, step)

    def _sort(self, step: Step) -> None:
        """What triage decided: each detail is what was and what is now."""
        if "priority" in step.details:
            self.priority = Priority(step.details["priority"][1])
        if "visibility" in step.details:
            self.visibility = Visibility(step.details["visibility"][1])
        if "helpers_wanted" in step.details:
            self.helpers_wanted = step.details["helpers_wanted"][1]

    def _give(self, step: Step) -> None:
        self.triaged_at = self.triaged_at or step.at
        self.assignee_id = _uuid_or_none(step.details["assignee_id"])
        self.unit_id = _uuid_or_none(step.details.get("unit_id"))
        self.dispatched_at, self.accepted_at, self.started_at = step.at, None, None
        self.is_escalated = self.is_escalated and step.action is A.TRANSFER
        self.hops += step.action is A.TRANSFER

    def _accept(self, step: Step) -> None:
        self.assignee_id, self.accepted_at, self.started_at = step.actor_id, step.at, None

    def _give_back(self, _: Step) -> None:
        self.hops += 1
        self.is_escalated = self.hops >= STANDARD.limits.hops

    def _lapse(self, step: Step) -> None:
        self.noted[step.at] = {"from_id": str(self.assignee_id)}
        self.assignee_id = self.accepted_at = None
        self.hops += 1

    def _join(self, _: Step) -> None:
        self.helping += 1

    def _complete(self, step: Step) -> None:
        self.completion_note = step.note

    def _redo(self, _: Step) -> None:
        self.redos += 1
        self.is_escalated = self.is_merged = False
        self.started_at = self.completed_at = self.verified_at = None
        self.rated_at = self.stars = self.solved = self.rating_comment = None

    def _merge(self, _: Step) -> None:
        self.is_merged = True

    def _rate(self, step: Step) -> None:
        """Not solved, it is done again: the work is not rewarded yet."""
        self.rated_at, self.rating_comment = step.at, step.note
        self.stars, self.solved = step.details["stars"], step.details["solved"]
        is_redone = not self.solved and self.redos < STANDARD.limits.redos
        self.is_escalated = not self.solved and not is_redone
        if not is_redone and not self.is_merged:
            self.rewarded_at = step.at

    def _follow(self, step: Step) -> None:
        """It shares what was done for the main order; what was written about the other home stays there."""
        assert self.main is not None
        for shared in ("assignee_id", "unit_id", "dispatched_at", "accepted_at", "started_at", "completed_at"):
            setattr(self, shared, getattr(self.main, shared))
        self.verified_at = self.main.verified_at

    def _open_or_leave_the_pool(self) -> None:
        is_open = self.stage is OrderStage.HANDLE and self.unit_id is None and not STANDARD.state(self.state).pauses
        is_wanted = self.assignee_id is None or self.helping < self.helpers_wanted - 1
        self.is_in_pool = is_open and is_wanted

    def _set_timer(self, step: Step, was_in_pool: bool) -> None:
        self.timer_at = self.timer_action = None
        if step.action is A.ACCEPT and was_in_pool:
            self.timer_action, self.timer_at = A.LAPSE, max(step.at, self.wanted_from or step.at) + LEASE
        elif step.action is A.SHELVE and "until" in step.details:
            self.timer_action, self.timer_at = A.RESUME, datetime.fromisoformat(step.details["until"])
        elif (silent := silent_step(self.state)) is not None and not self.is_escalated:
            self.timer_action, self.timer_at = silent[0], step.at + silent[1]


_MOMENTS = {
    A.TRIAGE: "triaged_at",
    A.START: "started_at",
    A.COMPLETE: "completed_at",
    A.VERIFY: "verified_at",
    A.CANCEL: "cancelled_at",
}
_WRITES: dict[OrderAction, Callable[[Standing, Step], None]] = {
    A.TRIAGE: Standing._sort,
    A.DISPATCH: Standing._give,
    A.TRANSFER: Standing._give,
    A.ACCEPT: Standing._accept,
    A.DECLINE: Standing._give_back,
    A.HAND_BACK: Standing._give_back,
    A.LAPSE: Standing._lapse,
    A.JOIN: Standing._join,
    A.COMPLETE: Standing._complete,
    A.REDO: Standing._redo,
    A.RATE: Standing._rate,
    A.MERGE: Standing._merge,
    A.FOLLOW: Standing._follow,
}
"""What an action writes besides the state. The others write no more."""


def silent_step(state: str) -> tuple[str, timedelta] | None:
    """What the system does by itself in a state, and how long after the order came there."""
    for transition in STANDARD.steps_from(state):
        if transition.after_minutes is not None:
            return transition.action, timedelta(minutes=transition.after_minutes)
    return None


NOTICE = timedelta(seconds=0.2)
"""How soon the system takes a step that is due."""


def silence_closes(steps: Sequence[Step], cutoff: datetime, main: Standing | None = None) -> list[Step]:
    """The step with which the lifecycle has closed an order by itself before `cutoff`, if it has."""
    standing = standings(steps, Standing(None, main))[0]
    if standing.timer_at is None or standing.timer_at + NOTICE >= cutoff:
        return []
    return [Step(OrderAction(standing.timer_action or ""), None, standing.timer_at + NOTICE)]


def standings(steps: Sequence[Step], standing: Standing) -> tuple[Standing, list[str]]:
    """How an order that stood so when it was placed stands after its steps, and the state after each.

    Raises LookupError for a step that is none.
    """
    states = [standing.state]
    for step in steps[1:]:
        standing.take(step)
        states.append(standing.state)
    return standing, states


def _uuid_or_none(text: str | None) -> UUID | None:
    return UUID(text) if text else None
