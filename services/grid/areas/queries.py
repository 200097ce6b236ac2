"""Everything that reads areas, save `locate`, which is answered from memory (area_trees.py)."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Select, Uuid, and_, cast, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer

from models.grid import Area, AreaLevel, Crs, Household, HouseholdMember
from services.chassis.errors import NotFound
from services.chassis.pagination import decode_cursor, encode_cursor
from services.grid.areas.boundaries import Boundary, stored_boundary, write_boundary
from services.grid.areas.schemas import AreaCounts, AreaItem, AreaLine, AreaPage, AreaRead

WITHOUT_BOUNDARY = (defer(Area.boundary, raiseload=True), defer(Area.boundary_original, raiseload=True))
"""Loader options for an area whose boundary, up to some hundred kilobytes, is not needed."""


class AreaNotFound(NotFound):
    code = "area_not_found"
    zh = "未找到该区域。"
    en = "There is no such area."


def lies_in(area_ids: Collection[UUID]) -> ColumnElement[bool]:
    """Whether an area is one of these or lies below one."""
    return Area.ancestor_ids.bool_op("&&")(cast(list(area_ids), ARRAY(Uuid)))


async def get_area(transaction: AsyncSession, tenant_id: UUID, area_id: UUID) -> Area:
    """The area without its boundary. Raises AreaNotFound."""
    area = await transaction.get(Area, (tenant_id, area_id), options=WITHOUT_BOUNDARY)
    if area is None:
        raise AreaNotFound
    return area


async def list_areas(
    transaction: AsyncSession,
    tenant_id: UUID,
    *,
    parent_id: UUID | None,
    level: str | None,
    name: str | None,
    limit: int,
    cursor: str | None,
) -> AreaPage:
    """Areas in the order of their codes."""
    chosen = _items(tenant_id).order_by(Area.code).limit(limit + 1)
    if parent_id is not None:
        chosen = chosen.where(Area.parent_id == parent_id)
    if level is not None:
        chosen = chosen.where(Area.level == level)
    if name is not None:
        chosen = chosen.where(Area.name.contains(name, autoescape=True))
    if cursor is not None:
        (code,) = decode_cursor(cursor, tuple[str])
        chosen = chosen.where(Area.code > code)
    rows = (await transaction.execute(chosen)).all()
    items = [AreaItem.model_validate(row) for row in rows[:limit]]
    return AreaPage(items=items, next_cursor=encode_cursor(items[-1].code) if len(rows) > limit else None)


async def read_area(transaction: AsyncSession, tenant_id: UUID, area_id: UUID, crs: Crs) -> AreaRead:
    """One area with its ancestors, counts and boundary in `crs`; raises AreaNotFound."""
    area = await get_area(transaction, tenant_id, area_id)
    *ancestors, line = await chain_of(transaction, tenant_id, area.ancestor_ids)
    boundary = await _boundary(transaction, tenant_id, area_id)
    return AreaRead.model_validate(
        {
            **line.model_dump(),
            "parent_id": area.parent_id,
            "community_id": area.community_id,
            "has_boundary": boundary is not None,
            "valid_from": area.valid_from,
            "valid_to": area.valid_to,
            "ancestors": ancestors,
            "counts": await _counts(transaction, tenant_id, area_id),
            "registered_population": area.registered_population,
            "resident_population": area.resident_population,
            "crs": crs,
            "boundary": write_boundary(boundary, crs) if boundary else None,
            "square_kilometres": round(boundary.square_kilometres, 4) if boundary else None,
        }
    )


async def _boundary(transaction: AsyncSession, tenant_id: UUID, area_id: UUID) -> Boundary | None:
    geojson = await transaction.scalar(select(Area.boundary).where(Area.tenant_id == tenant_id, Area.id == area_id))
    return stored_boundary(geojson) if geojson else None


async def chain_of(transaction: AsyncSession, tenant_id: UUID, ancestor_ids: Sequence[UUID]) -> list[AreaLine]:
    """The areas with these ids, from the district down."""
    rows = await transaction.execute(_lines(tenant_id).where(Area.id.in_(ancestor_ids)))
    lines = {row.id: AreaLine.model_validate(row) for row in rows}
    return [lines[area_id] for area_id in ancestor_ids]


def _lines(tenant_id: UUID) -> Select[*tuple[Any, ...]]:
    level_of_area = and_(AreaLevel.tenant_id == Area.tenant_id, AreaLevel.level == Area.level)
    return (
        select(Area.id, Area.code, Area.name, Area.level, AreaLevel.name.label("level_name"))
        .join(AreaLevel, level_of_area)
        .where(Area.tenant_id == tenant_id)
    )


def _items(tenant_id: UUID) -> Select[*tuple[Any, ...]]:
    return _lines(tenant_id).add_columns(
        Area.parent_id,
        Area.community_id,
        Area.boundary.is_not(None).label("has_boundary"),
        Area.valid_from,
        Area.valid_to,
    )


async def _counts(transaction: AsyncSession, tenant_id: UUID, area_id: UUID) -> AreaCounts:
    in_area = (
        select(Household.id)
        .join(Area, and_(Area.tenant_id == Household.tenant_id, Area.id == Household.area_id))
        .where(Household.tenant_id == tenant_id, lies_in([area_id]))
    ).subquery()
    people = select(func.count(HouseholdMember.resident_id.distinct())).where(
        HouseholdMember.tenant_id == tenant_id, HouseholdMember.household_id.in_(select(in_area.c.id))
    )
    row = (
        await transaction.execute(
            select(
                select(func.count()).where(Area.tenant_id == tenant_id, Area.parent_id == area_id).scalar_subquery(),
                select(func.count()).select_from(in_area).scalar_subquery(),
                people.scalar_subquery(),
            )
        )
    ).one()
    children, households, residents = row
    return AreaCounts(children=children, households=households, residents=residents)
