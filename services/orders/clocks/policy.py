"""Who may do what with clocks, in terms of who is who to the order (services/orders/orders/policy.py)."""

from typing import Any

from models.identity import Role
from services.chassis.identity import Identity
from services.orders.orders import policy

may_pause = policy.is_dispatcher
"""Who asks for more time, and who decides on it, is a matter of the order's lifecycle."""
LISTING_ROLES = policy.DISPATCHING_ROLES
RULING_ROLES = frozenset({Role.DISTRICT_ADMIN})
"""Decide policies and calendars, when they hold the role over the whole district."""


async def rules_district(connection: Any, caller: Identity) -> bool:
    """Whether the caller decides what counts in the whole district."""
    return bool(await connection.fetchval(_IS_ROOT, caller.tenant_id, caller.areas_as(RULING_ROLES)))


_IS_ROOT = "SELECT EXISTS (SELECT FROM areas WHERE tenant_id = $1 AND parent_id IS NULL AND id = ANY ($2))"
