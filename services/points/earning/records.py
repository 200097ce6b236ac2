"""Service records: what is written with each credit, and what limits are counted from."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec

from models.earning import ServiceSource
from services.points.earning.arithmetic import Used
from services.points.earning.connection import Connection


@dataclass(frozen=True, slots=True)
class Record:
    """A row of `service_records` that is to be written; see there."""

    id: UUID
    account_id: UUID
    sequence: int
    source_kind: ServiceSource
    source_id: UUID
    activity_name: str | None
    service_kind: str
    community_id: UUID
    began_at: datetime | None
    ended_at: datetime | None
    minutes: int | None
    served_on: date
    stars: int | None
    solved: bool | None
    judged_at: datetime
    recorded_by: UUID | None
    approved_by: UUID | None
    rule_version: int | None
    points: int
    minutes_credited: int
    details: dict[str, Any]
    transaction_id: UUID | None


@dataclass(frozen=True, slots=True)
class Standing:
    """How a person stands before a further service on some day."""

    next_sequence: int
    used: Used


async def lock_people(connection: Connection, tenant_id: UUID, account_ids: Sequence[UUID]) -> None:
    """Nobody else credits these people's service until the transaction ends: limits hold however many credit at once.

    To be taken before any lock of the ledger. Taken in one order, so that nobody waits in a circle.
    """
    await connection.execute(_LOCK, tenant_id, account_ids)


_LOCK = """
SELECT pg_advisory_xact_lock(l.lock) FROM (
    SELECT DISTINCT hashtextextended(format('service of %s %s', $1::uuid, a.id), 0) AS lock
    FROM unnest($2::uuid[]) AS a (id) ORDER BY lock
) AS l
"""


async def recorded_people(
    connection: Connection, tenant_id: UUID, source_kind: ServiceSource, source_id: UUID, account_ids: Sequence[UUID]
) -> set[UUID]:
    """Which of them have a record of this source already."""
    rows = await connection.fetch(_RECORDED, tenant_id, source_kind.value, source_id, account_ids)
    return {row["account_id"] for row in rows}


_RECORDED = """
SELECT account_id FROM service_records
WHERE tenant_id = $1 AND source_kind = $2 AND source_id = $3 AND account_id = ANY ($4::uuid[])
"""


async def people_of(connection: Connection, tenant_id: UUID, source_kind: ServiceSource, source_id: UUID) -> set[UUID]:
    """Everybody who has a record of this source."""
    rows = await connection.fetch(_PEOPLE, tenant_id, source_kind.value, source_id)
    return {row["account_id"] for row in rows}


_PEOPLE = "SELECT account_id FROM service_records WHERE tenant_id = $1 AND source_kind = $2 AND source_id = $3"


async def standings(
    connection: Connection, tenant_id: UUID, services: Sequence[tuple[UUID, date]]
) -> dict[UUID, Standing]:
    """How each person (account id, once) stands on the day of a further service. Under their locks.

    What was taken back has used up nothing.
    """
    rows = await connection.fetch(_STANDINGS, tenant_id, [who for who, _ in services], [day for _, day in services])
    return {row["account_id"]: Standing(row["records"] + 1, Used(row["day"], row["month"])) for row in rows}


IS_NOT_TAKEN_BACK = """
NOT EXISTS (
    SELECT FROM ledger_transactions t
    WHERE t.tenant_id = r.tenant_id AND t.source_kind = 'reversal' AND t.source_id = r.transaction_id::text
)
"""
"""Of a record `r`: a credit that was taken back counts against no limit."""

_STANDINGS = f"""
SELECT
    p.account_id, s.day, s.month,
    COALESCE((
        SELECT max(r.sequence) FROM service_records r WHERE r.tenant_id = $1 AND r.account_id = p.account_id
    ), 0) AS records
FROM unnest($2::uuid[], $3::date[]) AS p (account_id, served_on), LATERAL (
    SELECT
        COALESCE(sum(r.points) FILTER (WHERE r.served_on = p.served_on), 0)::bigint AS day,
        COALESCE(sum(r.points), 0)::bigint AS month
    FROM service_records r
    WHERE r.tenant_id = $1 AND r.account_id = p.account_id
        AND r.served_on >= date_trunc('month', p.served_on::timestamp)
        AND r.served_on < date_trunc('month', p.served_on::timestamp) + interval '1 month'
        AND {IS_NOT_TAKEN_BACK}
) AS s
"""  # noqa: S608 (put together from our own literals)


async def insert(connection: Connection, tenant_id: UUID, records: Iterable[Record]) -> None:
    """In one statement, however many there are."""
    rows = msgspec.json.encode([asdict(record) for record in records]).decode()
    await connection.execute(_INSERT, tenant_id, rows)


_INSERT = """
INSERT INTO service_records (
    tenant_id, id, account_id, sequence, source_kind, source_id, activity_name, service_kind, community_id, began_at,
    ended_at, minutes, served_on, stars, solved, judged_at, recorded_by, approved_by, recorded_at, rule_version, points,
    minutes_credited, details, transaction_id
)
SELECT
    $1, r.id, r.account_id, r.sequence, r.source_kind, r.source_id, r.activity_name, r.service_kind, r.community_id,
    r.began_at, r.ended_at, r.minutes, r.served_on, r.stars, r.solved, r.judged_at, r.recorded_by, r.approved_by,
    (SELECT ledger_now()), r.rule_version, r.points, r.minutes_credited, r.details, r.transaction_id
FROM jsonb_to_recordset($2::text::jsonb) AS r (
    id uuid, account_id uuid, sequence bigint, source_kind text, source_id uuid, activity_name text, service_kind text,
    community_id uuid, began_at timestamptz, ended_at timestamptz, minutes smallint, served_on date, stars smallint,
    solved boolean, judged_at timestamptz, recorded_by uuid, approved_by uuid, rule_version bigint, points bigint,
    minutes_credited bigint, details jsonb, transaction_id uuid
)
"""
