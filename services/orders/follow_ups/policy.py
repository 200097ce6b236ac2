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
    en = "You asked for this order or worked on it: this is for somebody else."


async def refuse_parties(connection: Any, caller: Identity, order_id: UUID) -> None:
    """Raises PartyToOrder for whose need it is, and for everybody who has had a hand in the work."""
    if await connection.fetchval(_IS_PARTY, caller.tenant_id, order_id, caller.account_id):
        raise PartyToOrder


# The work of an order that was merged into another was done there.
_IS_PARTY = """
SELECT EXISTS (
    SELECT FROM orders o
    LEFT JOIN residents r ON r.tenant_id = o.tenant_id AND r.id = o.resident_id
    WHERE o.tenant_id = $1 AND o.id = $2 AND (
        o.assignee_id = $3 OR r.account_id = $3
        OR EXISTS (
            SELECT FROM order_helpers h
            WHERE h.tenant_id = $1 AND h.order_id IN (o.id, o.merged_into) AND h.account_id = $3
        )
        OR EXISTS (
            SELECT FROM order_history h
            WHERE h.tenant_id = $1 AND h.order_id IN (o.id, o.merged_into) AND h.actor_id = $3
                AND h.action IN ('accept', 'take_over', 'start', 'complete')
        )
    )
)
"""
