"""HTTP of the area tree, save `locate` (locating.py)."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from models.grid import Crs
from services.chassis.application import problems
from services.chassis.errors import Forbidden, InvalidToken, Unauthenticated, UnreadableBody
from services.chassis.idempotency import ONCE, IdempotencyKeyMissing, IdempotencyKeyReused, TenantRoute, Transaction
from services.chassis.identity import Caller
from services.chassis.pagination import Cursor, InvalidCursor, Limit
from services.chassis.schemas import text_of
from services.grid.areas import actions, queries
from services.grid.areas.actions import (
    AreaClosed,
    AreaCodesExhausted,
    AreaCodeTaken,
    AreaCodeTooLong,
    AreaLevelNotBelowParent,
    AreaLevelUnknown,
)
from services.grid.areas.boundaries import BoundaryRefused, write_boundary
from services.grid.areas.queries import AreaNotFound
from services.grid.areas.schemas import (
    AreaPage,
    AreaPlacement,
    AreaRead,
    BoundaryChange,
    BoundaryRead,
)

BOUNDARY_REFUSALS = tuple(BoundaryRefused.__subclasses__())

router = APIRouter(tags=["areas"], route_class=TenantRoute, responses=problems(Unauthenticated, InvalidToken))


@router.get("/v1/areas", response_model=AreaPage, responses=problems(InvalidCursor))
async def list_areas(
    transaction: Transaction,
    caller: Caller,
    parent_id: UUID | None = None,
    level: Annotated[str | None, *text_of(40), Query()] = None,
    name: Annotated[str | None, *text_of(60), Query(description="Text that the name contains.")] = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> AreaPage:
    """Areas in the order of their codes."""
    return await queries.list_areas(
        transaction, caller.tenant_id, parent_id=parent_id, level=level, name=name, limit=limit, cursor=cursor
    )


@router.get("/v1/areas/{area_id}", response_model=AreaRead, responses=problems(AreaNotFound))
async def read_area(
    area_id: UUID,
    transaction: Transaction,
    caller: Caller,
    crs: Annotated[Crs, Query(description="Coordinate system to give the boundary in.")] = Crs.WGS84,
) -> AreaRead:
    """One area with its ancestors, what it contains, and its boundary."""
    return await queries.read_area(transaction, caller.tenant_id, area_id, crs)


@router.post(
    "/v1/areas",
    status_code=201,
    response_model=AreaRead,
    dependencies=ONCE,
    responses=problems(
        AreaNotFound,
        Forbidden,
        AreaClosed,
        AreaLevelUnknown,
        AreaLevelNotBelowParent,
        AreaCodeTaken,
        AreaCodeTooLong,
        AreaCodesExhausted,
        *BOUNDARY_REFUSALS,
        IdempotencyKeyMissing,
        IdempotencyKeyReused,
    ),
)
async def place_area(body: AreaPlacement, transaction: Transaction, caller: Caller) -> AreaRead:
    """Adds an area below another, for administrators of the latter."""
    area_id = await actions.place_area(transaction, caller, body)
    return await queries.read_area(transaction, caller.tenant_id, area_id, body.crs or Crs.WGS84)


@router.put(
    "/v1/areas/{area_id}/boundary",
    response_model=BoundaryRead,
    responses=problems(UnreadableBody, AreaNotFound, Forbidden, *BOUNDARY_REFUSALS),
)
async def draw_boundary(
    area_id: UUID, body: BoundaryChange, transaction: Transaction, caller: Caller
) -> dict[str, object]:
    """Replaces the boundary of an area, for its administrators. `locate` follows within about a second."""
    boundary = await actions.draw_boundary(transaction, caller, area_id, geojson=body.boundary, crs=body.crs)
    return {
        "area_id": area_id,
        "crs": body.crs,
        "boundary": write_boundary(boundary, body.crs),
        "square_kilometres": round(boundary.square_kilometres, 4),
    }
