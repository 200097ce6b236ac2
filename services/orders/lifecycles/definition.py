"""The life of an order as data: which states there are, which action leads from where to where, who may, what it needs.

A district loads a definition per kind of order, or one for all kinds; each is a version, and an order keeps the one it
was placed under. `compiled` is the same in the shape that `order_step` (SQL) looks things up in.
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from models.clocks import ClockTarget
from models.orders import OrderStage
from services.chassis.schemas import text_of

StateName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{1,39}$"), Field(examples=["in_progress"])]
ActionName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{1,39}$"), Field(examples=["complete"])]
PredicateName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{1,39}$"), Field(examples=["is_dispatcher"])]
Words = Annotated[str, *text_of(20)]
EnglishWords = Annotated[str, *text_of(40)]

BEFORE = "@before"
"""As `to_state`, out of a state that pauses: back to where the order was before it paused."""


class Need(StrEnum):
    """What an action asks for besides the right to take it."""

    REASON = "reason"
    EVIDENCE = "evidence"
    """As many photos or notes as the order's kind asks for."""
    SECOND_PERSON = "second_person"
    """Somebody who has not worked on the order."""


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Limits(Part):
    hops: Annotated[int, Field(ge=1, le=20)] = 3
    """So often may helpers give an order back or pass it on; from then on a senior decides who has it."""
    redos: Annotated[int, Field(ge=0, le=10)] = 2
    """So often is it done again because the resident, or who verifies, is not content; then a senior decides."""
    reopen_days: Annotated[int, Field(ge=0, le=365)] = 15
    """How long after it was closed it can be opened again."""
    lease_minutes: Annotated[int, Field(ge=5, le=60 * 24 * 30)] = 24 * 60
    """Who takes an order from the pool begins within this time (or, if later, this long after the wanted time
    begins), or it goes back to the pool."""


class State(Part):
    id: StateName
    name: Words
    name_en: EnglishWords
    stage: OrderStage
    clocks: Annotated[tuple[ClockTarget, ...], Field(max_length=len(ClockTarget))] = ()
    """The promised times that run while the order is here."""
    meets: Annotated[tuple[ClockTarget, ...], Field(max_length=len(ClockTarget))] = ()
    """The promised times that are kept by coming here."""
    pauses: bool = False
    """No time runs while the order is here, and none ends by coming here (挂账)."""

    @property
    def is_final(self) -> bool:
        return self.stage == OrderStage.DONE


class Transition(Part):
    action: ActionName
    name: Words
    name_en: EnglishWords
    from_states: Annotated[tuple[StateName, ...], Field(min_length=1, max_length=40)]
    to_state: StateName | Annotated[str, StringConstraints(pattern="^@before$")] | None = None
    """None: the order stays where it is. `@before`: it goes back to where it was before it came here."""
    who: Annotated[tuple[PredicateName, ...], Field(min_length=1, max_length=20)]
    """Names of predicates (services/orders/orders/policy.py): any one of them suffices."""
    needs: Annotated[tuple[Need, ...], Field(max_length=len(Need))] = ()
    after_minutes: Annotated[int, Field(ge=1, le=60 * 24 * 366)] | None = None
    """So long after the order came here the system takes the action itself (`is_system` is among `who`)."""


class Lifecycle(Part):
    """The first state is the one in which an order is placed."""

    limits: Limits = Limits()
    states: Annotated[tuple[State, ...], Field(min_length=2, max_length=40)]
    transitions: Annotated[tuple[Transition, ...], Field(min_length=1, max_length=120)]

    @property
    def initial(self) -> State:
        return self.states[0]

    def state(self, name: str) -> State:
        """Raises KeyError."""
        return {state.id: state for state in self.states}[name]

    def steps_from(self, state: str) -> Iterator[Transition]:
        return (transition for transition in self.transitions if state in transition.from_states)

    def step(self, action: str, state: str) -> Transition | None:
        """The transition that `action` is in `state`, if it is one there."""
        return next((step for step in self.steps_from(state) if step.action == action), None)

    def who(self, action: str) -> frozenset[str]:
        """Everybody who may take the action in some state."""
        return frozenset(fact for step in self.transitions if step.action == action for fact in step.who)

    def compiled(self) -> dict[str, Any]:
        """As `order_step` looks things up: `steps[action][state]`, `who[action]`, `timers[state]`, `states[state]`.

        `actions` are in the order of the definition.
        """
        steps: dict[str, dict[str, Any]] = {}
        timers: dict[str, dict[str, Any]] = {}
        for one in self.transitions:
            row = {"to": one.to_state, "who": one.who, "needs": one.needs}
            for state in one.from_states:
                steps.setdefault(one.action, {})[state] = row
                if one.after_minutes is not None:
                    timers[state] = {"action": one.action, "minutes": one.after_minutes}
        return {
            "initial": self.initial.id,
            "limits": self.limits.model_dump(mode="json"),
            "states": {state.id: {"stage": state.stage, "pauses": state.pauses} for state in self.states},
            "actions": list(steps),
            "steps": steps,
            "timers": timers,
            "who": {action: sorted(self.who(action)) for action in steps},
        }
