"""Everything that changes the area tree.

Each change counts up the tenant's tree version first, in its own transaction: that row is also the lock behind which
changes of one tree happen one after the other, and what every process compares its index with.
"""

import asyncio
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from models.grid import Area, AreaLevel, AreaTreeVersion, Crs
from services.chassis.errors import Forbidden, Problem
from services.chassis.identity import Identity
from services.chassis.schemas import new_id
from services.grid.areas import policy
from services.grid.areas.boundaries import Boundary, read_boundary, write_boundary
from services.grid.areas.queries import get_area
from services.grid.areas.schemas import AreaPlacement

SUFFIX_DIGITS = 3
COMMUNITY_CODE_DIGITS = 12
LONGEST_CODE = 24


class AreaLevelUnknown(Problem):
    status = 422
    code = "area_level_unknown"
    zh = "本区没有层级“{level}”，可用层级：{levels}。"
    en = "This tenant has no level `{level}`; it has: {levels}."


class AreaLevelNotBelowParent(Problem):
    status = 422
    code = "area_level_not_below_parent"
    zh = "层级“{level}”不在上级区域的层级“{parent_level}”之下。"
    en = "Level `{level}` does not lie below `{parent_level}`, the level of the parent."


class AreaClosed(Problem):
    status = 409
    code = "area_closed"
    zh = "该区域已停用。"
    en = "The area is no longer in use."


class AreaCodeTaken(Problem):
    """Also when the area that had the code is closed: codes are never reused."""

    status = 409
    code = "area_code_taken"
    zh = "代码 {area_code} 已被使用，且不得重复使用。"
    en = "The code {area_code} is or was in use and is never given again."


class AreaCodeTooLong(Problem):
    status = 422
    code = "area_code_too_long"
    zh = "上级区域代码已达最大长度，不能再设下级。"
    en = "The code would be longer than 24 digits."


class AreaCodesExhausted(Problem):
    status = 409
    code = "area_codes_exhausted"
    zh = "该上级区域下的代码已用完，请指定 code_suffix。"
    en = "No three-digit suffix is left below this parent; name a code_suffix."


async def place_area(transaction: AsyncSession, caller: Identity, placement: AreaPlacement) -> UUID:
    """Adds an area below an open one; returns its id.

    Raises AreaNotFound, Forbidden, AreaClosed, BoundaryRefused and what is wrong with level or code.
    """
    parent = await get_area(transaction, caller.tenant_id, placement.parent_id)
    if not policy.administers(caller, parent.ancestor_ids):
        raise Forbidden
    if parent.valid_to is not None:
        raise AreaClosed
    await _refuse_wrong_level(transaction, parent, placement.level)
    boundary = await _read(placement.boundary, placement.crs)
    await _count_version_up(transaction, caller.tenant_id)
    code = parent.code + (placement.code_suffix or await _next_suffix(transaction, parent))
    if len(code) > LONGEST_CODE:
        raise AreaCodeTooLong
    area_id = new_id()
    row = {
        "tenant_id": caller.tenant_id,
        "id": area_id,
        "parent_id": parent.id,
        "level": placement.level,
        "code": code,
        "name": placement.name,
        "ancestor_ids": [*parent.ancestor_ids, area_id],
        "community_id": area_id if len(code) == COMMUNITY_CODE_DIGITS else parent.community_id,
        "registered_population": placement.registered_population,
        "resident_population": placement.resident_population,
        "boundary": write_boundary(boundary) if boundary else None,
        "boundary_original": _as_sent(placement.boundary),
        "boundary_crs": placement.crs,
    }
    placed = await transaction.scalar(insert(Area).values(row).on_conflict_do_nothing().returning(Area.id))
    if placed is None:
        raise AreaCodeTaken(area_code=code)
    return area_id


async def draw_boundary(
    transaction: AsyncSession, caller: Identity, area_id: UUID, *, geojson: dict[str, Any], crs: Crs
) -> Boundary:
    """Replaces the boundary of an area; returns it in WGS-84. Raises AreaNotFound, Forbidden and BoundaryRefused."""
    area = await get_area(transaction, caller.tenant_id, area_id)
    if not policy.administers(caller, area.ancestor_ids):
        raise Forbidden
    boundary = await asyncio.to_thread(read_boundary, geojson, crs)
    await _count_version_up(transaction, caller.tenant_id)
    area.boundary = write_boundary(boundary)
    area.boundary_original = _as_sent(geojson)
    area.boundary_crs = crs
    return boundary


def _as_sent(geojson: dict[str, Any] | None) -> dict[str, Any] | None:
    """The geometry alone, after `read_boundary` has found it good: other members are nobody's boundary."""
    return geojson and {"type": geojson["type"], "coordinates": geojson["coordinates"]}


async def _read(geojson: dict[str, Any] | None, crs: Crs | None) -> Boundary | None:
    if geojson is None or crs is None:
        return None
    return await asyncio.to_thread(read_boundary, geojson, crs)


async def _count_version_up(transaction: AsyncSession, tenant_id: UUID) -> None:
    first = insert(AreaTreeVersion).values(tenant_id=tenant_id, version=1)
    await transaction.execute(
        first.on_conflict_do_update(
            index_elements=[AreaTreeVersion.tenant_id], set_={"version": AreaTreeVersion.version + 1}
        )
    )


async def _refuse_wrong_level(transaction: AsyncSession, parent: Area, level: str) -> None:
    levels = select(AreaLevel.level, AreaLevel.depth).where(AreaLevel.tenant_id == parent.tenant_id)
    depths = {row.level: row.depth for row in await transaction.execute(levels.order_by(AreaLevel.depth))}
    if level not in depths:
        raise AreaLevelUnknown(level=level, levels=", ".join(depths))
    if depths[level] <= depths[parent.level]:
        raise AreaLevelNotBelowParent(level=level, parent_level=parent.level)


async def _next_suffix(transaction: AsyncSession, parent: Area) -> str:
    """One more than the highest of this length ever given below the parent, closed areas included."""
    highest = await transaction.scalar(
        select(func.max(Area.code)).where(
            Area.tenant_id == parent.tenant_id,
            Area.parent_id == parent.id,
            Area.code.startswith(parent.code, autoescape=True),
            func.length(Area.code) == len(parent.code) + SUFFIX_DIGITS,
        )
    )
    number = int(highest[-SUFFIX_DIGITS:]) + 1 if highest else 1
    if number >= 10**SUFFIX_DIGITS:
        raise AreaCodesExhausted
    return str(number).zfill(SUFFIX_DIGITS)
