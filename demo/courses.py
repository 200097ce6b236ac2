"""How orders take their course: which actions lead to a state, and when people get round to them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from demo.standing import LEASE, NOTICE, silent_step
from models.orders import OrderAction, OrderState
from services.orders.lifecycles.standard import STANDARD

A, S = OrderAction, OrderState

_MEDIAN_MINUTES = {
    A.TRIAGE: 25,
    A.RETURN: 40,
    A.RESUBMIT: 150,
    A.REJECT: 60,
    A.DISPATCH: 45,
    A.DECLINE: 60,
    A.ACCEPT: 80,
    A.HAND_BACK: 240,
    A.TRANSFER: 90,
    A.START: 600,
    A.SHELVE: 200,
    A.RESUME: 2400,
    A.COMPLETE: 55,
    A.VERIFY: 300,
    A.REDO: 240,
    A.RATE: 420,
    A.CLOSE: 900,
    A.CANCEL: 200,
}
_BEFORE_THE_LEASE_ENDS = timedelta(minutes=25)


@dataclass(frozen=True, slots=True)
class Turn:
    """One step of a course. What the system does by itself comes when it is due."""

    action: OrderAction
    by_system: bool = False


def _turns(*actions: OrderAction) -> list[Turn]:
    return [Turn(action) for action in actions]


_NOT_SOLVED = [Turn(A.RATE), Turn(A.REDO, by_system=True)]
_SILENCE_CLOSES = [Turn(A.CLOSE, by_system=True)]
_UNTIL = [S.PLACED, S.TRIAGED, S.DISPATCHED, S.ACCEPTED, S.IN_PROGRESS, S.COMPLETED]
"""The way all orders have in common, as far as they go."""


def pick_course(state: OrderState, random: Random, *, from_pool: bool) -> list[Turn]:
    """The steps that lead to a state, by one of the ways that lead there."""
    if state in _UNTIL:
        return _way_to(state, random, from_pool=from_pool)
    if state is S.RETURNED:
        return _turns(A.PLACE, A.RETURN)
    if state is S.REJECTED:
        return _turns(A.PLACE, *random.choice([(), (A.RETURN, A.RESUBMIT)]), A.REJECT)
    reached, weights = _ENDS_AFTER.get(state, ([S.COMPLETED], [1]))
    return [
        *_way_to(random.choices(reached, weights=weights)[0], random, from_pool=from_pool),
        *_pick_end(state, random),
    ]


_ENDS_AFTER = {
    S.CANCELLED: ([S.PLACED, S.TRIAGED, S.DISPATCHED, S.ACCEPTED], [6, 3, 3, 1]),
    S.SHELVED: ([S.TRIAGED, S.ACCEPTED], [1, 1]),
}
"""How far orders come that never come further, with weights."""


def _pick_end(state: OrderState, random: Random) -> list[Turn]:
    match state:
        case S.CANCELLED:
            return _turns(A.CANCEL)
        case S.SHELVED:
            return _turns(A.SHELVE)
        case S.VERIFIED:
            return _turns(A.VERIFY)
        case S.RATED:
            return [*_verified_or_not(random), Turn(A.RATE)]
        case S.CLOSED:
            return _pick_closing(random)
    raise ValueError(state)


def _way_to(state: OrderState, random: Random, *, from_pool: bool) -> list[Turn]:
    """To one of the states every order passes, with a detour now and then."""
    reached = _UNTIL.index(state)
    way = _turns(A.PLACE)
    if reached >= _UNTIL.index(S.TRIAGED):
        way += _pick_triage(state, random)
    if reached >= _UNTIL.index(S.DISPATCHED):
        is_declined = not from_pool and random.random() < 0.11
        way += _turns(A.DISPATCH, *((A.DECLINE, A.DISPATCH) if is_declined else ()))
    if reached >= _UNTIL.index(S.ACCEPTED):
        detours = _DETOURS_FROM_POOL if from_pool else _DETOURS
        way += [Turn(A.ACCEPT), *random.choices(detours, weights=_DETOUR_WEIGHTS)[0]]
    if reached >= _UNTIL.index(S.IN_PROGRESS):
        way += _turns(A.START)
    if reached >= _UNTIL.index(S.COMPLETED):
        way += [Turn(A.COMPLETE), *_pick_redone(random)]
    return way


def _pick_triage(state: OrderState, random: Random) -> list[Turn]:
    """Now and then something is asked first; who dispatches at once has accepted it thereby."""
    if state is not S.TRIAGED and random.random() < 0.13:
        return []
    return _turns(*random.choices([(A.TRIAGE,), (A.RETURN, A.RESUBMIT, A.TRIAGE)], weights=[95, 5])[0])


def _pick_redone(random: Random) -> list[Turn]:
    """What was not done well, in the eyes of whoever checks it or of the resident, is done again."""
    again = _turns(A.START, A.COMPLETE)
    checked = [Turn(A.REDO), *again] if random.random() < 0.03 else []
    return [*checked, *_NOT_SOLVED, *again] if random.random() < 0.07 else checked


_DETOUR_WEIGHTS = [87, 4, 5, 4]
_DETOURS = [
    [],
    _turns(A.HAND_BACK, A.DISPATCH, A.ACCEPT),
    _turns(A.TRANSFER, A.ACCEPT),
    _turns(A.SHELVE, A.RESUME),
]
_DETOURS_FROM_POOL = [
    [],
    _turns(A.HAND_BACK, A.DISPATCH, A.ACCEPT),
    [Turn(A.LAPSE, by_system=True), Turn(A.ACCEPT)],
    [],
]
"""Who took it from the pool and does not begin loses it."""


def _verified_or_not(random: Random) -> list[Turn]:
    return _turns(A.VERIFY) if random.random() < 0.45 else []


def _pick_closing(random: Random) -> list[Turn]:
    """Most are judged and then closed by themselves; some close because nobody says anything."""
    endings = [
        [*_verified_or_not(random), Turn(A.RATE), *_SILENCE_CLOSES],
        [*_turns(A.VERIFY, A.RATE, A.CLOSE)],
        [Turn(A.VERIFY), *_SILENCE_CLOSES],
        [*_SILENCE_CLOSES],
    ]
    return random.choices(endings, weights=[74, 13, 9, 4])[0]


def pick_delay(turn: Turn, random: Random) -> timedelta:
    """How long a step comes after the one before, sleep not counted."""
    minutes = random.lognormvariate(0, 0.8) * _MEDIAN_MINUTES.get(turn.action, 0)
    longest = 1440 if turn.action is A.CLOSE else 4 * 1440
    return timedelta(minutes=min(minutes, longest), seconds=random.randrange(1, 60))


def pick_time_of_day(random: Random) -> timedelta:
    """Since midnight: from half past seven to nine in the evening, mostly in the morning."""
    return timedelta(seconds=int(random.triangular(7.5, 20.9, 10) * 3600))


def times_of(
    placed_at: datetime,
    course: Sequence[Turn],
    delays: Sequence[timedelta],
    wanted_in_days: int | None,
    *,
    from_pool: bool,
) -> list[datetime]:
    """When each step was taken: after the one before, while people are awake, and not before it was wanted.

    Who took an order from the pool begins before the lease ends, or loses it then.
    """
    times: list[datetime] = []
    moment, state, before_shelving = placed_at, STANDARD.initial.id, ""
    lease_ends: datetime | None = None
    for turn, delay in zip(course, delays, strict=True):
        wanted_from = wanted_window(times[0], wanted_in_days)[0] if times else None
        if turn.by_system:
            moment = _when_due(turn.action, state, moment, lease_ends)
        else:
            moment = _when_awake(moment + delay, delay)
            if turn.action is A.START and wanted_from is not None:
                moment = max(moment, wanted_from + timedelta(minutes=delay.seconds % 40))
            if lease_ends is not None:
                moment = min(moment, lease_ends - _BEFORE_THE_LEASE_ENDS)
        times.append(moment)
        lease_ends = None
        if turn.action is A.ACCEPT and from_pool:
            lease_ends = max(moment, wanted_from or moment) + LEASE
        if turn.action is not A.PLACE:
            step = STANDARD.step(turn.action, state)
            assert step is not None
            assert step.to_state is not None
            state, before_shelving = (before_shelving, "") if turn.action is A.RESUME else (step.to_state, state)
    return times


def _when_due(action: OrderAction, state: str, since: datetime, lease_ends: datetime | None) -> datetime:
    """What follows from a step is done with it; the rest when its time has come."""
    if action is A.LAPSE:
        assert lease_ends is not None
        return lease_ends + NOTICE
    silent = silent_step(state)
    if silent is not None and silent[0] == action:
        return since + silent[1] + NOTICE
    return since


def _when_awake(moment: datetime, spread: timedelta) -> datetime:
    """The moment itself, or early the next time people are up."""
    morning = moment.replace(hour=7, minute=30, second=0, microsecond=0)
    if moment < morning:
        return morning + timedelta(seconds=1 + spread.seconds % 5400)
    if moment > moment.replace(hour=21, minute=0, second=0, microsecond=0):
        return morning + timedelta(days=1, seconds=1 + spread.seconds % 5400)
    return moment


def wanted_window(placed_at: datetime, wanted_in_days: int | None) -> tuple[datetime | None, datetime | None]:
    """A morning or an afternoon some days on, or none."""
    if wanted_in_days is None:
        return None, None
    day = placed_at.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=wanted_in_days)
    first_hour = 9 if placed_at.minute % 2 else 14
    return day + timedelta(hours=first_hour), day + timedelta(hours=first_hour + 3)
