"""Orders: what a resident asked for, who does it, and what became of it."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Sequence,
    SmallInteger,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, TenantOwned, enumeration, reference


class OrderState(StrEnum):
    """The states of the standard lifecycle. A district may have others: ask `stage` what a state means."""

    PLACED = "placed"
    RETURNED = "returned"
    TRIAGED = "triaged"
    DISPATCHED = "dispatched"
    ACCEPTED = "accepted"
    IN_PROGRESS = "in_progress"
    SHELVED = "shelved"
    COMPLETED = "completed"
    VERIFIED = "verified"
    RATED = "rated"
    CLOSED = "closed"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    MERGED = "merged"


class OrderAction(StrEnum):
    """The actions that do more than move an order: `order_step` knows what each writes."""

    PLACE = "place"
    TRIAGE = "triage"
    RETURN = "return"
    RESUBMIT = "resubmit"
    REJECT = "reject"
    AMEND = "amend"
    DISPATCH = "dispatch"
    ACCEPT = "accept"
    DECLINE = "decline"
    HAND_BACK = "hand_back"
    TRANSFER = "transfer"
    TAKE_OVER = "take_over"
    JOIN = "join"
    LEAVE = "leave"
    START = "start"
    LAPSE = "lapse"
    ASK_EXTENSION = "ask_extension"
    GRANT_EXTENSION = "grant_extension"
    REFUSE_EXTENSION = "refuse_extension"
    SHELVE = "shelve"
    RESUME = "resume"
    COMPLETE = "complete"
    VERIFY = "verify"
    REDO = "redo"
    RATE = "rate"
    CLOSE = "close"
    REOPEN = "reopen"
    CANCEL = "cancel"
    MERGE = "merge"
    UNMERGE = "unmerge"
    FOLLOW = "follow"


class OrderStage(StrEnum):
    """Where on the board an order is, whatever its district calls the state."""

    RECEIVE = "receive"
    """待接收: waits to be accepted for handling."""
    DISPATCH = "dispatch"
    """待派遣: waits for somebody to be sent."""
    HANDLE = "handle"
    """待处理: somebody has it, or it waits in the pool."""
    VERIFY = "verify"
    """待核查: done, and waits to be checked."""
    CLOSE = "close"
    """待结案: checked or judged."""
    FOLLOW = "follow"
    """Merged into another order: shares that one's way until it is done."""
    DONE = "done"
    """Nothing more happens, unless it is opened again."""


OPEN_STAGES = (OrderStage.RECEIVE, OrderStage.DISPATCH, OrderStage.HANDLE, OrderStage.VERIFY, OrderStage.CLOSE)
"""The columns of the board, in order."""


class Priority(StrEnum):
    """轻重缓急."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    URGENT = "urgent"


class Visibility(StrEnum):
    """Who learns that there is such an order. Whose home it is stays private in both."""

    PRIVATE = "private"
    COMMUNITY = "community"
    """Neighbours see kind, place and progress: a broken lamp need not be reported twice."""


class UnitKind(StrEnum):
    TEAM = "team"
    ORGANIZATION = "organization"
    DEPARTMENT = "department"


class FilePurpose(StrEnum):
    REQUEST = "request"
    EVIDENCE = "evidence"


ORDER_NUMBERS = Sequence("order_numbers", start=10_000_000, metadata=Base.metadata)


class OrderKind(TenantOwned, Base):
    """A kind of order the tenant offers, e.g. 代购药品."""

    __tablename__ = "order_kinds"
    __table_args__ = (
        reference("order_lifecycles", "lifecycle_version", "version"),
        CheckConstraint("helpers_wanted BETWEEN 1 AND 200", name="helpers_wanted"),
    )
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"), primary_key=True, sort_order=-2)
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    """Stable identifier in snake_case, e.g. `buy_medicine`."""
    name: Mapped[str] = mapped_column(String(60))
    category: Mapped[str] = mapped_column(String(40))
    evidence_required: Mapped[int] = mapped_column(SmallInteger, server_default="1")
    """How many pieces of evidence (photos or a note) a completion needs."""
    lifecycle_version: Mapped[int] = mapped_column(server_default="1")
    """The life new orders of this kind have: its own, or the district's."""
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    description: Mapped[str] = mapped_column(String(500), server_default="")
    """What it is for, in the words residents read."""
    default_priority: Mapped[Priority] = mapped_column(enumeration(Priority), server_default=Priority.NORMAL.value)
    default_visibility: Mapped[Visibility] = mapped_column(
        enumeration(Visibility), server_default=Visibility.PRIVATE.value
    )
    helpers_wanted: Mapped[int] = mapped_column(SmallInteger, server_default="1")
    allows_anonymous: Mapped[bool] = mapped_column(server_default=text("false"))
    form_version: Mapped[int | None]
    """The questions asked now (order_kind_forms); None: there never were any."""
    position: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    """Where it stands in the list, from the top."""
    version: Mapped[int] = mapped_column(server_default="1")
    """Counts its edits, those of its form too."""


