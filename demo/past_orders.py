"""What happened in the demo district lately: some 400 orders of real kinds, in every state, with their histories."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from random import Random
from uuid import UUID

from demo.courses import pick_course, pick_delay, pick_time_of_day, times_of, wanted_window
from demo.histories import PastOrder, Step
from demo.kinds import FILLINGS, KIND, KINDS, REMARKS, Doer, Kind
from demo.people import Home
from demo.personas import PERSONA
from demo.requests import Request, Requests
from demo.staff import Staff
from demo.tiling import Position
from models.orders import OrderAction, OrderState
from services.chassis.clock import SHANGHAI

HISTORY_DAYS = 60

PLANNED = {
    OrderState.RATED: 258,
    OrderState.CANCELLED: 32,
    OrderState.COMPLETED: 34,
    OrderState.IN_PROGRESS: 17,
    OrderState.ACCEPTED: 19,
    OrderState.DISPATCHED: 36,
    OrderState.PLACED: 18,
}
"""How many orders end up in which state, Mr Zhang's weekly ones and the hot spot not counted."""

HOT_SPOT, HOT_SPOT_ORDERS = "翠园新村", 16
"""Where water pressure fell some ten days ago: something for a chart to find."""

ZHANGS_WEEKS = 7

_PLACED_DAYS_AGO = {
    OrderState.PLACED: (1, 2),
    OrderState.DISPATCHED: (1, 5),
    OrderState.ACCEPTED: (1, 4),
    OrderState.IN_PROGRESS: (1, 5),
    OrderState.COMPLETED: (1, 14),
    OrderState.RATED: (2, HISTORY_DAYS),
    OrderState.CANCELLED: (1, HISTORY_DAYS),
}

_SOLVED_SHARE = {5: 1.0, 4: 1.0, 3: 0.75, 2: 0.3, 1: 0.0}
"""How many of those who give so many stars call their need solved."""


def build_past_orders(staff: Staff, today: date) -> list[PastOrder]:
    """Everything that happened before `today` began in China, in the order in which it was placed."""
    cutoff = datetime.combine(today, time(), SHANGHAI)
    orders = [*_ordinary_orders(staff, cutoff), *_hot_spot(staff, cutoff), *_zhangs_weeks(staff, cutoff)]
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
            yield _Telling(staff, kind, request, random).order(f"{state}-{number}", state, cutoff, days_ago)


def _hot_spot(staff: Staff, cutoff: datetime) -> Iterator[PastOrder]:
    requests = Requests(staff)
    for number in range(HOT_SPOT_ORDERS):
        random = Random(f"linli-demo:hot-spot:{number}")
        request = requests.draw_in(random, HOT_SPOT)
        telling = _Telling(staff, KIND["water_pressure"], request, random)
        yield telling.order(f"hot-spot-{number}", OrderState.RATED, cutoff, random.randint(9, 13))


def _zhangs_weeks(staff: Staff, cutoff: datetime) -> Iterator[PastOrder]:
    home = staff.people.home_of["zhang"]
    last_monday = cutoff - timedelta(days=cutoff.weekday() or 7)
    for weeks_ago in range(ZHANGS_WEEKS):
        yield _zhangs_week(f"zhang-{weeks_ago}", home, last_monday - timedelta(weeks=weeks_ago))


def _zhangs_week(key: str, home: Home, monday: datetime) -> PastOrder:
    """Ordered on Saturday, done on Monday morning by the same member, rated in the evening."""
    random = Random(f"linli-demo:{key}")
    member, dispatcher = PERSONA["member"].account_id, PERSONA["dispatcher"].account_id
    placed_by = PERSONA["daughter" if random.random() < 0.3 else "zhang"].account_id
    case = KIND["buy_medicine"].cases[0]

    def at(days: int, hour: int) -> datetime:
        return monday + timedelta(days=days, hours=hour, seconds=random.randrange(2400))

    steps = [
        Step(OrderAction.PLACE, placed_by, at(-2, 9)),
        Step(OrderAction.DISPATCH, dispatcher, at(-2, 10), details={"assignee_id": str(member)}),
        Step(OrderAction.ACCEPT, member, at(-2, 12)),
        Step(OrderAction.START, member, at(0, 9)),
        Step(OrderAction.COMPLETE, member, at(0, 10), case.done),
        Step(OrderAction.RATE, placed_by, at(0, 18), details={"stars": 5, "solved": True}),
    ]
    window = monday + timedelta(hours=9), monday + timedelta(hours=12)
    return PastOrder(key, KIND["buy_medicine"], home, home.members[0].person, case.asked, steps, *window)


