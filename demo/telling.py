"""How one order is told: when each step was taken, by whom, in which words."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from demo.courses import Turn, pick_course, pick_delay, pick_time_of_day, times_of, wanted_window
from demo.histories import PastOrder
from demo.kinds import FILLINGS, REMARKS, Doer, Kind
from demo.people import Home
from demo.requests import Request
from demo.staff import Staff
from demo.standing import Step
from demo.tiling import Position
from demo.units import Unit
from models.orders import OrderAction, OrderState, Priority

A = OrderAction


class Telling:
    """Tells one order. Nobody does what they ordered or need, and nobody checks their own work."""

    def __init__(self, staff: Staff, kind: Kind, request: Request, random: Random) -> None:
        self._staff = staff
        self._kind = kind
        self._request = request
        self._random = random
        self._case = random.choice(kind.cases)
        self._fillings = _fillings(request.home, random)
        self._unit = self._pick_unit()
        self._assignee = self._pick_doer()
        self._from_pool = self._unit is None and random.random() < 0.45

    def order(self, key: str, state: OrderState, cutoff: datetime, days_ago: int) -> PastOrder:
        """The order as it stood at `cutoff`, placed that many days before or, if there was too much to do, earlier."""
        random = self._random
        course = pick_course(state, random, from_pool=self._from_pool)
        delays = [pick_delay(turn, random) for turn in course]
        is_by_appointment = self._kind.doer is Doer.HELPER and random.random() < 0.5
        wanted_in_days = random.choice([1, 1, 2, 3]) if is_by_appointment else None
        if state is OrderState.ACCEPTED and self._from_pool:
            days_ago = 1  # or the lease would be over
        placed_at = cutoff - timedelta(days=days_ago) + pick_time_of_day(random)
        timing: dict[str, Any] = {"from_pool": self._from_pool}
        while (times := times_of(placed_at, course, delays, wanted_in_days, **timing))[-1] >= cutoff:
            placed_at -= timedelta(days=1)

        steps = [
            self._step(turn, at, after) for turn, at, after in zip(course, times, [*course[1:], None], strict=True)
        ]
        home, resident, asked = self._request.home, self._request.resident, self._fill(self._case.asked)
        window = wanted_window(times[0], wanted_in_days)
        return PastOrder(key, self._kind, home, resident, asked, steps, *window, self._pick_point())

    def _step(self, turn: Turn, at: datetime, after: Turn | None) -> Step:
        if turn.by_system:
            return self._taken_by_itself(turn.action, at)
        if turn.action in {A.DECLINE, A.HAND_BACK, A.TRANSFER}:
            return self._passed_on(turn.action, at)
        if turn.action is A.RATE:
            return self._rated(at, is_solved=after is None or after.action is not A.REDO)
        if turn.action is A.CANCEL:
            return self._cancelled(at)
        if turn.action in {A.PLACE, A.RESUBMIT}:
            return Step(turn.action, self._request.placed_by, at, self._reason(turn.action))
        if turn.action in {A.ACCEPT, A.START, A.COMPLETE}:
            note = self._fill(self._case.done) if turn.action is A.COMPLETE else None
            return Step(turn.action, self._assignee, at, note)
        return self._decided(turn.action, at)

    def _decided(self, action: OrderAction, at: datetime) -> Step:
        """What the dispatcher does."""
        details = self._sorted() if action is A.TRIAGE else self._given() if action is A.DISPATCH else {}
        return Step(action, self._dispatcher(), at, self._reason(action), details)

    def _taken_by_itself(self, action: OrderAction, at: datetime) -> Step:
        if action is A.LAPSE:  # somebody else takes it next
            self._assignee = self._pick_doer(other_than=self._assignee)
        if action is A.REDO:
            return Step(A.REDO, None, at, self._unsolved)
        return Step(action, None, at)

    def _sorted(self) -> dict[str, Any]:
        """What triage changed: before and after."""
        if self._random.random() < 0.8:
            return {}
        return sorted_as(self._kind, self._random.choice(list(Priority)))

    def _given(self) -> dict[str, Any]:
        if self._unit is not None:
            return given(unit_id=self._unit.id)
        return given() if self._from_pool else given(self._assignee)

    def _passed_on(self, action: OrderAction, at: datetime) -> Step:
        """Declined, given back or passed on, with the reason. The next one to have it is somebody else."""
        giving_up = self._assignee
        if action is A.DECLINE and self._unit is not None:
            giving_up = self._unit.leader.id
        self._assignee = self._pick_doer(other_than=self._assignee)
        reasons = {A.DECLINE: REMARKS.declined, A.HAND_BACK: REMARKS.handed_back, A.TRANSFER: REMARKS.transferred}
        details: dict[str, Any] = {}
        if action is A.TRANSFER:
            details = {"assignee_id": str(self._assignee)} | ({"unit_id": str(self._unit.id)} if self._unit else {})
        return Step(action, giving_up, at, self._random.choice(reasons[action]), details)

    def _rated(self, at: datetime, *, is_solved: bool) -> Step:
        if is_solved:
            (stars,) = self._random.choices([5, 4, 3, 2], weights=[60, 26, 11, 3])
            comment = self._sometimes(REMARKS.praise if stars == 5 else REMARKS.satisfied, 0.6)
        else:
            (stars,) = self._random.choices([3, 2, 1], weights=[2, 4, 4])
            comment = self._unsolved = self._random.choice(REMARKS.dissatisfied)
        return Step(A.RATE, self._request.placed_by, at, comment, {"stars": stars, "solved": is_solved})

    def _cancelled(self, at: datetime) -> Step:
        if self._random.random() < 0.65:
            return Step(A.CANCEL, self._request.placed_by, at, self._random.choice(REMARKS.cancelled_by_resident))
        return Step(A.CANCEL, self._staff.dispatchers[0].id, at, self._random.choice(REMARKS.cancelled_by_community))

    def _dispatcher(self) -> UUID:
        (dispatcher,) = self._random.choices(self._staff.dispatchers, weights=[7, 3])
        return dispatcher.id

    def _pick_unit(self) -> Unit | None:
        """Most of what a property company does is given to the company, not to somebody of it."""
        company = self._staff.company_of.get(self._request.home.compound.code)
        if self._kind.doer is not Doer.COMPANY or company is None or self._random.random() < 0.3:
            return None
        return self._staff.unit(company.name)

    def _pick_doer(self, other_than: UUID | None = None) -> UUID:
        """Company before grid worker before helpers, as the kind has it; helpers are not equally busy."""
        excluded = {self._request.placed_by, self._request.resident.account_id, other_than}
        compound = self._request.home.compound.code
        doers = []
        if self._unit is not None:
            doers += [worker.id for worker in self._random.sample(self._unit.workers, len(self._unit.workers))]
        if self._kind.doer is Doer.COMPANY and compound in self._staff.company_of:
            doers.append(self._staff.company_of[compound].id)
        if self._kind.doer is not Doer.HELPER:
            doers.append(self._staff.grid_worker_of[compound].id)
        helpers = self._staff.helpers
        weights = [1 / (1 + rank % 47) ** 0.6 for rank in range(len(helpers))]
        doers += [helper.id for helper in self._random.choices(helpers, weights=weights, k=4)]
        return next(doer for doer in doers if doer not in excluded)

    def _pick_point(self) -> Position | None:
        """Some mark on the map what they mean; nobody does for help at home."""
        if self._kind.doer is Doer.HELPER or self._random.random() < 0.6:
            return None
        lng, lat = self._request.home.building.centre
        return round(lng + self._random.uniform(-2e-4, 2e-4), 6), round(lat + self._random.uniform(-2e-4, 2e-4), 6)

    def _fill(self, text: str) -> str:
        return text.format(**self._fillings)

    def _reason(self, action: OrderAction) -> str | None:
        return self._sometimes(*_REASONS.get(action, ((), 0)))

    def _sometimes(self, texts: Sequence[str], probability: float) -> str | None:
        return self._random.choice(texts) if self._random.random() < probability else None


_REASONS: dict[OrderAction, tuple[Sequence[str], float]] = {
    A.RETURN: (REMARKS.returned, 1),
    A.REJECT: (REMARKS.rejected, 1),
    A.REDO: (REMARKS.redone, 1),
    A.SHELVE: (REMARKS.shelved, 1),
    A.RESUBMIT: (REMARKS.resubmitted, 1),
    A.DISPATCH: (REMARKS.dispatch_notes, 0.3),
}
"""What is said to an action, and how often."""


def sorted_as(kind: Kind, priority: Priority) -> dict[str, Any]:
    """The details of a triage that gives an order this priority."""
    usual = kind.defaults["priority"]
    return {} if priority is usual else {"priority": [usual.value, priority.value]}


def given(assignee_id: UUID | None = None, *, unit_id: UUID | None = None, **more: Any) -> dict[str, Any]:
    """The details of a dispatch by hand: to a person, to a unit, or with neither into the pool."""
    unit = {"unit_id": str(unit_id)} if unit_id else {}
    return {"assignee_id": assignee_id and str(assignee_id), **unit, "mode": "manual", **more}


def _fillings(home: Home, random: Random) -> dict[str, str]:
    stairwell, _, door = home.dwelling.partition("单元")
    fillings = {name: random.choice(values) for name, values in FILLINGS.items()}
    return {**fillings, "stairwell": f"{stairwell}单元", "floor": door[:-2]}
