"""Bodies of requests and answers about orders."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, StrictBool, model_validator

from models.orders import FilePurpose, OrderStage, Priority, Visibility
from services.chassis.schemas import Answer, Body, Latitude, Line, Longitude, Moment, Name, Paragraph, Phone, text_of
from services.orders.kinds.forms import FormAnswers

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
    answers: FormAnswers = Field(default_factory=dict)
    """To the questions of the kind's form, by question."""
    is_anonymous: StrictBool = False
    """Nobody but the caller reads whose need it is, where the kind allows it. An address given here is read."""

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


class OrderAmendment(OrderStep):
    """What triage decides. What is left out stays as it is."""

    kind: Annotated[str | None, Field(max_length=40, pattern="^[a-z0-9_]+$", examples=["corridor_light"])] = None
    priority: Priority | None = None
    visibility: Visibility | None = None
    helpers_wanted: Annotated[int | None, Field(ge=1, le=200, strict=True)] = None
    """How many people it takes, the lead among them."""
    note: Paragraph | None = None


class DispatchMode(StrEnum):
    """How a person decided who gets an order. The system's own decisions stand in the history as `automatic`."""

    MANUAL = "manual"
    SUGGESTED = "suggested"


Share = Annotated[float, Field(ge=0, le=100)]


class DecisionReason(Body):
    """One reason of a suggestion, as `GET …/suggestions` answers it."""

    factor: Annotated[str, Field(pattern="^[a-z_]{1,40}$", examples=["distance"])]
    value: Share | None = None
    weight: Share | None = None
    points: Share
    text: Line


class DecisionGrounds(Body):
    score: Annotated[float | None, Field(ge=0, le=100)] = None
    reasons: Annotated[tuple[DecisionReason, ...], Field(max_length=12)] = ()
    text: Paragraph | None = None


class OrderDispatch(OrderStep):
    assignee_id: UUID | None = None
    """The account that is to do it, or to lead; with neither this nor a unit it goes into the community's open pool."""
    unit_id: UUID | None = None
    """The team, organisation or department that is to do it; its members accept for it."""
    assisting_unit_ids: Annotated[tuple[UUID, ...], Field(max_length=20)] = ()
    """Units that assist the one that leads."""
    helpers_wanted: Annotated[int | None, Field(ge=1, le=200, strict=True, examples=[8])] = None
    note: Paragraph | None = None
    mode: DispatchMode = DispatchMode.MANUAL
    why: DecisionGrounds | None = None
    """What the decision rests on, e.g. the suggestion that was followed."""

    @model_validator(mode="after")
    def _assisting_whom(self) -> "OrderDispatch":
        if self.assisting_unit_ids and self.unit_id is None:
            raise ValueError("assisting units assist a unit")
        if len({self.unit_id, *self.assisting_unit_ids}) != 1 + len(self.assisting_unit_ids):
            raise ValueError("a unit is named twice")
        return self


class OrderTransfer(OrderStep):
    """To another person or unit, with the reason."""

    assignee_id: UUID | None = None
    unit_id: UUID | None = None
    note: Annotated[Paragraph, Field(alias="reason", examples=["本楼由李阿姨负责，她更熟悉"])]


class OrderJoining(OrderStep):
    task: Annotated[str, *text_of(60), Field(examples=["撒融雪剂"])] | None = None
    """Which part of the work the caller takes."""


class OrderStart(OrderStep):
    """No more than the fact that work begins."""


class OrderReason(OrderStep):
    reason: Annotated[Paragraph, Field(examples=["临时出差，无法按时送达"])]


class OrderShelving(OrderReason):
    until: Moment | None = None
    """When it goes on by itself."""


class OrderResubmission(OrderStep):
    """What the dispatcher asked for."""

    description: Paragraph | None = None
    answers: FormAnswers | None = None
    file_ids: FileIds = ()
    note: Paragraph | None = None


class OrderMerge(OrderStep):
    into_id: UUID
    """The order that means the same and goes on for both."""
    note: Paragraph | None = None


