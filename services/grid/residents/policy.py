"""Who is who to a resident."""

from collections.abc import Collection, Iterable
from uuid import UUID

from sqlalchemy import ColumnElement, and_, or_, select

from models.grid import Area, Household, HouseholdMember, Resident
from services.chassis.identity import Identity
from services.grid.areas.policy import works_for
from services.grid.households import policy as households


def is_visible_to(caller: Identity) -> ColumnElement[bool]:
    """For a query of residents."""
    return or_(*ways_to_see(caller))


def ways_to_see(caller: Identity) -> list[ColumnElement[bool]]:
    """Who sees a household sees the people in it, and everybody sees himself."""
    ways = [belongs_to_household_where(way) for way in households.ways_to_see(caller)]
    if caller.resident_id is not None:
        ways.append(Resident.id == caller.resident_id)
    return ways


def belongs_to_household_where(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """For a query of residents: whether one of their households (joined with its area) meets a condition."""
    return (
        select(HouseholdMember.household_id)
        .join(
            Household,
            and_(Household.tenant_id == HouseholdMember.tenant_id, Household.id == HouseholdMember.household_id),
        )
        .join(Area, and_(Area.tenant_id == Household.tenant_id, Area.id == Household.area_id))
        .where(HouseholdMember.tenant_id == Resident.tenant_id, HouseholdMember.resident_id == Resident.id, condition)
        .exists()
    )


def sees_phone(caller: Identity, resident_id: UUID, ancestor_ids: Iterable[Collection[UUID]]) -> bool:
    """Oneself, and staff of an area where the resident has a household."""
    return resident_id == caller.resident_id or any(works_for(caller, ids) for ids in ancestor_ids)
