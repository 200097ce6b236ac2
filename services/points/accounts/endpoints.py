"""Accounts of the ledger over HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from models.points import AccountAction, Asset, LedgerAccountKind
from services.chassis.application import problems
from services.chassis.errors import NotFound, Unauthenticated
from services.chassis.idempotency import ONCE, IdempotencyKeyMissing, IdempotencyKeyReused, TenantRoute, Transaction
from services.chassis.identity import Caller
from services.chassis.pagination import Cursor, InvalidCursor, Limit, Page
from services.points.accounts import actions, queries
from services.points.accounts.actions import AccountNotEmpty, AccountStateConflict
from services.points.accounts.schemas import AccountChange, AccountEventRead, LedgerAccountRead, NewAccount
from services.points.ledger.actions import CommunityNotFound, OwnPoints, PointsAccountNotFound
from services.points.ledger.queries import sequence_of
from services.points.ledger.schemas import StatementLine

router = APIRouter(
    prefix="/v1/points/accounts", tags=["points"], route_class=TenantRoute, responses=problems(Unauthenticated)
)

KEYED = (IdempotencyKeyMissing, IdempotencyKeyReused)
CHANGED = problems(*KEYED, PointsAccountNotFound, OwnPoints, AccountStateConflict)


@router.post(
    "",
    status_code=201,
    response_model=LedgerAccountRead,
    dependencies=ONCE,
    responses=problems(*KEYED, CommunityNotFound),
)
async def open_points_account(body: NewAccount, transaction: Transaction, caller: Caller) -> LedgerAccountRead:
    """Points clerks: an account for a partner merchant, or for a purpose (商户、专户开户)."""
    return await actions.open_account(transaction, caller, body)


@router.get("", response_model=Page[LedgerAccountRead], responses=problems(InvalidCursor))
async def list_points_accounts(
    transaction: Transaction,
    caller: Caller,
    kind: LedgerAccountKind | None = None,
    asset: Asset = Asset.POINTS,
    cursor: Cursor = None,
    limit: Limit = 20,
) -> Page[LedgerAccountRead]:
    """The accounts of my communities: what they issued, what expired, what merchants hold (账户一览)."""
    return await queries.accounts_page(transaction, caller, kind=kind, asset=asset, cursor=cursor, limit=limit)


@router.get("/{owner_id}/events", response_model=list[AccountEventRead], responses=problems(NotFound))
async def list_account_events(
    owner_id: UUID, transaction: Transaction, caller: Caller, asset: Asset = Asset.POINTS
) -> list[AccountEventRead]:
    """Who opened, froze or closed an account of my areas, and why."""
    return await queries.events_of(transaction, await queries.account_of(transaction, caller, owner_id, asset))


@router.get("/{owner_id}/statement", response_model=Page[StatementLine], responses=problems(NotFound, InvalidCursor))
async def read_account_statement(
    owner_id: UUID,
    transaction: Transaction,
    caller: Caller,
    asset: Asset = Asset.POINTS,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Page[StatementLine]:
    """The statement of a person's, merchant's or escrow's account of my areas, newest first."""
    before = sequence_of(cursor)
    account = await queries.account_of(transaction, caller, owner_id, asset)
    return await queries.statement_page(transaction, account, before=before, limit=limit)


@router.post("/{owner_id}/freeze", response_model=LedgerAccountRead, dependencies=ONCE, responses=CHANGED)
async def freeze_account(
    owner_id: UUID, body: AccountChange, transaction: Transaction, caller: Caller
) -> LedgerAccountRead:
    """Nothing goes out of it until it is unfrozen; what comes in comes in (冻结账户)."""
    return await actions.change_account(transaction, caller, owner_id, AccountAction.FREEZE, body)


@router.post("/{owner_id}/unfreeze", response_model=LedgerAccountRead, dependencies=ONCE, responses=CHANGED)
async def unfreeze_account(
    owner_id: UUID, body: AccountChange, transaction: Transaction, caller: Caller
) -> LedgerAccountRead:
    """It can be spent from again (解冻账户)."""
    return await actions.change_account(transaction, caller, owner_id, AccountAction.UNFREEZE, body)


@router.post(
    "/{owner_id}/close",
    response_model=LedgerAccountRead,
    dependencies=ONCE,
    responses=problems(*KEYED, PointsAccountNotFound, OwnPoints, AccountStateConflict, AccountNotEmpty),
)
async def close_account(
    owner_id: UUID, body: AccountChange, transaction: Transaction, caller: Caller
) -> LedgerAccountRead:
    """An empty account nothing moves on any more (销户)."""
    return await actions.change_account(transaction, caller, owner_id, AccountAction.CLOSE, body)


@router.post("/{owner_id}/reopen", response_model=LedgerAccountRead, dependencies=ONCE, responses=CHANGED)
async def reopen_account(
    owner_id: UUID, body: AccountChange, transaction: Transaction, caller: Caller
) -> LedgerAccountRead:
    """Somebody who left is back (恢复账户)."""
    return await actions.change_account(transaction, caller, owner_id, AccountAction.REOPEN, body)
