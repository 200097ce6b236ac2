"""What every order is to every measure: the one place both the numbers and the lists behind them are read from.

Read by the community's orders of the period (indexes on the time that counts), never by the whole table.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from services.orders.follow_ups.queries import STANDING_ANSWER
from services.orders.rates.schemas import GroupBy, Measure


@dataclass(frozen=True, slots=True)
class Question:
    """Which orders, and by which definition."""

    tenant_id: UUID
    areas: list[UUID]
    begins_at: datetime
    ends_at: datetime
    """The first moment after the period."""
    kind: str | None
    satisfied_stars: int
    response_hours: int
    group_by: GroupBy
    now: datetime

    @property
    def arguments(self) -> tuple[Any, ...]:
        """$1 to $9 of the statements below."""
        return (
            self.tenant_id, self.areas, self.begins_at, self.ends_at, self.kind, self.satisfied_stars,
            self.response_hours, self.group_by.value, self.now,
        )  # fmt: skip


# The areas asked for with all below them, and each one's group: the area right below the uppermost that was asked for.
_SCOPE = """
SELECT a.id, a.community_id, a.name, COALESCE(a.ancestor_ids[r.place + 1], a.id) AS group_id
FROM areas a
CROSS JOIN LATERAL (
    SELECT min(array_position(a.ancestor_ids, asked.id)) AS place FROM unnest($2::uuid[]) AS asked (id)
) AS r
WHERE a.tenant_id = $1 AND a.ancestor_ids && $2::uuid[]
"""
_EXCLUDED = """
SELECT e.order_id FROM rate_exclusions e
JOIN rate_exclusion_steps s ON s.tenant_id = e.tenant_id AND s.exclusion_id = e.id AND s.outcome = 'approved'
WHERE e.tenant_id = $1 AND NOT EXISTS (
    SELECT FROM rate_exclusion_steps w
    WHERE w.tenant_id = e.tenant_id AND w.exclusion_id = e.id AND w.outcome = 'withdrawn'
)
"""

# In which state no time counts: shelved, or waiting for who asked.
_STANDING = """
SELECT l.version, s.key AS state FROM order_lifecycles l CROSS JOIN jsonb_each(l.compiled->'states') AS s
WHERE l.tenant_id = $1 AND s.value->'pauses' = 'true'
"""


def _group(time_that_counts: str) -> str:
    return f"""
    CASE $8::text
        WHEN 'kind' THEN o.kind
        WHEN 'area' THEN s.group_id::text
        WHEN 'month' THEN to_char(o.{time_that_counts} AT TIME ZONE 'Asia/Shanghai', 'YYYY-MM')
        WHEN 'unit' THEN (
            SELECT u.id::text FROM units u
            WHERE u.tenant_id = o.tenant_id AND u.id = o.unit_id AND u.kind IN ('organization', 'department')
        )
    END
    """  # noqa: S608 (put together from our own literals)


def _orders(time_that_counts: str) -> str:
    """As an array the communities lead the index; joined, all communities of the district would be read for one."""
    return f"""
    FROM scope s
    JOIN orders o ON o.tenant_id = $1 AND o.area_id = s.id
        AND o.community_id = ANY (ARRAY(SELECT DISTINCT c.community_id FROM scope c))
        AND o.{time_that_counts} >= $3 AND o.{time_that_counts} < $4
    """  # noqa: S608 (put together from our own literals)


# Its time is that of the first dispatch, whoever gets it after: what the clock of the first acceptance says or, where
# nothing is promised, the hours. It ends where the order is refused, taken back or merged, and stands while the order
# does. Whoever takes it over has accepted it; who claimed it and let the claim lapse has not. A clock may also be kept
# by a step of the district's own.
_RESPONSE = f"""
SELECT o.id, o.placed_at AS counted_at, {_group("placed_at")} AS group_key, NULL::smallint AS stars,
    NULL::boolean AS solved, NULL::text AS answered_by,
    CASE
        WHEN o.id IN (SELECT order_id FROM excluded) THEN 'excluded'
        WHEN k.state = 'missed' THEN 'not_met'
        WHEN k.state = 'met' AND NOT h.has_lapsed OR h.accepted_at <= d.due_at THEN 'met'
        WHEN h.accepted_at > d.due_at THEN 'not_met'
        WHEN LEAST(h.ended_at, $9) > d.due_at AND (o.lifecycle_version, o.state) NOT IN (TABLE standing) THEN 'not_met'
        WHEN h.ended_at IS NULL THEN 'open'
    END AS outcome
{_orders("placed_at")}
CROSS JOIN LATERAL (
    SELECT
        min(h.at) FILTER (WHERE h.action = 'dispatch') AS dispatched_at,
        min(h.at) FILTER (WHERE h.is_taken AND h.becomes IS DISTINCT FROM 'lapse') AS accepted_at,
        bool_or(h.action = 'lapse') AS has_lapsed,
        CASE WHEN o.cancelled_at IS NOT NULL OR o.merged_into IS NOT NULL OR o.stage = 'done' AND o.completed_at IS NULL
            THEN max(h.at) FILTER (WHERE h.action IN ('cancel', 'reject', 'merge'))
        END AS ended_at
    FROM (
        SELECT h.at, h.action, t.is_taken,
            lead(h.action) OVER (PARTITION BY t.is_taken OR h.action = 'lapse' ORDER BY h.sequence) AS becomes
        FROM order_history h CROSS JOIN LATERAL (SELECT h.action IN ('accept', 'take_over') AS is_taken) AS t
        WHERE h.tenant_id = $1 AND h.order_id = o.id
    ) AS h
) AS h
LEFT JOIN LATERAL (
    SELECT k.state, k.due_at FROM order_clocks k
    WHERE k.tenant_id = $1 AND k.order_id = o.id AND k.target = 'accept' ORDER BY k.round LIMIT 1
) AS k ON true
CROSS JOIN LATERAL (
    SELECT CASE WHEN k.state IS NULL THEN h.dispatched_at + $7 * interval '1 hour' ELSE k.due_at END AS due_at
) AS d
WHERE ($5::text IS NULL OR o.kind = $5) AND h.dispatched_at IS NOT NULL
"""  # noqa: S608 (put together from our own literals)


def _answered(measure: Measure) -> str:
    met = "w.solved" if measure is Measure.RESOLUTION else "w.stars >= $6"
    return f"""
    SELECT o.id, o.completed_at AS counted_at, {_group("completed_at")} AS group_key, w.stars, w.solved,
        w.source AS answered_by,
        CASE
            WHEN o.id IN (SELECT order_id FROM excluded) THEN 'excluded'
            WHEN {met} THEN 'met'
            WHEN NOT ({met}) THEN 'not_met'
            ELSE 'open'
        END AS outcome
    {_orders("completed_at")}
    LEFT JOIN LATERAL ({STANDING_ANSWER}) AS w ON true
    WHERE ($5::text IS NULL OR o.kind = $5) AND o.stage IN ('verify', 'close', 'done')
    """  # noqa: S608 (put together from our own literals)


# Every statement names all of $1 to $9, so that each has a type, whichever its measure needs.
_ASKED = """
WITH asked AS (
    SELECT $1::uuid AS tenant_id, $2::uuid[] AS areas, $3::timestamptz AS begins_at, $4::timestamptz AS ends_at,
        $5::text AS kind, $6::int AS satisfied_stars, $7::int AS response_hours, $8::text AS group_by,
        $9::timestamptz AS now
)
"""


def facts_of(measure: Measure) -> str:
    """`WITH … facts (id, counted_at, group_key, stars, solved, answered_by, outcome)`, one row per order; those without
    an outcome the measure does not look at. $1 to $9 are `Question.arguments`.
    """
    facts = _RESPONSE if measure is Measure.RESPONSE else _answered(measure)
    return f"""
    {_ASKED},
    scope AS MATERIALIZED ({_SCOPE}),
    excluded AS MATERIALIZED ({_EXCLUDED}),
    standing AS MATERIALIZED ({_STANDING}),
    facts AS ({facts})
    """