class OrderLifecycle(TenantOwned, Base):
    """A version of the life of orders: of one kind, or of all kinds without their own. Append-only."""

    __tablename__ = "order_lifecycles"
    __table_args__ = (CheckConstraint("version > 0", name="version"),)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"), primary_key=True, sort_order=-2)
    version: Mapped[int] = mapped_column(primary_key=True)
    order_kind: Mapped[str | None] = mapped_column(String(40))
    """None: for every kind without a life of its own. Without a foreign key: kinds point here."""
    definition: Mapped[dict[str, Any]] = mapped_column(JSONB)
    """As services/orders/lifecycles/definition.py reads it."""
    compiled: Mapped[dict[str, Any]] = mapped_column(JSONB)
    """The definition as `order_step` looks things up in it."""
    note: Mapped[str] = mapped_column(String(200))
    recorded_by: Mapped[UUID | None]
    """None: the product's own."""
    recorded_at: Mapped[datetime]


class Order(TenantOwned, Base):
    """One order. `state` is written by `order_step` alone (migrations/functions), which moves it by its lifecycle."""

    __tablename__ = "orders"
    __table_args__ = (
        reference("order_kinds", "kind"),
        reference("areas", "area_id"),
        reference("areas", "community_id"),
        reference("residents", "resident_id"),
        reference("households", "household_id"),
        reference("memberships", "placed_by", "account_id"),
        reference("memberships", "assignee_id", "account_id"),
        reference("order_lifecycles", "lifecycle_version", "version"),
        reference("units", "unit_id"),
        reference("orders", "merged_into"),
        UniqueConstraint("tenant_id", "number"),
        CheckConstraint("state ~ '^[a-z][a-z0-9_]{1,39}$'", name="state"),
        CheckConstraint("stars IS NULL OR rated_at IS NOT NULL", name="stars_when_rated"),
        CheckConstraint("(stars IS NULL) = (solved IS NULL)", name="stars_with_solved"),
        CheckConstraint("stars BETWEEN 1 AND 5", name="stars_range"),
        CheckConstraint("stage NOT IN ('receive', 'dispatch') OR assignee_id IS NULL", name="waiting_has_no_assignee"),
        CheckConstraint(
            "stage NOT IN ('verify', 'close') OR assignee_id IS NOT NULL OR merged_into IS NOT NULL",
            name="work_has_assignee",
        ),
        CheckConstraint("helpers_wanted BETWEEN 1 AND 200", name="helpers_wanted"),
        CheckConstraint("hops >= 0 AND redos >= 0", name="counters"),
        CheckConstraint("(timer_at IS NULL) = (timer_action IS NULL)", name="timer"),
        CheckConstraint("(stage = 'follow') <= (merged_into IS NOT NULL)", name="follows_something"),
        CheckConstraint("merged_into <> id", name="not_into_itself"),
        CheckConstraint("(recurring_order_id IS NULL) = (occurrence_on IS NULL)", name="occurrence"),
        CheckConstraint("(lng IS NULL) = (lat IS NULL)", name="point"),
        Index("ix_orders_community_number", "tenant_id", "community_id", "number"),
        Index("ix_orders_community_state_number", "tenant_id", "community_id", "state", "number"),
        Index("ix_orders_area_number", "tenant_id", "area_id", "number"),
        Index("ix_orders_resident_number", "tenant_id", "resident_id", "number"),
        Index("ix_orders_placed_by_number", "tenant_id", "placed_by", "number"),
        Index(
            "ix_orders_assignee_number",
            "tenant_id",
            "assignee_id",
            "number",
            postgresql_where=text("assignee_id IS NOT NULL"),
        ),
        Index(
            "ix_orders_pool",
            "tenant_id",
            "community_id",
            "number",
            postgresql_where=text("is_in_pool"),
        ),
        Index("ix_orders_community_placed_at", "tenant_id", "community_id", "placed_at"),
        Index(
            "ix_orders_community_completed_at",
            "tenant_id",
            "community_id",
            "completed_at",
            postgresql_where=text("completed_at IS NOT NULL"),
        ),
        Index("ix_orders_open_by", "tenant_id", "assignee_id", "number", postgresql_where=text("stage = 'handle'")),
        Index(
            "ix_orders_done_by",
            "tenant_id",
            "assignee_id",
            "kind",
            "completed_at",
            postgresql_where=text("completed_at IS NOT NULL"),
        ),
        Index(
            "ix_orders_waiting",
            "tenant_id",
            "community_id",
            "number",
            postgresql_where=text("stage IN ('receive', 'dispatch') OR is_in_pool"),
        ),
        Index("ix_orders_timer_at", "tenant_id", "timer_at", postgresql_where=text("timer_at IS NOT NULL")),
        Index("ix_orders_merged_into", "tenant_id", "merged_into", postgresql_where=text("merged_into IS NOT NULL")),
        Index(
            "ix_orders_open",
            "tenant_id",
            "community_id",
            "stage",
            "number",
            postgresql_include=["id", "area_id", "kind", "priority", "visibility", "lng", "lat"],
            postgresql_where=text("stage <> 'done'"),
        ),
        Index("ix_orders_community_kind_number", "tenant_id", "community_id", "kind", "number"),
        Index(
            "ix_orders_escalated",
            "tenant_id",
            "community_id",
            "number",
            postgresql_where=text("is_escalated AND stage <> 'done'"),
        ),
        Index("ix_orders_unit_number", "tenant_id", "unit_id", "number", postgresql_where=text("unit_id IS NOT NULL")),
    )
    id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(ORDER_NUMBERS, server_default=ORDER_NUMBERS.next_value())
    """Grows with every order: what lists page by, and, with two check digits, what people read out on the phone."""
    kind: Mapped[str] = mapped_column(String(40))
    state: Mapped[str] = mapped_column(String(40))
    """As the order's lifecycle names it."""
    stage: Mapped[OrderStage] = mapped_column(enumeration(OrderStage))
    """Of the state, by the lifecycle: what lists, boards and indexes go by."""
    lifecycle_version: Mapped[int]
    """The life it was placed under; it keeps it."""
    version: Mapped[int] = mapped_column(server_default="1")
    """Number of history rows; the last row of the history has this sequence."""
    area_id: Mapped[UUID]
    """The smallest area known, usually the building."""
    community_id: Mapped[UUID]
    household_id: Mapped[UUID | None]
    resident_id: Mapped[UUID]
    """Whose need it is."""
    placed_by: Mapped[UUID]
    """The account that placed it: the resident's own, or a proxy's."""
    assignee_id: Mapped[UUID | None]
    """Who is to do it, or leads those who do."""
    unit_id: Mapped[UUID | None]
    """The team, organisation or department that is to do it, or leads; its members may accept for it."""
    is_in_pool: Mapped[bool] = mapped_column(server_default=text("false"))
    """Whether anybody who serves the area may still take it, or join."""
    helpers_wanted: Mapped[int] = mapped_column(SmallInteger, server_default="1")
    """How many people it takes, the lead among them."""
    priority: Mapped[Priority] = mapped_column(enumeration(Priority), server_default=Priority.NORMAL.value)
    visibility: Mapped[Visibility] = mapped_column(enumeration(Visibility), server_default=Visibility.PRIVATE.value)
    is_anonymous: Mapped[bool] = mapped_column(server_default=text("false"))
    """Nobody but who placed it reads whose need it is."""
    answers: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    """To the questions of the kind's form, by question."""
    form_version: Mapped[int | None]
    hops: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    """How often helpers gave it back or passed it on."""
    redos: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    """How often it had to be done again."""
    is_escalated: Mapped[bool] = mapped_column(server_default=text("false"))
    """A senior must decide how it goes on."""
    timer_at: Mapped[datetime | None]
    timer_action: Mapped[str | None] = mapped_column(String(40))
    """What the system does at `timer_at` if nothing happens before: a lease runs out, silence closes."""
    resumes_to: Mapped[str | None] = mapped_column(String(40))
    """The state it goes back to when it is resumed."""
    merged_into: Mapped[UUID | None]
    """The main order whose way it shares."""
    recurring_order_id: Mapped[UUID | None]
    occurrence_on: Mapped[date | None]
    """The nominal day of a recurring order that this one is for."""
    description: Mapped[str] = mapped_column(String(2000))
    contact_name: Mapped[str] = mapped_column(String(60))
    contact_phone: Mapped[str | None] = mapped_column(String(20))
    address: Mapped[str] = mapped_column(String(200))
    wanted_from: Mapped[datetime | None]
    wanted_until: Mapped[datetime | None]
    lng: Mapped[float | None] = mapped_column(Float)
    lat: Mapped[float | None] = mapped_column(Float)
    placed_at: Mapped[datetime]
    triaged_at: Mapped[datetime | None]
    dispatched_at: Mapped[datetime | None]
    accepted_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]
    verified_at: Mapped[datetime | None]
    rated_at: Mapped[datetime | None]
    """The latest answer of the person who needed it."""
    closed_at: Mapped[datetime | None]
    """When it came to rest: closed, rejected, cancelled."""
    rewarded_at: Mapped[datetime | None]
    """When the work was told to whoever rewards it: once."""
    cancelled_at: Mapped[datetime | None]
    completion_note: Mapped[str | None] = mapped_column(String(2000))
    stars: Mapped[int | None] = mapped_column(SmallInteger)
    solved: Mapped[bool | None]
    rating_comment: Mapped[str | None] = mapped_column(String(2000))


