"""The points earned by past orders: rules, ledger accounts, transactions and their two entries each."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any, TypeAlias
from uuid import UUID

from demo.histories import PastOrder, Step
from demo.ids import FOUNDED_AT, fixed_id
from demo.kinds import KINDS
from demo.personas import PERSONA
from demo.places import Places
from demo.staff import Staff
from models.orders import OrderAction
from models.points import LedgerAccountKind, TransactionKind
from services.chassis.clock import SHANGHAI
from services.events import OrderRated
from services.points.rewards.actions import reward_reason
from services.points.rewards.rule import Reward, reward_of
from services.points.rewards.rule import Rule as Terms

GENERAL_POINTS, GENERAL_BONUS, MIN_STARS, BONUS_STARS = 5, 2, 3, 5
EARLIER_GENERAL_POINTS = 4
"""What the general rule gave before it was raised, thirty days before today."""

AWARD_POINTS, AWARDED = 20, 12
AWARD_REASON = "重阳节敬老志愿服务"

_SECONDS_TO_DELIVER = 0.3


@dataclass(frozen=True, slots=True)
class Rule:
    """A reward rule, for one kind of order or (None) for every kind that has none of its own."""

    kind_id: str | None
    points: int
    bonus: int
    valid_from: datetime
    valid_to: datetime | None = None

    @property
    def id(self) -> UUID:
        return fixed_id("reward-rule", f"{self.kind_id}-{self.valid_from:%Y%m%d}")

    def is_in_force(self, moment: datetime) -> bool:
        return self.valid_from <= moment and (self.valid_to is None or moment < self.valid_to)

    def reward_for(self, rating: Step) -> Reward | None:
        """As the points service works it out."""
        terms = Terms(self.id, self.points, MIN_STARS, self.bonus, BONUS_STARS)
        return reward_of(terms, stars=rating.details["stars"], solved=rating.details["solved"])


@dataclass
class LedgerAccount:
    """An account and how it stands after the postings so far."""

    kind: LedgerAccountKind
    owner_id: UUID
    balance: int = 0
    version: int = 0

    @property
    def id(self) -> UUID:
        return fixed_id("ledger-account", f"{self.kind}-{self.owner_id}")


@dataclass(frozen=True, slots=True)
class Entry:
    """One leg of a transaction."""

    account_id: UUID
    sequence: int
    amount: int
    balance_after: int


@dataclass(frozen=True, slots=True)
class Posting:
    """One transaction: points out of the community's account into a person's."""

    id: UUID
    kind: TransactionKind
    source_kind: str
    source_id: str
    reason: str
    effective_at: datetime
    recorded_by: UUID | None = None
    """The clerk; none when a rule did it."""
    details: dict[str, Any] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Ledger:
    rules: list[Rule]
    accounts: list[LedgerAccount]
    postings: list[Posting]


def build_ledger(places: Places, staff: Staff, orders: list[PastOrder], today: date) -> Ledger:
    """Every solved order rewarded by the rule in force when it was rated, in that order, and one round of awards."""
    books = _Books(places.community.id)
    rules = list(_rules(today))
    due = [*_rewards(orders, rules), *_awards(staff, today)]
    for posting, owner_id, points in sorted(due, key=lambda item: item[0].effective_at):
        books.post(posting, owner_id, points)
    return Ledger(rules, list(books.accounts.values()), books.postings)


def delivered_at(rated_at: datetime) -> datetime:
    """When the points service heard of a rating."""
    return rated_at + timedelta(seconds=_SECONDS_TO_DELIVER)


def _rules(today: date) -> Iterator[Rule]:
    raised_at = datetime.combine(today, time(), SHANGHAI) - timedelta(days=30)
    yield Rule(None, EARLIER_GENERAL_POINTS, GENERAL_BONUS, FOUNDED_AT, raised_at)
    yield Rule(None, GENERAL_POINTS, GENERAL_BONUS, raised_at)
    for kind in KINDS:
        if kind.points is not None:
            yield Rule(kind.id, kind.points, kind.bonus, FOUNDED_AT)


_Due: TypeAlias = tuple[Posting, UUID, int]
"""A posting still without entries, whose points they are, and how many."""


def _rewards(orders: list[PastOrder], rules: list[Rule]) -> Iterator[_Due]:
    for order in orders:
        rating = order.last(OrderAction.RATE)
        if rating is None or order.assignee_id is None:
            continue
        own = _rule_for(order, rules, rating.at)
        reward = own.reward_for(rating)
        if reward is not None:
            yield _reward(order, rating, own, reward), order.assignee_id, reward.points


def _reward(order: PastOrder, rating: Step, own: Rule, reward: Reward) -> Posting:
    return Posting(
        id=fixed_id("ledger-transaction", order.key, delivered_at(rating.at)),
        kind=TransactionKind.REWARD,
        source_kind=OrderRated.kind,
        source_id=str(order.id),
        reason=reward_reason(order.kind.name, rating.details["stars"]),
        effective_at=rating.at,
        details={"rule_id": str(own.id), "sum": reward.sum},
    )


def _rule_for(order: PastOrder, rules: list[Rule], moment: datetime) -> Rule:
    in_force = [rule for rule in rules if rule.is_in_force(moment) and rule.kind_id in {None, order.kind.id}]
    return max(in_force, key=lambda rule: rule.kind_id is not None)


def _awards(staff: Staff, today: date) -> Iterator[_Due]:
    clerk = PERSONA["points_clerk"].account_id
    awarded_at = datetime.combine(today, time(15, 20), SHANGHAI) - timedelta(days=35)
    for number, helper in enumerate(staff.helpers[:AWARDED]):
        at = awarded_at + timedelta(minutes=2 * number)
        id_ = fixed_id("ledger-transaction", f"award-{helper.key}", at)
        kind = TransactionKind.AWARD
        yield Posting(id_, kind, kind.value, str(id_), AWARD_REASON, at, clerk), helper.id, AWARD_POINTS


class _Books:
    """Posts in the order it is asked to; every account counts its own entries."""

    def __init__(self, community_id: UUID) -> None:
        self.accounts: dict[UUID, LedgerAccount] = {
            community_id: LedgerAccount(LedgerAccountKind.ISSUING_COMMUNITY, community_id)
        }
        self.postings: list[Posting] = []
        self._issuer = self.accounts[community_id]

    def post(self, posting: Posting, owner_id: UUID, points: int) -> None:
        owner = self.accounts.setdefault(owner_id, LedgerAccount(LedgerAccountKind.MEMBER, owner_id))
        posting.entries.extend([_entry(self._issuer, -points), _entry(owner, points)])
        self.postings.append(posting)


def _entry(account: LedgerAccount, amount: int) -> Entry:
    account.balance += amount
    account.version += 1
    return Entry(account.id, account.version, amount, account.balance)
