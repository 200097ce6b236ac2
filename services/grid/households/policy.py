"""Who is who to a household."""

from uuid import UUID

from sqlalchemy import ColumnElement, Select, or_, select

from models.grid import Household, HouseholdMember
from services.chassis.identity import Identity
from services.grid.areas.policy import STAFF
from services.grid.areas.queries import lies_in


def is_visible_to(caller: Identity) -> ColumnElement[bool]:
    """For a query of households joined with their areas: staff of the area, and who belongs to the household."""
    return or_(lies_in(caller.areas_as(STAFF)), Household.id.in_(households_of(caller)))


def households_of(caller: Identity) -> Select[UUID]:
    """Ids of the households the caller belongs to as a resident; none for an account that is no resident."""
    return select(HouseholdMember.household_id).where(
        HouseholdMember.tenant_id == caller.tenant_id, HouseholdMember.resident_id == caller.resident_id
    )
