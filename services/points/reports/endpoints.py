"""Reports over HTTP: `format=json` where there is a page to show, `jsonl` and `xlsx` for the whole as a file."""

from collections.abc import AsyncIterator, Callable
from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response

from models.points import Asset
from services.chassis.application import problems
from services.chassis.errors import Forbidden, NotFound, Unauthenticated
from services.chassis.identity import Caller, Identity
from services.chassis.pagination import Cursor, InvalidCursor, Limit, Page
from services.chassis.snapshots import Snapshots
from services.chassis.tables import JSON_LINES, XLSX, FileFormat, ReportFormat, Table, as_file
from services.points.ledger.policy import AUDITING_ROLES
from services.points.ledger.queries import visible_owner
from services.points.proof.endpoints import FromDatabase, FromSnapshot
from services.points.reports import journal, liability
from services.points.reports.liability import PeriodInvalid
from services.points.reports.schemas import JournalLine, LiabilityRead

FILES = {JSON_LINES: {"schema": {"type": "string"}}, XLSX: {"schema": {"type": "string", "format": "binary"}}}

router = APIRouter(prefix="/v1/points", tags=["points"], responses=problems(Unauthenticated))

OfAsset = Annotated[Asset, Query(description="Points, or minutes of service.")]
OfAccount = Annotated[
    UUID | None, Query(description="Somebody else's, for clerks and administrators of that person's areas.")
]


@router.get(
    "/reports/liability",
    response_model=LiabilityRead,
    responses={200: {"content": FILES}, **problems(Forbidden, NotFound, PeriodInvalid)},
)
async def report_liability(
    snapshots: FromSnapshot,
    caller: Caller,
    asset: OfAsset = Asset.POINTS,
    from_day: Annotated[date | None, Query(alias="from", description="First day; the month of `to` begins it.")] = None,
    to_day: Annotated[date | None, Query(alias="to", description="Last day, Asia/Shanghai; today if not said.")] = None,
    community_id: UUID | None = None,
    format: ReportFormat = ReportFormat.JSON,
) -> Any:
    """Auditors: what my communities have issued, what of it was redeemed or has expired, what they owe (积分负债表)."""
    _check_audits(caller)
    async with snapshots.of(caller.tenant_id) as connection:
        report = await liability.liability(
            connection, caller, asset=asset, from_day=from_day, to_day=to_day, community_id=community_id
        )
    return report if format is ReportFormat.JSON else await as_file(liability.as_table(report), format)


@router.get(
    "/journal",
    response_model=Page[JournalLine],
    responses={200: {"content": FILES}, **problems(Forbidden, InvalidCursor)},
)
async def read_journal(
    snapshots: FromSnapshot,
    caller: Caller,
    asset: Annotated[Asset | None, Query(description="Only of points, or of minutes.")] = None,
    cursor: Cursor = None,
    limit: Limit = 20,
    format: ReportFormat = ReportFormat.JSON,
) -> Any:
    """Auditors: the sealed transactions of my communities, newest first (积分流水)."""
    _check_audits(caller)
    if format is not ReportFormat.JSON:
        return await as_file(_of_snapshot(snapshots, caller, journal.journal_table, asset), format)
    async with snapshots.of(caller.tenant_id) as connection:
        return await journal.journal_page(connection, caller, asset=asset, cursor=cursor, limit=limit)


@router.get("/reports/statement", response_class=Response, responses={200: {"content": FILES}, **problems(NotFound)})
async def report_statement(
    database: FromDatabase,
    snapshots: FromSnapshot,
    caller: Caller,
    account_id: OfAccount = None,
    asset: OfAsset = Asset.POINTS,
    format: FileFormat = FileFormat.XLSX,
) -> Response:
    """All entries of an account as a file (积分明细导出). Page by page: /v1/points/statement."""
    owner_id = await visible_owner(database, caller, account_id)
    return await as_file(_of_snapshot(snapshots, caller, journal.statement_table, owner_id, asset), format)


@router.get("/reports/lots", response_class=Response, responses={200: {"content": FILES}, **problems(NotFound)})
async def report_lots(
    database: FromDatabase,
    snapshots: FromSnapshot,
    caller: Caller,
    account_id: OfAccount = None,
    asset: OfAsset = Asset.POINTS,
    format: FileFormat = FileFormat.XLSX,
) -> Response:
    """All lots of an account as a file, with what is left of each and when it expires (积分批次导出)."""
    owner_id = await visible_owner(database, caller, account_id)
    return await as_file(_of_snapshot(snapshots, caller, journal.lots_table, owner_id, asset), format)


def _check_audits(caller: Identity) -> None:
    if not caller.areas_as(AUDITING_ROLES):
        raise Forbidden


def _of_snapshot(snapshots: Snapshots, caller: Identity, make: Callable[..., Table], *arguments: Any) -> Table:
    """The table `make(connection, caller, …)`, whose rows are read from a snapshot that ends with the last of them."""
    shape = make(None, caller, *arguments)

    async def rows() -> AsyncIterator[Any]:
        async with snapshots.of(caller.tenant_id) as connection:
            async for row in make(connection, caller, *arguments).rows:
                yield row

    return Table(shape.name, shape.title, shape.columns, rows())
