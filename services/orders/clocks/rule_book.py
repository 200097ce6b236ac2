"""A district's policies and calendars, and which of them counted when."""

import logging
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import msgspec

from models.clocks import ClockTarget
from services.orders.clocks.arithmetic import Leg, Rules, Terms
from services.orders.clocks.schemas import PromisedTarget
from services.orders.clocks.work_time import STANDARD_PERIODS, Period, WorkTime, parse_periods

logger = logging.getLogger(__name__)

ALWAYS = datetime(1900, 1, 1, tzinfo=UTC)

SpecialDays = dict[date, bool]
Kinds = Sequence[tuple[datetime | None, str]]
"""What kind of order it was since when, in order; None: from the beginning."""


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    version: int
    order_kind: str | None
    targets: dict[ClockTarget, PromisedTarget]
    active_from: datetime


@dataclass(frozen=True, slots=True)
class CalendarVersion:
    year: int
    version: int
    days: SpecialDays
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class Grant:
    """More time that was granted."""

    id: UUID
    leg: Leg
    decided_at: datetime


@dataclass(frozen=True, slots=True)
class Promise:
    """Where the rules of a clock come from."""

    counted_as: str
    """The kind of order it was then."""
    policy_version: int
    order_kind: str | None
    target: PromisedTarget
    calendar_versions: dict[int, int]
    """Of the years of which the district has a calendar of its own."""
    extension_ids: tuple[UUID, ...]


@dataclass(frozen=True)
class RuleBook:
    """What clocks are counted by in one district. Policies ascend by `active_from`, calendars by `recorded_at`."""

    policies: tuple[PolicyVersion, ...]
    national: dict[int, SpecialDays]
    calendars: tuple[CalendarVersion, ...]
    hours: tuple[tuple[date, tuple[Period, ...]], ...]
    _work: dict[int, WorkTime] = field(default_factory=dict)

    def rules_for(self, kinds: Kinds, target: ClockTarget, grants: Sequence[Grant], *, since: datetime) -> list[Rules]:
        """What counted for such a clock, from `since` on."""
        own = {None, *(kind for _, kind in kinds)}
        changes = {ALWAYS, *(changed_at for changed_at, _ in kinds if changed_at)}
        changes |= {policy.active_from for policy in self.policies if policy.order_kind in own}
        changes |= {calendar.recorded_at for calendar in self.calendars}
        changes |= {grant.decided_at for grant in grants}
        moments = sorted(changes)
        first = bisect_right(moments, since) - 1
        return [self._rules_at(moment, _kind_at(kinds, moment), target, grants) for moment in moments[max(first, 0) :]]

    def work_at(self, moment: datetime) -> WorkTime:
        """The working time as it was known then. National calendars and working hours count as known always."""
        known = sum(calendar.recorded_at <= moment for calendar in self.calendars)
        if known not in self._work:
            years = self.national | {calendar.year: calendar.days for calendar in self.calendars[:known]}
            days = {day: is_working for special in years.values() for day, is_working in special.items()}
            self._work[known] = WorkTime(days, frozenset(years), self.hours)
        return self._work[known]

    def policy_at(self, moment: datetime, order_kind: str | None) -> PolicyVersion | None:
        """The kind's own policy, or the one for every kind without."""
        in_force = [policy for policy in self.policies if policy.active_from <= moment]
        for kind in dict.fromkeys((order_kind, None)):
            for policy in reversed(in_force):
                if policy.order_kind == kind:
                    return policy
        return None

    def promised_since(self, kinds: Kinds, target: ClockTarget) -> datetime | None:
        """When the target was first promised for any of the kinds; None: it never was."""
        for policy in self.policies:
            held = [self.policy_at(policy.active_from, kind) for _, kind in kinds]
            if any(one is not None and target in one.targets for one in held):
                return policy.active_from
        return None

    def _rules_at(self, moment: datetime, order_kind: str, target: ClockTarget, grants: Sequence[Grant]) -> Rules:
        policy = self.policy_at(moment, order_kind)
        promised = policy.targets.get(target) if policy else None
        work = self.work_at(moment)
        if policy is None or promised is None:
            return Rules(moment, None, work)
        granted = [grant for grant in grants if grant.decided_at <= moment]
        versions = {calendar.year: calendar.version for calendar in self.calendars if calendar.recorded_at <= moment}
        extension_ids = tuple(grant.id for grant in granted)
        promise = Promise(order_kind, policy.version, policy.order_kind, promised, versions, extension_ids)
        terms = Terms(promised.amount, promised.unit, promised.warn_before, promised.warn_percent)
        return Rules(moment, terms, work, tuple(grant.leg for grant in granted), promise)


def _kind_at(kinds: Kinds, moment: datetime) -> str:
    return [kind for since, kind in kinds if since is None or since <= moment][-1]


async def load_rule_book(connection: Any, tenant_id: UUID) -> RuleBook:
    """Four statements, however many orders it is for."""
    policies = await connection.fetch(_POLICIES, tenant_id)
    national = await connection.fetch(_NATIONAL)
    calendars = await connection.fetch(_CALENDARS, tenant_id)
    hours = await connection.fetch(_HOURS, tenant_id)
    return RuleBook(
        policies=tuple(
            PolicyVersion(row["version"], row["order_kind"], _targets(row["targets"]), row["active_from"])
            for row in policies
        ),
        national={row["year"]: special_days(row["days"]) for row in national},
        calendars=tuple(
            CalendarVersion(row["year"], row["version"], special_days(row["days"]), row["recorded_at"])
            for row in calendars
        ),
        hours=(
            (date.min, STANDARD_PERIODS),
            *((row["valid_from"], parse_periods(msgspec.json.decode(row["periods"]))) for row in hours),
        ),
    )


_POLICIES = """
SELECT version, order_kind, targets::text, active_from FROM clock_policies
WHERE tenant_id = $1 ORDER BY active_from, version
"""
_NATIONAL = "SELECT year, days::text FROM national_calendars"
_CALENDARS = """
SELECT year, version, days::text, recorded_at FROM work_calendars
WHERE tenant_id = $1 ORDER BY recorded_at, year, version
"""
# Of two versions for the same day the later one holds.
_HOURS = """
SELECT h.valid_from, h.periods::text FROM work_hours h
WHERE h.tenant_id = $1 AND NOT EXISTS (
    SELECT FROM work_hours later
    WHERE later.tenant_id = $1 AND later.version > h.version AND later.valid_from = h.valid_from
)
ORDER BY h.valid_from
"""


def special_days(stored: str) -> SpecialDays:
    return {date.fromisoformat(day["day"]): day["is_working"] for day in msgspec.json.decode(stored)}


def _targets(stored: str) -> dict[ClockTarget, PromisedTarget]:
    return {
        ClockTarget(target): PromisedTarget.model_validate(promised)
        for target, promised in msgspec.json.decode(stored).items()
    }


_told_years: set[int] = set()


def tell_guessed_years(years: Sequence[int]) -> None:
    """A line in the log, once for each year a process meets without its calendar."""
    for year in years:
        if year not in _told_years:
            _told_years.add(year)
            logger.warning("no work calendar for %d: counted Monday to Friday", year)
