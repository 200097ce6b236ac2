"""Everything that reads households."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, func, select, tuple_, union
from sqlalchemy.ext.asyncio import AsyncSession

from models.grid import Area, Household, HouseholdMember, Resident
from services.chassis.errors import NotFound
from services.chassis.identity import Identity
from services.chassis.pagination import decode_cursor, encode_cursor
from services.grid.areas.policy import works_for
from services.grid.areas.queries import WITHOUT_BOUNDARY, AreaNotFound, chain_of, get_area, lies_in
from services.grid.areas.schemas import AreaLine
from services.grid.households import policy
from services.grid.households.schemas import HouseholdDetails, HouseholdItem, HouseholdMemberRead, HouseholdPage
from services.grid.residents.phones import masked

AREA_OF_HOUSEHOLD = and_(Area.tenant_id == Household.tenant_id, Area.id == Household.area_id)
"""How households are joined with their areas."""


class HouseholdNotFound(NotFound):
    """Also for a household outside of the caller's areas."""

    code = "household_not_found"
    zh = "未找到该住户。"
    en = "There is no such household."


async def list_households(
    transaction: AsyncSession, caller: Identity, *, area_id: UUID | None, limit: int, cursor: str | None
) -> HouseholdPage:
    """Visible households by building and door. Raises AreaNotFound for an area outside of the caller's."""
    ways = policy.ways_to_see(caller)
    if area_id is not None:
        await refuse_foreign_area(transaction, caller, area_id)
        ways = [lies_in([area_id])]
    page = select(Household.id).join(Area, AREA_OF_HOUSEHOLD).where(Household.tenant_id == caller.tenant_id)
    if cursor is not None:
        code, dwelling = decode_cursor(cursor, tuple[str, str])
        page = page.where(tuple_(Area.code, Household.dwelling) > (code, dwelling))
    page = page.order_by(Area.code, Household.dwelling).limit(limit + 1)
    chosen = (
        _items(caller.tenant_id).where(Household.id.in_(union(*(page.where(way) for way in ways)))).limit(limit + 1)
    )
    rows = (await transaction.execute(chosen)).all()
    items = [HouseholdItem.model_validate(row) for row in rows[:limit]]
    more = encode_cursor(items[-1].area_code, items[-1].dwelling) if len(rows) > limit else None
    return HouseholdPage(items=items, next_cursor=more)


async def refuse_foreign_area(transaction: AsyncSession, caller: Identity, area_id: UUID) -> None:
    """Raises AreaNotFound for an area whose households are not the caller's to read."""
    area = await get_area(transaction, caller.tenant_id, area_id)
    if not works_for(caller, area.ancestor_ids):
        raise AreaNotFound


async def find_household(transaction: AsyncSession, caller: Identity, household_id: UUID) -> tuple[Household, Area]:
    """The household and its area, if the caller may know of it; raises HouseholdNotFound otherwise."""
    found = (
        await transaction.execute(
            select(Household, Area)
            .join(Area, AREA_OF_HOUSEHOLD)
            .where(Household.tenant_id == caller.tenant_id, Household.id == household_id)
            .where(policy.is_visible_to(caller))
            .options(*WITHOUT_BOUNDARY)
        )
    ).one_or_none()
    if found is None:
        raise HouseholdNotFound
    household, area = found
    return household, area


async def read_household(transaction: AsyncSession, caller: Identity, household_id: UUID) -> HouseholdDetails:
    """Raises HouseholdNotFound."""
    household, area = await find_household(transaction, caller, household_id)
    chain = await chain_of(transaction, caller.tenant_id, area.ancestor_ids)
    return HouseholdDetails(
        id=household.id,
        area=chain[-1],
        dwelling=household.dwelling,
        address=address_of(chain, area.community_id, household.dwelling),
        members=await _members(transaction, household),
        created_at=household.created_at,
    )


def address_of(chain: Sequence[AreaLine], community_id: UUID | None, dwelling: str) -> str:
    """Names from the community down to the door, as one writes an address."""
    names = [line.name for line in chain]
    start = next((place for place, line in enumerate(chain) if line.id == community_id), 0)
    return "".join([*names[start:], dwelling])


async def _members(transaction: AsyncSession, household: Household) -> list[HouseholdMemberRead]:
    rows = await transaction.execute(
        select(HouseholdMember, Resident)
        .join(
            Resident,
            and_(Resident.tenant_id == HouseholdMember.tenant_id, Resident.id == HouseholdMember.resident_id),
        )
        .where(HouseholdMember.tenant_id == household.tenant_id, HouseholdMember.household_id == household.id)
        .order_by(HouseholdMember.relation, HouseholdMember.resident_id)
    )
    return [
        HouseholdMemberRead(
            resident_id=resident.id,
            name=resident.name,
            phone=masked(resident.phone),
            relation=member.relation,
            is_registered_here=member.is_registered_here,
            lives_here=member.lives_here,
        )
        for member, resident in rows
    ]


def _items(tenant_id: UUID) -> Select[*tuple[Any, ...]]:
    member_count = (
        select(func.count())
        .where(HouseholdMember.tenant_id == Household.tenant_id, HouseholdMember.household_id == Household.id)
        .scalar_subquery()
    )
    return (
        select(
            Household.id,
            Household.area_id,
            Area.code.label("area_code"),
            Area.name.label("area_name"),
            Household.dwelling,
            member_count.label("member_count"),
        )
        .join(Area, AREA_OF_HOUSEHOLD)
        .where(Household.tenant_id == tenant_id)
        .order_by(Area.code, Household.dwelling)
    )
