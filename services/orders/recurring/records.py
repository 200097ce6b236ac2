"""Recurring orders as they are stored: read into what the arithmetic works with. Whoever changes one holds its lock."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from models.orders import OrderStage
from models.recurring import OccurrenceOutcome
from services.chassis.clock import SHANGHAI
from services.orders.clocks.rule_book import load_rule_book
from services.orders.clocks.work_time import day_of
from services.orders.recurring.arithmetic import MOST_DAYS_MOVED, Calendar, Series, Slot
from services.orders.recurring.rules import read_rule

LOOKED_BACK = timedelta(days=2 * MOST_DAYS_MOVED)
"""Occurrences of longer ago have no bearing on those that come."""
MADE = frozenset({OccurrenceOutcome.MADE, OccurrenceOutcome.MOVED})


@dataclass(frozen=True)
class StoredOccurrence:
    """What became of one occurrence, and of the order that was made of it."""

    on: date
    slot: Slot
    outcome: OccurrenceOutcome
    reason: str
    order: Any
    """Of the order: id, number, state, stage, assignee_id, assignee_name, last_action, is_touched; None without."""

    @property
    def is_made(self) -> bool:
        return self.outcome in MADE

    @property
    def is_begun(self) -> bool:
        """Somebody has decided or done something about its order, be it only to end it."""
        return bool(self.order["is_touched"]) or self.order["stage"] == OrderStage.DONE


@dataclass(frozen=True)
class Arrangement:
    """A recurring order with what bears on its coming occurrences."""

    id: UUID
    row: Any
    series: Series
    occurrences: Mapping[date, StoredOccurrence]

    @property
    def pinned(self) -> dict[date, Slot]:
        """What is made stays where it is."""
        return {on: one.slot for on, one in self.occurrences.items() if one.is_made}

    def coming_orders(self, now: datetime) -> list[StoredOccurrence]:
        """Made already, and not over yet."""
        return [one for one in self.occurrences.values() if one.is_made and one.slot.ends_at > now]


async def load_arrangement(connection: Any, tenant_id: UUID, row: Any, now: datetime) -> Arrangement:
    """From a row of `recurring_orders`. Two statements."""
    exceptions = await connection.fetch(_EXCEPTIONS, tenant_id, row["id"])
    stored = await connection.fetch(_OCCURRENCES, tenant_id, row["id"], day_of(now) - LOOKED_BACK)
    series = Series(
        rule=read_rule(row["rule"], row["first_on"], row["from_time"]),
        starts=row["from_time"],
        ends=row["until_time"],
        holiday_policy=row["holiday_policy"],
        exceptions={one["occurrence_on"]: _moved_to(one) for one in exceptions},
        paused_from=row["paused_from"],
        paused_until=row["paused_until"],
        ends_on=row["ends_on"],
    )
    return Arrangement(row["id"], row, series, {one["occurrence_on"]: _stored(one) for one in stored})


async def lock_row(connection: Any, tenant_id: UUID, recurring_order_id: UUID) -> Any:
    """The row, held until the end of the transaction; None where there is none."""
    return await connection.fetchrow(f"{_ROW} FOR UPDATE OF r", tenant_id, recurring_order_id)


async def lock_row_if_free(connection: Any, tenant_id: UUID, recurring_order_id: UUID) -> Any:
    """None also where somebody else is at it."""
    return await connection.fetchrow(f"{_ROW} FOR UPDATE OF r SKIP LOCKED", tenant_id, recurring_order_id)


async def load_calendar(connection: Any, tenant_id: UUID, now: datetime) -> Calendar:
    """The district's work calendar as it is known now, with the names of its days off. A year nobody knows has none."""
    work = (await load_rule_book(connection, tenant_id)).work_at(now)
    names: dict[date, str] = {}
    for row in await connection.fetch(_NAMES, tenant_id):
        names |= {date.fromisoformat(day["day"]): day["name"] for day in msgspec.json.decode(row["days"])}
    return Calendar(work, names)


def _moved_to(row: Any) -> Slot | None:
    return Slot(row["moved_on"], row["from_time"], row["until_time"]) if row["moved_on"] else None


def _stored(row: Any) -> StoredOccurrence:
    begins, ends = row["planned_from"].astimezone(SHANGHAI), row["planned_until"].astimezone(SHANGHAI)
    return StoredOccurrence(
        on=row["occurrence_on"],
        slot=Slot(begins.date(), begins.time(), ends.time()),
        outcome=OccurrenceOutcome(row["outcome"]),
        reason=row["reason"],
        order=row if row["id"] is not None else None,
    )


_ROW = """
SELECT r.*, r.answers::text AS answers_text, a.ancestor_ids
FROM recurring_orders r JOIN areas a ON a.tenant_id = r.tenant_id AND a.id = r.area_id
WHERE r.tenant_id = $1 AND r.id = $2
"""
_EXCEPTIONS = """
SELECT occurrence_on, moved_on, from_time, until_time FROM recurring_order_exceptions
WHERE tenant_id = $1 AND recurring_order_id = $2
"""
# Somebody who only gave it back has not begun with it.
_OCCURRENCES = """
SELECT x.occurrence_on, x.planned_from, x.planned_until, x.outcome, x.reason,
    o.id, order_number(o.number) AS number, o.state, o.stage, o.assignee_id,
    (SELECT p.name FROM accounts p WHERE p.id = o.assignee_id) AS assignee_name,
    (
        SELECT h.action FROM order_history h
        WHERE h.tenant_id = o.tenant_id AND h.order_id = o.id AND h.sequence = o.version
    ) AS last_action,
    EXISTS (
        SELECT FROM order_history h
        WHERE h.tenant_id = o.tenant_id AND h.order_id = o.id AND h.actor_id IS NOT NULL
            AND h.action NOT IN ('place', 'decline')
    ) AS is_touched
FROM recurring_order_occurrences x
LEFT JOIN orders o ON o.tenant_id = x.tenant_id AND o.id = x.order_id
WHERE x.tenant_id = $1 AND x.recurring_order_id = $2 AND x.occurrence_on >= $3
ORDER BY x.occurrence_on
"""
_NAMES = """
SELECT n.days::text FROM national_calendars n
WHERE NOT EXISTS (SELECT FROM work_calendars w WHERE w.tenant_id = $1 AND w.year = n.year)
UNION ALL
SELECT w.days::text FROM work_calendars w
WHERE w.tenant_id = $1 AND NOT EXISTS (
    SELECT FROM work_calendars later
    WHERE later.tenant_id = w.tenant_id AND later.year = w.year AND later.version > w.version
)
"""
