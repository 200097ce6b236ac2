"""Everything that changes households."""

from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from models.grid import Household
from services.chassis.errors import Forbidden, Problem
from services.chassis.identity import Identity
from services.chassis.schemas import new_id
from services.grid.areas.actions import AreaClosed
from services.grid.areas.policy import keeps_register_of
from services.grid.areas.queries import get_area
from services.grid.households.schemas import HouseholdRegistration


class DwellingTaken(Problem):
    status = 409
    code = "dwelling_taken"
    zh = "该区域已登记住户“{dwelling}”。"
    en = "The area already has a household at {dwelling}."


async def register_household(transaction: AsyncSession, caller: Identity, registration: HouseholdRegistration) -> UUID:
    """Adds a household; returns its id. Raises AreaNotFound, Forbidden, AreaClosed and DwellingTaken."""
    area = await get_area(transaction, caller.tenant_id, registration.area_id)
    if not keeps_register_of(caller, area.ancestor_ids):
        raise Forbidden
    if area.valid_to is not None:
        raise AreaClosed
    household_id = new_id()
    row = {"tenant_id": caller.tenant_id, "id": household_id, "area_id": area.id, "dwelling": registration.dwelling}
    added = await transaction.scalar(insert(Household).values(row).on_conflict_do_nothing().returning(Household.id))
    if added is None:
        raise DwellingTaken(dwelling=registration.dwelling)
    return household_id
