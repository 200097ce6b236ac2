"""What keeping an account has to know of it."""

from uuid import UUID

from sqlalchemy import and_, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from models.grid import Area
from models.identity import Grant, Membership, Role
from services.chassis import clock
from services.identity.staff.policy import HeldRole


async def roles_held(transaction: AsyncSession, tenant_id: UUID, account_id: UUID) -> list[HeldRole]:
    """In force or to come. Who holds none counts as an administrator of the district: its administrators keep them."""
    rows = await transaction.execute(
        select(Grant.role, Area.ancestor_ids)
        .join(Area, and_(Area.tenant_id == Grant.tenant_id, Area.id == Grant.area_id))
        .where(Grant.tenant_id == tenant_id, Grant.account_id == account_id)
        .where(or_(Grant.valid_to.is_(None), Grant.valid_to > clock.now()))
    )
    held = [HeldRole(role, ancestor_ids) for role, ancestor_ids in rows]
    return held or [HeldRole(Role.DISTRICT_ADMIN, await _district_ids(transaction, tenant_id))]


async def belongs_elsewhere(transaction: AsyncSession, tenant_id: UUID, account_id: UUID) -> bool:
    """Whether the account is or was a member of another tenant too: then its password is not this one's to set."""
    await transaction.execute(text(f"SET LOCAL linli.account = '{UUID(str(account_id))}'"))
    elsewhere = select(Membership.tenant_id).where(
        Membership.account_id == account_id, Membership.tenant_id != tenant_id
    )
    return await transaction.scalar(elsewhere.limit(1)) is not None


async def _district_ids(transaction: AsyncSession, tenant_id: UUID) -> list[UUID]:
    roots = select(Area.id).where(Area.tenant_id == tenant_id, Area.parent_id.is_(None))
    return list(await transaction.scalars(roots))
