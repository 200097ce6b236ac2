"""Offering resources: everybody their own, leaders what their unit has, dispatchers anything in their area."""

from typing import Any
from uuid import UUID

import msgspec

from services.chassis import clock
from services.chassis.errors import Forbidden, Problem
from services.chassis.identity import Identity
from services.chassis.schemas import new_id
from services.orders.matching.policy import DISPATCHING_ROLES, READING_ROLES, check_area
from services.orders.matching.resources import queries
from services.orders.matching.resources.schemas import ResourceChange, ResourceDraft, ResourceFields, ResourceRead


async def offer_resource(connection: Any, caller: Identity, body: ResourceDraft) -> ResourceRead:
    """For a unit by its leaders and who dispatches there, else for oneself. The route commits.

    Raises Forbidden, NotFound for an area outside the caller's, UnitUnknown.
    """
    if not caller.areas_as(READING_ROLES):
        raise Forbidden
    await check_area(connection, caller, READING_ROLES, body.area_id)
    if body.unit_id is not None:
        await _check_speaks_for(connection, caller, body.unit_id, body.area_id)
    resource_id, now = new_id(), clock.now()
    owner = caller.account_id if body.unit_id is None else None
    await connection.execute(
        _OFFER, caller.tenant_id, resource_id, *_fields(body), body.area_id, body.unit_id, owner, caller.account_id, now
    )
    return await queries.resource(connection, caller, resource_id)


async def change_resource(connection: Any, caller: Identity, resource_id: UUID, body: ResourceChange) -> ResourceRead:
    """By its owner, the leaders of its unit, who dispatches there.

    Raises ResourceNotFound, Forbidden, ResourceChanged.
    """
    known = await queries.resource(connection, caller, resource_id)
    if not await connection.fetchval(
        _MAY_CHANGE, caller.tenant_id, resource_id, caller.account_id, caller.areas_as(DISPATCHING_ROLES), clock.now()
    ):
        raise Forbidden
    if not await connection.fetchval(
        _CHANGE, caller.tenant_id, resource_id, *_fields(body), body.expected_version, clock.now(), body.is_withdrawn
    ):
        raise ResourceChanged(version=known.version)
    return await queries.resource(connection, caller, resource_id)


async def _check_speaks_for(connection: Any, caller: Identity, unit_id: UUID, area_id: UUID) -> None:
    if not await connection.fetchval(_UNIT, caller.tenant_id, unit_id):
        raise UnitUnknown
    if not await connection.fetchval(
        _SPEAKS_FOR,
        caller.tenant_id, unit_id, caller.account_id, caller.areas_as(DISPATCHING_ROLES), area_id, clock.now(),
    ):  # fmt: skip
        raise Forbidden


def _fields(body: ResourceFields) -> tuple[Any, ...]:
    hours = None if body.hours is None else msgspec.json.encode(body.hours).decode()
    return body.kind, body.name, body.quantity, body.measure, hours, body.valid_from, body.valid_until, body.note


_UNIT = "SELECT true FROM units WHERE tenant_id = $1 AND id = $2 AND is_active"
_SPEAKS_FOR = """
SELECT EXISTS (
    SELECT FROM areas a WHERE a.tenant_id = $1 AND a.id = $5 AND a.ancestor_ids && $4
) OR EXISTS (
    SELECT FROM unit_members m
    WHERE m.tenant_id = $1 AND m.unit_id = $2 AND m.account_id = $3 AND m.is_leader
        AND (m.until IS NULL OR m.until > $6)
)
"""
_MAY_CHANGE = """
SELECT r.owner_account_id IS NOT DISTINCT FROM $3 OR a.ancestor_ids && $4 OR EXISTS (
    SELECT FROM unit_members m
    WHERE m.tenant_id = $1 AND m.unit_id = r.owner_unit_id AND m.account_id = $3 AND m.is_leader
        AND (m.until IS NULL OR m.until > $5)
)
FROM resources r JOIN areas a ON a.tenant_id = r.tenant_id AND a.id = r.area_id
WHERE r.tenant_id = $1 AND r.id = $2
"""
_OFFER = """
INSERT INTO resources (
    tenant_id, id, kind, name, quantity, measure, hours, valid_from, valid_until, note, area_id, owner_unit_id,
    owner_account_id, version, recorded_by, recorded_at, updated_at
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 1, $14, $15, $15)
"""
_CHANGE = """
UPDATE resources SET kind = $3, name = $4, quantity = $5, measure = $6, hours = $7, valid_from = $8, valid_until = $9,
    note = $10, version = version + 1, updated_at = $12, is_withdrawn = $13
WHERE tenant_id = $1 AND id = $2 AND version = $11
RETURNING true
"""


class ResourceChanged(Problem):
    status = 409
    code = "resource_changed"
    zh = "该资源已被他人更新（当前版本 {version}），请刷新后重试。"
    en = "The resource has changed (version {version} now); read it again."


class UnitUnknown(Problem):
    status = 422
    code = "unit_unknown"
    zh = "没有此队伍或单位。"
    en = "There is no such unit."
