"""Points over HTTP. Writing is one SQL command per request; reading is JSON straight from SQL."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from models.points import Asset
from services.chassis.application import problems
from services.chassis.commands import CommandAnswer
from services.chassis.database import Database
from services.chassis.errors import Forbidden, NotFound, Unauthenticated
from services.chassis.hot_routes import HotRoute
from services.chassis.idempotency import REPLAYED, IdempotencyKeyMissing, IdempotencyKeyReused, OnceKey
from services.chassis.identity import Caller
from services.chassis.pagination import Cursor, InvalidCursor, Limit, Page
from services.chassis.schemas import Moment
from services.points.ledger import actions, queries
from services.points.ledger.actions import (
    AlreadyReversed,
    BulkRefused,
    CommunityNotFound,
    EffectiveInFuture,
    ImportUnderWay,
    NotConvertible,
    NotReversible,
    OwnPoints,
    PointsAccountNotFound,
    PostingNotFound,
    RecipientNotAMember,
    SecondPersonNeeded,
    TransfersNotAllowed,
)
from services.points.ledger.posting import (
    AccountClosed,
    AccountFrozen,
    BalanceCapReached,
    InsufficientPoints,
    LedgerCommands,
    UnbalancedLegs,
)
from services.points.ledger.schemas import (
    Award,
    BalanceAtRead,
    BalancesRead,
    BulkBody,
    BulkRead,
    Conversion,
    LotRead,
    PointsAccountRead,
    PointsHome,
    PostingRead,
    Reversal,
    StatementLine,
    StoredAnswerRead,
    TransactionBody,
    Transfer,
)

router = APIRouter(prefix="/v1/points", tags=["points"], route_class=HotRoute, responses=problems(Unauthenticated))
home_router = APIRouter(tags=["home"], route_class=HotRoute, responses=problems(Unauthenticated))


async def _database(request: Request) -> Database:
    database: Database = request.app.state.database
    return database


async def _commands(request: Request) -> LedgerCommands:
    commands: LedgerCommands = request.app.state.ledger_commands
    return commands


FromDatabase = Annotated[Database, Depends(_database)]
Commands = Annotated[LedgerCommands, Depends(_commands)]

OfAccount = Annotated[
    UUID | None, Query(description="Somebody else's, for clerks and administrators of that person's areas.")
]
OfAsset = Annotated[Asset, Query(description="`points`, or `minutes` of service (the time account).")]

KEYED = (IdempotencyKeyMissing, IdempotencyKeyReused, ImportUnderWay)
BOOKED = (AccountFrozen, AccountClosed, BalanceCapReached, InsufficientPoints)


def json_answer(body: str) -> Response:
    return Response(body, media_type="application/json")


def command_answer(answer: CommandAnswer) -> Response:
    headers = {REPLAYED: "true"} if answer.replayed else None
    return Response(answer.body, answer.status, headers, media_type="application/json")


@router.get("/account", response_model=PointsAccountRead, responses=problems(NotFound))
async def read_points_account(
    database: FromDatabase, caller: Caller, account_id: OfAccount = None, asset: OfAsset = Asset.POINTS
) -> Any:
    """My points (我的积分), or my service time: what is there, what can be spent, and what is lost next."""
    return json_answer(await queries.account(database, caller, account_id, asset))


@home_router.get("/v1/home/points", response_model=PointsHome)
async def read_points_home(database: FromDatabase, caller: Caller) -> Any:
    """The part of my first screen that tells what I have earned: points, and minutes of service."""
    return json_answer(await queries.home(database, caller))


@router.get("/account/at", response_model=BalanceAtRead, responses=problems(NotFound))
async def read_points_balance_at(
    database: FromDatabase,
    caller: Caller,
    account_id: OfAccount = None,
    asset: OfAsset = Asset.POINTS,
    effective_at: Annotated[Moment | None, Query(description="What had happened by then; now if not said.")] = None,
    recorded_at: Annotated[Moment | None, Query(description="What had been booked by then; now if not said.")] = None,
) -> Any:
    """The balance at any past moment, by when things happened and by when they were booked (历史余额)."""
    balance = await queries.balance_at(
        database, caller, account_id, asset, effective_at=effective_at, recorded_at=recorded_at
    )
    return json_answer(balance.model_dump_json())


@router.get("/balances", response_model=BalancesRead, responses=problems(NotFound))
async def read_points_balances(
    database: FromDatabase,
    caller: Caller,
    account_id: Annotated[list[UUID], Query(min_length=1, max_length=100)],
    asset: OfAsset = Asset.POINTS,
) -> Any:
    """Clerks and administrators: the balances of several people at one moment, and their sum."""
    return json_answer((await queries.balances(database, caller, account_id, asset)).model_dump_json())


@router.get("/statement", response_model=Page[StatementLine], responses=problems(InvalidCursor, NotFound))
async def read_points_statement(
    database: FromDatabase,
    caller: Caller,
    account_id: OfAccount = None,
    asset: OfAsset = Asset.POINTS,
    cursor: Cursor = None,
    limit: Limit = 20,
) -> Any:
    """What came into the account and what went out, newest first, with the balance after each (积分明细)."""
    return json_answer(await queries.statement(database, caller, account_id, asset, cursor=cursor, limit=limit))


@router.get("/lots", response_model=Page[LotRead], responses=problems(InvalidCursor, NotFound))
async def read_points_lots(
    database: FromDatabase,
    caller: Caller,
    account_id: OfAccount = None,
    asset: OfAsset = Asset.POINTS,
    cursor: Cursor = None,
    limit: Limit = 20,
) -> Any:
    """What is left of each credit, next to expire first: in this order it is spent (积分批次)."""
    page = await queries.lots(database, caller, account_id, asset, cursor=cursor, limit=limit)
    return json_answer(page.model_dump_json())


@router.post(
    "/postings",
    status_code=201,
    response_model=PostingRead,
    responses=problems(
        *KEYED,
        Forbidden,
        CommunityNotFound,
        OwnPoints,
        RecipientNotAMember,
        SecondPersonNeeded,
        AccountClosed,
        BalanceCapReached,
    ),
)
async def award_points(body: Award, commands: Commands, caller: Caller, once: OnceKey) -> Any:
    """Points clerks: points of a community of mine for somebody else (记积分)."""
    return command_answer(await actions.award_points(commands, caller, once, body))


@router.post(
    "/transactions",
    status_code=201,
    response_model=PostingRead,
    responses=problems(
        *KEYED,
        *BOOKED,
        Forbidden,
        CommunityNotFound,
        PointsAccountNotFound,
        OwnPoints,
        RecipientNotAMember,
        SecondPersonNeeded,
        EffectiveInFuture,
        UnbalancedLegs,
    ),
)
async def post_transaction(body: TransactionBody, commands: Commands, caller: Caller, once: OnceKey) -> Any:
    """Points clerks: any transaction of the communities, merchants and escrows of my areas (记账)."""
    return command_answer(await actions.post_transaction(commands, caller, once, body))


@router.post(
    "/transactions/bulk",
    response_model=BulkRead,
    responses=problems(*KEYED, BulkRefused),
)
async def post_transactions(body: BulkBody, commands: Commands, caller: Caller, once: OnceKey) -> Any:
    """Points clerks: up to 500 transactions, all or nothing or each by itself (批量记账)."""
    return command_answer(await actions.post_transactions(commands, caller, once, body))


@router.post(
    "/transfers",
    status_code=201,
    response_model=PostingRead,
    responses=problems(*KEYED, *BOOKED, RecipientNotAMember, TransfersNotAllowed, UnbalancedLegs),
)
async def transfer_points(body: Transfer, commands: Commands, caller: Caller, once: OnceKey) -> Any:
    """My points for somebody else (转赠), where the district allows it. They keep their expiry."""
    return command_answer(await actions.transfer_points(commands, caller, once, body))


@router.post(
    "/conversions",
    status_code=201,
    response_model=PostingRead,
    responses=problems(*KEYED, *BOOKED, CommunityNotFound, NotConvertible, UnbalancedLegs),
)
async def convert_minutes(
    body: Conversion, database: FromDatabase, commands: Commands, caller: Caller, once: OnceKey
) -> Any:
    """My service minutes into points, at the rate of the district (时长换积分)."""
    return command_answer(await actions.convert_minutes(database, commands, caller, once, body))


@router.get("/postings/by-key/{key:path}", response_model=StoredAnswerRead, responses=problems(NotFound))
async def read_answer_by_key(
    key: Annotated[str, Path(pattern="^[!-~]{1,64}$", description="An Idempotency-Key of mine.")],
    database: FromDatabase,
    caller: Caller,
) -> Any:
    """What became of a request about points whose answer was lost: the answer itself, a refusal too. 404: nothing."""
    return json_answer((await queries.answer_by_key(database, caller, key)).model_dump_json())


@router.get("/postings/{posting_id}", response_model=PostingRead, responses=problems(NotFound))
async def read_posting(posting_id: UUID, database: FromDatabase, caller: Caller) -> Any:
    """One transaction with all its sides: for those it concerns, and for who answers for its community."""
    return json_answer(await queries.posting(database, caller, posting_id))


@router.post(
    "/postings/{posting_id}/reverse",
    status_code=201,
    response_model=PostingRead,
    responses=problems(
        *KEYED, PostingNotFound, OwnPoints, NotReversible, AlreadyReversed, AccountClosed, InsufficientPoints
    ),
)
async def reverse_posting(posting_id: UUID, body: Reversal, commands: Commands, caller: Caller, once: OnceKey) -> Any:
    """Points clerks: take a transaction back, once (冲正). What was spent returns to the lots it came from."""
    return command_answer(await actions.reverse_posting(commands, caller, once, posting_id, body))
