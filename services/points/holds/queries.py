"""Everything that reads holds: JSON straight from SQL."""

from datetime import datetime
from uuid import UUID

from pydantic import TypeAdapter

from models.points import Asset
from services.chassis.database import Database
from services.chassis.errors import NotFound
from services.chassis.identity import Identity
from services.chassis.pagination import InvalidCursor, Page, decode_cursor, encode_cursor
from services.points.holds.schemas import HoldRead
from services.points.ledger import policy
from services.points.ledger.queries import BEFORE_ALL_TIME, visible_owner


async def hold(database: Database, caller: Identity, hold_id: UUID) -> str:
    """A hold, for whose points it holds and for the clerks and administrators of the community it is meant for."""
    areas = caller.areas_as(policy.AUDITING_ROLES)
    async with database.hot_transaction(caller.tenant_id) as connection:
        body: str | None = await connection.fetchval(_HOLD, caller.tenant_id, hold_id, caller.account_id, areas)
    if body is None:
        raise NotFound
    return body


_HOLD = """
SELECT ledger_hold_json($1, h.id) FROM ledger_holds h
JOIN ledger_accounts a ON a.tenant_id = $1 AND a.id = h.account_id
WHERE h.tenant_id = $1 AND h.id = $2 AND (a.owner_id = $3 OR ledger_hold_concerns($1, h.id, $4))
"""


async def pending(
    database: Database, caller: Identity, account_id: UUID | None, asset: Asset, *, cursor: str | None, limit: int
) -> Page[HoldRead]:
    """One page of the holds on an account that have not ended, next to be over first."""
    behind = decode_cursor(cursor, tuple[datetime, UUID]) if cursor is not None else (BEFORE_ALL_TIME, UUID(int=0))
    if behind[0].tzinfo is None:
        raise InvalidCursor
    owner_id = await visible_owner(database, caller, account_id)
    body = await database.pool.fetchval(
        "SELECT points_pending($1, $2, $3, $4, $5, $6)", caller.tenant_id, owner_id, asset, *behind, limit + 1
    )
    items = _HOLDS.validate_json(body)
    last = items[limit - 1] if len(items) > limit else None
    return Page[HoldRead](items=items[:limit], next_cursor=encode_cursor(last.expires_at, last.id) if last else None)


_HOLDS = TypeAdapter(list[HoldRead])
