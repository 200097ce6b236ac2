"""Orders that live by a lifecycle, in plain Python: who may do what, what it does, and what comes by itself.

It knows nothing of SQL, areas or clocks that tick: the people it is given say of themselves what they are, and the
moment is a number of minutes. What it refuses it refuses by the code of the problem.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from models.orders import OrderStage
from services.orders.lifecycles.definition import BEFORE, Lifecycle, Transition

DAY = 24 * 60
WAITING = {OrderStage.RECEIVE, OrderStage.DISPATCH, OrderStage.FOLLOW}
WORKS_ON_IT = {"is_assignee", "is_assisting"}


class Refused(Exception):
    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Person:
    """`facts` are what they are to every order of the walk."""

    name: str
    facts: frozenset[str] = frozenset()


SYSTEM = Person("", frozenset({"is_system"}))


@dataclass
class Carried:
    """What an action brings with it."""

    assignee: str | None = None
    helpers_wanted: int | None = None
    solved: bool = True
    into: "ModelOrder | None" = None
    until: int | None = None


@dataclass(eq=False)
class ModelOrder:
    life: Lifecycle
    state: str = ""
    assignee: str | None = None
    helpers: set[str] = field(default_factory=set)
    once_helped: set[str] = field(default_factory=set)
    helpers_wanted: int = 1
    is_in_pool: bool = False
    was_dispatched: bool = False
    is_accepted: bool = False
    is_completed: bool = False
    is_claimed: bool = False
    """Who has it took it from the pool."""
    lapsed_from: set[str] = field(default_factory=set)
    is_escalated: bool = False
    hops: int = 0
    redos: int = 0
    resumes_to: str | None = None
    closed_at: int | None = None
    rated_at: int | None = None
    timer: tuple[str, int] | None = None
    """What comes by itself, and when."""
    main: "ModelOrder | None" = None
    followers: list["ModelOrder"] = field(default_factory=list)
    now: int = 0
    version: int = 1

    def __post_init__(self) -> None:
        self.state = self.state or self.life.initial.id
        if self.version == 1:
            self._wind_up()

    def copy(self) -> "ModelOrder":
        """Of this order alone."""
        return replace(
            self, helpers=set(self.helpers), once_helped=set(self.once_helped), followers=[],
            lapsed_from=set(self.lapsed_from),
        )  # fmt: skip

    @property
    def stage(self) -> OrderStage:
        return self.life.state(self.state).stage

    @property
    def is_over(self) -> bool:
        return self.stage == OrderStage.DONE

    def facts_of(self, person: Person) -> frozenset[str]:
        own = set(person.facts)
        if person.name and person.name == self.assignee:
            own |= {"is_assignee"} | ({"is_helper"} if own & {"is_server", "is_dispatcher"} else set())
        if person.name in self.helpers and self.helpers_wanted > 1:
            own |= {"is_assisting"}
        return frozenset(own)

    def is_seen_by(self, person: Person, action: str | None = None) -> bool:
        facts = self.facts_of(person)
        if facts & {"is_system", "is_requester", "is_family_placer", "is_overseer", *WORKS_ON_IT}:
            return True
        was_open = self.is_claimed if action == "accept" else action == "join" and self.helpers_wanted > 1
        is_too_late = self.stage == OrderStage.HANDLE and was_open
        return "is_server" in facts and (self.is_in_pool or is_too_late)

    def available(self, person: Person) -> list[str]:
        """In the order of the definition."""
        actions = dict.fromkeys(step.action for step in self.life.transitions)
        return [action for action in actions if self._refusal(person, action) is None]

    def take(self, person: Person, action: str, carried: Carried | None = None) -> None:
        """Raises Refused; then nothing has changed."""
        carried = carried or Carried()
        refusal = self._refusal(person, action) or self._fault_of(action, carried)
        if refusal is not None:
            raise Refused(refusal)
        step = self.life.step(action, self.state)
        assert step is not None
        self._go(person, step, carried)

    def let_pass(self, minutes: int) -> bool:
        """Time passes, and what is due then comes by itself; whether anything did."""
        self.now += minutes
        if self.timer is None or self.timer[1] > self.now:
            return False
        action, _ = self.timer
        try:
            self.take(SYSTEM, action)
        except Refused:
            self.timer = None
            return False
        return True

    def _refusal(self, person: Person, action: str) -> str | None:
        facts = self.facts_of(person)
        step = self.life.step(action, self.state)
        if not self.is_seen_by(person, action):
            return "order_not_found"
        if "is_system" not in facts and facts.isdisjoint(step.who if step else self.life.who(action)):
            return "forbidden"
        if step is None:
            return "order_state_conflict"
        return self._obstacle(person, step, facts)

    def _obstacle(self, person: Person, step: Transition, facts: frozenset[str]) -> str | None:
        if step.action in ("accept", "join", "take_over") and "is_requester" in facts:
            return "own_need"
        has_helped = self.helpers_wanted > 1 and person.name in self.once_helped
        if "second_person" in step.needs and person.name and (person.name == self.assignee or has_helped):
            return "own_work"
        check = _OBSTACLES.get(step.action)
        return check(self, person, facts) if check else None

    def _fault_of(self, action: str, carried: Carried) -> str | None:
        if action == "merge" and carried.into is not None:
            if carried.into is self:
                return "unknown_main_order"
            is_over = carried.into.stage in (OrderStage.FOLLOW, OrderStage.CLOSE, OrderStage.DONE)
            if is_over or carried.into.main is not None:
                return "main_order_is_over"
        wanted = carried.helpers_wanted
        if action == "dispatch" and wanted is not None and wanted < self.helpers_wanted:
            least = max(1 + len(self.helpers), 2 if self.once_helped else 1)
            return "helpers_have_joined" if wanted < least else None
        return None

    def _go(self, person: Person, step: Transition, carried: Carried) -> None:
        before = self.copy()
        self.version += 1
        self.state = (self.resumes_to or "") if step.to_state == BEFORE else step.to_state or self.state
        if self.stage in WAITING:
            self.assignee, self.was_dispatched, self.is_accepted, self.is_completed = None, False, False, False
            self.is_claimed, self.closed_at = False, None
        if self.is_over:
            self.closed_at = self.now
        if step.action in _EFFECTS:
            _EFFECTS[step.action](self, person, carried)
        if step.action == "rate":
            self.is_escalated = not carried.solved and not self._is_redone(carried)
        if self.assignee != before.assignee and self.helpers_wanted > 1:
            self.helpers.discard(self.assignee or "")
        if step.to_state is not None and self._pauses(self.state) and not self._pauses(before.state):
            self.resumes_to = before.state
        self._open_or_shut_the_pool()
        if step.to_state is not None:
            self._wind_up()
            self._wind_up_specially(step.action, before, carried)
        self._take_others_along(step.action, before, carried)

    def _pauses(self, state: str) -> bool:
        return self.life.state(state).pauses

    def _open_or_shut_the_pool(self) -> None:
        missing = self.assignee is None or len(self.helpers) < self.helpers_wanted - 1
        self.is_in_pool = self.stage == OrderStage.HANDLE and not self._pauses(self.state) and missing

    def _wind_up(self) -> None:
        timed = [step for step in self.life.steps_from(self.state) if step.after_minutes is not None]
        self.timer = (timed[0].action, self.now + (timed[0].after_minutes or 0)) if timed else None

    def _wind_up_specially(self, action: str, before: "ModelOrder", carried: Carried) -> None:
        is_claimed = action == "accept" and before.is_in_pool and before.assignee is None
        if is_claimed and self.life.step("lapse", self.state):
            self.timer = ("lapse", self.now + self.life.limits.lease_minutes)
        elif action == "shelve" and carried.until is not None:
            self.timer = ("resume", carried.until)
        elif action == "resume" and self.life.step("lapse", self.state) and self.is_claimed:
            self.timer = ("lapse", self.now + self.life.limits.lease_minutes)
        elif self.is_escalated and self.timer is not None and self.timer[0] == "close":
            self.timer = None

    def _is_redone(self, carried: Carried) -> bool:
        """After an answer of "not solved", while the limit lasts."""
        may_redo = self.life.step("redo", self.state) is not None
        return not carried.solved and may_redo and self.redos < self.life.limits.redos

    def _take_others_along(self, action: str, before: "ModelOrder", carried: Carried) -> None:
        is_redone = action == "rate" and self._is_redone(carried)
        ended = (OrderStage.CLOSE, OrderStage.DONE)
        if self.stage in ended and before.stage not in (*ended, OrderStage.FOLLOW) and not is_redone:
            for follower in [one for one in self.followers if one.stage == OrderStage.FOLLOW]:
                follower.now = self.now
                follower.take(SYSTEM, "follow" if self.is_completed else "unmerge")
        if is_redone:
            self.take(SYSTEM, "redo")


def _cannot_accept(order: ModelOrder, person: Person, facts: frozenset[str]) -> str | None:
    if order.assignee is not None:
        return None if order.assignee == person.name else "order_state_conflict"
    if not (order.is_in_pool and "is_server" in facts):
        return "order_state_conflict"
    return "claim_lapsed" if person.name in order.lapsed_from else None


def _cannot_join(order: ModelOrder, person: Person, facts: frozenset[str]) -> str | None:
    if facts & WORKS_ON_IT:
        return "order_state_conflict"
    is_open = order.is_in_pool and "is_server" in facts
    return None if is_open and len(order.helpers) < order.helpers_wanted - 1 else "order_full"


def _cannot_take_over(order: ModelOrder, person: Person, _: frozenset[str]) -> str | None:
    return "order_state_conflict" if order.assignee == person.name and order.is_accepted else None


def _needs_senior(is_needed: Callable[[ModelOrder], bool]) -> "Obstacle":
    def check(order: ModelOrder, _: Person, facts: frozenset[str]) -> str | None:
        return "senior_needed" if is_needed(order) and "is_senior" not in facts else None

    return check


def _cannot_transfer(order: ModelOrder, _: Person, __: frozenset[str]) -> str | None:
    return "senior_needed" if order.hops >= order.life.limits.hops else None


def _cannot_lapse(order: ModelOrder, person: Person, _: frozenset[str]) -> str | None:
    is_due = order.timer is not None and order.timer[0] == "lapse"
    return None if is_due or person is not SYSTEM else "order_state_conflict"


def _cannot_reopen(order: ModelOrder, _: Person, __: frozenset[str]) -> str | None:
    since = order.closed_at if order.closed_at is not None else order.rated_at
    is_late = since is not None and since + order.life.limits.reopen_days * DAY < order.now
    return "reopening_over" if is_late else None


Obstacle = Callable[[ModelOrder, Person, frozenset[str]], str | None]
_OBSTACLES: dict[str, Obstacle] = {
    "accept": _cannot_accept,
    "join": _cannot_join,
    "take_over": _cannot_take_over,
    "dispatch": _needs_senior(lambda order: order.is_escalated or order.hops >= order.life.limits.hops),
    "merge": _needs_senior(lambda order: order.is_escalated or order.hops >= order.life.limits.hops),
    "close": _needs_senior(lambda order: order.is_escalated),
    "transfer": _cannot_transfer,
    "redo": _needs_senior(lambda order: order.redos >= order.life.limits.redos),
    "reopen": _cannot_reopen,
    "lapse": _cannot_lapse,
}


def _give(order: ModelOrder, _: Person, carried: Carried) -> None:
    order.assignee, order.was_dispatched, order.is_accepted = carried.assignee, True, False
    order.is_claimed = False


def _dispatch(order: ModelOrder, person: Person, carried: Carried) -> None:
    _give(order, person, carried)
    order.helpers_wanted = carried.helpers_wanted or order.helpers_wanted
    order.is_escalated = False


def _transfer(order: ModelOrder, person: Person, carried: Carried) -> None:
    _give(order, person, carried)
    order.hops += 1


def _accept(order: ModelOrder, person: Person, _: Carried) -> None:
    order.is_claimed = order.is_in_pool and order.assignee is None
    order.assignee, order.is_accepted = person.name, True


def _take_over(order: ModelOrder, person: Person, carried: Carried) -> None:
    _accept(order, person, carried)
    order.is_escalated, order.is_claimed = False, False


def _come_back(order: ModelOrder, _: Person, __: Carried) -> None:
    order.hops += 1
    order.is_escalated = order.hops >= order.life.limits.hops


def _lapse(order: ModelOrder, _: Person, __: Carried) -> None:
    order.lapsed_from.add(order.assignee or "")
    order.assignee, order.is_accepted, order.is_claimed = None, False, False
    order.hops += 1


def _join(order: ModelOrder, person: Person, _: Carried) -> None:
    order.helpers.add(person.name)
    order.once_helped.add(person.name)


def _leave(order: ModelOrder, person: Person, _: Carried) -> None:
    order.helpers.discard(person.name)


def _complete(order: ModelOrder, _: Person, __: Carried) -> None:
    order.is_completed = True


def _redo(order: ModelOrder, person: Person, carried: Carried) -> None:
    _unmerge(order, person, carried)
    order.redos += 1
    order.is_escalated, order.is_completed, order.rated_at = False, False, None


def _rate(order: ModelOrder, _: Person, __: Carried) -> None:
    order.rated_at = order.now


def _reopen(order: ModelOrder, person: Person, carried: Carried) -> None:
    _unmerge(order, person, carried)
    order.redos += 1
    order.rated_at = None
    order.is_escalated = order.redos > order.life.limits.redos


def _merge(order: ModelOrder, _: Person, carried: Carried) -> None:
    assert carried.into is not None
    order.main = carried.into
    moved = [one for one in order.followers if one.stage == OrderStage.FOLLOW]
    for one in (order, *moved):
        one.main = carried.into
        carried.into.followers.append(one)
    for follower in moved:
        follower.version += 1
        order.followers.remove(follower)


def _unmerge(order: ModelOrder, _: Person, __: Carried) -> None:
    if order.main is not None and order in order.main.followers:
        order.main.followers.remove(order)
    order.main = None


def _follow(order: ModelOrder, _: Person, __: Carried) -> None:
    if order.main is not None:
        order.assignee, order.is_completed = order.main.assignee, True


_EFFECTS: dict[str, Callable[[ModelOrder, Person, Carried], None]] = {
    "dispatch": _dispatch,
    "transfer": _transfer,
    "accept": _accept,
    "take_over": _take_over,
    "decline": _come_back,
    "hand_back": _come_back,
    "lapse": _lapse,
    "join": _join,
    "leave": _leave,
    "complete": _complete,
    "redo": _redo,
    "rate": _rate,
    "reopen": _reopen,
    "merge": _merge,
    "unmerge": _unmerge,
    "follow": _follow,
}


def complaints_about(order: ModelOrder) -> Iterator[str]:
    """What an order must never be, whatever its lifecycle."""
    if order.state not in {state.id for state in order.life.states}:
        yield f"it is nowhere: {order.state!r}"
        return
    if order.stage in WAITING and order.assignee is not None:
        yield f"it waits in {order.state}, and somebody has it"
    if order.stage in (OrderStage.VERIFY, OrderStage.CLOSE) and order.assignee is None and order.main is None:
        yield f"it is done in {order.state}, by nobody"
    if order.stage == OrderStage.FOLLOW and order.main is None:
        yield "it follows nothing"
