"""Points over HTTP. Writing is one SQL command per request; reading is JSON straight from SQL."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from services.chassis.application import problems
from services.chassis.database import Database
from services.chassis.errors import Forbidden, NotFound, Unauthenticated
from services.chassis.hot_routes import HotRoute
from services.chassis.idempotency import REPLAYED, IdempotencyKeyMissing, IdempotencyKeyReused, OnceKey
from services.chassis.identity import Caller
from services.chassis.pagination import Cursor, InvalidCursor, Limit, Page
from services.points.ledger import actions, queries
from services.points.ledger.actions import CommunityNotFound, OwnPoints, RecipientNotAMember
from services.points.ledger.posting import LedgerCommands
from services.points.ledger.schemas import Award, PointsAccountRead, PostingRead, StatementLine

router = APIRouter(prefix="/v1/points", tags=["points"], route_class=HotRoute, responses=problems(Unauthenticated))


async def _database(request: Request) -> Database:
    database: Database = request.app.state.database
    return database


async def _commands(request: Request) -> LedgerCommands:
    commands: LedgerCommands = request.app.state.ledger_commands
    return commands


FromDatabase = Annotated[Database, Depends(_database)]
Commands = Annotated[LedgerCommands, Depends(_commands)]


def _json(body: str) -> Response:
    return Response(body, media_type="application/json")


@router.get("/account", response_model=PointsAccountRead, responses=problems(NotFound))
async def read_points_account(
    database: FromDatabase,
    caller: Caller,
    account_id: Annotated[
        UUID | None, Query(description="Somebody else's, for clerks and administrators of that person's areas.")
    ] = None,
) -> Any:
    """My points (我的积分)."""
    return _json(await queries.account(database, caller, account_id))


@router.get("/statement", response_model=Page[StatementLine], responses=problems(InvalidCursor))
async def read_points_statement(
    database: FromDatabase, caller: Caller, cursor: Cursor = None, limit: Limit = 20
) -> Any:
    """What came into my account and what went out, newest first, with the balance after each (积分明细)."""
    return _json(await queries.statement(database, caller, cursor=cursor, limit=limit))


@router.post(
    "/postings",
    status_code=201,
    response_model=PostingRead,
    responses=problems(
        IdempotencyKeyMissing, IdempotencyKeyReused, Forbidden, CommunityNotFound, OwnPoints, RecipientNotAMember
    ),
)
async def award_points(body: Award, commands: Commands, caller: Caller, once: OnceKey) -> Any:
    """Points clerks: points of a community of mine for somebody else (记积分)."""
    answer = await actions.award_points(commands, caller, once, body)
    headers = {REPLAYED: "true"} if answer.replayed else None
    return Response(answer.body, answer.status, headers, media_type="application/json")


@router.get("/postings/{posting_id}", response_model=PostingRead, responses=problems(NotFound))
async def read_posting(posting_id: UUID, database: FromDatabase, caller: Caller) -> Any:
    """One transaction with both its sides: for those it concerns, and for who answers for the issuing community."""
    return _json(await queries.posting(database, caller, posting_id))
