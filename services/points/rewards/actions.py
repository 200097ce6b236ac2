"""What an order earns."""

from typing import Any
from uuid import UUID

from models.points import TransactionKind
from services.chassis.commands import CommandAnswer
from services.events import OrderRated
from services.points.ledger.posting import issue, post_command, post_within
from services.points.rewards import queries
from services.points.rewards.rule import reward_of

PRAISE = 4
"""From so many stars on, a rating is praise."""


async def reward_order(connection: Any, tenant_id: UUID, rated: OrderRated) -> CommandAnswer | None:
    """Points of the order's community to who did it, by the rule in force when it was rated. None: nothing earned.

    Runs in the connection's transaction and commits nothing. However often it is called for one order, in whatever
    processes at once, the order is rewarded once: it is the transaction's source.
    """
    rule = await queries.rule_in_force(connection, tenant_id, rated.order_kind, rated.rated_at)
    if rule is None:
        return None
    reward = reward_of(rule, stars=rated.stars, solved=rated.solved)
    if reward is None:
        return None
    command = post_command(
        issue(reward.points, community_id=rated.community_id, account_id=rated.assignee_id),
        kind=TransactionKind.REWARD,
        source=(OrderRated.kind, str(rated.order_id)),
        reason=reward_reason(rated.order_kind_name, rated.stars),
        effective_at=rated.rated_at,
        details={"rule_id": rule.id, "sum": reward.sum},
    )
    return await post_within(connection, tenant_id, command)


def reward_reason(order_kind_name: str, stars: int) -> str:
    """What the statement says of it, e.g. 代购药品 服务获5星好评."""
    return f"{order_kind_name} 服务获{stars}星{'好评' if stars >= PRAISE else '评价'}".strip()
