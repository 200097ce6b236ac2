"""The part of the first screen that places have: where I live, and who answers for it."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.grid import HouseholdMember
from services.chassis.identity import Identity
from services.grid.households.queries import read_household
from services.grid.households.responsibility import read_chain
from services.grid.households.schemas import GridHome, HomeHousehold

MOST_HOUSEHOLDS = 3


async def read_home(transaction: AsyncSession, caller: Identity) -> GridHome:
    """The caller's own households; those lived in first."""
    if caller.resident_id is None:
        return GridHome(households=[])
    own = await transaction.scalars(
        select(HouseholdMember.household_id)
        .where(HouseholdMember.tenant_id == caller.tenant_id, HouseholdMember.resident_id == caller.resident_id)
        .order_by(HouseholdMember.lives_here.desc(), HouseholdMember.household_id)
        .limit(MOST_HOUSEHOLDS)
    )
    households = []
    for household_id in own.all():
        household = await read_household(transaction, caller, household_id)
        posts = await read_chain(transaction, caller, household_id)
        households.append(
            HomeHousehold(
                id=household.id,
                area=household.area,
                dwelling=household.dwelling,
                address=household.address,
                responsible=[post for post in posts.chain if not post.is_vacant],
            )
        )
    return GridHome(households=households)
