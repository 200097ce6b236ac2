"""The clocks of orders, from what happened to them and what counted at the time. Reads, and writes nothing."""

from collections import ChainMap, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, lru_cache
from typing import Any
from uuid import UUID

import msgspec
from pydantic import TypeAdapter

from models.clocks import ClockTarget, ClockUnit, FiringKind, PauseAction
from services.orders.clocks.arithmetic import Interval, Reading, read_clock, without
from services.orders.clocks.lives import (
    NOTHING,
    Marks,
    MarksOf,
    PauseStep,
    Round,
    Step,
    in_time,
    kinds_of,
    marks_of,
    pauses_of,
    rounds_of,
    shelved_of,
)
from services.orders.clocks.rule_book import Grant, Kinds, Promise, RuleBook, tell_guessed_years
from services.orders.clocks.work_time import day_of
from services.orders.lifecycles.definition import State

ClockKey = tuple[ClockTarget, int]
"""Target and round."""


@dataclass(frozen=True)
class CountedOrder:
    """An order with all that its clocks depend on."""

    id: UUID
    number: int
    kind: str
    area_id: UUID
    community_id: UUID
    assignee_id: UUID | None
    level_areas: dict[str, UUID]
    """The area of each level that the order's place is or lies in."""
    history: list[Step]
    marks: MarksOf
    """What its lifecycle says of each state."""
    pauses: list[Interval]
    """By hand; shelving is in the history."""
    grants: dict[ClockKey, list[Grant]]
    told: dict[ClockKey, set[FiringKind]]

    @property
    def here(self) -> Marks:
        """What the state it is in means to clocks."""
        return self.marks.get(self.history[-1].to_state, NOTHING)

    @cached_property
    def standing(self) -> list[Interval]:
        """When no time ran, for whatever reason; they may overlap."""
        return [*self.pauses, *shelved_of(self.history, self.marks)]

    @property
    def is_standing(self) -> bool:
        return any(end is None for _, end in self.standing)


@dataclass(frozen=True)
class Clock:
    """One clock, read at one moment."""

    order: CountedOrder
    round: Round
    reading: Reading
    segments: list[dict[str, Any]]
    guessed_years: list[int]

    @property
    def key(self) -> ClockKey:
        return self.round.target, self.round.number

    @property
    def unit(self) -> ClockUnit:
        return self.promise.target.unit

    @property
    def promise(self) -> Promise:
        promise: Promise = self.reading.rules.source
        return promise

    @property
    def told(self) -> set[FiringKind]:
        return self.order.told.get(self.key, set())

    def why(self) -> dict[str, Any]:
        """As schemas.ClockWhy."""
        promise, rules, reading = self.promise, self.reading.rules, self.reading
        last = reading.ended_at or reading.would_be_due_at
        years = range(day_of(self.round.started_at).year, day_of(last).year + 1)
        known = [year for year in years if year in rules.work.known_years]
        return {
            "policy_version": promise.policy_version,
            "policy_order_kind": promise.order_kind,
            "counted_as": promise.counted_as,
            "amount": promise.target.amount,
            "unit": promise.target.unit,
            "rules_since": rules.since if rules.since > self.round.started_at else None,
            "extension_ids": list(promise.extension_ids),
            "calendar_versions": {year: promise.calendar_versions.get(year, 0) for year in known},
            "from_sequence": self.round.from_sequence,
            "to_sequence": self.round.to_sequence,
        }


def clocks_of(order: CountedOrder, book: RuleBook, now: datetime) -> list[Clock]:
    """Every clock the order has or had."""
    kinds = kinds_of(order.history, order.kind)
    clocks = (_clock(order, kinds, one, book, now) for one in rounds_of(order.history, order.marks))
    return [clock for clock in clocks if clock is not None]


def _clock(order: CountedOrder, kinds: Kinds, found: Round, book: RuleBook, now: datetime) -> Clock | None:
    """What was never promised before counts from the first promise: nothing that lay before it is held against anybody.

    None while nothing is promised.
    """
    promised_since = book.promised_since(kinds, found.target)
    if promised_since is None or promised_since > now:
        return None
    one = found.since(promised_since) if found.started_at < promised_since else found
    if one is None:
        return None
    grants = order.grants.get((one.target, one.number), [])
    rules = book.rules_for(kinds, one.target, grants, since=one.started_at)
    reading = read_clock(one.life(order.standing), rules, now)
    if reading is None:
        return None
    return Clock(order, one, reading, _segments(one, order.standing), _guessed_years(one, reading))


def _guessed_years(one: Round, reading: Reading) -> list[int]:
    terms = reading.rules.terms
    if terms is None or terms.unit == ClockUnit.CALENDAR_HOURS:
        return []
    last = max(one.started_at, reading.would_be_due_at)
    years = reading.rules.work.guessed_years(one.started_at, last)
    tell_guessed_years(years)
    return years


def _segments(one: Round, pauses: Sequence[Interval]) -> list[dict[str, Any]]:
    running = without(one.intervals, pauses)
    paused = without(one.intervals, running)
    segments = [
        *({"from": begin, "until": end, "is_running": True} for begin, end in running),
        *({"from": begin, "until": end, "is_running": False} for begin, end in paused),
    ]
    return sorted(segments, key=lambda segment: str(segment["from"]))


