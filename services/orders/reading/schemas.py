"""Bodies of answers that show many orders at once."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from models.clocks import ClockState, ClockTarget
from models.grid import Crs
from models.orders import OrderStage, Priority
from models.recurring import OccurrenceOutcome
from services.chassis.pagination import Page
from services.chassis.schemas import Answer
from services.orders.orders.schemas import OrderRead


class BoardColumn(Answer):
    """One stage: how many, how many of them late, and the first of them, newest first."""

    stage: OrderStage
    count: int
    overdue: int
    """Orders with a missed clock that still runs on."""
    first: Page[OrderRead]
    """Continued by GET /v1/orders?view=area&stage=…&cursor=…"""


class Board(Answer):
    columns: list[BoardColumn]
    is_partial: bool
    """There are more open orders than are counted (100,000): the numbers are at least these."""


class MapPoint(Answer):
    id: UUID
    number: str
    kind: str
    stage: OrderStage
    state: str
    priority: Priority
    area_id: UUID
    placed_at: datetime
    lng: float
    lat: float


class MapCluster(Answer):
    """Orders close together: how many, and the middle of them."""

    count: int
    lng: float
    lat: float


class OrderMap(Answer):
    """Points while they are few, else clusters; one of the two is empty."""

    crs: Crs
    points: list[MapPoint]
    clusters: list[MapCluster]
    is_partial: bool
    """More than 100,000 orders lie inside: the rest is not counted."""


class Highlight(Answer):
    """Characters [from, to) of a field of `details`."""

    field: Literal["contact_name", "address", "description"]
    since: Annotated[int, Field(serialization_alias="from")]
    to: int


class FoundOrder(OrderRead):
    highlights: list[Highlight]


class LikenessParts(Answer):
    """Each from 0 to 1."""

    text: float
    """Pairs of characters in common."""
    place: float
    """1 on the spot, 0 from 500 m on; without a point by building and community."""
    time: float
    """1 at the same moment, 0 after two weeks."""
    kind: float


class SimilarOrderDetails(Answer):
    description: str
    metres: int | None
    """Null where one of the two has no point."""
    score: float
    """0.45 text + 0.25 place + 0.15 time + 0.15 kind."""
    parts: LikenessParts


class SimilarOrder(Answer):
    id: UUID
    number: str
    kind: str
    kind_name: str
    state: str
    stage: OrderStage
    area_id: UUID
    area_name: str
    placed_at: datetime
    reporters: int
    """How many people have told of it: itself and what was merged into it."""
    within_metres: Literal[50, 200, 500] | None
    """Roughly how near; null farther off, or where one of the two has no point."""
    details: SimilarOrderDetails | None
    """For who oversees the community."""


class SimilarOrders(Answer):
    items: list[SimilarOrder]
    """The most similar first; at most five."""


class DueClock(Answer):
    order_id: UUID
    number: str
    kind: str
    target: ClockTarget
    round: int
    state: ClockState
    due_at: datetime | None


class ComingVisit(Answer):
    """One occurrence of a recurring order, as it is arranged."""

    recurring_order_id: UUID
    kind: str
    occurrence_on: date
    """The nominal day."""
    planned_from: datetime
    planned_until: datetime
    outcome: OccurrenceOutcome
    order_id: UUID | None


class ResidentHome(Answer):
    """For who lives here, or has something to answer for somebody else."""

    open: Page[OrderRead]
    to_answer: list[OrderRead]
    """Done, and not judged yet: one's own, and what one placed for others and may answer for them."""
    recurring: list[ComingVisit]


class HelperHome(Answer):
    """For who serves, belongs to a unit, or has a task."""

    tasks: Page[OrderRead]
    pool: Page[OrderRead]
    pool_count: int
    """Counted up to 100."""
    due_next: list[DueClock]


class OverseerHome(Answer):
    board: Board
    """Counts alone."""
    needs_senior: list[OrderRead]


class OrdersHome(Answer):
    """Null where a section is not for the caller."""

    resident: ResidentHome | None
    helper: HelperHome | None
    overseer: OverseerHome | None
