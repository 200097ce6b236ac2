"""Bodies of requests and answers about recurring orders. Days and times of day are those of Asia/Shanghai."""

import re
from datetime import date, datetime, time
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, model_validator

from models.recurring import CoverPolicy, HolidayPolicy, OccurrenceOutcome, RecurringChange
from services.chassis.schemas import (
    Answer,
    Body,
    CalendarDay,
    Latitude,
    Line,
    Longitude,
    Name,
    Paragraph,
    Phone,
    text_of,
)
from services.orders.kinds.forms import FormAnswers
from services.orders.recurring.arithmetic import Why
from services.orders.recurring.rules import LONGEST_RULE


def _spelled_out(value: object) -> object:
    if isinstance(value, time) or (isinstance(value, str) and re.fullmatch("([01][0-9]|2[0-3]):[0-5][0-9]", value)):
        return value
    raise ValueError("must be a time of day such as 08:30")


def _of_our_time(day: date) -> date:
    if not 2000 <= day.year <= 2199:
        raise ValueError("the year must lie between 2000 and 2199")
    return day


TimeOfDay = Annotated[
    time,
    BeforeValidator(_spelled_out, json_schema_input_type=str),
    PlainSerializer(lambda moment: f"{moment:%H:%M}", return_type=str, when_used="json"),
    Field(examples=["08:30"]),
]
Day = Annotated[CalendarDay, AfterValidator(_of_our_time)]
RuleText = Annotated[str, *text_of(LONGEST_RULE), Field(examples=["FREQ=WEEKLY;BYDAY=MO"])]


class Times(Body):
    """When something is wanted, again and again."""

    rule: RuleText
    """RFC 5545, without a time of day: DAILY, WEEKLY, MONTHLY or YEARLY."""
    first_on: Annotated[Day, Field(examples=["2026-01-05"])]
    """The day the rule counts from. It is one of the days only if the rule says so."""
    from_time: TimeOfDay
    until_time: Annotated[TimeOfDay, Field(examples=["10:30"])]
    holiday_policy: HolidayPolicy = HolidayPolicy.KEEP
    """On days off of the work calendar; an ordinary weekend is none."""

    @model_validator(mode="after")
    def _is_a_window(self) -> "Times":
        if self.until_time <= self.from_time:
            raise ValueError("until_time lies after from_time")
        return self


class RecurringTerms(Times):
    """What is ordered, and when. What is left out each order takes from the register."""

    kind: Annotated[str, Field(min_length=1, max_length=40, pattern="^[a-z0-9_]+$", examples=["buy_medicine"])]
    description: Annotated[Paragraph, Field(examples=["代购一周降压药，药单在药盒里"])]
    area_id: UUID | None = None
    """Where it is to be done, when not at home: an area of a community or below."""
    contact_name: Name | None = None
    contact_phone: Phone | None = None
    address: Line | None = None
    answers: FormAnswers = Field(default_factory=dict)
    """To the questions of the kind's form."""
    lng: Longitude | None = None
    lat: Latitude | None = None
    cover_policy: CoverPolicy = CoverPolicy.FAMILIAR
    horizon_days: Annotated[int, Field(ge=1, le=60, strict=True)] = 14
    """How many days ahead orders are made."""

    @model_validator(mode="after")
    def _is_a_point(self) -> "RecurringTerms":
        if (self.lng is None) != (self.lat is None):
            raise ValueError("lng and lat come together")
        return self


class RecurringOrderDraft(RecurringTerms):
    id: UUID | None = None
    """A UUID of the client's own."""
    on_behalf_of: UUID | None = None
    """The resident whose need it is, when another arranges it: family, or a worker of the area."""
    household_id: UUID | None = None
    """Which of the resident's households; by default where the resident lives."""
    helper_id: UUID | None = None
    """The account that is asked each time; dispatchers may say so at once."""


class RecurringOrderEdit(RecurringTerms):
    """From now on. Replaces everything: what is left out is taken from the register."""

    expected_version: Annotated[int, Field(ge=1, le=2**53)]
    reason: Paragraph | None = None


class RecurringStep(Body):
    expected_version: Annotated[int | None, Field(ge=1, le=2**53)] = None
    """When sent, refused with 409 unless the recurring order still has this version."""
    reason: Annotated[Paragraph | None, Field(examples=["去女儿家住几天"])] = None
    """Needed from staff who pause, end, or change the helper."""


class OccurrenceSkip(RecurringStep):
    occurrence_on: Day
    """The day the rule says."""


