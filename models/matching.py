"""Matching: what helpers and organisations offer, how orders are matched with it, and what was planned and decided."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, Float, ForeignKey, Index, SmallInteger, String, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, TenantOwned, enumeration, reference


class AbsenceKind(StrEnum):
    """Why somebody is away. What they suffer from is nobody's business here."""

    LEAVE = "leave"
    ILL = "ill"
    DUTY = "duty"
    """On other duty: training, a meeting, an action of the district."""
    OTHER = "other"


class ResourceKind(StrEnum):
    VENUE = "venue"
    GOODS = "goods"
    SKILL = "skill"
    TIME = "time"
    AGREEMENT = "agreement"
    """结对共建: what an organisation has agreed to do for a community."""
    EQUIPMENT = "equipment"


class MatchingMode(StrEnum):
    MANUAL = "manual"
    """Nobody is proposed: the dispatcher knows."""
    SUGGEST = "suggest"
    """The best are proposed, a dispatcher decides."""
    AUTOMATIC = "automatic"
    """Within limits the system sends the best one itself."""


class PlanState(StrEnum):
    DRAFT = "draft"
    CONFIRMED = "confirmed"
    DISCARDED = "discarded"


class AutomaticOutcome(StrEnum):
    DISPATCHED = "dispatched"
    LEFT = "left"
    """To a dispatcher."""


class HelperProfile(TenantOwned, Base):
    """What somebody who serves offers. Where they serve their grants say, with whom the units."""

    __tablename__ = "helper_profiles"
    __table_args__ = (
        reference("memberships", "account_id", "account_id"),
        CheckConstraint("max_open BETWEEN 0 AND 50", name="max_open"),
        CheckConstraint("(lng IS NULL) = (lat IS NULL)", name="home"),
    )
    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    skills: Mapped[list[str]] = mapped_column(ARRAY(String(30)))
    hours: Mapped[list[Any] | None] = mapped_column(JSONB(none_as_null=True))
    """`[[weekday, from, to], …]` in Asia/Shanghai, Monday = 1, `"08:30"`; None: not stated, any time."""
    max_open: Mapped[int] = mapped_column(SmallInteger)
    """How many orders at once."""
    lng: Mapped[float | None] = mapped_column(Float)
    """Where they start from, if they choose to say: WGS-84."""
    lat: Mapped[float | None] = mapped_column(Float)
    updated_at: Mapped[datetime]


class HelperAbsence(TenantOwned, Base):
    """Somebody is away. Taken back by deleting it: nobody keeps a record of who was away when."""

    __tablename__ = "helper_absences"
    __table_args__ = (
        reference("memberships", "account_id", "account_id"),
        CheckConstraint("ends_at > starts_at", name="period"),
        Index("ix_helper_absences_account_id", "tenant_id", "account_id", "ends_at"),
    )
    id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID]
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    kind: Mapped[AbsenceKind] = mapped_column(enumeration(AbsenceKind))
    recorded_by: Mapped[UUID]
    recorded_at: Mapped[datetime]


class OrderKindSkill(TenantOwned, Base):
    """A skill a kind of order asks for."""

    __tablename__ = "order_kind_skills"
    __table_args__ = (reference("order_kinds", "order_kind"),)
    order_kind: Mapped[str] = mapped_column(String(40), primary_key=True)
    skill: Mapped[str] = mapped_column(String(30), primary_key=True)
    is_needed: Mapped[bool]
    """Nobody is proposed without it. Else it only speaks for whoever has it."""


