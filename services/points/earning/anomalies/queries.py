"""What should be looked at by a person: computed from service records and manual awards when it is asked for."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from services.chassis.clock import SHANGHAI
from services.chassis.errors import Forbidden, NotFound
from services.chassis.identity import Identity
from services.chassis.pagination import InvalidCursor, Page, decode_cursor, encode_cursor
from services.points.earning import policy
from services.points.earning.anomalies.schemas import AnomalyKind, AnomalyRead, AnomalyReviewRead
from services.points.earning.connection import Connection

LONG_DAY_MINUTES = 12 * 60
"""More service than this in one Shanghai day is looked at."""
SLACK_MINUTES = 10
"""So much more may be stated than passed: nobody presses a button to the minute."""
SITTING = timedelta(minutes=10)
"""Within minutes: what a clerk books with shorter pauses is one sitting, and so much of it is looked at at once."""
SITTING_MINUTES = 24 * 60
"""More service than this booked within a `SITTING` is looked at."""
SITTING_AWARDS = 20
"""As many awards."""
LONGEST_SITTING = timedelta(days=1)
"""How far back the beginning of a sitting is looked for."""
SHOWN = 20

FIRST_YEAR, LAST_YEAR = 1900, 2200
"""Of a cursor, and of the day an anomaly names, that are ours."""

Key = tuple[datetime, str]


async def anomalies_page(
    connection: Connection, caller: Identity, *, begins_at: datetime, ends_at: datetime, cursor: str | None, limit: int
) -> Page[AnomalyRead]:
    """Those of the period in the caller's areas, oldest first. Raises Forbidden."""
    areas = _audited_areas(caller)
    after = None if cursor is None else _key(cursor)
    rows = await _anomalies(connection, caller.tenant_id, areas, begins_at, ends_at, after=after, limit=limit + 1)
    shown = rows[:limit]
    return Page[AnomalyRead](
        items=await _as_read(connection, caller.tenant_id, areas, shown),
        next_cursor=encode_cursor(shown[-1]["at"], shown[-1]["id"]) if len(rows) > limit else None,
    )


def _key(cursor: str) -> Key:
    moment, anomaly_id = decode_cursor(cursor, tuple[datetime, str])
    if moment.tzinfo is None or not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise InvalidCursor
    return moment, anomaly_id


async def check_is_there(connection: Connection, caller: Identity, anomaly_id: str) -> None:
    """Raises Forbidden, and NotFound unless there is such an anomaly in the caller's areas."""
    areas = _audited_areas(caller)
    moment = await _moment_of(connection, caller.tenant_id, anomaly_id)
    instant = timedelta(microseconds=1)
    rows = await _anomalies(connection, caller.tenant_id, areas, moment, moment + instant, only=anomaly_id)
    if not rows:
        raise NotFound


def _audited_areas(caller: Identity) -> list[UUID]:
    areas = caller.areas_as(policy.AUDITING_ROLES)
    if not areas:
        raise Forbidden
    return areas


async def _moment_of(connection: Connection, tenant_id: UUID, anomaly_id: str) -> datetime:
    """When an anomaly of this id would be. Raises NotFound for what is no such id."""
    kind, _, subject = anomaly_id.partition(".")
    try:
        if kind == AnomalyKind.LONG_DAY:
            day = datetime.strptime(subject.partition(".")[2], "%Y-%m-%d")  # noqa: DTZ007 (the zone comes next)
            if not FIRST_YEAR <= day.year <= LAST_YEAR:
                raise NotFound
            return day.replace(tzinfo=SHANGHAI)
        first, *others = [UUID(part) for part in subject.split(".")]
        moment = await connection.fetchval(_MOMENTS[AnomalyKind(kind)], tenant_id, [first, *others])
    except ValueError:
        raise NotFound from None
    if moment is None:
        raise NotFound
    found: datetime = moment
    return found


_OF_RECORDS = "SELECT max({}) FROM service_records WHERE tenant_id = $1 AND id = ANY ($2::uuid[])"
_MOMENTS = {
    AnomalyKind.OVERLAP: _OF_RECORDS.format("began_at"),
    AnomalyKind.MORE_THAN_ELAPSED: _OF_RECORDS.format("ended_at"),
    AnomalyKind.HOURS_IN_MINUTES: _OF_RECORDS.format("recorded_at"),
    AnomalyKind.AWARDS_IN_MINUTES: (
        "SELECT max(recorded_at) FROM ledger_transactions WHERE tenant_id = $1 AND id = ANY ($2::uuid[])"
    ),
}


async def _anomalies(
    connection: Connection,
    tenant_id: UUID,
    areas: Sequence[UUID],
    begins_at: datetime,
    ends_at: datetime,
    *,
    after: Key | None = None,
    only: str | None = None,
    limit: int = 1,
) -> list[Any]:
    after_at, after_id = after or (None, None)
    rows = await connection.fetch(
        _ANOMALIES,
        *(tenant_id, areas, begins_at, ends_at, LONG_DAY_MINUTES, SLACK_MINUTES, SITTING, SITTING_MINUTES),
        *(SITTING_AWARDS, LONGEST_SITTING, SHOWN, after_at, after_id, only, limit),
    )
    return list(rows)


