"""Everything that reads residents."""

from typing import Any
from uuid import UUID

from sqlalchemy import and_, select, tuple_, union
from sqlalchemy.ext.asyncio import AsyncSession

from models.grid import Area, Household, HouseholdMember, Resident
from services.chassis.errors import NotFound
from services.chassis.identity import Identity
from services.chassis.pagination import decode_cursor, encode_cursor
from services.grid.areas.queries import WITHOUT_BOUNDARY, lies_in
from services.grid.households.policy import is_visible_to as household_is_visible_to
from services.grid.households.queries import refuse_foreign_area
from services.grid.residents import policy
from services.grid.residents.phones import masked
from services.grid.residents.schemas import ResidentDetails, ResidentHousehold, ResidentItem, ResidentPage


class ResidentNotFound(NotFound):
    """Also for a resident outside of the caller's areas."""

    code = "resident_not_found"
    zh = "未找到该居民。"
    en = "There is no such resident."


async def list_residents(
    transaction: AsyncSession,
    caller: Identity,
    *,
    area_id: UUID | None,
    name: str | None,
    limit: int,
    cursor: str | None,
) -> ResidentPage:
    """Visible residents by name. Raises AreaNotFound for an area outside of the caller's."""
    ways = policy.ways_to_see(caller)
    if area_id is not None:
        await refuse_foreign_area(transaction, caller, area_id)
        ways = [policy.belongs_to_household_where(lies_in([area_id]))]
    page = select(Resident.id).where(Resident.tenant_id == caller.tenant_id)
    if name is not None:
        page = page.where(Resident.name.contains(name, autoescape=True))
    if cursor is not None:
        last_name, last_id = decode_cursor(cursor, tuple[str, UUID])
        page = page.where(tuple_(Resident.name, Resident.id) > (last_name, last_id))
    page = page.order_by(Resident.name, Resident.id).limit(limit + 1)
    each_way = union(*(page.where(way) for way in ways))
    chosen = (
        select(Resident)
        .where(Resident.tenant_id == caller.tenant_id, Resident.id.in_(each_way))
        .order_by(Resident.name, Resident.id)
        .limit(limit + 1)
    )
    residents = (await transaction.scalars(chosen)).all()
    shown = residents[:limit]
    items = [ResidentItem(id=resident.id, name=resident.name, phone=masked(resident.phone)) for resident in shown]
    more = encode_cursor(items[-1].name, items[-1].id) if len(residents) > limit else None
    return ResidentPage(items=items, next_cursor=more)


async def read_resident(transaction: AsyncSession, caller: Identity, resident_id: UUID) -> ResidentDetails:
    """One resident with the households the caller may see. Raises ResidentNotFound."""
    resident = await transaction.scalar(
        select(Resident)
        .where(Resident.tenant_id == caller.tenant_id, Resident.id == resident_id)
        .where(policy.is_visible_to(caller))
    )
    if resident is None:
        raise ResidentNotFound
    homes = await _homes(transaction, caller, resident_id)
    sees_phone = policy.sees_phone(caller, resident_id, [area.ancestor_ids for _, _, area in homes])
    return ResidentDetails(
        id=resident.id,
        name=resident.name,
        phone=resident.phone if sees_phone else masked(resident.phone),
        sex=resident.sex,
        birth_date=resident.birth_date,
        households=[_household(*home) for home in homes],
        created_at=resident.created_at,
    )


async def _homes(
    transaction: AsyncSession, caller: Identity, resident_id: UUID
) -> list[tuple[HouseholdMember, Household, Area]]:
    rows: Any = await transaction.execute(
        select(HouseholdMember, Household, Area)
        .join(
            Household,
            and_(Household.tenant_id == HouseholdMember.tenant_id, Household.id == HouseholdMember.household_id),
        )
        .join(Area, and_(Area.tenant_id == Household.tenant_id, Area.id == Household.area_id))
        .where(HouseholdMember.tenant_id == caller.tenant_id, HouseholdMember.resident_id == resident_id)
        .where(household_is_visible_to(caller))
        .order_by(Household.id)
        .options(*WITHOUT_BOUNDARY)
    )
    return [(member, household, area) for member, household, area in rows]


def _household(member: HouseholdMember, household: Household, area: Area) -> ResidentHousehold:
    return ResidentHousehold(
        household_id=household.id,
        area_id=area.id,
        area_name=area.name,
        dwelling=household.dwelling,
        relation=member.relation,
        is_registered_here=member.is_registered_here,
        lives_here=member.lives_here,
    )
