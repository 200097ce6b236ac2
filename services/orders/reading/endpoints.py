"""Reading many orders at once, over HTTP: JSON straight from SQL. Included before the routes of single orders."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from models.grid import Crs
from models.orders import OPEN_STAGES, OrderStage, Priority
from services.chassis.application import problems
from services.chassis.errors import Forbidden, NotFound, Unauthenticated
from services.chassis.hot_routes import HotRoute
from services.chassis.identity import Caller
from services.chassis.pagination import Cursor, InvalidCursor, Limit, Page
from services.chassis.schemas import Latitude, Line, Longitude, Paragraph
from services.chassis.snapshots import Snapshots
from services.chassis.tables import XLSX
from services.orders.lifecycles.definition import StateName
from services.orders.orders.actions import OrderNotFound, PlaceNeeded
from services.orders.orders.endpoints import FromDatabase, OfKind, answer_json
from services.orders.orders.queries import FilterNeedsOpenStage, OrderFilters
from services.orders.reading import board, export, home, map, search, similar
from services.orders.reading.export import ExportTooLarge
from services.orders.reading.map import BoxInvalid
from services.orders.reading.schemas import Board, FoundOrder, OrderMap, OrdersHome, SimilarOrders
from services.orders.reading.search import SearchView, WordsNeeded

router = APIRouter(
    prefix="/v1/orders", tags=["reading orders"], route_class=HotRoute, responses=problems(Unauthenticated)
)
home_router = APIRouter(tags=["home"], route_class=HotRoute, responses=problems(Unauthenticated))

OfArea = Annotated[UUID | None, Query(description="An area of the caller's, or inside one; all of them if not said.")]


async def _snapshots(request: Request) -> Snapshots:
    snapshots: Snapshots = request.app.state.snapshots
    return snapshots


@router.get("/board", response_model=Board, responses=problems(Forbidden, NotFound))
async def read_board(
    database: FromDatabase,
    caller: Caller,
    area_id: OfArea = None,
    limit: Annotated[int, Query(ge=0, le=20, description="How many orders of each column are shown.")] = 5,
) -> Any:
    """The open orders of my areas by stage: 待接收 待派遣 待处理 待核查 待结案, with how many are late."""
    return answer_json(await board.read_board(database, caller, area_id=area_id, limit=limit))


@router.get("/map", response_model=OrderMap, responses=problems(Forbidden, NotFound, BoxInvalid))
async def read_map(
    database: FromDatabase,
    caller: Caller,
    bbox: Annotated[
        str, Query(max_length=120, description="west,south,east,north", examples=["114.6,23.7,114.8,23.8"])
    ],
    crs: Annotated[Crs, Query(description="Of the box and of the answer; gcj02 for WeChat's maps.")] = Crs.WGS84,
    area_id: OfArea = None,
    stage: Annotated[list[OrderStage] | None, Query(max_length=len(OPEN_STAGES), description="Open ones only.")] = None,
    kind: OfKind = None,
) -> Any:
    """The open orders of my areas in a box: points while they are few, else clusters (订单地图)."""
    body = await map.read_map(database, caller, bbox=bbox, crs=crs, area_id=area_id, stages=stage, kind=kind)
    return answer_json(body)


@router.get(
    "/search", response_model=Page[FoundOrder], responses=problems(Forbidden, NotFound, InvalidCursor, WordsNeeded)
)
async def search_orders(
    database: FromDatabase,
    caller: Caller,
    q: Annotated[Line, Query(examples=["水压 3栋"], description="All of the words, in any order.")],
    view: Annotated[SearchView | None, Query(description="My area's if I oversee one, else mine.")] = None,
    area_id: OfArea = None,
    cursor: Cursor = None,
    limit: Limit = 20,
) -> Any:
    """By words of description, address and contact name, or by a number read out; newest first (查找订单)."""
    body = await search.search_orders(database, caller, words=q, view=view, area_id=area_id, cursor=cursor, limit=limit)
    return answer_json(body)


@router.get("/similar", response_model=SimilarOrders, responses=problems(NotFound, PlaceNeeded))
async def similar_before_placing(
    database: FromDatabase,
    caller: Caller,
    text: Annotated[Paragraph, Query(examples=["楼道灯不亮"])],
    kind: OfKind = None,
    area_id: Annotated[UUID | None, Query(description="Where it is; at home if not said.")] = None,
    lng: Longitude | None = None,
    lat: Latitude | None = None,
) -> Any:
    """Before placing, where one lives, serves or has placed: has somebody told of it already? (类似订单)"""
    point = None if lng is None or lat is None else (lng, lat)
    body = await similar.similar_before_placing(database, caller, kind=kind, text=text, area_id=area_id, point=point)
    return answer_json(body)


@router.get("/{order_id}/similar", response_model=SimilarOrders, responses=problems(OrderNotFound))
async def similar_to_order(order_id: UUID, database: FromDatabase, caller: Caller) -> Any:
    """Who oversees the order's area: which open orders may tell of the same thing, and why."""
    return answer_json(await similar.similar_to_order(database, caller, order_id))


@router.get(
    "/export.xlsx",
    response_class=Response,
    responses={
        200: {"content": {XLSX: {"schema": {"type": "string", "format": "binary"}}}},
        **problems(Forbidden, NotFound, FilterNeedsOpenStage, ExportTooLarge),
    },
)
async def export_orders(
    database: FromDatabase,
    snapshots: Annotated[Snapshots, Depends(_snapshots)],
    caller: Caller,
    area_id: OfArea = None,
    state: Annotated[list[StateName] | None, Query(max_length=40)] = None,
    stage: Annotated[list[OrderStage] | None, Query(max_length=len(OrderStage))] = None,
    kind: OfKind = None,
    priority: Priority | None = None,
    assignee_id: UUID | None = None,
    unit_id: UUID | None = None,
) -> Response:
    """The orders of my areas as a sheet, filtered like the list, at most 50,000. Who took it is noted (导出订单)."""
    filters = OrderFilters(state, stage, kind, priority, assignee_id, unit_id)
    return await export.export_orders(database, snapshots, caller, area_id=area_id, filters=filters)


@home_router.get("/v1/home/orders", response_model=OrdersHome)
async def read_orders_home(database: FromDatabase, caller: Caller) -> Any:
    """The orders of my first screen: what I wait for, what I have to do, what I answer for."""
    return answer_json(await home.read_home(database, caller))
