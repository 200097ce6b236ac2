"""What is known of orders and of those who may be sent: two statements, however many there are of both."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from services.orders.matching.availability import Availability, Period, wanted_period
from services.orders.matching.hours import weekly
from services.orders.matching.scoring import KNOWS_KIND, Candidate, OrderNeed, Point, ServedArea
from services.orders.orders.policy import SERVING_ROLES

MOST_CANDIDATES = 500
"""So many are thought of at once: those who serve the smallest areas first."""
DEFAULT_MAX_OPEN = 5
"""Orders at once, of somebody who has not said."""


@dataclass(frozen=True)
class WaitingOrder:
    """An order that waits for somebody, with what deciding about it needs."""

    id: UUID
    number: str
    version: int
    stage: str
    area_id: UUID
    assignee_id: UUID | None
    is_escalated: bool
    hops: int
    helpers_wanted: int
    is_new_resident: bool
    """Nothing was ever done for whoever needs it, or nobody is to know whether it was."""
    need: OrderNeed


async def load_waiting(
    connection: Any, tenant_id: UUID, order_ids: Sequence[UUID], now: datetime
) -> list[WaitingOrder]:
    """Those of the orders that exist, in the order of their numbers."""
    return [_waiting(row, now) for row in await connection.fetch(_ORDERS, tenant_id, order_ids)]


async def load_candidates(
    connection: Any,
    tenant_id: UUID,
    orders: Sequence[WaitingOrder],
    now: datetime,
    *,
    account_ids: Sequence[UUID] | None = None,
    limit: int = MOST_CANDIDATES,
) -> list[Candidate]:
    """Everybody who serves a place of one of the orders now; of these only `account_ids`, if they are given."""
    needs = [order.need for order in orders]
    rows = await connection.fetch(
        _CANDIDATES,
        tenant_id,
        list(SERVING_ROLES),
        list({area for need in needs for area in need.ancestor_ids}),
        now,
        max((need.wanted.ends for need in needs), default=now),
        list({resident for need in needs for resident in (*need.household, need.resident_id)}),
        list({need.kind for need in needs}),
        [need.order_id for need in needs],
        KNOWS_KIND_TIMES,
        account_ids,
        limit,
    )
    return [_candidate(row) for row in rows]


KNOWS_KIND_TIMES = len(KNOWS_KIND) - 1
"""Nobody counts further."""


def _waiting(row: Any, now: datetime) -> WaitingOrder:
    need = OrderNeed(
        order_id=row["id"],
        kind=row["kind"],
        priority=row["priority"],
        resident_id=row["resident_id"],
        household=frozenset(row["household"]),
        ancestor_ids=frozenset(row["ancestor_ids"]),
        wanted=wanted_period(row["wanted_from"], row["wanted_until"], now),
        place=_point(row),
        needed_skills=frozenset(row["needed_skills"]),
        useful_skills=frozenset(row["useful_skills"]),
        is_anonymous=row["is_anonymous"],
    )
    return WaitingOrder(
        id=row["id"], number=row["number"], version=row["version"], stage=row["stage"], area_id=row["area_id"],
        assignee_id=row["assignee_id"],
        is_escalated=row["is_escalated"], hops=row["hops"], helpers_wanted=row["helpers_wanted"],
        is_new_resident=row["is_new_resident"], need=need,
    )  # fmt: skip


def _candidate(row: Any) -> Candidate:
    absences = msgspec.json.decode(row["absences"], type=tuple[Period, ...])
    hours = None if row["hours"] is None else msgspec.json.decode(row["hours"])
    return Candidate(
        account_id=row["account_id"],
        name=row["name"],
        serves=msgspec.json.decode(row["serves"], type=tuple[ServedArea, ...]),
        resident_id=row["resident_id"],
        skills=frozenset(row["skills"] or ()),
        availability=Availability(weekly(hours), absences),
        open_orders=row["open_orders"],
        max_open=DEFAULT_MAX_OPEN if row["max_open"] is None else row["max_open"],
        home=_point(row),
        known_residents=frozenset(row["known_residents"] or ()),
        kinds_done=msgspec.json.decode(row["kinds_done"]),
        gave_back=frozenset(row["gave_back"] or ()),
    )


def _point(row: Any) -> Point | None:
    return None if row["lng"] is None else Point(row["lng"], row["lat"])


_ORDERS = """
SELECT o.id, order_number(o.number) AS number, o.version, o.stage, o.area_id, o.assignee_id, o.is_escalated, o.hops,
    o.helpers_wanted, o.kind, o.priority, o.is_anonymous, o.resident_id, o.wanted_from, o.wanted_until,
    o.lng, o.lat, a.ancestor_ids,
    ARRAY(
        SELECT m.resident_id FROM household_members m WHERE m.tenant_id = $1 AND m.household_id = o.household_id
    ) AS household,
    ARRAY(
        SELECT s.skill FROM order_kind_skills s WHERE s.tenant_id = $1 AND s.order_kind = o.kind AND s.is_needed
    ) AS needed_skills,
    ARRAY(
        SELECT s.skill FROM order_kind_skills s WHERE s.tenant_id = $1 AND s.order_kind = o.kind AND NOT s.is_needed
    ) AS useful_skills,
    o.is_anonymous OR NOT EXISTS (
        SELECT FROM orders p
        WHERE p.tenant_id = $1 AND p.resident_id = o.resident_id AND p.completed_at IS NOT NULL AND p.id <> o.id
    ) AS is_new_resident