class OrderHistory(TenantOwned, Base):
    """What happened, one row per action, numbered without gaps. Append-only."""

    __tablename__ = "order_history"
    __table_args__ = (reference("orders", "order_id"),)
    order_id: Mapped[UUID] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(primary_key=True)
    action: Mapped[str] = mapped_column(String(40))
    from_state: Mapped[str | None] = mapped_column(String(40))
    to_state: Mapped[str] = mapped_column(String(40))
    actor_id: Mapped[UUID | None]
    """None: the system, by the lifecycle's own rule."""
    at: Mapped[datetime]
    note: Mapped[str | None] = mapped_column(String(2000))
    """The reason given, or the note left."""
    details: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    """What the action carried: to whom it was given and why, minutes, stars, what was changed."""


class Unit(TenantOwned, Base):
    """A team, organisation or department that takes orders of an area and what lies in it."""

    __tablename__ = "units"
    __table_args__ = (
        reference("areas", "area_id"),
        UniqueConstraint("tenant_id", "area_id", "name"),
    )
    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[UnitKind] = mapped_column(enumeration(UnitKind))
    name: Mapped[str] = mapped_column(String(60))
    area_id: Mapped[UUID]
    phone: Mapped[str | None] = mapped_column(String(20))
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class UnitMember(TenantOwned, Base):
    """Who belongs to a unit: its members accept for it, its leaders decline and pass on for it."""

    __tablename__ = "unit_members"
    __table_args__ = (
        reference("units", "unit_id"),
        reference("memberships", "account_id", "account_id"),
        Index("ix_unit_members_account_id", "tenant_id", "account_id"),
    )
    unit_id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    is_leader: Mapped[bool] = mapped_column(server_default=text("false"))
    since: Mapped[datetime] = mapped_column(server_default=text("now()"))
    until: Mapped[datetime | None]


