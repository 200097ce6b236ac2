"""Reading resources."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from models.matching import ResourceKind
from services.chassis import clock
from services.chassis.errors import Problem
from services.chassis.identity import Identity
from services.chassis.pagination import Page, decode_cursor, encode_cursor
from services.orders.clocks.work_time import day_of
from services.orders.matching.policy import ALONG_THE_AREAS, READING_ROLES, scope
from services.orders.matching.resources.schemas import ResourceRead

AFTER_ALL = UUID(int=2**128 - 1)


class ResourceNotFound(Problem):
    status = 404
    code = "resource_not_found"
    zh = "未找到该资源。"
    en = "There is no such resource."


async def resources_page(
    connection: Any,
    caller: Identity,
    *,
    area_id: UUID | None,
    kind: ResourceKind | None,
    includes_past: bool,
    cursor: str | None,
    limit: int,
) -> Page[ResourceRead]:
    """Newest first. Raises Forbidden without a role there, NotFound for a foreign area."""
    areas = await scope(connection, caller, READING_ROLES, area_id)
    before = AFTER_ALL if cursor is None else decode_cursor(cursor, tuple[UUID])[0]
    rows = await _fetch(
        connection, caller, areas, kind=kind, includes_past=includes_past, before=before, limit=limit + 1
    )
    return Page[ResourceRead](
        items=[_resource(row) for row in rows[:limit]],
        next_cursor=encode_cursor(rows[limit - 1]["id"]) if len(rows) > limit else None,
    )


async def resource(connection: Any, caller: Identity, resource_id: UUID) -> ResourceRead:
    """Raises ResourceNotFound outside the caller's areas."""
    rows = await _fetch(connection, caller, caller.areas_as(READING_ROLES), resource_id=resource_id)
    if not rows:
        raise ResourceNotFound
    return _resource(rows[0])


async def _fetch(
    connection: Any,
    caller: Identity,
    areas: Sequence[UUID],
    *,
    resource_id: UUID | None = None,
    kind: ResourceKind | None = None,
    includes_past: bool = True,
    before: UUID = AFTER_ALL,
    limit: int = 1,
) -> Any:
    today = None if includes_past else day_of(clock.now())
    return await connection.fetch(_RESOURCES, caller.tenant_id, areas, resource_id, kind, today, before, limit)


def _resource(row: Any) -> ResourceRead:
    return ResourceRead.model_validate(
        {**row, "hours": None if row["hours"] is None else msgspec.json.decode(row["hours"])}
    )


_RESOURCES = f"""
SELECT r.id, r.kind, r.name, r.area_id, a.name AS area_name,
    r.owner_unit_id AS unit_id, r.owner_account_id AS account_id, COALESCE(
        (SELECT u.name FROM units u WHERE u.tenant_id = $1 AND u.id = r.owner_unit_id),
        (SELECT c.name FROM accounts c WHERE c.id = r.owner_account_id)
    ) AS owner_name,
    r.quantity, r.measure, r.hours::text AS hours, r.valid_from, r.valid_until, r.note, r.is_withdrawn, r.version,
    r.updated_at
FROM resources r JOIN areas a ON a.tenant_id = r.tenant_id AND a.id = r.area_id
WHERE r.tenant_id = $1 AND {ALONG_THE_AREAS} AND r.id < $6
    AND ($3::uuid IS NULL OR r.id = $3) AND ($4::text IS NULL OR r.kind = $4)
    AND ($5::date IS NULL OR NOT r.is_withdrawn AND (r.valid_until IS NULL OR r.valid_until >= $5))
ORDER BY r.id DESC LIMIT $7
"""  # noqa: S608 (a constant)
