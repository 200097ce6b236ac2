"""Everything that changes an account itself, not what is on it; one function per verb. The route commits."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, cast, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from models.grid import Area
from models.points import AccountAction, AccountStatus, Asset, LedgerAccount, LedgerAccountEvent, LedgerAccountKind
from services.chassis.errors import Problem
from services.chassis.identity import Identity
from services.chassis.schemas import new_id
from services.points.accounts import policy, queries
from services.points.accounts.schemas import AccountChange, LedgerAccountRead, NewAccount
from services.points.ledger.actions import CommunityNotFound, OwnPoints, PointsAccountNotFound


class AccountStateConflict(Problem):
    """`status` is how it stands."""

    status = 409
    code = "account_state_conflict"
    zh = "账户当前状态（{account_status}）不允许此操作。"
    en = "The account is {account_status}: this cannot be done to it."


class AccountNotEmpty(Problem):
    """`balance`, `held` and `debt` must be 0."""

    status = 409
    code = "account_not_empty"
    zh = "账户仍有余额 {balance}、冻结 {held} 或欠分 {debt}，不能关闭。"
    en = "The account still has a balance of {balance}, {held} held or a debt of {debt}: it cannot be closed."


@dataclass(frozen=True, slots=True)
class Change:
    from_status: AccountStatus
    to_status: AccountStatus


CHANGES = {
    #                          from                   to
    AccountAction.FREEZE:   Change(AccountStatus.OPEN,   AccountStatus.FROZEN),
    AccountAction.UNFREEZE: Change(AccountStatus.FROZEN, AccountStatus.OPEN),
    AccountAction.CLOSE:    Change(AccountStatus.OPEN,   AccountStatus.CLOSED),
    AccountAction.REOPEN:   Change(AccountStatus.CLOSED, AccountStatus.OPEN),
}  # fmt: skip
"""The life of an account."""


async def open_account(transaction: AsyncSession, caller: Identity, body: NewAccount) -> LedgerAccountRead:
    """A merchant or an escrow of a community in the caller's areas. Raises CommunityNotFound."""
    areas = caller.areas_as(policy.OPENING_ROLES)
    community = await transaction.scalar(
        select(Area).where(
            Area.tenant_id == caller.tenant_id,
            Area.id == body.community_id,
            Area.community_id == Area.id,
            Area.valid_to.is_(None),
            Area.ancestor_ids.bool_op("&&")(cast(areas, ARRAY(Uuid))),
        )
    )
    if community is None:
        raise CommunityNotFound
    account = LedgerAccount(
        tenant_id=caller.tenant_id,
        id=new_id(),
        asset=body.asset,
        kind=body.kind,
        owner_id=new_id(),
        name=body.name,
        community_id=body.community_id,
        balance=0,
        held=0,
        status=AccountStatus.OPEN,
    )
    transaction.add(account)
    await transaction.flush()
    await _record(transaction, caller, account, AccountAction.OPEN, body.name)
    return queries.as_read(account, name=body.name)


async def change_account(
    transaction: AsyncSession, caller: Identity, owner_id: UUID, action: AccountAction, body: AccountChange
) -> LedgerAccountRead:
    """Freeze, unfreeze, close or reopen.

    Raises PointsAccountNotFound, OwnPoints, AccountStateConflict, AccountNotEmpty.
    """
    if owner_id == caller.account_id:
        raise OwnPoints
    account = await transaction.scalar(
        select(LedgerAccount)
        .where(
            LedgerAccount.tenant_id == caller.tenant_id,
            LedgerAccount.asset == body.asset,
            LedgerAccount.owner_id == owner_id,
            LedgerAccount.kind.in_(queries.OWNED),
        )
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    if account is None or not await queries.answers_for(transaction, caller, account):
        raise PointsAccountNotFound
    change = CHANGES[action]
    if account.status != change.from_status:
        raise AccountStateConflict(account_status=account.status)
    if action == AccountAction.CLOSE:
        await _check_empty(transaction, account)
    account.status = change.to_status
    await _record(transaction, caller, account, action, body.reason)
    return queries.as_read(account, name=await queries.name_of(transaction, account))


async def _check_empty(transaction: AsyncSession, account: LedgerAccount) -> None:
    debt = await _debt(transaction, account.tenant_id, account.owner_id, account.asset)
    if account.balance or account.held or debt:
        raise AccountNotEmpty(balance=account.balance, held=account.held, debt=debt)


async def _debt(transaction: AsyncSession, tenant_id: UUID, owner_id: UUID, asset: Asset) -> int:
    owed = select(func.coalesce(func.sum(-LedgerAccount.balance), 0)).where(
        LedgerAccount.tenant_id == tenant_id,
        LedgerAccount.asset == asset,
        LedgerAccount.kind == LedgerAccountKind.DEBT,
        LedgerAccount.owner_id == owner_id,
    )
    return int(await transaction.scalar(owed) or 0)


async def _record(
    transaction: AsyncSession, caller: Identity, account: LedgerAccount, action: AccountAction, reason: str
) -> None:
    now = await transaction.scalar(text("SELECT ledger_now()"))
    transaction.add(
        LedgerAccountEvent(
            tenant_id=caller.tenant_id,
            account_id=account.id,
            id=new_id(),
            action=action,
            reason=reason,
            recorded_at=now,
            recorded_by=caller.account_id,
        )
    )