class OrderWork(OrderStep):
    """A step of the district's own lifecycle."""

    note: Paragraph | None = None
    file_ids: FileIds = ()


class HelperMinutes(Body):
    account_id: UUID
    minutes: Annotated[int, Field(ge=1, le=1440, strict=True)]


class OrderCompletion(OrderStep):
    """Evidence: photos or a note, as many pieces as the kind asks for."""

    note: Paragraph | None = None
    file_ids: FileIds = ()
    minutes: Annotated[int | None, Field(ge=1, le=1440, strict=True, examples=[90])] = None
    """How long the service took, the way there not counted; by default from start to completion."""
    helpers: Annotated[tuple[HelperMinutes, ...], Field(max_length=200)] = ()
    """The same of those who assisted; by default as the lead's."""

    @model_validator(mode="after")
    def _each_once(self) -> "OrderCompletion":
        if len({helper.account_id for helper in self.helpers}) != len(self.helpers):
            raise ValueError("a helper is named twice")
        return self


class OrderRating(OrderStep):
    stars: Annotated[int, Field(ge=1, le=5, strict=True)]
    solved: StrictBool
    comment: Paragraph | None = None


class OrderDetails(Answer):
    """What tells whose home it is. Null for those who do not need it."""

    description: str
    answers: dict[str, Any]
    form_version: int | None
    resident_id: UUID | None
    """Null, as everything about the person, where the order is anonymous."""
    household_id: UUID | None
    placed_by: UUID | None
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
    state: Annotated[str, Field(examples=["dispatched"])]
    """As the order's lifecycle names it."""
    stage: OrderStage
    """What the state means, whatever it is called: a column of the board."""
    version: int
    lifecycle_version: int
    priority: Priority
    visibility: Visibility
    is_anonymous: bool
    area_id: UUID
    area_name: str
    community_id: UUID
    is_in_pool: bool
    """Whether who serves the area may still take it, or join."""
    assignee_id: UUID | None
    assignee_name: str | None
    unit_id: UUID | None
    unit_name: str | None
    helpers_wanted: int
    hops: int
    """How often helpers gave it back or passed it on."""
    redos: int
    """How often it was to be done again."""
    is_escalated: bool
    """A senior has to decide how it goes on."""
    timer_at: datetime | None
    timer_action: str | None
    """What happens by itself at `timer_at`: `lapse` gives a claimed order back to the pool, `close` closes it."""
    merged_into: UUID | None
    """The order whose way it shares."""
    recurring_order_id: UUID | None
    occurrence_on: date | None
    wanted_from: datetime | None
    wanted_until: datetime | None
    placed_at: datetime
    triaged_at: datetime | None
    dispatched_at: datetime | None
    accepted_at: datetime | None
    started_at: datetime | None
    completed_at: datetime | None
    verified_at: datetime | None
    rated_at: datetime | None
    closed_at: datetime | None
    cancelled_at: datetime | None
    stars: int | None
    solved: bool | None
    details: OrderDetails | None


class HistoryEntry(Answer):
    """One thing that happened to an order."""

    sequence: int
    action: str
    from_state: str | None
    to_state: str
    actor_id: UUID | None
    """Null: the system, by the lifecycle's rule; or who placed an anonymous order."""
    actor_name: str | None
    at: datetime
    note: str | None
    details: dict[str, Any]
    """What the action carried, e.g. to whom it was given, by which mode and why."""


class OrderHelperRead(Answer):
    """Who assists, or did."""

    account_id: UUID
    name: str
    task: str | None
    joined_at: datetime
    left_at: datetime | None
    minutes: int | None


class OrderFileRead(Answer):
    id: UUID
    purpose: FilePurpose
    media_type: str


class MainOrderRead(Answer):
    """How far the order is into which this one was merged."""

    state: str
    stage: OrderStage


class OrderReadFull(OrderRead):
    """One order with its history, its files and what the caller may do now."""

    main: MainOrderRead | None

    history: list[HistoryEntry]
    files: list[OrderFileRead]
    helpers: list[OrderHelperRead]
    available_actions: list[str]
