"""Everything that reads the ledger: JSON straight from SQL."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

import msgspec
from pydantic import TypeAdapter

from models.points import Asset
from services.chassis.database import Database
from services.chassis.errors import NotFound
from services.chassis.identity import Identity
from services.chassis.pagination import InvalidCursor, Page, decode_cursor, encode_cursor
from services.points.ledger import policy
from services.points.ledger.schemas import BalanceAtRead, BalanceRead, BalancesRead, LotRead, StoredAnswerRead

BEFORE_ALL = 2**62
BEFORE_ALL_TIME = datetime(1900, 1, 1, tzinfo=UTC)


async def account(database: Database, caller: Identity, account_id: UUID | None, asset: Asset) -> str:
    """The account of the caller, or of somebody the caller answers for; raises NotFound for anybody else's."""
    owner_id = await visible_owner(database, caller, account_id)
    body: str = await database.pool.fetchval("SELECT points_account($1, $2, $3)", caller.tenant_id, owner_id, asset)
    return body


async def home(database: Database, caller: Identity) -> str:
    """Both accounts of the caller."""
    points = await account(database, caller, None, Asset.POINTS)
    minutes = await account(database, caller, None, Asset.MINUTES)
    return f'{{"points":{points},"minutes":{minutes}}}'


async def visible_owner(database: Database, caller: Identity, account_id: UUID | None) -> UUID:
    """Whose account is read: the caller's, or that of somebody the caller answers for; else raises NotFound."""
    if account_id is None or account_id == caller.account_id:
        return caller.account_id
    await _check_answers_for(database, caller, account_id)
    return account_id


async def balance_at(
    database: Database,
    caller: Identity,
    account_id: UUID | None,
    asset: Asset,
    *,
    effective_at: datetime | None,
    recorded_at: datetime | None,
) -> BalanceAtRead:
    """What the account held of what had happened by one moment, as far as it was booked by another; both now, by the
    ledger's clock, if not said.
    """
    owner_id = await visible_owner(database, caller, account_id)
    row = await database.pool.fetchrow(_BALANCE_AT, caller.tenant_id, owner_id, asset, effective_at, recorded_at)
    assert row is not None, "an aggregate has a row"
    return BalanceAtRead(account_id=owner_id, asset=asset, **row)


_BALANCE_AT = """
SELECT
    m.effective_at, m.recorded_at,
    points_balance_at($1, 'member', $2, $3, m.effective_at, m.recorded_at) AS balance
FROM (
    SELECT COALESCE($4, n.now) AS effective_at, COALESCE($5, n.now) AS recorded_at
    FROM (SELECT ledger_now() AS now) AS n
) AS m
"""


async def balances(database: Database, caller: Identity, account_ids: Sequence[UUID], asset: Asset) -> BalancesRead:
    """The balances of several people at one moment; raises NotFound unless the caller answers for all of them."""
    others = [account_id for account_id in account_ids if account_id != caller.account_id]
    areas = caller.areas_as(policy.AUDITING_ROLES)
    async with database.hot_transaction(caller.tenant_id) as connection:
        if await connection.fetchval(_BELONGS_ELSEWHERE, caller.tenant_id, others, areas):
            raise NotFound
        rows = await connection.fetch(_BALANCES, caller.tenant_id, list(account_ids), asset)
    items = [BalanceRead(**row) for row in rows]
    return BalancesRead(items=items, total=sum(item.balance for item in items))


_BALANCES = """
SELECT o.id AS account_id, COALESCE(a.balance, 0) AS balance, COALESCE(a.held, 0) AS held
FROM unnest($2::uuid[]) WITH ORDINALITY AS o (id, place)
LEFT JOIN ledger_accounts a ON a.tenant_id = $1 AND a.asset = $3 AND a.kind = 'member' AND a.owner_id = o.id
    AND a.stripe = 0
ORDER BY o.place
"""


async def _check_answers_for(database: Database, caller: Identity, account_id: UUID) -> None:
    areas = caller.areas_as(policy.AUDITING_ROLES)
    async with database.hot_transaction(caller.tenant_id) as connection:
        if not await connection.fetchval(BELONGS_TO_AREAS, caller.tenant_id, account_id, areas):
            raise NotFound


_BELONGS = """
SELECT true FROM memberships m
WHERE m.tenant_id = $1 AND m.account_id = $2 AND (
    EXISTS (  -- whoever runs the whole district, who answers for those who have left too
        SELECT FROM areas a WHERE a.tenant_id = $1 AND a.id = ANY ($3) AND a.parent_id IS NULL
    ) OR m.ended_at IS NULL AND (
        EXISTS (  -- serves there now
            SELECT FROM grants g
            JOIN areas a ON a.tenant_id = $1 AND a.id = g.area_id
            WHERE g.tenant_id = $1 AND g.account_id = $2
                AND g.valid_from <= now() AND (g.valid_to IS NULL OR g.valid_to > now())
                AND ({serves_there})
        ) OR EXISTS (  -- lives there
            SELECT FROM residents r
            JOIN household_members b ON b.tenant_id = $1 AND b.resident_id = r.id AND b.lives_here
            JOIN households h ON h.tenant_id = $1 AND h.id = b.household_id
            JOIN areas a ON a.tenant_id = $1 AND a.id = h.area_id
            WHERE r.tenant_id = $1 AND r.account_id = $2 AND a.ancestor_ids && $3
        )
    )
)
"""
_WITHIN = "a.ancestor_ids && $3"
_AROUND = "EXISTS (SELECT FROM areas o WHERE o.tenant_id = $1 AND o.id = ANY ($3) AND a.id = ANY (o.ancestor_ids))"

