"""Everything that reads accounts."""

from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from models.points import Asset, LedgerAccount, LedgerAccountEvent, LedgerAccountKind
from services.chassis.errors import NotFound
from services.chassis.identity import Identity
from services.chassis.pagination import Page, decode_cursor, encode_cursor
from services.points.accounts import policy
from services.points.accounts.schemas import AccountEventRead, LedgerAccountRead
from services.points.ledger.queries import BELONGS_WITHIN_AREAS
from services.points.ledger.schemas import StatementLine

OWNED = (LedgerAccountKind.MEMBER, LedgerAccountKind.MERCHANT, LedgerAccountKind.ESCROW)
"""Accounts that belong to somebody, and can be frozen and closed."""


def as_read(account: LedgerAccount, *, name: str | None) -> LedgerAccountRead:
    return LedgerAccountRead(
        owner_id=account.owner_id,
        name=name,
        kind=account.kind,
        asset=account.asset,
        normal_side=account.kind.normal_side,
        status=account.status,
        balance=account.balance,
        held=account.held,
        community_id=account.community_id,
    )


async def answers_for(transaction: AsyncSession, caller: Identity, account: LedgerAccount) -> bool:
    """Whether the account's community lies in the caller's areas, or its person lives or serves there.

    Not who serves above them: nobody freezes the account of an administrator over them.
    """
    areas = caller.areas_as(policy.FREEZING_ROLES)
    if account.kind == LedgerAccountKind.MEMBER:
        question = text(BELONGS_WITHIN_AREAS.replace("$1", ":tenant").replace("$2", ":owner").replace("$3", ":areas"))
        parameters = {"tenant": caller.tenant_id, "owner": account.owner_id, "areas": areas}
        return bool(await transaction.scalar(question, parameters))
    question = text("SELECT true FROM areas WHERE tenant_id = :tenant AND id = :community AND ancestor_ids && :areas")
    parameters = {"tenant": caller.tenant_id, "community": account.community_id, "areas": areas}
    return bool(await transaction.scalar(question, parameters))


async def name_of(transaction: AsyncSession, account: LedgerAccount) -> str | None:
    name: str | None = await transaction.scalar(
        text("SELECT ledger_owner_name(:tenant, :kind, :owner, :name)"),
        {"tenant": account.tenant_id, "kind": account.kind, "owner": account.owner_id, "name": account.name},
    )
    return name


async def accounts_page(
    transaction: AsyncSession,
    caller: Identity,
    *,
    kind: LedgerAccountKind | None,
    asset: Asset,
    cursor: str | None,
    limit: int,
) -> Page[LedgerAccountRead]:
    """The accounts of the communities in the caller's areas: the communities' own, and their merchants and escrows."""
    behind = decode_cursor(cursor, tuple[str, UUID]) if cursor is not None else ("", UUID(int=0))
    rows = (
        await transaction.execute(
            _PAGE,
            {
                "tenant": caller.tenant_id,
                "areas": caller.areas_as(policy.FREEZING_ROLES),
                "kind": kind,
                "asset": asset,
                "behind_kind": behind[0],
                "behind_owner": behind[1],
                "limit": limit + 1,
            },
        )
    ).mappings()
    items = [LedgerAccountRead(**row, normal_side=LedgerAccountKind(row["kind"]).normal_side) for row in rows]
    last = items[limit - 1] if len(items) > limit else None
    return Page[LedgerAccountRead](
        items=items[:limit], next_cursor=encode_cursor(last.kind, last.owner_id) if last else None
    )


_PAGE = text(
    """
    SELECT
        a.owner_id, ledger_owner_name(:tenant, a.kind, a.owner_id, min(a.name)) AS name, a.kind, a.asset,
        min(a.status) AS status, sum(a.balance)::bigint AS balance, sum(a.held)::bigint AS held, a.community_id
    FROM ledger_accounts a
    JOIN areas c ON c.tenant_id = :tenant AND c.id = COALESCE(a.community_id, a.owner_id)
    WHERE a.tenant_id = :tenant AND a.asset = :asset AND a.kind NOT IN ('member', 'debt')
        AND (CAST(:kind AS text) IS NULL OR a.kind = :kind) AND c.ancestor_ids && CAST(:areas AS uuid[])
        AND (a.kind, a.owner_id) > (:behind_kind, CAST(:behind_owner AS uuid))
    GROUP BY a.kind, a.owner_id, a.asset, a.community_id
    ORDER BY a.kind, a.owner_id
    LIMIT :limit
    """
)


async def account_of(transaction: AsyncSession, caller: Identity, owner_id: UUID, asset: Asset) -> LedgerAccount:
    """A member's, merchant's or escrow's account in the caller's areas; raises NotFound."""
    account = await transaction.scalar(
        select(LedgerAccount).where(
            LedgerAccount.tenant_id == caller.tenant_id,
            LedgerAccount.asset == asset,
            LedgerAccount.owner_id == owner_id,
            LedgerAccount.kind.in_(OWNED),
        )
    )
    if account is None or not await answers_for(transaction, caller, account):
        raise NotFound
    return account


async def events_of(transaction: AsyncSession, account: LedgerAccount) -> list[AccountEventRead]:
    """Who opened, froze or closed it and why, oldest first."""
    events = await transaction.scalars(
        select(LedgerAccountEvent)
        .where(LedgerAccountEvent.tenant_id == account.tenant_id, LedgerAccountEvent.account_id == account.id)
        .order_by(LedgerAccountEvent.recorded_at, LedgerAccountEvent.id)
    )
    return [AccountEventRead.model_validate(event) for event in events]


async def statement_page(
    transaction: AsyncSession, account: LedgerAccount, *, before: int, limit: int
) -> Page[StatementLine]:
    """One page of its entries, newest first."""
    body = await transaction.scalar(
        text("SELECT points_statement(:tenant, :kind, :owner, :asset, :before, :limit)"),
        {
            "tenant": account.tenant_id,
            "kind": account.kind,
            "owner": account.owner_id,
            "asset": account.asset,
            "before": before,
            "limit": limit,
        },
    )
    return Page[StatementLine].model_validate_json(body)
