"""Reading exclusions: of one order, and those of an area."""

from typing import Any
from uuid import UUID

import msgspec

from services.chassis.errors import Forbidden
from services.chassis.identity import Identity
from services.chassis.pagination import Page, decode_cursor, encode_cursor
from services.orders.follow_ups.queries import scope_of
from services.orders.orders.queries import find_order
from services.orders.rates import policy
from services.orders.rates.exclusions.schemas import ExclusionRead, ExclusionState

BEFORE_ALL = UUID(int=0)


async def order_exclusions_page(
    connection: Any, caller: Identity, order_id: UUID, *, cursor: str | None, limit: int
) -> Page[ExclusionRead]:
    """All that were asked for, oldest first. Raises OrderNotFound, Forbidden."""
    order = await find_order(connection, caller, order_id=order_id)
    if not policy.may_ask(order.facts):
        raise Forbidden
    rows = await connection.fetch(_OF_ORDER, caller.tenant_id, _after(cursor), limit + 1, order.id)
    return _page(rows, limit)


async def exclusions_page(
    connection: Any,
    caller: Identity,
    *,
    area_id: UUID | None,
    state: ExclusionState,
    cursor: str | None,
    limit: int,
) -> Page[ExclusionRead]:
    """Those of an area in one state, oldest first. Raises Forbidden, or NotFound for a foreign area."""
    areas = await scope_of(connection, caller, policy.READING_ROLES, area_id)
    rows = await connection.fetch(_OF_AREAS, caller.tenant_id, _after(cursor), limit + 1, areas, state.value)
    return _page(rows, limit)


async def exclusion_of(connection: Any, caller: Identity, exclusion_id: UUID) -> ExclusionRead:
    """One that has just been written."""
    return _read(await connection.fetchrow(_ONE, caller.tenant_id, exclusion_id))


def _after(cursor: str | None) -> UUID:
    return decode_cursor(cursor, tuple[UUID])[0] if cursor else BEFORE_ALL


def _page(rows: Any, limit: int) -> Page[ExclusionRead]:
    shown = [_read(row) for row in rows[:limit]]
    return Page[ExclusionRead](items=shown, next_cursor=encode_cursor(shown[-1].id) if len(rows) > limit else None)


def _read(row: Any) -> ExclusionRead:
    return ExclusionRead.model_validate({**row, "steps": msgspec.json.decode(row["steps"])})


_EXCLUSIONS = """
SELECT e.id, e.order_id, order_number(o.number) AS number, o.kind, o.area_id, e.reason_code, e.words, e.asked_by,
    (SELECT c.name FROM accounts c WHERE c.id = e.asked_by) AS asked_by_name, e.asked_at,
    COALESCE(last.outcome, 'pending') AS state,
    (
        SELECT COALESCE(json_agg(json_build_object(
            'outcome', s.outcome, 'reason', s.reason, 'decided_by', s.decided_by, 'decided_by_name', c.name,
            'decided_at', s.decided_at
        ) ORDER BY s.sequence), '[]')::text
        FROM rate_exclusion_steps s JOIN accounts c ON c.id = s.decided_by
        WHERE s.tenant_id = e.tenant_id AND s.exclusion_id = e.id
    ) AS steps
FROM rate_exclusions e
JOIN orders o ON o.tenant_id = e.tenant_id AND o.id = e.order_id
LEFT JOIN LATERAL (
    SELECT s.outcome FROM rate_exclusion_steps s
    WHERE s.tenant_id = e.tenant_id AND s.exclusion_id = e.id ORDER BY s.sequence DESC LIMIT 1
) AS last ON true
"""
_ONE = f"{_EXCLUSIONS} WHERE e.tenant_id = $1 AND e.id = $2"
_OF_ORDER = f"{_EXCLUSIONS} WHERE e.tenant_id = $1 AND e.id > $2 AND e.order_id = $4 ORDER BY e.id LIMIT $3"
_OF_AREAS = f"""
{_EXCLUSIONS}
JOIN areas a ON a.tenant_id = o.tenant_id AND a.id = o.area_id
WHERE e.tenant_id = $1 AND e.id > $2 AND a.ancestor_ids && $4::uuid[] AND COALESCE(last.outcome, 'pending') = $5
ORDER BY e.id LIMIT $3
"""
