"""What a past order is: its steps, and what the order says of itself because of them."""

from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID

from demo.ids import fixed_id
from demo.kinds import Kind
from demo.people import Home, Person
from demo.tiling import Position
from models.orders import OrderAction, OrderState

RESULT = {
    OrderAction.PLACE: OrderState.PLACED,
    OrderAction.DISPATCH: OrderState.DISPATCHED,
    OrderAction.DECLINE: OrderState.PLACED,
    OrderAction.ACCEPT: OrderState.ACCEPTED,
    OrderAction.START: OrderState.IN_PROGRESS,
    OrderAction.COMPLETE: OrderState.COMPLETED,
    OrderAction.RATE: OrderState.RATED,
    OrderAction.CANCEL: OrderState.CANCELLED,
}
"""The state each action leads to."""


@dataclass(frozen=True, slots=True)
class Step:
    """One row of an order's history."""

    action: OrderAction
    actor_id: UUID
    at: datetime
    note: str | None = None
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def to_state(self) -> OrderState:
        return RESULT[self.action]


@dataclass(frozen=True)
class PastOrder:
    """An order and all that happened to it, first to last. What the order says of itself follows from its steps."""

    key: str
    kind: Kind
    home: Home
    resident: Person
    description: str
    steps: list[Step]
    wanted_from: datetime | None = None
    wanted_until: datetime | None = None
    point: Position | None = None

    @cached_property
    def id(self) -> UUID:
        return fixed_id("order", self.key, self.placed_at)

    @property
    def placed_at(self) -> datetime:
        return self.steps[0].at

    @property
    def placed_by(self) -> UUID:
        return self.steps[0].actor_id

    @property
    def state(self) -> OrderState:
        return self.steps[-1].to_state

    @property
    def assignee_id(self) -> UUID | None:
        """Who was last dispatched to it or accepted it, and has not declined since."""
        assignee: UUID | None = None
        for step in self.steps:
            if step.action is OrderAction.DISPATCH:
                assignee = _uuid_or_none(step.details["assignee_id"])
            elif step.action is OrderAction.ACCEPT:
                assignee = step.actor_id
            elif step.action is OrderAction.DECLINE:
                assignee = None
        return assignee

    def last(self, action: OrderAction) -> Step | None:
        return next((step for step in reversed(self.steps) if step.action is action), None)

    def last_at(self, action: OrderAction) -> datetime | None:
        """When this was last done, unless the order has been declined or dispatched anew since."""
        undone_by = {OrderAction.DISPATCH: {OrderAction.DECLINE}}.get(
            action, {OrderAction.DECLINE, OrderAction.DISPATCH}
        )
        for step in reversed(self.steps):
            if step.action is action:
                return step.at
            if step.action in undone_by:
                return None
        return None


def _uuid_or_none(text: str | None) -> UUID | None:
    return UUID(text) if text else None
