"""Everything that changes grants. Other processes notice within `services.chassis.identity.REMEMBERED_SECONDS`."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.grid import Area
from models.identity import Account, Grant, Membership
from services.chassis import clock
from services.chassis.errors import Forbidden, NotFound, Problem
from services.chassis.identity import Identity
from services.chassis.schemas import new_id
from services.identity.grants import policy
from services.identity.grants.queries import as_read, grant_for_change
from services.identity.grants.schemas import GrantGift, GrantRead

INSTANT = timedelta(microseconds=1)


class AccountNotFound(Problem):
    status = 404
    code = "account_not_found"
    zh = "该区县没有这个账号。"
    en = "There is no such account in this district."


class AreaNotFound(Problem):
    status = 404
    code = "area_not_found"
    zh = "未找到该区域。"
    en = "There is no such area."


class TermInvalid(Problem):
    status = 422
    code = "term_invalid"
    zh = "任期须从现在或将来开始，且结束时间晚于开始时间。"
    en = "The term must begin now or later, and end after it begins."


class AlreadyGranted(Problem):
    status = 409
    code = "already_granted"
    zh = "该账号在此区域已有同一角色，且任期重叠。"
    en = "The account holds this role in this area already, and the terms overlap."


class GrantHasEnded(Problem):
    status = 409
    code = "grant_has_ended"
    zh = "该授权此前已结束。"
    en = "The grant had ended before."


class OwnGrant(Problem):
    """So that a district does not lose its last administrator by a slip."""

    status = 403
    code = "own_grant"
    zh = "不能结束自己的授权，请由另一位管理员操作。"
    en = "You cannot end a grant of your own; another administrator can."


async def give_grant(transaction: AsyncSession, caller: Identity, gift: GrantGift) -> GrantRead:
    """Gives a role in an area for a term. Raises one of the problems above, or Forbidden. Does not commit."""
    area = await transaction.get(Area, (caller.tenant_id, gift.area_id))
    if area is None or not policy.administers(caller, area.ancestor_ids):
        raise AreaNotFound
    if not policy.may_give(caller, gift.role, area.ancestor_ids):
        raise Forbidden
    valid_from = _begin(gift, clock.now())
    # Locked, so that of two equal gifts at once the second sees the first.
    membership = await transaction.get(
        Membership, (caller.tenant_id, gift.account_id), with_for_update={"key_share": True}
    )
    if membership is None or membership.ended_at is not None:
        raise AccountNotFound
    if await _overlaps(transaction, caller.tenant_id, gift, valid_from):
        raise AlreadyGranted
    grant = Grant(
        tenant_id=caller.tenant_id,
        id=new_id(),
        account_id=gift.account_id,
        role=gift.role,
        area_id=gift.area_id,
        valid_from=valid_from,
        valid_to=gift.valid_to,
    )
    transaction.add(grant)
    return as_read(grant, area, await transaction.get_one(Account, gift.account_id))


async def end_grant(transaction: AsyncSession, caller: Identity, grant_id: UUID) -> GrantRead:
    """Ends a grant now; one whose term has not begun shrinks to an instant. Does not commit."""
    found = await grant_for_change(transaction, caller, grant_id)
    if found is None or not policy.administers(caller, found[1].ancestor_ids):
        raise NotFound
    grant, area, account = found
    if not policy.may_give(caller, grant.role, area.ancestor_ids):
        raise Forbidden
    if grant.account_id == caller.account_id:
        raise OwnGrant
    moment = clock.now()
    if grant.valid_to is not None and grant.valid_to <= moment:
        raise GrantHasEnded
    grant.valid_to = max(moment, grant.valid_from + INSTANT)
    return as_read(grant, area, account)


def _begin(gift: GrantGift, moment: datetime) -> datetime:
    """Raises TermInvalid."""
    valid_from = gift.valid_from or moment
    if valid_from < moment or (gift.valid_to is not None and gift.valid_to <= valid_from):
        raise TermInvalid
    return valid_from


async def _overlaps(transaction: AsyncSession, tenant_id: UUID, gift: GrantGift, valid_from: datetime) -> bool:
    same = select(Grant.id).where(
        Grant.tenant_id == tenant_id,
        Grant.account_id == gift.account_id,
        Grant.role == gift.role,
        Grant.area_id == gift.area_id,
        or_(Grant.valid_to.is_(None), Grant.valid_to > valid_from),
    )
    if gift.valid_to is not None:
        same = same.where(Grant.valid_from < gift.valid_to)
    return await transaction.scalar(same.limit(1)) is not None