class OrderHelper(TenantOwned, Base):
    """Who assists the lead of an order, or did."""

    __tablename__ = "order_helpers"
    __table_args__ = (
        reference("orders", "order_id"),
        reference("memberships", "account_id", "account_id"),
        Index("ix_order_helpers_account_id", "tenant_id", "account_id", postgresql_where=text("left_at IS NULL")),
        CheckConstraint("minutes BETWEEN 1 AND 1440", name="minutes"),
    )
    order_id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    task: Mapped[str | None] = mapped_column(String(60))
    joined_at: Mapped[datetime]
    left_at: Mapped[datetime | None]
    minutes: Mapped[int | None] = mapped_column(SmallInteger)
    """Service time, as the lead stated it on completing."""


class OrderUnit(TenantOwned, Base):
    """A unit that assists the one that leads, or did."""

    __tablename__ = "order_units"
    __table_args__ = (
        reference("orders", "order_id"),
        reference("units", "unit_id"),
        Index("ix_order_units_unit_id", "tenant_id", "unit_id", postgresql_where=text("removed_at IS NULL")),
    )
    order_id: Mapped[UUID] = mapped_column(primary_key=True)
    unit_id: Mapped[UUID] = mapped_column(primary_key=True)
    added_at: Mapped[datetime]
    removed_at: Mapped[datetime | None]


