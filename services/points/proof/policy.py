"""Who sees the whole of a district's books, and who may bring books in."""

from collections.abc import Collection
from typing import Any

from models.identity import Role
from services.chassis.errors import Forbidden
from services.chassis.identity import Identity
from services.points.ledger.policy import AUDITING_ROLES

IMPORTING_ROLES = frozenset({Role.DISTRICT_ADMIN})


async def check_holds_in_district(connection: Any, caller: Identity, roles: Collection[Role]) -> None:
    """Raises Forbidden unless the caller has one of these roles for the whole district, not for a part of it."""
    if not await holds_in_district(connection, caller, roles):
        raise Forbidden


async def holds_in_district(connection: Any, caller: Identity, roles: Collection[Role] = AUDITING_ROLES) -> bool:
    """Whether the caller has one of these roles for the whole district. The connection's tenant is set."""
    areas = caller.areas_as(roles)
    return bool(areas) and bool(await connection.fetchval(_IS_DISTRICT, caller.tenant_id, areas))


_IS_DISTRICT = """
SELECT EXISTS (SELECT FROM areas WHERE tenant_id = $1 AND id = ANY ($2::uuid[]) AND parent_id IS NULL)
"""
