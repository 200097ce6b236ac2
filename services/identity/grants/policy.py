"""Who may give and end which role. Both hold within the subtree of the giver's own area."""

from collections.abc import Collection
from uuid import UUID

from models.identity import Role
from services.chassis.identity import Identity

ADMINS = frozenset({Role.DISTRICT_ADMIN, Role.COMMUNITY_ADMIN})

GIVERS = {
    #                       is given and ended by
    Role.DISTRICT_ADMIN:   {Role.DISTRICT_ADMIN},
    Role.COMMUNITY_ADMIN:  {Role.DISTRICT_ADMIN},
    Role.DISPATCHER:       ADMINS,
    Role.GRID_WORKER:      ADMINS,
    Role.MEMBER:           ADMINS,
    Role.VOLUNTEER:        ADMINS,
    Role.PROPERTY_COMPANY: ADMINS,
    Role.POINTS_CLERK:     ADMINS,
}  # fmt: skip


def administers(caller: Identity, ancestor_ids: Collection[UUID]) -> bool:
    return caller.is_one_of(ADMINS, ancestor_ids)


def may_give(caller: Identity, role: Role, ancestor_ids: Collection[UUID]) -> bool:
    return caller.is_one_of(GIVERS[role], ancestor_ids)
