"""Who may do what in matching: roles over areas."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from models.identity import Role
from services.chassis.errors import Forbidden, NotFound
from services.chassis.identity import Identity
from services.orders.orders.policy import DISPATCHING_ROLES, OVERSEEING_ROLES, SERVING_ROLES

READING_ROLES = OVERSEEING_ROLES | SERVING_ROLES
"""See what there is to work with: units, resources, the catalogue."""
STAFFING_ROLES = frozenset({Role.COMMUNITY_ADMIN, Role.DISTRICT_ADMIN})
"""Make units and say who belongs to them."""

ALONG_THE_AREAS = """(a.ancestor_ids && $2 OR a.id IN (
    SELECT unnest(asked.ancestor_ids) FROM areas asked WHERE asked.tenant_id = $1 AND asked.id = ANY ($2)
))"""
"""SQL: the area `a` lies in one of the areas `$2`, or around it: what serves a district serves its communities."""

__all__ = [
    "ALONG_THE_AREAS",
    "DISPATCHING_ROLES",
    "OVERSEEING_ROLES",
    "READING_ROLES",
    "SERVING_ROLES",
    "STAFFING_ROLES",
    "check_area",
    "scope",
]


async def scope(connection: Any, caller: Identity, roles: Collection[Role], area_id: UUID | None) -> list[UUID]:
    """The areas in whose subtrees a list looks: all the caller's own, or the one asked for.

    Raises Forbidden without such a role, NotFound for an area outside.
    """
    own = caller.areas_as(roles)
    if not own:
        raise Forbidden
    if area_id is None:
        return own
    await check_area(connection, caller, roles, area_id)
    return [area_id]


async def check_area(connection: Any, caller: Identity, roles: Collection[Role], area_id: UUID) -> None:
    """Raises NotFound unless the caller holds one of the roles over the area."""
    if not await connection.fetchval(_LIES_INSIDE, caller.tenant_id, area_id, caller.areas_as(roles)):
        raise NotFound


_LIES_INSIDE = "SELECT true FROM areas WHERE tenant_id = $1 AND id = $2 AND ancestor_ids && $3 AND valid_to IS NULL"