class Resource(TenantOwned, Base):
    """What a unit or a person puts at a community's disposal (资源清单)."""

    __tablename__ = "resources"
    __table_args__ = (
        reference("areas", "area_id"),
        reference("units", "owner_unit_id"),
        reference("memberships", "owner_account_id", "account_id"),
        CheckConstraint("num_nonnulls(owner_unit_id, owner_account_id) = 1", name="owner"),
        CheckConstraint("quantity > 0 AND (quantity IS NULL) = (measure IS NULL)", name="quantity"),
        CheckConstraint("valid_until >= valid_from", name="validity"),
        Index("ix_resources_area_id", "tenant_id", "area_id", "id"),
    )
    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[ResourceKind] = mapped_column(enumeration(ResourceKind))
    name: Mapped[str] = mapped_column(String(60))
    area_id: Mapped[UUID]
    """For whom: this area and what lies in it."""
    owner_unit_id: Mapped[UUID | None]
    owner_account_id: Mapped[UUID | None]
    quantity: Mapped[int | None]
    measure: Mapped[str | None] = mapped_column(String(20))
    """What the quantity counts, e.g. 把 or 小时."""
    hours: Mapped[list[Any] | None] = mapped_column(JSONB(none_as_null=True))
    """As in HelperProfile; None: not stated."""
    valid_from: Mapped[date]
    valid_until: Mapped[date | None]
    """The last day."""
    note: Mapped[str | None] = mapped_column(String(2000))
    is_withdrawn: Mapped[bool] = mapped_column(server_default=text("false"))
    version: Mapped[int]
    recorded_by: Mapped[UUID]
    recorded_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class DispatchPolicy(TenantOwned, Base):
    """How orders of a kind, or of all kinds without a policy of their own, find their helper. Append-only."""

    __tablename__ = "dispatch_policies"
    __table_args__ = (
        reference("order_kinds", "order_kind"),
        CheckConstraint("version > 0", name="version"),
        CheckConstraint("active_from >= recorded_at", name="not_for_the_past"),
    )
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"), primary_key=True, sort_order=-2)
    version: Mapped[int] = mapped_column(primary_key=True)
    order_kind: Mapped[str | None] = mapped_column(String(40))
    """None: for every kind without a policy of its own."""
    mode: Mapped[MatchingMode] = mapped_column(enumeration(MatchingMode))
    weights: Mapped[dict[str, int]] = mapped_column(JSONB)
    """By factor, in per cent, 100 together."""
    reach_metres: Mapped[int]
    limits: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    """What automatic dispatch keeps within; None for other modes."""
    note: Mapped[str] = mapped_column(String(200))
    active_from: Mapped[datetime]
    recorded_by: Mapped[UUID]
    recorded_at: Mapped[datetime]


class DispatchPlan(TenantOwned, Base):
    """A proposal who takes which of many orders, for a dispatcher to look at and confirm as a whole."""

    __tablename__ = "dispatch_plans"
    __table_args__ = (
        reference("areas", "area_id"),
        CheckConstraint("(state = 'draft') = (decided_at IS NULL)", name="decided"),
        Index("ix_dispatch_plans_made_by", "tenant_id", "made_by", "id"),
    )
    id: Mapped[UUID] = mapped_column(primary_key=True)
    area_id: Mapped[UUID]
    state: Mapped[PlanState] = mapped_column(enumeration(PlanState))
    asked: Mapped[dict[str, Any]] = mapped_column(JSONB)
    """What was to be planned: kinds, order ids, whether orders not accepted for handling yet are among them."""
    left_over: Mapped[list[Any]] = mapped_column(JSONB)
    """Orders nobody is proposed for, and why."""
    helpers: Mapped[int]
    """How many were thought of."""
    made_by: Mapped[UUID]
    made_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    decided_by: Mapped[UUID | None]
    decided_at: Mapped[datetime | None]


class DispatchPlanItem(TenantOwned, Base):
    """One order of a plan and who is to have it."""

    __tablename__ = "dispatch_plan_items"
    __table_args__ = (
        reference("dispatch_plans", "plan_id"),
        reference("orders", "order_id"),
        reference("memberships", "helper_id", "account_id"),
    )
    plan_id: Mapped[UUID] = mapped_column(primary_key=True)
    order_id: Mapped[UUID] = mapped_column(primary_key=True)
    order_version: Mapped[int]
    """As it was when it was planned."""
    helper_id: Mapped[UUID]
    is_chosen_by_hand: Mapped[bool] = mapped_column(server_default=text("false"))
    points: Mapped[int]
    """Hundredths, as in services/orders/matching/scoring.py."""
    why: Mapped[dict[str, Any]] = mapped_column(JSONB)


class AutomaticDispatch(TenantOwned, Base):
    """What automatic dispatch did with an order as it was: once per version of it. Append-only."""

    __tablename__ = "automatic_dispatches"
    __table_args__ = (reference("orders", "order_id"),)
    order_id: Mapped[UUID] = mapped_column(primary_key=True)
    order_version: Mapped[int] = mapped_column(primary_key=True)
    outcome: Mapped[AutomaticOutcome] = mapped_column(enumeration(AutomaticOutcome))
    helper_id: Mapped[UUID | None]
    why: Mapped[dict[str, Any]] = mapped_column(JSONB)
    """The score of whoever was sent, or the reasons why nobody was."""
    policy_version: Mapped[int]
    decided_at: Mapped[datetime]


_DISPATCHED_ON = "outcome = 'dispatched'"
Index(
    "ix_automatic_dispatches_helper_id",
    AutomaticDispatch.tenant_id, AutomaticDispatch.helper_id, AutomaticDispatch.decided_at,
    postgresql_where=text(_DISPATCHED_ON),
)  # fmt: skip
