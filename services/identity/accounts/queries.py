"""Everything that reads an account."""

from uuid import UUID

from sqlalchemy import and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.grid import Area, Household, HouseholdMember, Resident
from models.identity import Grant, Tenant
from services.chassis import clock
from services.chassis.identity import Identity
from services.identity.accounts.schemas import (
    AccountRead,
    AreaName,
    HouseholdRead,
    Me,
    ResidentRead,
    RoleRead,
    TenantRead,
)
from services.identity.sign_in.tenants import tenants_of


async def me(transaction: AsyncSession, caller: Identity) -> Me:
    """The caller, in a transaction of their tenant."""
    tenant = await transaction.get_one(Tenant, caller.tenant_id)
    return Me(
        account=AccountRead(id=caller.account_id, name=caller.name),
        tenant=TenantRead.model_validate(tenant),
        roles=await _roles(transaction, caller),
        resident=await _resident(transaction, caller),
        memberships=[TenantRead.model_validate(each) for each in await tenants_of(transaction, caller.account_id)],
    )


async def _roles(transaction: AsyncSession, caller: Identity) -> list[RoleRead]:
    moment = clock.now()
    rows = await transaction.execute(
        select(Grant, Area)
        .join(Area, and_(Area.tenant_id == Grant.tenant_id, Area.id == Grant.area_id))
        .where(Grant.tenant_id == caller.tenant_id, Grant.account_id == caller.account_id)
        .where(Grant.valid_from <= moment, or_(Grant.valid_to.is_(None), Grant.valid_to > moment))
        .order_by(Area.code, Grant.role)
    )
    return [
        RoleRead(
            grant_id=grant.id,
            role=grant.role,
            area=AreaName.model_validate(area),
            valid_from=grant.valid_from,
            valid_to=grant.valid_to,
        )
        for grant, area in rows
    ]


async def _resident(transaction: AsyncSession, caller: Identity) -> ResidentRead | None:
    if caller.resident_id is None:
        return None
    resident = await transaction.get(Resident, (caller.tenant_id, caller.resident_id))
    if resident is None:
        return None
    households = await _households(transaction, caller.tenant_id, resident.id)
    return ResidentRead(id=resident.id, name=resident.name, households=households)


async def _households(transaction: AsyncSession, tenant_id: UUID, resident_id: UUID) -> list[HouseholdRead]:
    rows = await transaction.execute(
        select(Household, Area)
        .join(Area, and_(Area.tenant_id == Household.tenant_id, Area.id == Household.area_id))
        .join(
            HouseholdMember,
            and_(HouseholdMember.tenant_id == Household.tenant_id, HouseholdMember.household_id == Household.id),
        )
        .where(HouseholdMember.tenant_id == tenant_id, HouseholdMember.resident_id == resident_id)
        .order_by(Household.id)
    )
    return [
        HouseholdRead(id=household.id, dwelling=household.dwelling, area=AreaName.model_validate(area))
        for household, area in rows
    ]