class OccurrenceMove(OccurrenceSkip):
    moved_on: Day
    """The day it takes place instead; the same one for another time of day, or to have it after all."""
    from_time: TimeOfDay | None = None
    """By default as usual."""
    until_time: TimeOfDay | None = None

    @model_validator(mode="after")
    def _is_a_window(self) -> "OccurrenceMove":
        if (self.from_time is None) != (self.until_time is None):
            raise ValueError("from_time and until_time come together")
        if self.from_time and self.until_time and self.until_time <= self.from_time:
            raise ValueError("until_time lies after from_time")
        return self


class RecurringPause(RecurringStep):
    paused_from: Day
    paused_until: Day | None = None
    """The last day without; none: until it is resumed."""

    @model_validator(mode="after")
    def _is_a_span(self) -> "RecurringPause":
        if self.paused_until and self.paused_until < self.paused_from:
            raise ValueError("paused_until lies before paused_from")
        return self


class RecurringEnd(RecurringStep):
    ends_on: Day | None = None
    """The first day on which it is over; by default today."""


class HelperChange(RecurringStep):
    helper_id: UUID | None
    """None: nobody is kept."""


class TimesPreview(Times):
    """Nothing is saved."""

    count: Annotated[int, Field(ge=1, le=60, strict=True)] = 12


# Answers ----------------------------------------------------------------------------------------------------------


class PreviewedOccurrence(Answer):
    occurrence_on: date
    """The day the rule says."""
    planned_from: datetime | None
    """After holidays; none: it does not take place."""
    planned_until: datetime | None
    why: Why
    holiday: str | None
    """The name of the holiday the rule's day is."""
    joins: date | None
    """With `same_day`: the occurrence it is one with."""
    is_guess: bool
    """Nobody knows the holidays of that year yet."""


class PreviewedTimes(Answer):
    rule: str
    """As it was understood."""
    items: list[PreviewedOccurrence]


class OccurrenceOrder(Answer):
    """The order that was made of an occurrence."""

    id: UUID
    number: str
    state: str
    stage: str


class OccurrenceHelper(Answer):
    account_id: UUID
    name: str


class ComingOccurrence(PreviewedOccurrence):
    """One of the coming occurrences, with what became of it."""

    recurring_order_id: UUID
    kind: str
    kind_name: str
    resident_name: str
    outcome: OccurrenceOutcome | None
    """None: its order is not made yet."""
    failure: str | None
    """Why its order could not be made, as a code. It is tried again."""
    order: OccurrenceOrder | None
    helper: OccurrenceHelper | None
    """Who has the order; before it is made, who is asked first."""


class ComingOccurrences(Answer):
    items: list[ComingOccurrence]


class RecurringOrderRead(Answer):
    id: UUID
    version: int
    kind: str
    kind_name: str
    area_id: UUID
    area_name: str
    community_id: UUID
    state: Annotated[str, Field(examples=["active"])]
    """`active`, `paused` or `ended`, as of today."""
    rule: str
    first_on: date
    from_time: TimeOfDay
    until_time: TimeOfDay
    holiday_policy: HolidayPolicy
    cover_policy: CoverPolicy
    helper: OccurrenceHelper | None
    horizon_days: int
    paused_from: date | None
    paused_until: date | None
    pause_reason: str | None
    ends_on: date | None
    end_reason: str | None
    arranged_at: datetime
    failures: int
    """Occurrences still to come whose orders could not be made."""
    description: str
    resident_id: UUID
    resident_name: str
    household_id: UUID | None
    placed_by: UUID
    place_id: UUID | None
    """Where it is to be done, when not at home."""
    contact_name: str | None
    contact_phone: str | None
    address: str | None
    answers: dict[str, Any]
    lng: float | None
    lat: float | None


class ChangeRead(Answer):
    sequence: int
    action: RecurringChange
    actor_id: UUID | None
    """None: the system."""
    actor_name: str | None
    at: datetime
    reason: str | None


class RecurringOrderReadFull(RecurringOrderRead):
    """With its changes; the helper is not told them."""

    changes: list[ChangeRead]


class AffectedOrder(Answer):
    """An order that was made already when the recurring order changed."""

    occurrence_on: date
    order_id: UUID
    number: str


class RecurringOrderChanged(Answer):
    """The recurring order after a change, and what the change did to orders made already."""

    recurring_order: RecurringOrderRead
    withdrawn: list[AffectedOrder]
    """Cancelled, for nobody had begun with them; where still wanted they are made anew."""
    kept: list[AffectedOrder]
    """Not as the recurring order says now, but somebody has begun with them: they stay."""
