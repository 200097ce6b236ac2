"""What terms would have credited for services of the past: arithmetic over records, in the order they were credited."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from services.points.earning.arithmetic import Service, Used, earned
from services.points.earning.terms import Terms


@dataclass(frozen=True, slots=True)
class PastService:
    """A service record, as far as a replay asks."""

    account_id: UUID
    served_on: date
    service: Service
    points: int
    minutes_credited: int
    is_in_period: bool
    """Others only count against the limits, with what they earned then."""


@dataclass(slots=True)
class Tally:
    """Credited then, and by the replayed terms."""

    records: int = 0
    points_before: int = 0
    points_after: int = 0
    minutes_before: int = 0
    minutes_after: int = 0

    def add(self, past: PastService, points: int, minutes: int) -> None:
        self.records += 1
        self.points_before += past.points
        self.points_after += points
        self.minutes_before += past.minutes_credited
        self.minutes_after += minutes


@dataclass(slots=True)
class Outcome:
    total: Tally = field(default_factory=Tally)
    people: dict[UUID, Tally] = field(default_factory=lambda: defaultdict(Tally))
    kinds: dict[tuple[bool, str], Tally] = field(default_factory=lambda: defaultdict(Tally))
    """By (is an order, kind)."""


def replay(terms: Terms, past_services: Iterable[PastService]) -> Outcome:
    """Every person's services must come in the order of their sequence; persons in any order.

    What an account was too full for, or closed to, is not foreseen: that is the ledger's, not the rule's.
    """
    outcome = Outcome()
    by_day: dict[tuple[UUID, date], int] = defaultdict(int)
    by_month: dict[tuple[UUID, int, int], int] = defaultdict(int)
    for past in past_services:
        day = (past.account_id, past.served_on)
        month = (past.account_id, past.served_on.year, past.served_on.month)
        points = past.points
        if past.is_in_period:
            again = earned(terms, past.service, Used(by_day[day], by_month[month]))
            points = again.points
            kind = (past.service.is_order, past.service.kind)
            for tally in (outcome.total, outcome.people[past.account_id], outcome.kinds[kind]):
                tally.add(past, again.points, again.minutes)
        by_day[day] += points
        by_month[month] += points
    return outcome
