"""What the points service does when others speak. Effects run in the delivery's transaction and commit nothing."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from services.chassis.outbox import Effect
from services.events import Event, OrderRated
from services.points.rewards import actions


async def reward_rated_order(connection: Any, tenant_id: UUID, rated: OrderRated) -> None:
    """The work is rewarded once, or not at all when it earned nothing."""
    await actions.reward_order(connection, tenant_id, rated)


SUBSCRIPTIONS: Mapping[type[Event], Effect] = {OrderRated: reward_rated_order}
