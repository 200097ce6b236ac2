"""Everything that reads grants."""

from typing import TypeAlias
from uuid import UUID

from sqlalchemy import ARRAY, Select, Uuid, and_, cast, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.grid import Area
from models.identity import Account, Grant
from services.chassis.identity import Identity
from services.chassis.pagination import Page, decode_cursor, encode_cursor
from services.identity.accounts.schemas import AccountRead, AreaName
from services.identity.grants import policy
from services.identity.grants.schemas import GrantRead

GrantedArea: TypeAlias = tuple[Grant, Area, Account]


async def grants_page(
    transaction: AsyncSession, caller: Identity, *, account_id: UUID | None, limit: int, cursor: str | None
) -> Page[GrantRead]:
    """Grants past, present and to come in the areas the caller administers, oldest first."""
    administered = cast(caller.areas_as(policy.ADMINS), ARRAY(Uuid))
    query = _grants(caller).where(Area.ancestor_ids.bool_op("&&")(administered))
    if account_id is not None:
        query = query.where(Grant.account_id == account_id)
    if cursor is not None:
        query = query.where(Grant.id > decode_cursor(cursor, tuple[UUID])[0])
    rows = (await transaction.execute(query.order_by(Grant.id).limit(limit + 1))).all()
    return Page[GrantRead](
        items=[as_read(*row) for row in rows[:limit]],
        next_cursor=encode_cursor(rows[limit - 1][0].id) if len(rows) > limit else None,
    )


async def grant_for_change(transaction: AsyncSession, caller: Identity, grant_id: UUID) -> GrantedArea | None:
    """The grant with its area and account, locked until the transaction ends."""
    query = _grants(caller).where(Grant.id == grant_id).with_for_update(of=Grant, key_share=True)
    row = (await transaction.execute(query)).one_or_none()
    return None if row is None else (row[0], row[1], row[2])


def as_read(grant: Grant, area: Area, account: Account) -> GrantRead:
    return GrantRead(
        id=grant.id,
        account=AccountRead.model_validate(account),
        role=grant.role,
        area=AreaName.model_validate(area),
        valid_from=grant.valid_from,
        valid_to=grant.valid_to,
    )


def _grants(caller: Identity) -> Select[Grant, Area, Account]:
    return (
        select(Grant, Area, Account)
        .join(Area, and_(Area.tenant_id == Grant.tenant_id, Area.id == Grant.area_id))
        .join(Account, Account.id == Grant.account_id)
        .where(Grant.tenant_id == caller.tenant_id)
    )
