"""Making units and saying who belongs to them. The route commits."""

from typing import Any
from uuid import UUID

from services.chassis import clock
from services.chassis.errors import Forbidden, NotFound, Problem
from services.chassis.identity import Identity
from services.chassis.schemas import new_id
from services.orders.matching.policy import STAFFING_ROLES, check_area
from services.orders.matching.units import queries
from services.orders.matching.units.schemas import UnitChange, UnitDraft, UnitLeadership, UnitMembership, UnitReadFull


async def make_unit(connection: Any, caller: Identity, body: UnitDraft) -> UnitReadFull:
    """Raises Forbidden without the role anywhere, NotFound for an area outside it, UnitNameTaken."""
    if not caller.areas_as(STAFFING_ROLES):
        raise Forbidden
    await check_area(connection, caller, STAFFING_ROLES, body.area_id)
    unit_id = new_id()
    if not await connection.fetchval(
        _MAKE, caller.tenant_id, unit_id, body.kind, body.name, body.area_id, body.phone, clock.now()
    ):
        raise UnitNameTaken
    return await queries.unit(connection, caller, unit_id)


async def change_unit(connection: Any, caller: Identity, unit_id: UUID, body: UnitChange) -> UnitReadFull:
    """Raises UnitNotFound, Forbidden, UnitNameTaken."""
    known = await _staffed(connection, caller, unit_id)
    if await connection.fetchval(_IS_TAKEN, caller.tenant_id, known.area_id, body.name, unit_id):
        raise UnitNameTaken
    await connection.execute(_CHANGE, caller.tenant_id, unit_id, body.name, body.phone, body.is_active)
    return await queries.unit(connection, caller, unit_id)


async def add_member(connection: Any, caller: Identity, unit_id: UUID, body: UnitMembership) -> UnitReadFull:
    """Also somebody who left before. Raises UnitNotFound, Forbidden, PersonUnknown."""
    await _staffed(connection, caller, unit_id)
    if not await connection.fetchval(_IS_MEMBER_HERE, caller.tenant_id, body.account_id):
        raise PersonUnknown
    await connection.execute(_ADD, caller.tenant_id, unit_id, body.account_id, body.is_leader, clock.now())
    return await queries.unit(connection, caller, unit_id)


async def name_leader(
    connection: Any, caller: Identity, unit_id: UUID, account_id: UUID, body: UnitLeadership
) -> UnitReadFull:
    """Raises UnitNotFound, Forbidden, UnitMemberNotFound."""
    await _staffed(connection, caller, unit_id)
    if not await connection.fetchval(_LEAD, caller.tenant_id, unit_id, account_id, body.is_leader, clock.now()):
        raise UnitMemberNotFound
    return await queries.unit(connection, caller, unit_id)


async def remove_member(connection: Any, caller: Identity, unit_id: UUID, account_id: UUID) -> None:
    """From now on. Raises UnitNotFound, Forbidden, UnitMemberNotFound."""
    await _staffed(connection, caller, unit_id)
    if not await connection.fetchval(_REMOVE, caller.tenant_id, unit_id, account_id, clock.now()):
        raise UnitMemberNotFound


async def _staffed(connection: Any, caller: Identity, unit_id: UUID) -> UnitReadFull:
    """UnitNotFound for who may not know of it, Forbidden for who may, but does not staff it."""
    known = await queries.unit(connection, caller, unit_id)
    try:
        await check_area(connection, caller, STAFFING_ROLES, known.area_id)
    except NotFound:
        raise Forbidden from None
    return known


_MAKE = """
INSERT INTO units (tenant_id, id, kind, name, area_id, phone, is_active, created_at)
VALUES ($1, $2, $3, $4, $5, $6, true, $7)
ON CONFLICT (tenant_id, area_id, name) DO NOTHING RETURNING true
"""
_IS_TAKEN = "SELECT true FROM units WHERE tenant_id = $1 AND area_id = $2 AND name = $3 AND id <> $4"
_CHANGE = "UPDATE units SET name = $3, phone = $4, is_active = $5 WHERE tenant_id = $1 AND id = $2"
_IS_MEMBER_HERE = "SELECT true FROM memberships WHERE tenant_id = $1 AND account_id = $2 AND ended_at IS NULL"
_ADD = """
INSERT INTO unit_members AS m (tenant_id, unit_id, account_id, is_leader, since) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (tenant_id, unit_id, account_id) DO UPDATE SET is_leader = EXCLUDED.is_leader, until = NULL,
    since = CASE WHEN m.until IS NULL OR m.until > EXCLUDED.since THEN m.since ELSE EXCLUDED.since END
"""
_IS_IN = "tenant_id = $1 AND unit_id = $2 AND account_id = $3"
_LEAD = f"UPDATE unit_members SET is_leader = $4 WHERE {_IS_IN} AND (until IS NULL OR until > $5) RETURNING true"  # noqa: S608
_REMOVE = f"UPDATE unit_members SET until = $4 WHERE {_IS_IN} AND (until IS NULL OR until > $4) RETURNING true"  # noqa: S608


class UnitNameTaken(Problem):
    status = 409
    code = "unit_name_taken"
    zh = "该区域已有同名队伍或单位。"
    en = "The area has a unit of this name already."


class UnitMemberNotFound(Problem):
    status = 404
    code = "unit_member_not_found"
    zh = "此人不是该队伍或单位的成员。"
    en = "This person does not belong to the unit."


class PersonUnknown(Problem):
    status = 422
    code = "person_unknown"
    zh = "本区没有此账号。"
    en = "Nobody in the district has this account."
