"""The points earned by past orders and a certified activity, and a few that were spent."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from demo.accounts import Account
from demo.books import Books, Hold, Posting
from demo.histories import PastOrder
from demo.ids import FOUNDED_AT, fixed_id
from demo.kinds import KINDS
from demo.personas import PERSONA
from demo.places import Places
from demo.staff import Staff
from demo.standing import Step
from models.earning import ServiceSource
from models.orders import OrderAction
from models.points import LedgerAccountKind, TransactionKind
from services.chassis.clock import SHANGHAI
from services.points.earning.arithmetic import Earned, Service, Used, earned, served_on
from services.points.earning.crediting import legs_of, reward_reason
from services.points.earning.records import Record
from services.points.earning.terms import OrderTerms, Terms
from services.points.ledger.posting import Leg, issue

GENERAL_POINTS, GENERAL_BONUS, MIN_STARS = 5, 2, 3
EARLIER_GENERAL_POINTS = 4
"""What the general rule gave before it was raised, thirty days before today."""
MOST_PER_SERVICE = 12

AWARD_POINTS, AWARDED = 20, 12
AWARD_REASON = "重阳节敬老志愿服务"

ACTIVITY_NAME, ACTIVITY_MINUTES, PARTICIPANTS = "小区清洁日", 120, 8

MERCHANT_NAME = "槎城便民超市"
MERCHANT_ID = fixed_id("merchant", MERCHANT_NAME)
REDEEMED, HELD = 10, 5

_SECONDS_TO_DELIVER = 0.3


@dataclass(frozen=True, slots=True)
class Rule:
    """A version of the earning rules."""

    version: int
    terms: Terms
    note: str
    active_from: datetime


@dataclass(frozen=True, slots=True)
class Ledger:
    rules: list[Rule]
    books: Books
    records: list[Record]


def build_ledger(places: Places, staff: Staff, orders: list[PastOrder], today: date) -> Ledger:
    """Every judged order credited by the rule in force then, one activity certified, one round of awards.

    All in the order in which it happened.
    """
    midnight = datetime.combine(today, time(), SHANGHAI)
    rules = list(_rules(midnight))
    community_id = places.community.id
    past = _Past(rules, community_id)
    due = [*_orders(orders), *_participants(staff, midnight), *_awards(staff, midnight, community_id)]
    due.append(_redemption(midnight))
    for event in sorted(due, key=lambda event: event.at):
        past.tell(event)
    _hold_some(past.books, midnight)
    _name_the_merchant(past.books, community_id)
    return Ledger(rules, past.books, past.records)


def delivered_at(rated_at: datetime) -> datetime:
    """When the points service heard of a rating."""
    return rated_at + timedelta(seconds=_SECONDS_TO_DELIVER)


class Times(NamedTuple):
    """When an order was worked on, as `order_advance` tells it with the rating."""

    began_at: datetime | None
    ended_at: datetime | None
    minutes: int | None


NO_TIMES = Times(None, None, None)


def times_of_service(order: PastOrder) -> Times:
    """As the helper stated it, else from start to completion when that was within a day."""
    now, done = order.standing, order.last(OrderAction.COMPLETE)
    minutes = done.details.get("minutes") if done else None
    if (
        minutes is None
        and now.started_at
        and now.completed_at
        and now.completed_at - now.started_at <= timedelta(days=1)
    ):
        minutes = (now.completed_at - now.started_at) // timedelta(minutes=1)
    return Times(now.started_at or now.accepted_at, now.completed_at, minutes)


def _rules(midnight: datetime) -> Iterator[Rule]:
    yield Rule(1, _terms(EARLIER_GENERAL_POINTS), "试行积分规则", FOUNDED_AT)
    raised = _terms(GENERAL_POINTS, {"general": {"rate": {"points": 1}, "credits_minutes": True}})
    yield Rule(2, raised, "一般服务提高到5分，活动按时长计分", midnight - timedelta(days=30))


def _terms(general_points: int, services: dict[str, Any] | None = None) -> Terms:
    return Terms.model_validate(
        {
            "orders": {
                "general": _order_terms(general_points, GENERAL_BONUS),
                "kinds": {kind.id: _order_terms(kind.points, kind.bonus) for kind in KINDS if kind.points is not None},
            },
            "services": services or {},
            "caps": {"per_activity": MOST_PER_SERVICE},
        }
    )


def _order_terms(points: int, bonus: int) -> dict[str, Any]:
    terms = {"fixed_points": points, "min_stars": MIN_STARS, "bonus": {"points": bonus} if bonus else None}
    return OrderTerms.model_validate(terms).model_dump()


@dataclass(frozen=True, slots=True)
class _Event:
    """Something that moves points: a service of somebody, or (with legs) a posting as it is."""

    at: datetime
    posting: Posting
    service: Service | None = None
    account_id: UUID | None = None
    source_id: UUID | None = None
    times: Times = NO_TIMES
    legs: list[Leg] = field(default_factory=list)


class _Past:
    """Tells the events one after the other."""

    def __init__(self, rules: Sequence[Rule], community_id: UUID) -> None:
        self.books = Books()
        self.records: list[Record] = []
        self._rules = rules
        self._community_id = community_id
        self._served: dict[UUID, int] = {}

    def tell(self, event: _Event) -> None:
        if event.service is None or event.account_id is None or event.source_id is None:
            self.books.post(event.posting, event.legs)
            return
        rule = [rule for rule in self._rules if rule.active_from <= event.at][-1]
        due = earned(rule.terms, event.service, Used())  # no version limits the day or the month
        self._credit(event, rule, due, event.account_id)
        self._record(event, rule, due, event.service, event.account_id, event.source_id)

    def _credit(self, event: _Event, rule: Rule, due: Earned, account_id: UUID) -> None:
        if due.points or due.minutes:
            event.posting.details.update({"rule_version": rule.version, **due.details})
            self.books.post(event.posting, legs_of(due, community_id=self._community_id, account_id=account_id))

    def _record(
        self, event: _Event, rule: Rule, due: Earned, service: Service, account_id: UUID, source_id: UUID
    ) -> None:
        posting = event.posting
        self._served[account_id] = self._served.get(account_id, 0) + 1
        self.records.append(
            Record(
                id=fixed_id("service-record", f"{source_id}-{account_id}", event.at),
                account_id=account_id,
                sequence=self._served[account_id],
                source_kind=ServiceSource(posting.source_kind),
                source_id=source_id,
                activity_name=None if service.is_order else ACTIVITY_NAME,
                service_kind=service.kind,
                community_id=self._community_id,
                began_at=event.times.began_at,
                ended_at=event.times.ended_at,
                minutes=event.times.minutes,
                served_on=served_on(event.times.ended_at, event.at),
                stars=service.stars,
                solved=service.solved,
                judged_at=event.at,
                recorded_by=posting.recorded_by,
                approved_by=None,
                rule_version=rule.version,
                points=due.points,
                minutes_credited=due.minutes,
                details=due.details,
                transaction_id=posting.id if due.points or due.minutes else None,
            )
        )


def _orders(orders: list[PastOrder]) -> Iterator[_Event]:
    for order in orders:
        rating = order.rewarding
        if rating is not None and order.assignee_id is not None:
            yield _rated(order, rating, order.assignee_id)


def _rated(order: PastOrder, rating: Step, assignee_id: UUID) -> _Event:
    stars, times = rating.details["stars"], times_of_service(order)
    posting = Posting(
        id=fixed_id("ledger-transaction", order.key, delivered_at(rating.at)),
        kind=TransactionKind.REWARD,
        source_kind=ServiceSource.ORDER_RATED.value,
        source_id=str(order.id),
        reason=reward_reason(order.kind.name, stars),
        effective_at=rating.at,
    )
    service = Service(order.kind.id, True, times.minutes, stars, rating.details["solved"])
    return _Event(rating.at, posting, service, assignee_id, order.id, times)


def _participants(staff: Staff, midnight: datetime) -> Iterator[_Event]:
    """A Saturday's cleaning, certified on the Monday after."""
    monday = midnight - timedelta(days=14 + midnight.weekday())
    began_at = monday - timedelta(days=2) + timedelta(hours=9)
    times = Times(began_at, began_at + timedelta(minutes=ACTIVITY_MINUTES), ACTIVITY_MINUTES)
    activity_id = fixed_id("activity", ACTIVITY_NAME, began_at)
    at = monday + timedelta(hours=10, minutes=5)
    for helper in _helpers_after_the_first(staff):
        posting = Posting(
            id=fixed_id("ledger-transaction", f"activity-{helper.key}", at),
            kind=TransactionKind.SERVICE,
            source_kind=ServiceSource.SERVICE_CERTIFIED.value,
            source_id=f"{activity_id}:{helper.id}",
            reason=f"{ACTIVITY_NAME} 志愿服务{ACTIVITY_MINUTES}分钟",
            effective_at=at,
            recorded_by=PERSONA["points_clerk"].account_id,
            details={"activity_id": str(activity_id)},
        )
        service = Service("environment", False, ACTIVITY_MINUTES)
        yield _Event(at, posting, service, helper.id, activity_id, times)


