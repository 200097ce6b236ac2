"""Reading clock policies."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from services.chassis.errors import Problem
from services.chassis.pagination import Page, decode_cursor, encode_cursor
from services.orders.clocks.policies.schemas import ClockPolicyRead


class ClockPolicyNotFound(Problem):
    status = 404
    code = "clock_policy_not_found"
    zh = "未找到该时限规则。"
    en = "There is no such clock policy."


async def policy_version(connection: Any, tenant_id: UUID, version: int) -> ClockPolicyRead:
    """Raises ClockPolicyNotFound."""
    row = await connection.fetchrow(f"{_COLUMNS} WHERE tenant_id = $1 AND version = $2", tenant_id, version)
    return _policy(row)


async def policy_in_force(
    connection: Any, tenant_id: UUID, order_kind: str | None, moment: datetime
) -> ClockPolicyRead:
    """The kind's own, or the one for all kinds; raises ClockPolicyNotFound where nothing is promised."""
    return _policy(await connection.fetchrow(_IN_FORCE, tenant_id, order_kind, moment))


async def versions_page(connection: Any, tenant_id: UUID, *, cursor: str | None, limit: int) -> Page[ClockPolicyRead]:
    """Every version there ever was, newest first."""
    before = 2**62 if cursor is None else decode_cursor(cursor, tuple[int])[0]
    rows = await connection.fetch(
        f"{_COLUMNS} WHERE tenant_id = $1 AND version < $2 ORDER BY version DESC LIMIT $3", tenant_id, before, limit + 1
    )
    return Page[ClockPolicyRead](
        items=[_policy(row) for row in rows[:limit]],
        next_cursor=encode_cursor(rows[limit - 1]["version"]) if len(rows) > limit else None,
    )


def _policy(row: Any) -> ClockPolicyRead:
    if row is None:
        raise ClockPolicyNotFound
    return ClockPolicyRead.model_validate({**row, "targets": msgspec.json.decode(row["targets"])})


_COLUMNS = """
SELECT version, order_kind, targets::text, note, active_from, recorded_by, recorded_at FROM clock_policies
"""
_IN_FORCE = f"""
{_COLUMNS} WHERE tenant_id = $1 AND (order_kind IS NULL OR order_kind = $2) AND active_from <= $3
ORDER BY order_kind IS NULL, active_from DESC, version DESC LIMIT 1
"""