_ANOMALIES = """
WITH mine AS (
    SELECT id FROM areas WHERE tenant_id = $1 AND ancestor_ids && $2::uuid[] AND community_id = id
), overlapping AS (
    SELECT
        format('overlap.%s.%s', a.id, b.id) AS id, 'overlap' AS kind, b.began_at AS at, a.account_id,
        NULL::uuid AS booked_by,
        (EXTRACT(EPOCH FROM LEAST(a.ended_at, b.ended_at) - b.began_at) / 60)::bigint AS minutes,
        2::bigint AS count, ARRAY[a.id, b.id] AS record_ids, '{}'::uuid[] AS posting_ids
    FROM service_records b
    JOIN service_records a ON a.tenant_id = $1 AND a.account_id = b.account_id
        AND (a.began_at, a.sequence) < (b.began_at, b.sequence) AND b.began_at < a.ended_at
        -- Both fit into the time from the first beginning to the last end, or one of them is not true.
        AND a.minutes + b.minutes > EXTRACT(EPOCH FROM GREATEST(a.ended_at, b.ended_at) - a.began_at) / 60
    WHERE b.tenant_id = $1 AND b.ended_at >= $3 AND b.began_at >= $3 AND b.began_at < $4
        AND (a.community_id IN (SELECT id FROM mine) OR b.community_id IN (SELECT id FROM mine))
), days AS (
    SELECT
        r.id, r.account_id, r.community_id, d.day,
        r.minutes * EXTRACT(EPOCH FROM
            LEAST(r.ended_at, (d.day + interval '1 day') AT TIME ZONE 'Asia/Shanghai')
            - GREATEST(r.began_at, d.day AT TIME ZONE 'Asia/Shanghai')
        ) / EXTRACT(EPOCH FROM r.ended_at - r.began_at) AS minutes
    FROM service_records r
    CROSS JOIN LATERAL generate_series(
        date_trunc('day', r.began_at AT TIME ZONE 'Asia/Shanghai'), r.ended_at AT TIME ZONE 'Asia/Shanghai', '1 day'
    ) AS d (day)
    WHERE r.tenant_id = $1 AND r.ended_at >= $3 AND r.began_at < $4::timestamptz + interval '1 day'
        AND r.began_at < r.ended_at AND r.minutes > 0
    UNION ALL  -- of some only the day is known
    SELECT r.id, r.account_id, r.community_id, r.served_on::timestamp, r.minutes
    FROM service_records r
    WHERE r.tenant_id = $1 AND r.minutes > 0 AND (r.began_at < r.ended_at) IS NOT TRUE
        AND r.served_on >= ($3::timestamptz AT TIME ZONE 'Asia/Shanghai')::date
        AND r.served_on <= ($4::timestamptz AT TIME ZONE 'Asia/Shanghai')::date
), long_days AS (
    SELECT
        format('long_day.%s.%s', d.account_id, to_char(d.day, 'YYYY-MM-DD')) AS id, 'long_day' AS kind,
        d.day AT TIME ZONE 'Asia/Shanghai' AS at, d.account_id, NULL::uuid AS booked_by,
        trunc(sum(d.minutes))::bigint AS minutes, count(*) AS count,
        array_agg(d.id ORDER BY d.id) AS record_ids, '{}'::uuid[] AS posting_ids
    FROM days d
    WHERE d.minutes > 0 AND d.day AT TIME ZONE 'Asia/Shanghai' >= $3 AND d.day AT TIME ZONE 'Asia/Shanghai' < $4
    GROUP BY d.account_id, d.day
    HAVING sum(d.minutes) > $5::bigint AND bool_or(d.community_id IN (SELECT id FROM mine))
), more_than_elapsed AS (
    SELECT
        format('more_than_elapsed.%s', r.id) AS id, 'more_than_elapsed' AS kind, r.ended_at AS at, r.account_id,
        NULL::uuid AS booked_by, r.minutes::bigint, 1::bigint AS count, ARRAY[r.id] AS record_ids,
        '{}'::uuid[] AS posting_ids
    FROM service_records r
    WHERE r.tenant_id = $1 AND r.ended_at >= $3 AND r.ended_at < $4
        AND r.minutes - $6::bigint > EXTRACT(EPOCH FROM r.ended_at - r.began_at) / 60
        AND r.community_id IN (SELECT id FROM mine)
), bookings AS (
    SELECT
        r.recorded_by, min(r.recorded_at) AS at, max(r.minutes)::bigint AS minutes,
        array_agg(r.id ORDER BY r.recorded_at, r.id) AS record_ids, '{}'::uuid[] AS posting_ids, 'hours' AS sort,
        bool_or(r.community_id IN (SELECT id FROM mine)) AS is_mine
    FROM service_records r
    WHERE r.tenant_id = $1 AND r.recorded_by IS NOT NULL
        AND r.recorded_at >= $3::timestamptz - $10::interval AND r.recorded_at < $4::timestamptz + $10::interval
    GROUP BY r.recorded_by, r.source_id
    UNION ALL
    SELECT
        t.recorded_by, t.recorded_at, 0, '{}', ARRAY[t.id], 'awards',
        EXISTS (
            SELECT FROM ledger_entries e
            JOIN ledger_accounts a ON a.tenant_id = $1 AND a.id = e.account_id AND a.kind = 'issuing_community'
            WHERE e.tenant_id = $1 AND e.transaction_id = t.id AND a.owner_id IN (SELECT id FROM mine)
        )
    FROM ledger_transactions t
    WHERE t.tenant_id = $1 AND t.kind = 'award' AND t.recorded_by IS NOT NULL
        AND t.recorded_at >= $3::timestamptz - $10::interval AND t.recorded_at < $4::timestamptz + $10::interval
), measured AS (
    SELECT
        b.*,
        sum(b.minutes) OVER just_before AS minutes_within,
        count(*) OVER just_before AS bookings_within,
        (lag(b.at) OVER one_after_the_other >= b.at - $7::interval) IS NOT TRUE AS begins
    FROM bookings b
    WINDOW
        one_after_the_other AS (PARTITION BY b.recorded_by, b.sort ORDER BY b.at),
        just_before AS (one_after_the_other RANGE BETWEEN $7::interval PRECEDING AND CURRENT ROW)
), sittings AS (
    SELECT m.*, count(*) FILTER (WHERE m.begins) OVER (
        PARTITION BY m.recorded_by, m.sort ORDER BY m.at, m.record_ids, m.posting_ids
    ) AS sitting
    FROM measured m
), hurried AS (
    SELECT
        format(
            '%s_in_minutes.%s', s.sort,
            (array_agg(COALESCE(s.record_ids[1], s.posting_ids[1]) ORDER BY s.at, s.record_ids, s.posting_ids))[1]
        ) AS id,
        s.sort || '_in_minutes' AS kind, min(s.at) AS at, NULL::uuid AS account_id, s.recorded_by AS booked_by,
        CASE s.sort WHEN 'hours' THEN sum(s.minutes)::bigint END AS minutes, count(*) AS count,
        ARRAY(
            SELECT p.id FROM sittings o, unnest(o.record_ids) WITH ORDINALITY AS p (id, place)
            WHERE o.recorded_by = s.recorded_by AND o.sort = s.sort AND o.sitting = s.sitting
            ORDER BY o.at, p.place LIMIT $11
        ) AS record_ids,
        ARRAY(
            SELECT p.id FROM sittings o, unnest(o.posting_ids) AS p (id)
            WHERE o.recorded_by = s.recorded_by AND o.sort = s.sort AND o.sitting = s.sitting
            ORDER BY o.at, p.id LIMIT $11
        ) AS posting_ids
    FROM sittings s
    GROUP BY s.recorded_by, s.sort, s.sitting
    HAVING CASE s.sort
        WHEN 'hours' THEN max(s.minutes_within) > $8::bigint
        ELSE max(s.bookings_within) >= $9::bigint
    END AND min(s.at) >= $3 AND min(s.at) < $4 AND bool_or(s.is_mine)
), all_of_them AS (
    SELECT * FROM overlapping
    UNION ALL SELECT * FROM long_days
    UNION ALL SELECT * FROM more_than_elapsed
    UNION ALL SELECT * FROM hurried
)
SELECT
    x.id, x.kind, x.at, x.account_id, x.booked_by, x.minutes, x.count, x.record_ids[1:$11] AS record_ids,
    x.posting_ids[1:$11] AS posting_ids,
    (
        SELECT to_jsonb(v) - 'tenant_id' FROM anomaly_reviews v
        WHERE v.tenant_id = $1 AND v.anomaly_id = x.id ORDER BY v.id DESC LIMIT 1
    )::text AS review
FROM all_of_them x
WHERE ($12::timestamptz IS NULL OR (x.at, x.id) > ($12, $13::text)) AND ($14::text IS NULL OR x.id = $14)
ORDER BY x.at, x.id
LIMIT $15
"""


async def _as_read(
    connection: Connection, tenant_id: UUID, areas: Sequence[UUID], rows: Sequence[Any]
) -> list[AnomalyRead]:
    """With the services behind them that the caller may know of: of communities in these areas."""
    wanted = {record_id for row in rows for record_id in row["record_ids"]}
    records = {row["id"]: dict(row) for row in await connection.fetch(_RECORDS, tenant_id, list(wanted), areas)}
    return [
        AnomalyRead.model_validate(
            {
                **dict(row),
                "records": [records[record_id] for record_id in row["record_ids"] if record_id in records],
                "review": None if row["review"] is None else AnomalyReviewRead.model_validate_json(row["review"]),
            }
        )
        for row in rows
    ]


_RECORDS = """
SELECT r.id, r.account_id, r.source_kind, r.source_id, r.activity_name, r.community_id, r.began_at, r.ended_at,
    r.minutes, r.points, r.recorded_by
FROM service_records r
JOIN areas a ON a.tenant_id = $1 AND a.id = r.community_id AND a.ancestor_ids && $3::uuid[]
WHERE r.tenant_id = $1 AND r.id = ANY ($2::uuid[])
"""
