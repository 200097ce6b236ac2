"""How orders take their course: which actions lead to a state, and when people get round to them."""

from datetime import datetime, timedelta
from random import Random

from demo.histories import RESULT
from models.orders import OrderAction, OrderState

_WAY = [
    OrderAction.PLACE,
    OrderAction.DISPATCH,
    OrderAction.ACCEPT,
    OrderAction.START,
    OrderAction.COMPLETE,
    OrderAction.RATE,
]
_MEDIAN_MINUTES = {
    OrderAction.DISPATCH: 90,
    OrderAction.DECLINE: 60,
    OrderAction.ACCEPT: 80,
    OrderAction.START: 700,
    OrderAction.COMPLETE: 55,
    OrderAction.RATE: 420,
    OrderAction.CANCEL: 200,
}


def pick_course(state: OrderState, random: Random) -> list[OrderAction]:
    """The actions that lead to a state, by one of the ways that lead there."""
    if state is OrderState.CANCELLED:
        reached = random.choices([1, 2, 3], weights=[6, 3, 1])[0]
        way = [*_WAY[:reached], OrderAction.CANCEL]
    else:
        reached = 1 + [RESULT[action] for action in _WAY].index(state)
        way = _WAY[:reached]
    if OrderAction.DISPATCH in way and random.random() < 0.12:
        way = [OrderAction.PLACE, OrderAction.DISPATCH, OrderAction.DECLINE, *way[1:]]
    return way


def pick_delay(action: OrderAction, random: Random) -> timedelta:
    """How long an action comes after the one before, sleep not counted."""
    minutes = random.lognormvariate(0, 0.8) * _MEDIAN_MINUTES.get(action, 0)
    return timedelta(minutes=min(minutes, 4 * 1440), seconds=random.randrange(1, 60))


def pick_time_of_day(random: Random) -> timedelta:
    """Since midnight: from half past seven to nine in the evening, mostly in the morning."""
    return timedelta(seconds=int(random.triangular(7.5, 20.9, 10) * 3600))


def times_of(
    placed_at: datetime, course: list[OrderAction], delays: list[timedelta], wanted_in_days: int | None
) -> list[datetime]:
    """When each action took place: after the one before, while people are awake, and not before it was wanted."""
    times: list[datetime] = []
    moment = placed_at
    for action, delay in zip(course, delays, strict=True):
        moment = _when_awake(moment + delay, delay)
        wanted_from, _ = wanted_window(times[0], wanted_in_days) if times else (None, None)
        if action is OrderAction.START and wanted_from is not None:
            moment = max(moment, wanted_from + timedelta(minutes=delay.seconds % 40))
        times.append(moment)
    return times


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
