"""Reading what helpers offer and have in hand. In no order but that of their names: nobody is ranked."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from services.chassis import clock
from services.chassis.errors import Problem
from services.chassis.identity import Identity
from services.chassis.pagination import Page, decode_cursor, encode_cursor
from services.orders.clocks.work_time import day_of
from services.orders.matching.candidates import DEFAULT_MAX_OPEN
from services.orders.matching.helpers.schemas import (
    AbsenceList,
    AbsenceRead,
    HelperProfileRead,
    HelperRead,
    HelperReadFull,
)
from services.orders.matching.hours import of_day
from services.orders.matching.policy import ALONG_THE_AREAS, DISPATCHING_ROLES, SERVING_ROLES, scope


class HelperNotFound(Problem):
    status = 404
    code = "helper_not_found"
    zh = "未找到该服务人员。"
    en = "There is no such helper."


async def profile(connection: Any, caller: Identity) -> HelperProfileRead:
    """The caller's own; where nothing was stated, what counts then."""
    row = await connection.fetchrow(_PROFILE, caller.tenant_id, caller.account_id)
    if row is None:
        return HelperProfileRead(skills=[], hours=None, max_open=DEFAULT_MAX_OPEN, lng=None, lat=None, updated_at=None)
    return HelperProfileRead.model_validate({**row, "hours": _decoded(row["hours"])})


async def absences(connection: Any, caller: Identity, account_id: UUID) -> AbsenceList:
    """Those of one person that are not over yet."""
    rows = await connection.fetch(_ABSENCES, caller.tenant_id, account_id, clock.now(), caller.account_id)
    return AbsenceList(items=[AbsenceRead.model_validate({**row}) for row in rows])


async def helpers_page(
    connection: Any, caller: Identity, *, area_id: UUID | None, cursor: str | None, limit: int
) -> Page[HelperRead]:
    """Who serves an area, or in it, by name. Raises Forbidden without a role for it, NotFound for a foreign area."""
    areas = await scope(connection, caller, DISPATCHING_ROLES, area_id)
    after = ("", UUID(int=0)) if cursor is None else decode_cursor(cursor, tuple[str, UUID])
    rows = await _fetch(connection, caller, areas, after=after, limit=limit + 1)
    last = rows[limit - 1] if len(rows) > limit else None
    return Page[HelperRead](
        items=[HelperRead.model_validate(_helper(row)) for row in rows[:limit]],
        next_cursor=last and encode_cursor(last["name"], last["account_id"]),
    )


async def helper(connection: Any, caller: Identity, account_id: UUID) -> HelperReadFull:
    """Raises Forbidden without a role that dispatches, HelperNotFound for who serves elsewhere."""
    areas = await scope(connection, caller, DISPATCHING_ROLES, None)
    rows = await _fetch(connection, caller, areas, account_id=account_id)
    if not rows:
        raise HelperNotFound
    away = await absences(connection, caller, account_id)
    return HelperReadFull.model_validate({**_helper(rows[0]), "absences": away.items})


async def check_helper(connection: Any, caller: Identity, account_id: UUID) -> None:
    """Raises Forbidden, or HelperNotFound unless they serve where the caller dispatches."""
    areas = await scope(connection, caller, DISPATCHING_ROLES, None)
    if not await _fetch(connection, caller, areas, account_id=account_id):
        raise HelperNotFound


async def _fetch(
    connection: Any,
    caller: Identity,
    areas: Sequence[UUID],
    *,
    account_id: UUID | None = None,
    after: tuple[str, UUID] = ("", UUID(int=0)),
    limit: int = 1,
) -> Any:
    return await connection.fetch(
        _HELPERS, caller.tenant_id, areas, list(SERVING_ROLES), clock.now(), account_id, *after, limit, DEFAULT_MAX_OPEN
    )


def _helper(row: Any) -> dict[str, Any]:
    hours = _decoded(row["hours"])
    today = of_day(hours, day_of(clock.now()))
    return {**row, "hours": hours, "hours_today": today, "units": msgspec.json.decode(row["units"])}


def _decoded(hours: str | None) -> Any:
    return None if hours is None else msgspec.json.decode(hours)


_PROFILE = """
SELECT skills, hours::text, max_open, lng, lat, updated_at FROM helper_profiles WHERE tenant_id = $1 AND account_id = $2
"""
_ABSENCES = """
SELECT id, starts_at, ends_at, CASE WHEN $4 IN (account_id, recorded_by) THEN kind END AS kind FROM helper_absences
WHERE tenant_id = $1 AND account_id = $2 AND ends_at > $3 ORDER BY starts_at, id
"""
_HELPERS = f"""
SELECT c.id AS account_id, c.name, COALESCE(p.skills, '{{}}') AS skills, p.hours::text AS hours,
    COALESCE(p.max_open, $9) AS max_open,
    EXISTS (
        SELECT FROM helper_absences x
        WHERE x.tenant_id = $1 AND x.account_id = c.id AND x.starts_at <= $4 AND x.ends_at > $4
    ) AS is_absent,
    (SELECT count(*) FROM orders o WHERE o.tenant_id = $1 AND o.assignee_id = c.id AND o.stage = 'handle') + (
        SELECT count(*)
        FROM order_helpers h JOIN orders o ON o.tenant_id = h.tenant_id AND o.id = h.order_id AND o.stage = 'handle'
        WHERE h.tenant_id = $1 AND h.account_id = c.id AND h.left_at IS NULL
    ) AS open_orders,
    (
        SELECT COALESCE(
            jsonb_agg(jsonb_build_object('id', u.id, 'name', u.name, 'is_leader', m.is_leader) ORDER BY u.name), '[]'
        )::text
        FROM unit_members m JOIN units u ON u.tenant_id = m.tenant_id AND u.id = m.unit_id AND u.is_active
        WHERE m.tenant_id = $1 AND m.account_id = c.id AND (m.until IS NULL OR m.until > $4)
    ) AS units
FROM accounts c LEFT JOIN helper_profiles p ON p.tenant_id = $1 AND p.account_id = c.id
WHERE c.suspended_at IS NULL AND ($5::uuid IS NULL OR c.id = $5) AND (c.name, c.id) > ($6, $7) AND c.id IN (
    SELECT g.account_id
    FROM grants g
    JOIN areas a ON a.tenant_id = g.tenant_id AND a.id = g.area_id
    JOIN memberships m ON m.tenant_id = g.tenant_id AND m.account_id = g.account_id AND m.ended_at IS NULL
    WHERE g.tenant_id = $1 AND g.role = ANY ($3)
        AND g.valid_from <= $4 AND (g.valid_to IS NULL OR g.valid_to > $4)
        AND {ALONG_THE_AREAS}
)
ORDER BY c.name, c.id LIMIT $8
"""  # noqa: S608 (a constant)
