"""What the points service does when others speak. Effects run in the delivery's transaction and commit nothing."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from services.chassis.outbox import Effect
from services.events import Event, OrderRated
from services.points.earning.crediting import credit_order


async def reward_rated_order(connection: Any, tenant_id: UUID, rated: OrderRated) -> None:
    """The work is credited once, by the rule in force when it was rated. What earned nothing leaves a record too."""
    await credit_order(connection, tenant_id, rated)


SUBSCRIPTIONS: Mapping[type[Event], Effect] = {OrderRated: reward_rated_order}
