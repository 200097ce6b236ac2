"""The proof of the books over HTTP: heads for everybody, checks and files for those who answer for the district."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request, Response

from services.chassis.application import problems
from services.chassis.database import Database
from services.chassis.errors import BodyTooLarge, Busy, Forbidden, Unauthenticated, prefers_english
from services.chassis.idempotency import ONCE, IdempotencyKeyMissing, IdempotencyKeyReused, TenantRoute, Transaction
from services.chassis.identity import Caller
from services.chassis.pagination import Cursor, InvalidCursor, Limit, decode_cursor, encode_cursor
from services.chassis.snapshots import Snapshots, streamed
from services.points.ledger.policy import AUDITING_ROLES
from services.points.proof import heads, verification
from services.points.proof.export import exported
from services.points.proof.imports import BooksNotEmpty, DamagedLine, ImportGap, import_lines, import_progress
from services.points.proof.policy import check_holds_in_district
from services.points.proof.schemas import ChainHeads, Finding, ImportAnswer, ImportedLines, ImportProgress, Verification

JSON_LINES = "application/jsonl"
FILE = {"content": {JSON_LINES: {"schema": {"type": "string"}}}, "description": "JSON Lines"}

router = APIRouter(prefix="/v1/points", tags=["points"], responses=problems(Unauthenticated))
writing_router = APIRouter(
    prefix="/v1/points/imports", tags=["points"], route_class=TenantRoute, responses=problems(Unauthenticated)
)


async def snapshots_of(request: Request) -> Snapshots:
    snapshots: Snapshots = request.app.state.snapshots
    return snapshots


async def database_of(request: Request) -> Database:
    database: Database = request.app.state.database
    return database


FromSnapshot = Annotated[Snapshots, Depends(snapshots_of)]
FromDatabase = Annotated[Database, Depends(database_of)]
AfterPosition = Annotated[int, Query(ge=0, lt=2**53, description="Only what the chain sealed behind this position.")]


@router.get("/chain/heads", response_model=ChainHeads, responses=problems(InvalidCursor))
async def list_chain_heads(
    database: FromDatabase, caller: Caller, cursor: Cursor = None, limit: Limit = 20
) -> ChainHeads:
    """The check value of the books now, and those published day by day (账本校验值公示). For everybody to keep."""
    return await heads.published_heads(database, caller, cursor=cursor, limit=limit)


@router.get("/chain/verification", response_model=Verification, responses=problems(Forbidden, InvalidCursor))
async def verify_chain(
    snapshots: FromSnapshot,
    caller: Caller,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=50_000, description="How many records to check at most.")] = 20_000,
    accept_language: Annotated[str, Header(include_in_schema=False)] = "",
) -> Verification:
    """Auditors of the district: whether the books are what was sealed and published, and add up (账本核验)."""
    after = decode_cursor(cursor, tuple[int])[0] if cursor else 0
    async with snapshots.of(caller.tenant_id) as connection:
        await check_holds_in_district(connection, caller, AUDITING_ROLES)
        outcome = await verification.verify(connection, caller.tenant_id, after=max(0, after), most=limit)
        head = await heads.current_head(connection, caller.tenant_id)
    is_english = prefers_english(accept_language)
    return Verification(
        from_position=outcome.after + 1,
        to_position=outcome.position,
        head=head,
        sound=not outcome.found,
        findings=[
            Finding(code=found.code, position=found.position, detail=found.sentence(english=is_english))
            for found in outcome.found
        ],
        next_cursor=None if outcome.is_whole else encode_cursor(outcome.position),
    )


@router.get("/export", response_class=Response, responses={200: FILE, **problems(Forbidden)})
async def export_books(snapshots: FromSnapshot, caller: Caller, after: AfterPosition = 0) -> Response:
    """Auditors of the district: the books as JSON Lines, a header and one line per sealed record (账本导出)."""

    async def file() -> Any:
        async with snapshots.of(caller.tenant_id) as connection:
            await check_holds_in_district(connection, caller, AUDITING_ROLES)
            async for lines in exported(connection, caller.tenant_id, after=after):
                yield lines

    return await streamed(file(), media_type=JSON_LINES, filename="ledger.jsonl")


@writing_router.get("", response_model=ImportProgress, responses=problems(Forbidden))
async def read_import(transaction: Transaction, caller: Caller) -> ImportProgress:
    """Administrators of the district: where to continue with the file (导入进度)."""
    return await import_progress(await _driver(transaction), caller)


@writing_router.post(
    "",
    response_model=ImportAnswer,
    dependencies=ONCE,
    responses=problems(
        IdempotencyKeyMissing,
        IdempotencyKeyReused,
        Forbidden,
        DamagedLine,
        ImportGap,
        BooksNotEmpty,
        Busy,
        BodyTooLarge,
    ),
)
async def import_books(body: ImportedLines, transaction: Transaction, caller: Caller) -> ImportAnswer:
    """Administrators of the district: a piece of exported books, into books that end where it begins (账本导入)."""
    return await import_lines(await _driver(transaction), caller, body.lines)


async def _driver(transaction: Transaction) -> Any:
    """The connection under the session, in the session's transaction."""
    return (await (await transaction.connection()).get_raw_connection()).driver_connection
