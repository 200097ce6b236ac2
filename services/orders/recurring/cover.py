"""Who is asked to do an order of a recurring order: the kept helper, and who instead when that one cannot."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from models.recurring import CoverPolicy
from services.orders.orders.policy import SERVING_ROLES

FAMILIAR_ORDERS = 200
"""How far back it is looked who has helped the household: so many of its orders."""


@dataclass(frozen=True, slots=True)
class Need:
    """An order that waits for somebody."""

    recurring_order_id: UUID
    order_id: UUID
    resident_id: UUID
    household_id: UUID | None
    ancestor_ids: Sequence[UUID]
    begins_at: datetime
    ends_at: datetime
    helper_id: UUID | None
    cover_policy: CoverPolicy


@dataclass(frozen=True, slots=True)
class Choice:
    """Somebody to ask, or with `account_id` None the open pool, and why: kept in the order's history."""

    account_id: UUID | None
    why: dict[str, Any]


async def choices(connection: Any, tenant_id: UUID, need: Need, now: datetime) -> list[Choice]:
    """Whom to ask, the first one first: the kept helper, or cover. Empty where the dispatcher decides."""
    if need.helper_id is None:
        return await find_cover(connection, tenant_id, need, now, {})
    stands = await obstacles(connection, tenant_id, need, [need.helper_id], now)
    told: dict[str, Any] = {"kept_helper_id": need.helper_id, "kept_helper_cannot": stands.get(need.helper_id)}
    if stands:
        return await find_cover(connection, tenant_id, need, now, told)
    kept = Choice(need.helper_id, {"reason": "same_helper", "words": "同一位帮手"})
    return [kept, *await find_cover(connection, tenant_id, need, now, told | {"kept_helper_cannot": "refused"})]


async def find_cover(connection: Any, tenant_id: UUID, need: Need, now: datetime, told: dict[str, Any]) -> list[Choice]:
    """People who have helped this household before and can come, the most familiar first; then the open pool.

    `told` says why the kept helper is not asked and goes into the reasons.
    """
    if need.cover_policy == CoverPolicy.DISPATCHER:
        return []
    found: list[Choice] = []
    if need.cover_policy == CoverPolicy.FAMILIAR:
        known = await connection.fetch(
            _FAMILIAR, tenant_id, need.resident_id, need.household_id, need.recurring_order_id, FAMILIAR_ORDERS
        )
        orders = {row["account_id"]: row["orders"] for row in known if row["account_id"] != need.helper_id}
        stands = await obstacles(connection, tenant_id, need, list(orders), now)
        found = [
            Choice(one, {"reason": "familiar_helper", "words": "曾为该户服务", "orders_done": orders[one], **told})
            for one in orders
            if one not in stands
        ]
    return [*found[:1], Choice(None, {"reason": "pool", "words": "暂无合适的熟悉帮手，进入抢单池", **told})]


async def obstacles(
    connection: Any, tenant_id: UUID, need: Need, account_ids: Collection[UUID], now: datetime
) -> dict[UUID, str]:
    """What stands against asking each, by a code; those who can come are not in it."""
    asked = list(account_ids)
    if not asked:
        return {}
    rows = await connection.fetch(
        _OBSTACLES,
        tenant_id, asked, need.resident_id, need.order_id, list(need.ancestor_ids), sorted(SERVING_ROLES), now,
        max(now, need.begins_at),
    )  # fmt: skip
    absent = await _absent_among(connection, tenant_id, asked, need)
    found = {row["account_id"]: row["obstacle"] for row in rows if row["obstacle"]}
    return dict.fromkeys(absent, "absent") | found


async def _absent_among(connection: Any, tenant_id: UUID, account_ids: list[UUID], need: Need) -> list[UUID]:
    if not await connection.fetchval("SELECT to_regclass('helper_absences') IS NOT NULL"):
        return []
    rows = await connection.fetch(_ABSENT, tenant_id, account_ids, need.begins_at, need.ends_at)
    return [row["account_id"] for row in rows]


_FAMILIAR = """
SELECT helped.assignee_id AS account_id, count(*) AS orders
FROM (
    SELECT o.assignee_id, o.recurring_order_id, o.completed_at FROM orders o
    WHERE o.tenant_id = $1 AND o.completed_at IS NOT NULL AND o.assignee_id IS NOT NULL AND o.resident_id IN (
        SELECT $2 UNION ALL
        SELECT m.resident_id FROM household_members m WHERE m.tenant_id = $1 AND m.household_id = $3
    )
    ORDER BY o.number DESC LIMIT $5
) AS helped
GROUP BY helped.assignee_id
ORDER BY count(*) FILTER (WHERE helped.recurring_order_id = $4) DESC, count(*) DESC, max(helped.completed_at) DESC
LIMIT 20
"""
_OBSTACLES = """
SELECT asked AS account_id, CASE
    WHEN EXISTS (
        SELECT FROM residents r WHERE r.tenant_id = $1 AND r.id = $3 AND r.account_id = asked
    ) THEN 'is_requester'
    WHEN NOT EXISTS (
        SELECT FROM memberships m JOIN accounts a ON a.id = m.account_id AND a.suspended_at IS NULL
        WHERE m.tenant_id = $1 AND m.account_id = asked AND m.ended_at IS NULL
    ) THEN 'has_left'
    WHEN NOT EXISTS (
        SELECT FROM grants g
        WHERE g.tenant_id = $1 AND g.account_id = asked AND g.area_id = ANY ($5) AND g.role = ANY ($6)
            AND g.valid_from <= $7 AND (g.valid_to IS NULL OR g.valid_to > $8)
    ) THEN 'does_not_serve'
    WHEN EXISTS (
        SELECT FROM order_history h
        WHERE h.tenant_id = $1 AND h.order_id = $4 AND h.actor_id = asked
            AND h.action IN ('decline', 'hand_back', 'transfer')
    ) THEN 'declined'
END AS obstacle
FROM unnest($2::uuid[]) AS asked
"""
_ABSENT = """
SELECT DISTINCT a.account_id FROM helper_absences a
WHERE a.tenant_id = $1 AND a.account_id = ANY ($2) AND a.starts_at < $4 AND a.ends_at > $3
"""
