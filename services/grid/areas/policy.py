"""Who is who to an area, given by its `ancestor_ids`: a role holds for the area of its grant and everything below.

Reading areas asks for nothing but being signed in to their tenant: names and boundaries of grids are public by law.
"""

from collections.abc import Collection
from uuid import UUID

from models.identity import Role
from services.chassis.identity import Identity

ADMINS = frozenset({Role.DISTRICT_ADMIN, Role.COMMUNITY_ADMIN})
REGISTRARS = ADMINS | {Role.GRID_WORKER}
STAFF = REGISTRARS | {Role.DISPATCHER}


def administers(caller: Identity, ancestor_ids: Collection[UUID]) -> bool:
    """May draw boundaries, add areas and fill posts there."""
    return caller.is_one_of(ADMINS, ancestor_ids)


def keeps_register_of(caller: Identity, ancestor_ids: Collection[UUID]) -> bool:
    """May add households and residents there."""
    return caller.is_one_of(REGISTRARS, ancestor_ids)


def works_for(caller: Identity, ancestor_ids: Collection[UUID]) -> bool:
    """May read households and residents there."""
    return caller.is_one_of(STAFF, ancestor_ids)