async def load_orders(connection: Any, tenant_id: UUID, order_ids: Sequence[UUID]) -> list[CountedOrder]:
    """Six statements, however many orders. What commits between them leaves a row of order_clock_work behind."""
    orders = await connection.fetch(_ORDERS, tenant_id, order_ids)
    history = _by_order(await connection.fetch(_HISTORY, tenant_id, order_ids))
    pauses = _by_order(await connection.fetch(_PAUSES, tenant_id, order_ids))
    grants = _by_order(await connection.fetch(_GRANTS, tenant_id, order_ids))
    told = _by_order(await connection.fetch(_TOLD, tenant_id, order_ids))
    lives = await _load_lives(connection, tenant_id)
    return [
        CountedOrder(
            id=row["id"],
            number=row["number"],
            kind=row["kind"],
            area_id=row["area_id"],
            community_id=row["community_id"],
            assignee_id=row["assignee_id"],
            level_areas={level: UUID(area) for level, area in msgspec.json.decode(row["level_areas"]).items()},
            history=in_time(_step(step) for step in history[row["id"]]),
            marks=lives.marks(row["lifecycle_version"]),
            pauses=pauses_of(PauseStep(PauseAction(step["action"]), step["at"]) for step in pauses[row["id"]]),
            grants=_grants(grants[row["id"]]),
            told=_told(told[row["id"]]),
        )
        for row in orders
    ]


def _by_order(rows: Sequence[Any]) -> dict[UUID, list[Any]]:
    found: dict[UUID, list[Any]] = defaultdict(list)
    for row in rows:
        found[row["order_id"]].append(row)
    return found


def _step(row: Any) -> Step:
    return Step(
        row["sequence"],
        row["to_state"],
        row["at"],
        given_to=(row["assignee_id"], row["unit_id"]) if row["is_given"] else None,
        new_kind=(row["old_kind"], row["new_kind"]) if row["new_kind"] else None,
    )


def _grants(rows: Sequence[Any]) -> dict[ClockKey, list[Grant]]:
    grants: dict[ClockKey, list[Grant]] = defaultdict(list)
    for row in rows:
        leg = row["amount"], ClockUnit(row["unit"])
        grants[ClockTarget(row["target"]), row["round"]].append(Grant(row["id"], leg, row["decided_at"]))
    return grants


def _told(rows: Sequence[Any]) -> dict[ClockKey, set[FiringKind]]:
    told: dict[ClockKey, set[FiringKind]] = defaultdict(set)
    for row in rows:
        told[ClockTarget(row["target"]), row["round"]].add(FiringKind(row["kind"]))
    return told


# Lifecycles -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Lives:
    """What every version of a district's lifecycles says of its states. Versions never change."""

    versions: dict[int, dict[str, Marks]]

    def marks(self, version: int) -> MarksOf:
        """Those of `version`; an order that was given another kind may have been in states of another version."""
        return ChainMap(self.versions[version], *reversed(self.versions.values()))


async def _load_lives(connection: Any, tenant_id: UUID) -> _Lives:
    rows = await connection.fetch(_LIVES, tenant_id)
    return _Lives({row["version"]: _marks(row["states"]) for row in rows})


@lru_cache(maxsize=256)
def _marks(states: str) -> dict[str, Marks]:
    return marks_of(_STATES.validate_json(states))


_STATES = TypeAdapter(tuple[State, ...])
_LIVES = """
SELECT version, (definition -> 'states')::text AS states FROM order_lifecycles WHERE tenant_id = $1 ORDER BY version
"""

# Statements -------------------------------------------------------------------------------------------------------

_ORDERS = """
SELECT o.id, o.number, o.kind, o.lifecycle_version, o.area_id, o.community_id, o.assignee_id, (
    SELECT jsonb_object_agg(above.level, above.id)::text FROM areas above
    WHERE above.tenant_id = $1 AND above.id = ANY (a.ancestor_ids)
) AS level_areas
FROM orders o JOIN areas a ON a.tenant_id = o.tenant_id AND a.id = o.area_id
WHERE o.tenant_id = $1 AND o.id = ANY ($2)
"""
_HISTORY = """
SELECT order_id, sequence, to_state, at, action IN ('dispatch', 'transfer') AS is_given,
    details ->> 'assignee_id' AS assignee_id, details ->> 'unit_id' AS unit_id,
    details #>> '{kind,0}' AS old_kind, details #>> '{kind,1}' AS new_kind
FROM order_history
WHERE tenant_id = $1 AND order_id = ANY ($2) ORDER BY order_id, sequence
"""
_PAUSES = """
SELECT order_id, action, at FROM order_clock_pauses
WHERE tenant_id = $1 AND order_id = ANY ($2) ORDER BY order_id, sequence
"""
_GRANTS = """
SELECT e.id, e.order_id, e.target, e.round, e.amount, e.unit, d.decided_at
FROM clock_extensions e
JOIN clock_extension_decisions d ON d.tenant_id = e.tenant_id AND d.extension_id = e.id AND d.is_granted
WHERE e.tenant_id = $1 AND e.order_id = ANY ($2) ORDER BY e.order_id, d.decided_at, e.id
"""
_TOLD = """
SELECT order_id, target, round, kind FROM order_clock_firings WHERE tenant_id = $1 AND order_id = ANY ($2)
"""
