"""Bodies of requests and answers about kinds of order."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field, StrictBool

from models.orders import Priority, Visibility
from services.chassis.schemas import Answer, Body, Name, text_of
from services.orders.kinds.forms import Question, Questions

KindId = Annotated[str, Field(min_length=1, max_length=40, pattern="^[a-z][a-z0-9_]*$", examples=["buy_medicine"])]
Version = Annotated[int, Field(strict=True, ge=1, le=2**53)]


class OrderKindFacts(Body):
    """What is decided about a kind, as a whole: what is left out is as its default says."""

    name: Annotated[Name, Field(examples=["代购药品"])]
    category: Annotated[str, *text_of(40), Field(examples=["便民服务"])]
    description: Annotated[str, *text_of(500, least=0)] = ""
    evidence_required: Annotated[int, Field(strict=True, ge=0, le=20)] = 1
    default_priority: Priority = Priority.NORMAL
    default_visibility: Visibility = Visibility.PRIVATE
    """Who may see that there is such an order: those concerned, or the whole community."""
    helpers_wanted: Annotated[int, Field(strict=True, ge=1, le=200)] = 1
    """How many people one usually takes."""
    allows_anonymous: StrictBool = False
    """Whether whoever does it need not learn who asked."""
    position: Annotated[int, Field(strict=True, ge=0, le=9999)] = 0
    is_active: StrictBool = True
    """Whether it can be ordered; running orders of it go on."""


class OrderKindDraft(OrderKindFacts):
    id: KindId
    questions: Questions = Field(default_factory=list)


class OrderKindEdit(OrderKindFacts):
    expected_version: Version
    """The version of the kind that was edited."""


class OrderKindFormEdit(Body):
    expected_version: Version
    """The version of the kind whose form it replaces."""
    questions: Questions


class OrderKindForm(Answer):
    version: int | None
    """What an order placed now keeps; null: nothing was ever asked."""
    questions: list[Question]


class OrderKindFormRead(Answer):
    kind: str
    version: int
    questions: list[Question]
    recorded_at: datetime


class OrderKindRead(Answer):
    """All a client needs to offer the kind and to draw its form."""

    id: Annotated[str, Field(examples=["buy_medicine"])]
    name: Annotated[str, Field(examples=["代购药品"])]
    category: str
    description: str
    evidence_required: int
    """How many pieces of evidence (photos, or a note) completing one needs."""
    default_priority: Priority
    default_visibility: Visibility
    helpers_wanted: int
    allows_anonymous: bool
    position: int
    is_active: bool
    version: int
    """Counts its edits; sent back as `expected_version` with the next one."""
    form: OrderKindForm


class OrderKindList(Answer):
    """All of them: a district has a few dozen."""

    items: list[OrderKindRead]


class OrderKindState(Answer):
    """A kind as it stood after a change."""

    name: str
    category: str
    description: str
    evidence_required: int
    default_priority: Priority
    default_visibility: Visibility
    helpers_wanted: int
    allows_anonymous: bool
    position: int
    is_active: bool
    form_version: int | None


class OrderKindChangeRead(Answer):
    version: int
    """The kind's version that came of it."""
    changed_by: UUID
    changed_at: datetime
    before: OrderKindState | None
    """Null: it was added."""
    after: OrderKindState
