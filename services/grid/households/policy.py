"""Who is who to a household."""

from uuid import UUID

from sqlalchemy import ColumnElement, Select, false, or_, select

from models.grid import Household, HouseholdMember
from services.chassis.identity import Identity
from services.grid.areas.policy import STAFF
from services.grid.areas.queries import lies_in


def is_visible_to(caller: Identity) -> ColumnElement[bool]:
    """For a query of households joined with their areas."""
    return or_(*ways_to_see(caller))


def ways_to_see(caller: Identity) -> list[ColumnElement[bool]]:
    """Staff see the households of their areas, residents their own. A list asks for each way by its own index."""
    ways: list[ColumnElement[bool]] = []
    if area_ids := caller.areas_as(STAFF):
        ways.append(lies_in(area_ids))
    if caller.resident_id is not None:
        ways.append(Household.id.in_(households_of(caller.tenant_id, caller.resident_id)))
    return ways or [false()]


def households_of(tenant_id: UUID, resident_id: UUID) -> Select[UUID]:
    """Ids of the households a resident belongs to."""
    return select(HouseholdMember.household_id).where(
        HouseholdMember.tenant_id == tenant_id, HouseholdMember.resident_id == resident_id
    )
