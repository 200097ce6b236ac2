"""Bodies of requests and answers about orders."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field, StrictBool, model_validator

from models.orders import FilePurpose, OrderAction, OrderState
from services.chassis.schemas import Answer, Body, Latitude, Line, Longitude, Moment, Name, Paragraph, Phone

FileIds = Annotated[tuple[UUID, ...], Field(max_length=9)]


class OrderPlacement(Body):
    """What a resident needs. Everything but kind and description is taken from the register when it is left out."""

    id: UUID | None = None
    """A UUID of the client's own, for orders written offline."""
    kind: Annotated[str, Field(min_length=1, max_length=40, pattern="^[a-z0-9_]+$", examples=["buy_medicine"])]
    description: Annotated[Paragraph, Field(examples=["代购一周降压药，药单在药盒里"])]
    on_behalf_of: UUID | None = None
    """The resident whose need it is, when another places it: family, or a worker of the area."""
    household_id: UUID | None = None
    """Which of the resident's households; by default where the resident lives."""
    area_id: UUID | None = None
    """Where it is to be done, when not at home: an area of a community or below."""
    contact_name: Name | None = None
    contact_phone: Phone | None = None
    address: Line | None = None
    wanted_from: Moment | None = None
    wanted_until: Moment | None = None
    lng: Longitude | None = None
    """WGS-84, with `lat`. Optional: an order never needs a location."""
    lat: Latitude | None = None
    file_ids: FileIds = ()

    @model_validator(mode="after")
    def _belongs_together(self) -> "OrderPlacement":
        if (self.lng is None) != (self.lat is None):
            raise ValueError("lng and lat come together")
        if self.wanted_from and self.wanted_until and self.wanted_until < self.wanted_from:
            raise ValueError("wanted_until lies before wanted_from")
        return self


class OrderStep(Body):
    expected_version: Annotated[int | None, Field(ge=1, le=2**53)] = None
    """When sent, the action is refused with 409 unless the order still has this version."""


class OrderDispatch(OrderStep):
    assignee_id: UUID | None = None
    """The account that is to do it; none puts it into the open pool of its community."""
    note: Paragraph | None = None


class OrderStart(OrderStep):
    """No more than the fact that work begins."""


class OrderReason(OrderStep):
    reason: Annotated[Paragraph, Field(examples=["临时出差，无法按时送达"])]


class OrderCompletion(OrderStep):
    """Evidence: photos or a note, as many pieces as the kind asks for."""

    note: Paragraph | None = None
    file_ids: FileIds = ()
    minutes: Annotated[int | None, Field(ge=1, le=1440, strict=True, examples=[90])] = None
    """How long the service took, the way there not counted; by default from start to completion."""


class OrderRating(OrderStep):
    stars: Annotated[int, Field(ge=1, le=5, strict=True)]
    solved: StrictBool
    comment: Paragraph | None = None


class OrderDetails(Answer):
    """What tells whose home it is. Null for those who do not need it."""

    description: str
    resident_id: UUID
    household_id: UUID | None
    placed_by: UUID
    contact_name: str
    contact_phone: str | None
    address: str
    lng: float | None
    lat: float | None
    completion_note: str | None
    rating_comment: str | None


class OrderRead(Answer):
    """An order as lists and actions answer it."""

    id: UUID
    number: Annotated[str, Field(examples=["1000000064"])]
    """What people read out on the phone; the last two digits check the others."""
    kind: str
    kind_name: str
    state: OrderState
    version: int
    area_id: UUID
    area_name: str
    community_id: UUID
    is_in_pool: bool
    assignee_id: UUID | None
    assignee_name: str | None
    wanted_from: datetime | None
    wanted_until: datetime | None
    placed_at: datetime
    dispatched_at: datetime | None
    accepted_at: datetime | None
    started_at: datetime | None
    completed_at: datetime | None
    rated_at: datetime | None
    cancelled_at: datetime | None
    stars: int | None
    solved: bool | None
    details: OrderDetails | None


class HistoryEntry(Answer):
    """One thing that happened to an order."""

    sequence: int
    action: OrderAction
    from_state: OrderState | None
    to_state: OrderState
    actor_id: UUID
    actor_name: str
    at: datetime
    note: str | None


class OrderFileRead(Answer):
    id: UUID
    purpose: FilePurpose
    media_type: str


class OrderReadFull(OrderRead):
    """One order with its history, its files and what the caller may do now."""

    history: list[HistoryEntry]
    files: list[OrderFileRead]
    available_actions: list[OrderAction]