class _Telling:
    """Tells one order: when each step was taken, by whom, in which words. Nobody does what they ordered or need."""

    def __init__(self, staff: Staff, kind: Kind, request: Request, random: Random) -> None:
        self._staff = staff
        self._kind = kind
        self._request = request
        self._random = random
        self._case = random.choice(kind.cases)
        self._fillings = _fillings(request.home, random)
        self._assignee = self._pick_doer()
        self._goes_to_pool = random.random() < 0.45

    def order(self, key: str, state: OrderState, cutoff: datetime, days_ago: int) -> PastOrder:
        """The order as it stood at `cutoff`, placed that many days before or, if there was too much to do, earlier."""
        random = self._random
        course = pick_course(state, random)
        delays = [pick_delay(action, random) for action in course]
        is_by_appointment = self._kind.doer is Doer.HELPER and random.random() < 0.5
        wanted_in_days = random.choice([1, 1, 2, 3]) if is_by_appointment else None
        placed_at = cutoff - timedelta(days=days_ago) + pick_time_of_day(random)
        while (times := times_of(placed_at, course, delays, wanted_in_days))[-1] >= cutoff:
            placed_at -= timedelta(days=1)

        self._goes_to_pool = self._goes_to_pool and OrderAction.DECLINE not in course
        steps = [self._step(action, at) for action, at in zip(course, times, strict=True)]
        home, resident, asked = self._request.home, self._request.resident, self._fill(self._case.asked)
        window = wanted_window(times[0], wanted_in_days)
        return PastOrder(key, self._kind, home, resident, asked, steps, *window, self._pick_point())

    def _step(self, action: OrderAction, at: datetime) -> Step:
        match action:
            case OrderAction.PLACE:
                return Step(action, self._request.placed_by, at)
            case OrderAction.DISPATCH:
                return self._dispatched(at)
            case OrderAction.DECLINE:
                return self._declined(at)
            case OrderAction.COMPLETE:
                return Step(action, self._assignee, at, self._fill(self._case.done))
            case OrderAction.RATE:
                return self._rated(at)
            case OrderAction.CANCEL:
                return self._cancelled(at)
            case _:
                return Step(action, self._assignee, at)

    def _dispatched(self, at: datetime) -> Step:
        (dispatcher,) = self._random.choices(self._staff.dispatchers, weights=[7, 3])
        note = self._sometimes(REMARKS.dispatch_notes, 0.3)
        assignee_id = None if self._goes_to_pool else str(self._assignee)
        return Step(OrderAction.DISPATCH, dispatcher.id, at, note, {"assignee_id": assignee_id})

    def _declined(self, at: datetime) -> Step:
        """The next one to be asked is somebody else."""
        declining = self._assignee
        self._assignee = self._pick_doer(other_than=declining)
        return Step(OrderAction.DECLINE, declining, at, self._random.choice(REMARKS.declined))

    def _rated(self, at: datetime) -> Step:
        (stars,) = self._random.choices([5, 4, 3, 2, 1], weights=[58, 24, 9, 5, 4])
        solved = self._random.random() < _SOLVED_SHARE[stars]
        if not solved:
            comment: str | None = self._random.choice(REMARKS.dissatisfied)
        else:
            comment = self._sometimes(REMARKS.praise if stars == 5 else REMARKS.satisfied, 0.6)
        return Step(OrderAction.RATE, self._request.placed_by, at, comment, {"stars": stars, "solved": solved})

    def _cancelled(self, at: datetime) -> Step:
        if self._random.random() < 0.65:
            reason = self._random.choice(REMARKS.cancelled_by_resident)
            return Step(OrderAction.CANCEL, self._request.placed_by, at, reason)
        reason = self._random.choice(REMARKS.cancelled_by_community)
        return Step(OrderAction.CANCEL, self._staff.dispatchers[0].id, at, reason)

    def _pick_doer(self, other_than: UUID | None = None) -> UUID:
        """Company before grid worker before helpers, as the kind has it; helpers are not equally busy."""
        excluded = {self._request.placed_by, self._request.resident.account_id, other_than}
        compound = self._request.home.compound.code
        doers = []
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

    def _sometimes(self, texts: Sequence[str], probability: float) -> str | None:
        return self._random.choice(texts) if self._random.random() < probability else None


def _fillings(home: Home, random: Random) -> dict[str, str]:
    stairwell, _, door = home.dwelling.partition("单元")
    fillings = {name: random.choice(values) for name, values in FILLINGS.items()}
    return {**fillings, "stairwell": f"{stairwell}单元", "floor": door[:-2]}
