"""Something new counts in a whole district."""

from datetime import datetime
from typing import Any
from uuid import UUID

from services.chassis.schemas import new_id


async def lock_rules(connection: Any, tenant_id: UUID) -> None:
    """One at a time decides what counts in a district: versions are numbered in the order of their time."""
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('clock rules of ' || $1::text, 0))", str(tenant_id)
    )


async def ask_for_recount(connection: Any, tenant_id: UUID, due_at: datetime) -> None:
    """Every open order is computed anew by the keeper, seconds after `due_at`. Commits nothing."""
    await connection.execute(
        "INSERT INTO clock_recounts (tenant_id, id, due_at) VALUES ($1, $2, $3)", tenant_id, new_id(), due_at
    )
