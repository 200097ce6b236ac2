"""Everything that changes residents."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from models.grid import HouseholdMember, Resident
from services.chassis.errors import Forbidden
from services.chassis.identity import Identity
from services.chassis.schemas import new_id
from services.grid.areas.policy import keeps_register_of
from services.grid.households.queries import find_household
from services.grid.residents.schemas import ResidentRegistration


async def register_resident(transaction: AsyncSession, caller: Identity, registration: ResidentRegistration) -> UUID:
    """Adds a resident to a household; returns the resident's id. Raises HouseholdNotFound and Forbidden."""
    household, area = await find_household(transaction, caller, registration.household_id)
    if not keeps_register_of(caller, area.ancestor_ids):
        raise Forbidden
    resident = Resident(
        tenant_id=caller.tenant_id,
        id=new_id(),
        name=registration.name,
        sex=registration.sex,
        birth_date=registration.birth_date,
        phone=registration.phone,
    )
    transaction.add(resident)
    await transaction.flush()
    transaction.add(
        HouseholdMember(
            tenant_id=caller.tenant_id,
            household_id=household.id,
            resident_id=resident.id,
            relation=registration.relation,
            is_registered_here=registration.is_registered_here,
            lives_here=registration.lives_here,
        )
    )
    return resident.id
