"""Lifecycles over HTTP. Everybody may read them: they say what becomes of an order and who may do what."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from services.chassis.application import problems
from services.chassis.errors import Busy, Forbidden, Unauthenticated, UnreadableBody
from services.chassis.idempotency import ONCE, IdempotencyKeyMissing, IdempotencyKeyReused, TenantRoute, Transaction
from services.chassis.identity import Caller
from services.chassis.pagination import Cursor, InvalidCursor, Limit, Page
from services.orders.clocks.driving import driving
from services.orders.kinds.queries import OrderKindNotFound
from services.orders.lifecycles import actions, queries
from services.orders.lifecycles.actions import LifecycleFaulty
from services.orders.lifecycles.drawing import svg
from services.orders.lifecycles.moving import OrdersStuck
from services.orders.lifecycles.queries import LifecycleNotFound
from services.orders.lifecycles.schemas import (
    FollowDistrict,
    LifecycleChecked,
    LifecycleDraft,
    LifecycleGraph,
    LifecycleLoaded,
    LifecycleRead,
    LifecycleTrial,
    LifecycleVersion,
    OrderKindId,
    Version,
)
from services.orders.orders.actions import UnknownOrderKind

router = APIRouter(
    prefix="/v1/lifecycles", tags=["lifecycles"], route_class=TenantRoute, responses=problems(Unauthenticated)
)
kind_router = APIRouter(
    prefix="/v1/order-kinds/{kind_id}",
    tags=["lifecycles"],
    route_class=TenantRoute,
    responses=problems(Unauthenticated),
)

_WRITE = (UnreadableBody, IdempotencyKeyMissing, IdempotencyKeyReused)
_DECIDE = (*_WRITE, Forbidden, OrdersStuck, Busy)
KindId = Annotated[OrderKindId, Path()]
ShownVersion = Annotated[Version | None, Query(description="By default the one new orders of the kind live by.")]


@router.get("", response_model=Page[LifecycleVersion], responses=problems(InvalidCursor))
async def list_lifecycles(
    transaction: Transaction, caller: Caller, cursor: Cursor = None, limit: Limit = 20
) -> Page[LifecycleVersion]:
    """Every version there ever was, newest first (订单流程)."""
    async with driving(transaction) as connection:
        return await queries.versions_page(connection, caller.tenant_id, cursor=cursor, limit=limit)


@router.get("/{version}", response_model=LifecycleRead, responses=problems(LifecycleNotFound))
async def read_lifecycle(
    version: Annotated[Version, Path()], transaction: Transaction, caller: Caller
) -> LifecycleRead:
    """The version an order names, as it was loaded."""
    async with driving(transaction) as connection:
        return await queries.read_version(connection, caller.tenant_id, version)


@router.post("/check", response_model=LifecycleChecked, dependencies=ONCE, responses=problems(*_WRITE, Forbidden))
async def check_lifecycle(body: LifecycleTrial, transaction: Transaction, caller: Caller) -> LifecycleChecked:
    """District administrators: what is wrong with a definition, each fault with its place; or, when nothing is, its
    picture. Loads nothing.
    """
    async with driving(transaction) as connection:
        return await actions.check(connection, caller, body.definition)


@router.post(
    "",
    status_code=201,
    response_model=LifecycleLoaded,
    dependencies=ONCE,
    responses=problems(*_DECIDE, UnknownOrderKind, LifecycleFaulty),
)
async def load_lifecycle(body: LifecycleDraft, transaction: Transaction, caller: Caller) -> LifecycleLoaded:
    """District administrators: how orders of a kind live from now on, or those of every kind without its own life."""
    async with driving(transaction) as connection:
        return await actions.load_lifecycle(connection, caller, body)


@kind_router.get("/lifecycle", response_model=LifecycleGraph, responses=problems(OrderKindNotFound, LifecycleNotFound))
async def read_lifecycle_of_kind(
    kind_id: KindId, transaction: Transaction, caller: Caller, version: ShownVersion = None
) -> LifecycleGraph:
    """How orders of the kind live: a graph of states and actions, and the same as a Mermaid diagram."""
    async with driving(transaction) as connection:
        return await queries.graph_of_kind(connection, caller.tenant_id, kind_id, version)


class Picture(Response):
    media_type = "image/svg+xml"


@kind_router.get("/lifecycle.svg", response_class=Picture, responses=problems(OrderKindNotFound, LifecycleNotFound))
async def draw_lifecycle_of_kind(
    kind_id: KindId, transaction: Transaction, caller: Caller, version: ShownVersion = None
) -> Response:
    """A picture of it."""
    async with driving(transaction) as connection:
        return Picture(svg(await queries.life_of_kind(connection, caller.tenant_id, kind_id, version)))


@kind_router.post(
    "/lifecycle/follow-district",
    response_model=LifecycleLoaded,
    dependencies=ONCE,
    responses=problems(*_DECIDE, OrderKindNotFound),
)
async def follow_district(
    kind_id: KindId, body: FollowDistrict, transaction: Transaction, caller: Caller
) -> LifecycleLoaded:
    """District administrators: the kind has no life of its own any more, but the district's, now and later."""
    async with driving(transaction) as connection:
        return await actions.follow_district(connection, caller, kind_id, body)
