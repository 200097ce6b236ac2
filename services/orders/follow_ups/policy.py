"""Who may call back, and who must not: in terms of who is who to the order (services/orders/orders/policy.py)."""

from typing import Any
from uuid import UUID

from services.chassis.errors import Problem
from services.chassis.identity import Identity
from services.orders.orders import policy


def may_call(order: policy.OrderFacts) -> bool:
    """Whoever reads the orders of the area."""
    return order.knows(policy.Fact.IS_OVERSEER)


CALLING_ROLES = policy.OVERSEEING_ROLES


class PartyToOrder(Problem):
    status = 409
    code = "party_to_order"
    zh = "您是该订单的当事人或办理人，须由他人处理。"
    en = "You have a share in this order: this is for somebody else."


WORK = ("accept", "take_over", "start", "complete")
DIRECTION = ("dispatch", "transfer", "verify", "redo")
"""Said who does the work, or whether it is good."""


async def refuse_parties(connection: Any, caller: Identity, order_id: UUID, *actions: str) -> None:
    """Raises PartyToOrder for who has a share in the order: whose need it is and their household, who placed it, the
    units that do it, everybody who has had a hand in the work, and who has taken any of the other `actions`.
    """
    if await connection.fetchval(_IS_PARTY, caller.tenant_id, order_id, caller.account_id, (*WORK, *actions)):
        raise PartyToOrder


# The work of an order that was merged into another was done there. Who leaves a unit meanwhile still belonged to it.
_IS_PARTY = """
SELECT EXISTS (
    SELECT FROM orders o
    WHERE o.tenant_id = $1 AND o.id = $2 AND (
        $3 IN (o.assignee_id, o.placed_by)
        OR EXISTS (
            SELECT FROM residents r
            LEFT JOIN household_members mine ON mine.tenant_id = r.tenant_id AND mine.resident_id = r.id
            LEFT JOIN household_members theirs
                ON theirs.tenant_id = mine.tenant_id AND theirs.household_id = mine.household_id
            WHERE r.tenant_id = $1 AND r.account_id = $3 AND o.resident_id IN (r.id, theirs.resident_id)
        )
        OR EXISTS (
            SELECT FROM unit_members m
            WHERE m.tenant_id = $1 AND m.account_id = $3 AND (m.until IS NULL OR m.until > o.placed_at)
                AND (m.unit_id = o.unit_id OR EXISTS (
                    SELECT FROM order_units u
                    WHERE u.tenant_id = $1 AND u.order_id IN (o.id, o.merged_into) AND u.unit_id = m.unit_id
                ))
        )
        OR EXISTS (
            SELECT FROM order_helpers h
            WHERE h.tenant_id = $1 AND h.order_id IN (o.id, o.merged_into) AND h.account_id = $3
        )
        OR EXISTS (
            SELECT FROM order_history h
            WHERE h.tenant_id = $1 AND h.order_id IN (o.id, o.merged_into) AND h.actor_id = $3
                AND h.action = ANY ($4::text[])
        )
    )
)
"""
