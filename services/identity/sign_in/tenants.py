"""Which tenant a sign-in is for."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from models.identity import Membership, Tenant
from services.chassis import clock
from services.chassis.database import tenant_statement
from services.chassis.errors import Problem
from services.identity.sign_in.accounts import AccountSuspended


class TenantUnknown(Problem):
    status = 422
    code = "tenant_unknown"
    zh = "没有代码为 {tenant_code} 的区县，请检查 tenant_code。"
    en = "There is no district with the code {tenant_code}; please check tenant_code."


class NotAMember(Problem):
    status = 403
    code = "not_a_member"
    zh = "您不是该区县的成员，请联系管理员。"
    en = "You are not a member of this district; please ask its administrator."


class TenantChoiceNeeded(Problem):
    """`tenants` lists what can be chosen, as {id, code, name}."""

    status = 409
    code = "tenant_choice_needed"
    zh = "请选择要登录的区县，并在 tenant_code 中给出其代码。"
    en = "Choose the district to sign in to and send its code as tenant_code."


async def tenants_of(transaction: AsyncSession, account_id: UUID) -> list[Tenant]:
    """The tenants this account is a member of now, by code; whatever tenant the transaction is in."""
    await transaction.execute(text(f"SET LOCAL linli.account = '{UUID(str(account_id))}'"))
    memberships = (
        select(Tenant)
        .join(Membership, Membership.tenant_id == Tenant.id)
        .where(Membership.account_id == account_id, Membership.ended_at.is_(None))
        .order_by(Tenant.code)
    )
    return list(await transaction.scalars(memberships))


async def choose_tenant(
    transaction: AsyncSession, account_id: UUID, tenants: Sequence[Tenant], tenant_code: str | None
) -> Tenant:
    """The one named, else the only one. Raises TenantChoiceNeeded, TenantUnknown, NotAMember or AccountSuspended."""
    if tenant_code is None and len(tenants) == 1:
        return tenants[0]
    if tenant_code is None and tenants:
        raise TenantChoiceNeeded(tenants=_listed(tenants))
    named = await _tenant_of_code(transaction, tenant_code) if tenant_code else None
    if named is None or named not in tenants:
        raise AccountSuspended if await _is_suspended(transaction, account_id, named) else NotAMember
    return named


async def choose_or_join_tenant(
    transaction: AsyncSession, account_id: UUID, tenants: Sequence[Tenant], tenant_code: str | None
) -> Tenant:
    """Like `choose_tenant`, but whoever names a tenant joins it as a resident: what a mini-program's user expects.

    A membership that was ended stays ended: it raises NotAMember, or AccountSuspended.
    """
    if tenant_code is not None:
        named = await _tenant_of_code(transaction, tenant_code)
        if named not in tenants:
            await _join(transaction, account_id, named)
        return named
    if not tenants and not await _is_suspended(transaction, account_id, None):
        every = await transaction.scalars(select(Tenant).order_by(Tenant.code))
        raise TenantChoiceNeeded(tenants=_listed(every.all()))
    return await choose_tenant(transaction, account_id, tenants, None)


async def _join(transaction: AsyncSession, account_id: UUID, tenant: Tenant) -> None:
    await transaction.execute(text(tenant_statement(tenant.id)))
    joining = insert(Membership).values(tenant_id=tenant.id, account_id=account_id, joined_at=clock.now())
    await transaction.execute(joining.on_conflict_do_nothing())
    membership = await transaction.get_one(Membership, (tenant.id, account_id))
    if membership.ended_at is not None:
        raise AccountSuspended if membership.suspended_at else NotAMember


async def _is_suspended(transaction: AsyncSession, account_id: UUID, tenant: Tenant | None) -> bool:
    """In this tenant, or in any; after `tenants_of`, which lets an account's memberships be seen."""
    suspended = select(Membership.tenant_id).where(
        Membership.account_id == account_id, Membership.suspended_at.is_not(None)
    )
    if tenant is not None:
        suspended = suspended.where(Membership.tenant_id == tenant.id)
    return await transaction.scalar(suspended.limit(1)) is not None


async def _tenant_of_code(transaction: AsyncSession, tenant_code: str) -> Tenant:
    tenant = await transaction.scalar(select(Tenant).where(Tenant.code == tenant_code))
    if tenant is None:
        raise TenantUnknown(tenant_code=tenant_code)
    return tenant


def _listed(tenants: Sequence[Tenant]) -> list[dict[str, Any]]:
    return [{"id": str(tenant.id), "code": tenant.code, "name": tenant.name} for tenant in tenants]
