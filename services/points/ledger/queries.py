"""Everything that reads the ledger: JSON straight from SQL."""

from uuid import UUID

from services.chassis.database import Database
from services.chassis.errors import NotFound
from services.chassis.identity import Identity
from services.chassis.pagination import InvalidCursor
from services.points.ledger import policy

BEFORE_ALL = 2**62


async def account(database: Database, caller: Identity, account_id: UUID | None) -> str:
    """The account of the caller, or of somebody the caller answers for; raises NotFound for anybody else's."""
    if account_id is not None and account_id != caller.account_id:
        await _check_answers_for(database, caller, account_id)
    body: str = await database.pool.fetchval(
        "SELECT points_account($1, $2)", caller.tenant_id, account_id or caller.account_id
    )
    return body


async def _check_answers_for(database: Database, caller: Identity, account_id: UUID) -> None:
    areas = caller.areas_as(policy.AUDITING_ROLES)
    async with database.hot_transaction(caller.tenant_id) as connection:
        if not await connection.fetchval(_BELONGS_TO_AREAS, caller.tenant_id, account_id, areas):
            raise NotFound


_BELONGS_TO_AREAS = """
SELECT true FROM memberships m
WHERE m.tenant_id = $1 AND m.account_id = $2 AND (
    EXISTS (  -- whoever runs the whole district
        SELECT FROM areas a WHERE a.tenant_id = $1 AND a.id = ANY ($3) AND a.parent_id IS NULL
    ) OR EXISTS (  -- serves in these areas, or in one around them
        SELECT FROM grants g
        JOIN areas a ON a.tenant_id = $1 AND a.id = g.area_id
        WHERE g.tenant_id = $1 AND g.account_id = $2 AND (
            a.ancestor_ids && $3
            OR EXISTS (SELECT FROM areas o WHERE o.tenant_id = $1 AND o.id = ANY ($3) AND a.id = ANY (o.ancestor_ids))
        )
    ) OR EXISTS (  -- lives there
        SELECT FROM residents r
        JOIN household_members b ON b.tenant_id = $1 AND b.resident_id = r.id
        JOIN households h ON h.tenant_id = $1 AND h.id = b.household_id
        JOIN areas a ON a.tenant_id = $1 AND a.id = h.area_id
        WHERE r.tenant_id = $1 AND r.account_id = $2 AND a.ancestor_ids && $3
    )
)
"""


async def statement(database: Database, caller: Identity, *, cursor: str | None, limit: int) -> str:
    """One page of the caller's own entries, newest first. The cursor is the sequence of the last entry shown."""
    body: str = await database.pool.fetchval(
        "SELECT points_statement($1, $2, $3, $4)", caller.tenant_id, caller.account_id, _sequence_of(cursor), limit
    )
    return body


def _sequence_of(cursor: str | None) -> int:
    if cursor is None:
        return BEFORE_ALL
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= 18):
        raise InvalidCursor
    return int(cursor)


async def posting(database: Database, caller: Identity, posting_id: UUID) -> str:
    """A transaction with its legs, for who got or gave the points and for the clerks and administrators of the
    community that issued them; raises NotFound for everybody else.
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
    LEFT JOIN areas c ON c.tenant_id = $1 AND c.id = a.owner_id AND a.kind = 'issuing_community'
    WHERE e.tenant_id = $1 AND e.transaction_id = $2
        AND (a.kind = 'member' AND a.owner_id = $3 OR c.ancestor_ids && $4)
)
"""
