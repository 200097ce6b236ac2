"""Who may read rates, and who may leave an order out of them."""

from services.orders.orders import policy

READING_ROLES = policy.DISPATCHING_ROLES
may_ask = policy.is_dispatcher
"""That an order be left out; and withdraw what was asked."""


def may_review(order: policy.OrderFacts) -> bool:
    """Decide on what somebody else has asked: administrators of the area."""
    return order.knows(policy.Fact.IS_SENIOR)
