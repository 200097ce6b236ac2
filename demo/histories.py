"""What a past order is: its steps, and what the order says of itself because of them."""

from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID

from demo.ids import fixed_id
from demo.kinds import Kind
from demo.people import Home, Person
from demo.standing import Standing, Step, standings
from demo.tiling import Position
from models.orders import OrderAction


@dataclass(frozen=True, slots=True)
class Assistance:
    """Somebody who joined the lead, with the part of the work they took and how long they served."""

    account_id: UUID
    joined_at: datetime
    task: str | None
    minutes: int | None


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
    main: "PastOrder | None" = field(default=None, repr=False)
    """The order it was merged into."""

    @cached_property
    def id(self) -> UUID:
        return fixed_id("order", self.key, self.placed_at)

    @property
    def placed_at(self) -> datetime:
        return self.steps[0].at

    @property
    def placed_by(self) -> UUID:
        account_id = self.steps[0].actor_id
        assert account_id is not None
        return account_id

    @cached_property
    def standing(self) -> Standing:
        return self._replayed[0]

    @property
    def states(self) -> list[str]:
        """The state after each step."""
        return self._replayed[1]

    @cached_property
    def _replayed(self) -> tuple[Standing, list[str]]:
        main = self.main.standing if self.main else None
        return standings(self.steps, Standing(self.wanted_from, main, **self.kind.defaults))

    @property
    def state(self) -> str:
        return self.standing.state

    @property
    def assignee_id(self) -> UUID | None:
        return self.standing.assignee_id

    @property
    def rewarding(self) -> Step | None:
        """The answer with which the work was told to whoever rewards it, if it has been."""
        return next((step for step in self.taken(OrderAction.RATE) if step.at == self.standing.rewarded_at), None)

    @property
    def helpers(self) -> list[Assistance]:
        """Those who joined, in the order in which they came."""
        done = self.last(OrderAction.COMPLETE)
        stated: list[dict[str, Any]] = done.details.get("helpers", []) if done else []
        minutes = {UUID(helper["account_id"]): helper["minutes"] for helper in stated}
        return [
            Assistance(step.actor_id, step.at, step.details.get("task"), minutes.get(step.actor_id))
            for step in self.taken(OrderAction.JOIN)
            if step.actor_id is not None
        ]

    def taken(self, action: OrderAction) -> list[Step]:
        """Every time this was done, first to last."""
        return [step for step in self.steps if step.action is action]

    def last(self, action: OrderAction) -> Step | None:
        taken = self.taken(action)
        return taken[-1] if taken else None
