"""Reading units."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from services.chassis import clock
from services.chassis.errors import Problem
from services.chassis.identity import Identity
from services.chassis.pagination import Page, decode_cursor, encode_cursor
from services.orders.matching.policy import ALONG_THE_AREAS, READING_ROLES, scope
from services.orders.matching.units.schemas import UnitMemberRead, UnitRead, UnitReadFull


class UnitNotFound(Problem):
    status = 404
    code = "unit_not_found"
    zh = "未找到该队伍或单位。"
    en = "There is no such unit."


async def units_page(
    connection: Any, caller: Identity, *, area_id: UUID | None, cursor: str | None, limit: int
) -> Page[UnitRead]:
    """The units of an area, by name. Raises Forbidden without a role there, NotFound for a foreign area."""
    areas = await scope(connection, caller, READING_ROLES, area_id)
    after = ("", UUID(int=0)) if cursor is None else decode_cursor(cursor, tuple[str, UUID])
    rows = await _fetch(connection, caller, areas, after=after, limit=limit + 1)
    last = rows[limit - 1] if len(rows) > limit else None
    return Page[UnitRead](
        items=[UnitRead.model_validate({**row}) for row in rows[:limit]],
        next_cursor=last and encode_cursor(last["name"], last["id"]),
    )


async def unit(connection: Any, caller: Identity, unit_id: UUID) -> UnitReadFull:
    """With its people. Raises UnitNotFound unless it serves where the caller serves or oversees."""
    rows = await _fetch(connection, caller, caller.areas_as(READING_ROLES), unit_id=unit_id)
    if not rows:
        raise UnitNotFound
    people = await connection.fetch(_PEOPLE, caller.tenant_id, unit_id, clock.now())
    return UnitReadFull.model_validate(
        {**rows[0], "people": [UnitMemberRead.model_validate({**person}) for person in people]}
    )


async def _fetch(
    connection: Any,
    caller: Identity,
    areas: Sequence[UUID],
    *,
    unit_id: UUID | None = None,
    after: tuple[str, UUID] = ("", UUID(int=0)),
    limit: int = 1,
) -> Any:
    return await connection.fetch(_UNITS, caller.tenant_id, areas, clock.now(), unit_id, *after, limit)


_UNITS = f"""
SELECT u.id, u.kind, u.name, u.area_id, a.name AS area_name, u.phone, u.is_active, (
    SELECT count(*) FROM unit_members m
    WHERE m.tenant_id = $1 AND m.unit_id = u.id AND (m.until IS NULL OR m.until > $3)
) AS members
FROM units u JOIN areas a ON a.tenant_id = u.tenant_id AND a.id = u.area_id
WHERE u.tenant_id = $1 AND {ALONG_THE_AREAS} AND ($4::uuid IS NULL OR u.id = $4) AND (u.name, u.id) > ($5, $6)
ORDER BY u.name, u.id LIMIT $7
"""  # noqa: S608 (a constant)
_PEOPLE = """
SELECT m.account_id, c.name, m.is_leader, m.since FROM unit_members m JOIN accounts c ON c.id = m.account_id
WHERE m.tenant_id = $1 AND m.unit_id = $2 AND (m.until IS NULL OR m.until > $3)
ORDER BY m.is_leader DESC, c.name, m.account_id
"""
