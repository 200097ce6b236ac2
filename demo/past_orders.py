"""What happened in the demo district lately: some 440 orders of real kinds, in every state, with their histories."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from random import Random

from demo.histories import PastOrder
from demo.kinds import KIND, KINDS
from demo.people import Home
from demo.personas import PERSONA
from demo.requests import Requests
from demo.staff import Staff
from demo.standing import Step, silence_closes
from demo.stories import tell_stories
from demo.telling import Telling, given
from models.orders import OrderAction, OrderState
from services.chassis.clock import SHANGHAI

A = OrderAction

HISTORY_DAYS = 60

PLANNED = {
    OrderState.CLOSED: 214,
    OrderState.CANCELLED: 28,
    OrderState.REJECTED: 15,
    OrderState.RATED: 18,
    OrderState.VERIFIED: 16,
    OrderState.COMPLETED: 20,
    OrderState.SHELVED: 5,
    OrderState.IN_PROGRESS: 17,
    OrderState.ACCEPTED: 18,
    OrderState.DISPATCHED: 28,
    OrderState.TRIAGED: 18,
    OrderState.RETURNED: 6,
    OrderState.PLACED: 18,
}
"""How many orders end up in which state, Mr Zhang's weekly ones, the hot spot and the stories not counted."""

HOT_SPOT, HOT_SPOT_ORDERS = "翠园新村", 16
"""Where water pressure fell some ten days ago: something for a chart to find."""

ZHANGS_WEEKS = 7

_PLACED_DAYS_AGO = {
    OrderState.PLACED: (1, 2),
    OrderState.RETURNED: (1, 4),
    OrderState.TRIAGED: (1, 3),
    OrderState.DISPATCHED: (1, 5),
    OrderState.ACCEPTED: (1, 4),
    OrderState.IN_PROGRESS: (1, 5),
    OrderState.SHELVED: (3, 14),
    OrderState.COMPLETED: (1, 10),
    OrderState.VERIFIED: (1, 6),
    OrderState.RATED: (1, 2),
    OrderState.CLOSED: (2, HISTORY_DAYS),
    OrderState.CANCELLED: (1, HISTORY_DAYS),
    OrderState.REJECTED: (1, HISTORY_DAYS),
}
"""Few enough that the lifecycle would not have gone on by itself since."""


def build_past_orders(staff: Staff, today: date) -> list[PastOrder]:
    """Everything that happened before `today` began in China, in the order in which it was placed."""
    cutoff = datetime.combine(today, time(), SHANGHAI)
    ordinary = list(_ordinary_orders(staff, cutoff))
    stories = tell_stories(staff, cutoff, ordinary)
    orders = [*ordinary, *_hot_spot(staff, cutoff), *_zhangs_weeks(staff, cutoff), *stories]
    return sorted(orders, key=lambda order: order.placed_at)


def _ordinary_orders(staff: Staff, cutoff: datetime) -> Iterator[PastOrder]:
    requests = Requests(staff)
    weights = [kind.weight for kind in KINDS]
    for state, count in PLANNED.items():
        for number in range(count):
            random = Random(f"linli-demo:{state}:{number}")
            (kind,) = random.choices(KINDS, weights=weights)
            request = requests.draw(random, kind)
            days_ago = random.randint(*_PLACED_DAYS_AGO[state])
            yield Telling(staff, kind, request, random).order(f"{state}-{number}", state, cutoff, days_ago)


def _hot_spot(staff: Staff, cutoff: datetime) -> Iterator[PastOrder]:
    requests = Requests(staff)
    for number in range(HOT_SPOT_ORDERS):
        random = Random(f"linli-demo:hot-spot:{number}")
        request = requests.draw_in(random, HOT_SPOT)
        telling = Telling(staff, KIND["water_pressure"], request, random)
        yield telling.order(f"hot-spot-{number}", OrderState.CLOSED, cutoff, random.randint(9, 13))


def _zhangs_weeks(staff: Staff, cutoff: datetime) -> Iterator[PastOrder]:
    home = staff.people.home_of["zhang"]
    last_monday = cutoff - timedelta(days=cutoff.weekday() or 7)
    for weeks_ago in range(ZHANGS_WEEKS):
        yield _zhangs_week(f"zhang-{weeks_ago}", home, last_monday - timedelta(weeks=weeks_ago), cutoff)


def _zhangs_week(key: str, home: Home, monday: datetime, cutoff: datetime) -> PastOrder:
    """Ordered on Saturday, done on Monday morning by the same member, rated in the evening."""
    random = Random(f"linli-demo:{key}")
    member, dispatcher = PERSONA["member"].account_id, PERSONA["dispatcher"].account_id
    placed_by = PERSONA["daughter" if random.random() < 0.3 else "zhang"].account_id
    case = KIND["buy_medicine"].cases[0]

    def at(days: int, hour: int) -> datetime:
        return monday + timedelta(days=days, hours=hour, seconds=random.randrange(2400))

    steps = [
        Step(A.PLACE, placed_by, at(-2, 9)),
        Step(A.TRIAGE, dispatcher, at(-2, 10)),
        Step(A.DISPATCH, dispatcher, at(-2, 11), details=given(member)),
        Step(A.ACCEPT, member, at(-2, 12)),
        Step(A.START, member, at(0, 9)),
        Step(A.COMPLETE, member, at(0, 10), case.done),
        Step(A.RATE, placed_by, at(0, 18), details={"stars": 5, "solved": True}),
    ]
    steps += silence_closes(steps, cutoff)
    window = monday + timedelta(hours=9), monday + timedelta(hours=12)
    return PastOrder(key, KIND["buy_medicine"], home, home.members[0].person, case.asked, steps, *window)