BELONGS_WITHIN_AREAS = _BELONGS.format(serves_there=_WITHIN)
"""Whether a person ($2) lives, or serves now, in these areas ($3)."""
BELONGS_TO_AREAS = _BELONGS.format(serves_there=f"{_WITHIN} OR {_AROUND}")
"""The same, or serves in an area around them: also there they earn points of these areas."""

_BELONGS_ELSEWHERE = " ".join(
    (
        "SELECT true FROM unnest($2::uuid[]) AS asked (id) WHERE NOT EXISTS (",
        BELONGS_TO_AREAS.replace("$2", "asked.id"),
        ") LIMIT 1",
    )
)


async def statement(
    database: Database, caller: Identity, account_id: UUID | None, asset: Asset, *, cursor: str | None, limit: int
) -> str:
    """One page of an account's entries, newest first. The cursor is the sequence of the last entry shown."""
    before = sequence_of(cursor)
    owner_id = await visible_owner(database, caller, account_id)
    body: str = await database.pool.fetchval(
        "SELECT points_statement($1, 'member', $2, $3, $4, $5)", caller.tenant_id, owner_id, asset, before, limit
    )
    return body


async def lots(
    database: Database, caller: Identity, account_id: UUID | None, asset: Asset, *, cursor: str | None, limit: int
) -> Page[LotRead]:
    """One page of the lots with something left, next to expire first."""
    behind = decode_cursor(cursor, tuple[datetime | None, int, int]) if cursor is not None else (BEFORE_ALL_TIME, 0, 0)
    owner_id = await visible_owner(database, caller, account_id)
    body = await database.pool.fetchval(
        "SELECT points_lots($1, $2, $3, COALESCE($4::timestamptz, 'infinity'), $5, $6, $7)",
        caller.tenant_id, owner_id, asset, _aware(behind[0]), behind[1], behind[2], limit + 1,
    )  # fmt: skip
    items = _LOTS.validate_json(body)
    last = items[limit - 1] if len(items) > limit else None
    return Page[LotRead](
        items=items[:limit],
        next_cursor=encode_cursor(last.expires_at, last.sequence, last.part) if last else None,
    )


_LOTS = TypeAdapter(list[LotRead])


def _aware(moment: datetime | None) -> datetime | None:
    """Postgres compares moments, so a cursor without an offset is one of ours no more."""
    if moment is not None and moment.tzinfo is None:
        raise InvalidCursor
    return moment


def sequence_of(cursor: str | None) -> int:
    if cursor is None:
        return BEFORE_ALL
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= 18):
        raise InvalidCursor
    return int(cursor)


async def posting(database: Database, caller: Identity, posting_id: UUID) -> str:
    """A transaction with its legs, for who got or gave the points and for the clerks and administrators of the
    communities it concerns; raises NotFound for everybody else.
    """
    areas = caller.areas_as(policy.AUDITING_ROLES)
    async with database.hot_transaction(caller.tenant_id) as connection:
        body: str | None = await connection.fetchval(_POSTING, caller.tenant_id, posting_id, caller.account_id, areas)
    if body is None:
        raise NotFound
    return body


_POSTING = """
SELECT ledger_posting($1, $2) WHERE EXISTS (
    SELECT FROM ledger_entries e
    JOIN ledger_accounts a ON a.tenant_id = $1 AND a.id = e.account_id
    WHERE e.tenant_id = $1 AND e.transaction_id = $2 AND a.kind IN ('member', 'debt') AND a.owner_id = $3
) OR ledger_concerns($1, $2, $4)
"""


async def answer_by_key(database: Database, caller: Identity, key: str) -> StoredAnswerRead:
    """What the caller was answered with this key; raises NotFound when nothing came of it (yet)."""
    async with database.hot_transaction(caller.tenant_id) as connection:
        row = await connection.fetchrow(_BY_KEY, caller.tenant_id, caller.account_id, key)
    if row is None:
        raise NotFound
    return StoredAnswerRead(
        key=key, status=row["status"], body=msgspec.json.decode(row["body"]), answered_at=row["created_at"]
    )


_BY_KEY = "SELECT status, body, created_at FROM idempotency_keys WHERE tenant_id = $1 AND account_id = $2 AND key = $3"


class Rate(NamedTuple):
    minutes_per_point: int | None
    version: int


async def conversion_rate(database: Database, tenant_id: UUID) -> Rate:
    """What a point costs in minutes now; None where minutes are not converted."""
    async with database.hot_transaction(tenant_id) as connection:
        row = await connection.fetchrow(
            "SELECT s.minutes_per_point, s.version FROM ledger_settings_of($1, 'minutes') AS s", tenant_id
        )
    return Rate(*row)