class StoredFile(TenantOwned, Base):
    """One uploaded photo, checked by content and freed of EXIF. Its bytes lie in the file store under `id`."""

    __tablename__ = "files"
    __table_args__ = (reference("memberships", "uploaded_by", "account_id"),)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    uploaded_by: Mapped[UUID]
    media_type: Mapped[str] = mapped_column(String(40))
    size_bytes: Mapped[int]
    sha256: Mapped[bytes] = mapped_column(LargeBinary)
    width: Mapped[int]
    height: Mapped[int]
    uploaded_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class OrderFile(TenantOwned, Base):
    """A file of one order. A file belongs to one order at most."""

    __tablename__ = "order_files"
    __table_args__ = (
        reference("orders", "order_id"),
        reference("files", "file_id"),
        UniqueConstraint("tenant_id", "file_id"),
    )
    order_id: Mapped[UUID] = mapped_column(primary_key=True)
    file_id: Mapped[UUID] = mapped_column(primary_key=True)
    purpose: Mapped[FilePurpose] = mapped_column(enumeration(FilePurpose))


class OrderWords(Base):
    """What an order is found by: a hash for each pair of neighbouring characters of its words.

    Of no tenant, so that its index can be asked: row security would keep every operator of a GIN index out of it. A
    hash is of tenant or community, block and pair, and leads to a number; what the number is only `orders` tells.
    The tenant is in the key because districts may have equal numbers. No search asks for it: the hashes do.
    """

    __tablename__ = "order_words"
    __table_args__ = (
        Index("ix_order_words_tokens", "tokens", postgresql_using="gin", postgresql_with={"fastupdate": "off"}),
    )
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    tokens: Mapped[list[int]] = mapped_column(ARRAY(Integer))


class OrderWordBlock(TenantOwned, Base):
    """A run of order numbers, about 16,384 orders of the tenant: what a search asks the index for at once."""

    __tablename__ = "order_word_blocks"
    first_number: Mapped[int] = mapped_column(primary_key=True)
    last_number: Mapped[int]
    """The highest in the index; in all blocks but the newest the last there will be."""
    orders: Mapped[int]


class OrderWordWork(TenantOwned, Base):
    """An order whose words are not in the index yet, or have changed.

    Without a foreign key: it is written with every order, and gone a second later.
    """

    __tablename__ = "order_word_work"
    number: Mapped[int] = mapped_column(primary_key=True)


class OrderExport(TenantOwned, Base):
    """Somebody took orders home as a sheet. Append-only."""

    __tablename__ = "order_exports"
    __table_args__ = (
        reference("memberships", "account_id", "account_id"),
        CheckConstraint("orders >= 0", name="orders"),
    )
    id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID]
    exported_at: Mapped[datetime]
    filters: Mapped[dict[str, Any]] = mapped_column(JSONB)
    """What was asked for, as the list takes it."""
    orders: Mapped[int]
    """How many the sheet has, each with its personal data."""
