"""Bodies of requests and answers about lifecycles."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from models.clocks import ClockTarget
from models.orders import OrderStage
from services.chassis.schemas import Answer, Body, Line
from services.orders.lifecycles.definition import Lifecycle, Limits, Need
from services.orders.lifecycles.faults import Fault

OrderKindId = Annotated[str, Field(min_length=1, max_length=40, pattern="^[a-z0-9_]+$", examples=["snow_clearing"])]
Version = Annotated[int, Field(ge=1, le=2**53)]


class LifecycleDraft(Body):
    """A life as a whole."""

    order_kind: OrderKindId | None = None
    """Null: every kind that has no life of its own."""
    definition: Lifecycle
    note: Annotated[Line, Field(examples=["铲雪类订单免核查"])]
    applies_to_running: bool = False
    """Whether orders that are not over yet live by it too, from now on. Else they keep the version they have."""


class LifecycleTrial(Body):
    definition: Lifecycle


class FollowDistrict(Body):
    applies_to_running: bool = False
    """Whether orders of the kind that are not over yet come along."""


class LifecycleVersion(Answer):
    version: int
    order_kind: str | None
    """Null: for every kind without a life of its own."""
    order_kinds: list[str]
    """The kinds whose new orders live by it now."""
    note: str
    recorded_by: UUID | None
    """Null: the product's own."""
    recorded_at: datetime


class LifecycleRead(LifecycleVersion):
    definition: Lifecycle


class LifecycleLoaded(LifecycleRead):
    orders_moved: int
    """How many orders that are not over live by it now."""


class LifecycleChecked(Answer):
    """Either faults, or the picture of what would be loaded."""

    faults: list[Fault]
    mermaid: str | None
    svg: str | None


class StateRead(Answer):
    id: str
    name: str
    name_en: str
    stage: OrderStage
    stage_name: str
    stage_name_en: str
    is_initial: bool
    is_final: bool
    pauses: bool
    clocks: list[ClockTarget]
    meets: list[ClockTarget]


class ActorRead(Answer):
    id: Annotated[str, Field(examples=["is_dispatcher"])]
    name: Annotated[str, Field(examples=["派单员"])]
    name_en: str


class TransitionRead(Answer):
    action: str
    name: str
    name_en: str
    from_states: list[str]
    to_states: list[str]
    """More than one where the order goes back to where it was before; none where it stays."""
    who: list[ActorRead]
    needs: list[Need]
    after_minutes: int | None
    is_usual: bool
    """Whether it is a step of the usual way."""


class LifecycleGraph(Answer):
    version: int
    states: list[StateRead]
    """In the order of the board."""
    transitions: list[TransitionRead]
    limits: Limits
    mermaid: str
