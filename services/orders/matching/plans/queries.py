"""Reading dispatch plans."""

from typing import Any
from uuid import UUID

import msgspec

from services.chassis.errors import Problem
from services.chassis.identity import Identity
from services.chassis.pagination import Page, decode_cursor, encode_cursor
from services.orders.matching.plans.schemas import PlanItemRead, PlanLeftOver, PlanRead, PlanSummary
from services.orders.matching.policy import DISPATCHING_ROLES, scope

AFTER_ALL = UUID(int=2**128 - 1)


class PlanNotFound(Problem):
    status = 404
    code = "dispatch_plan_not_found"
    zh = "未找到该派单方案。"
    en = "There is no such dispatch plan."


async def plans_page(
    connection: Any, caller: Identity, *, area_id: UUID | None, cursor: str | None, limit: int
) -> Page[PlanSummary]:
    """Newest first. Raises Forbidden without a role that dispatches, NotFound for a foreign area."""
    areas = await scope(connection, caller, DISPATCHING_ROLES, area_id)
    before = AFTER_ALL if cursor is None else decode_cursor(cursor, tuple[UUID])[0]
    rows = await connection.fetch(_PLANS, caller.tenant_id, areas, None, before, limit + 1)
    return Page[PlanSummary](
        items=[PlanSummary.model_validate({**row}) for row in rows[:limit]],
        next_cursor=encode_cursor(rows[limit - 1]["id"]) if len(rows) > limit else None,
    )


async def plan(connection: Any, caller: Identity, plan_id: UUID) -> PlanRead:
    """With its items. Raises PlanNotFound unless the caller dispatches its area."""
    areas = caller.areas_as(DISPATCHING_ROLES)
    rows = await connection.fetch(_PLANS, caller.tenant_id, areas, plan_id, AFTER_ALL, 1)
    if not rows:
        raise PlanNotFound
    row = rows[0]
    items = [_item(item) for item in await connection.fetch(_ITEMS, caller.tenant_id, plan_id)]
    return PlanRead.model_validate(
        {
            **row,
            "asked": msgspec.json.decode(row["asked"]),
            "left_over": [PlanLeftOver.model_validate(one) for one in msgspec.json.decode(row["left_over"])],
            "items": items,
            "total": round(sum(item.score or 0 for item in items), 2),
        }
    )


def _item(row: Any) -> PlanItemRead:
    return PlanItemRead.model_validate({**row, **msgspec.json.decode(row["why"])})


_PLANS = """
SELECT p.id, p.area_id, p.state, p.asked::text AS asked, p.left_over::text AS left_over, p.helpers, p.made_by,
    p.made_at, p.expires_at, p.decided_by, p.decided_at,
    (SELECT count(*) FROM dispatch_plan_items i WHERE i.tenant_id = $1 AND i.plan_id = p.id) AS orders
FROM dispatch_plans p JOIN areas a ON a.tenant_id = p.tenant_id AND a.id = p.area_id
WHERE p.tenant_id = $1 AND a.ancestor_ids && $2 AND ($3::uuid IS NULL OR p.id = $3) AND p.id < $4
ORDER BY p.id DESC LIMIT $5
"""
_ITEMS = """
SELECT i.order_id, order_number(o.number) AS number, o.kind, i.order_version, i.helper_id, c.name AS helper_name,
    i.is_chosen_by_hand, i.why::text AS why
FROM dispatch_plan_items i
JOIN orders o ON o.tenant_id = i.tenant_id AND o.id = i.order_id
JOIN accounts c ON c.id = i.helper_id
WHERE i.tenant_id = $1 AND i.plan_id = $2
ORDER BY o.number
"""