def _helpers_after_the_first(staff: Staff) -> list[Account]:
    """The second member, and some whom nobody knows by name."""
    return [staff.helpers[1], *staff.helpers[AWARDED : AWARDED + PARTICIPANTS - 1]]


def _awards(staff: Staff, midnight: datetime, community_id: UUID) -> Iterator[_Event]:
    clerk = PERSONA["points_clerk"].account_id
    awarded_at = midnight + timedelta(hours=15, minutes=20) - timedelta(days=35)
    for number, helper in enumerate(staff.helpers[:AWARDED]):
        at = awarded_at + timedelta(minutes=2 * number)
        id_ = fixed_id("ledger-transaction", f"award-{helper.key}", at)
        kind = TransactionKind.AWARD
        posting = Posting(id_, kind, kind.value, str(id_), AWARD_REASON, at, clerk)
        yield _Event(at, posting, legs=issue(AWARD_POINTS, community_id=community_id, account_id=helper.id))


def _redemption(midnight: datetime) -> _Event:
    """The second member pays with points."""
    at = midnight + timedelta(hours=16, minutes=40) - timedelta(days=3)
    id_ = fixed_id("ledger-transaction", "redemption", at)
    kind = TransactionKind.REDEMPTION
    clerk = PERSONA["points_clerk"].account_id
    posting = Posting(id_, kind, kind.value, str(id_), f"{MERCHANT_NAME} 兑换纸巾", at, clerk)
    legs = [
        Leg(LedgerAccountKind.MEMBER, PERSONA["second_member"].account_id, -REDEEMED),
        Leg(LedgerAccountKind.MERCHANT, MERCHANT_ID, REDEEMED),
    ]
    return _Event(at, posting, legs=legs)


def _hold_some(books: Books, midnight: datetime) -> None:
    """The second member has something put aside, to be fetched this week."""
    at = midnight - timedelta(hours=4)
    account = books.open(LedgerAccountKind.MEMBER, PERSONA["second_member"].account_id)
    id_ = fixed_id("ledger-hold", "second_member", at)
    hold = Hold(id_, account.id, HELD, MERCHANT_ID, f"{MERCHANT_NAME} 预留洗洁精", at, at + timedelta(days=7))
    books.hold(account, hold)


def _name_the_merchant(books: Books, community_id: UUID) -> None:
    merchant = books.open(LedgerAccountKind.MERCHANT, MERCHANT_ID)
    merchant.name = MERCHANT_NAME
    merchant.community_id = community_id