FROM orders o JOIN areas a ON a.tenant_id = o.tenant_id AND a.id = o.area_id
WHERE o.tenant_id = $1 AND o.id = ANY ($2)
ORDER BY o.number
"""
_CANDIDATES = """
WITH serving AS (
    SELECT g.account_id, max(cardinality(a.ancestor_ids)) AS depth,
        jsonb_agg(jsonb_build_object('area_id', g.area_id, 'until', g.valid_to)) AS serves
    FROM grants g
    JOIN areas a ON a.tenant_id = g.tenant_id AND a.id = g.area_id
    JOIN memberships m ON m.tenant_id = g.tenant_id AND m.account_id = g.account_id AND m.ended_at IS NULL
    WHERE g.tenant_id = $1 AND g.role = ANY ($2) AND g.area_id = ANY ($3)
        AND g.valid_from <= $4 AND (g.valid_to IS NULL OR g.valid_to > $4)
        AND ($10::uuid[] IS NULL OR g.account_id = ANY ($10))
    GROUP BY g.account_id
    ORDER BY depth DESC, g.account_id
    LIMIT $11
), led AS (
    SELECT o.assignee_id AS account_id, count(*) AS orders
    FROM orders o
    WHERE o.tenant_id = $1 AND o.stage = 'handle' AND o.assignee_id IN (SELECT account_id FROM serving)
    GROUP BY o.assignee_id
), assisted AS (
    SELECT h.account_id, count(*) AS orders
    FROM order_helpers h JOIN orders o ON o.tenant_id = h.tenant_id AND o.id = h.order_id AND o.stage = 'handle'
    WHERE h.tenant_id = $1 AND h.left_at IS NULL AND h.account_id IN (SELECT account_id FROM serving)
    GROUP BY h.account_id
), away AS (
    SELECT x.account_id, jsonb_agg(jsonb_build_array(x.starts_at, x.ends_at)) AS absences
    FROM helper_absences x
    WHERE x.tenant_id = $1 AND x.ends_at > $4 AND x.starts_at < $5 AND x.account_id IN (SELECT account_id FROM serving)
    GROUP BY x.account_id
), known AS (
    SELECT o.assignee_id AS account_id, array_agg(DISTINCT o.resident_id) AS residents
    FROM orders o
    WHERE o.tenant_id = $1 AND o.resident_id = ANY ($6) AND o.completed_at > $4 - interval '2 years'
        AND o.assignee_id IS NOT NULL
    GROUP BY o.assignee_id
), returned AS (
    SELECT h.actor_id AS account_id, array_agg(DISTINCT h.order_id) AS orders
    FROM order_history h
    WHERE h.tenant_id = $1 AND h.order_id = ANY ($8) AND h.action IN ('decline', 'hand_back', 'transfer')
    GROUP BY h.actor_id
)
SELECT s.account_id, c.name, s.serves::text AS serves, r.id AS resident_id, p.skills, p.hours::text AS hours,
    p.max_open, p.lng, p.lat, COALESCE(led.orders, 0) + COALESCE(assisted.orders, 0) AS open_orders,
    COALESCE(away.absences, '[]')::text AS absences, known.residents AS known_residents, returned.orders AS gave_back,
    (
        SELECT COALESCE(jsonb_object_agg(done.kind, done.times), '{}')::text
        FROM (
            SELECT k.kind, (
                SELECT count(*) FROM (
                    SELECT FROM orders o
                    WHERE o.tenant_id = $1 AND o.assignee_id = s.account_id AND o.kind = k.kind
                        AND o.completed_at > $4 - interval '1 year'
                    LIMIT $9
                ) AS few
            ) AS times
            FROM unnest($7::text[]) AS k (kind)
        ) AS done
        WHERE done.times > 0
    ) AS kinds_done
FROM serving s
JOIN accounts c ON c.id = s.account_id AND c.suspended_at IS NULL
LEFT JOIN helper_profiles p ON p.tenant_id = $1 AND p.account_id = s.account_id
LEFT JOIN residents r ON r.tenant_id = $1 AND r.account_id = s.account_id
LEFT JOIN led ON led.account_id = s.account_id
LEFT JOIN assisted ON assisted.account_id = s.account_id
LEFT JOIN away ON away.account_id = s.account_id
LEFT JOIN known ON known.account_id = s.account_id
LEFT JOIN returned ON returned.account_id = s.account_id
ORDER BY s.account_id
"""
