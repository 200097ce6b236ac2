"""Holds over HTTP."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter

from models.points import Asset
from services.chassis.application import problems
from services.chassis.errors import Forbidden, NotFound, Unauthenticated
from services.chassis.hot_routes import HotRoute
from services.chassis.idempotency import OnceKey
from services.chassis.identity import Caller
from services.chassis.pagination import Cursor, InvalidCursor, Limit, Page
from services.points.holds import actions, queries
from services.points.holds.actions import HoldEnded, HoldExceeded, HoldNotFound, HoldTermInvalid
from services.points.holds.schemas import HoldBody, HoldPost, HoldRead, HoldVoid
from services.points.ledger.actions import CommunityNotFound, OwnPoints, PointsAccountNotFound, RecipientNotAMember
from services.points.ledger.endpoints import (
    KEYED,
    Commands,
    FromDatabase,
    OfAccount,
    OfAsset,
    command_answer,
    json_answer,
)
from services.points.ledger.posting import AccountClosed, AccountFrozen, InsufficientPoints

router = APIRouter(
    prefix="/v1/points/holds", tags=["points"], route_class=HotRoute, responses=problems(Unauthenticated)
)


@router.post(
    "",
    status_code=201,
    response_model=HoldRead,
    responses=problems(
        *KEYED,
        Forbidden,
        CommunityNotFound,
        PointsAccountNotFound,
        RecipientNotAMember,
        AccountFrozen,
        AccountClosed,
        InsufficientPoints,
        HoldTermInvalid,
    ),
)
async def hold_points(body: HoldBody, commands: Commands, caller: Caller, once: OnceKey) -> Any:
    """Reserve points of mine, or, as a clerk, of a member (冻结积分). They neither get spent nor expire meanwhile."""
    return command_answer(await actions.hold_points(commands, caller, once, body))


@router.get("", response_model=Page[HoldRead], responses=problems(InvalidCursor, NotFound))
async def list_pending_holds(
    database: FromDatabase,
    caller: Caller,
    account_id: OfAccount = None,
    asset: OfAsset = Asset.POINTS,
    cursor: Cursor = None,
    limit: Limit = 20,
) -> Any:
    """What is pending: the holds that have not ended, next to be over first."""
    page = await queries.pending(database, caller, account_id, asset, cursor=cursor, limit=limit)
    return json_answer(page.model_dump_json())


@router.get("/{hold_id}", response_model=HoldRead, responses=problems(NotFound))
async def read_hold(hold_id: UUID, database: FromDatabase, caller: Caller) -> Any:
    """One hold and how it ended: for whose points it holds, and for who answers for where they are to go."""
    return json_answer(await queries.hold(database, caller, hold_id))


@router.post(
    "/{hold_id}/post",
    response_model=HoldRead,
    responses=problems(*KEYED, HoldNotFound, HoldEnded, HoldExceeded, OwnPoints, AccountClosed),
)
async def post_hold(hold_id: UUID, body: HoldPost, commands: Commands, caller: Caller, once: OnceKey) -> Any:
    """Points clerks: what is held is spent, all of it or part (确认支出)."""
    return command_answer(await actions.post_hold(commands, caller, once, hold_id, body))


@router.post(
    "/{hold_id}/void",
    response_model=HoldRead,
    responses=problems(*KEYED, HoldNotFound, HoldEnded, OwnPoints),
)
async def void_hold(hold_id: UUID, body: HoldVoid, commands: Commands, caller: Caller, once: OnceKey) -> Any:
    """What is held is free again (解冻): by a points clerk, or by who had held their own."""
    return command_answer(await actions.void_hold(commands, caller, once, hold_id, body))
