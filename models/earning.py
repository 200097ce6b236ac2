"""What earns points: rules as versioned data, records of service, proposals two people decide, reviewed anomalies."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    SmallInteger,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, TenantOwned, enumeration, reference


class RuleState(StrEnum):
    DRAFT = "draft"
    """May be replaced and simulated; earns nobody anything."""
    ACTIVE = "active"
    """Decided on, never changed again. In force from `active_from` until another one is."""


class EarningRuleVersion(TenantOwned, Base):
    """One version of a district's rules of earning (services/points/earning/terms.py). Active ones never change."""

    __tablename__ = "earning_rule_versions"
    __table_args__ = (
        CheckConstraint("version > 0", name="version"),
        CheckConstraint(
            "(state = 'active') = (active_from IS NOT NULL) AND (state = 'active') = (activated_at IS NOT NULL)",
            name="active_since",
        ),
        CheckConstraint("activated_by <> drafted_by", name="second_person"),
        CheckConstraint(
            "state = 'draft' OR drafted_by IS NULL OR simulated_at IS NOT NULL AND activated_by IS NOT NULL",
            name="simulated_first",
        ),
        Index(
            "ix_earning_rule_versions_active_from",
            "tenant_id", "active_from", "version",
            postgresql_where=text("state = 'active'"),
        ),
    )  # fmt: skip
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"), primary_key=True, sort_order=-2)
    version: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[RuleState] = mapped_column(enumeration(RuleState), server_default=RuleState.DRAFT.value)
    terms: Mapped[dict[str, Any]] = mapped_column(JSONB)
    note: Mapped[str] = mapped_column(String(200))
    """Why it is proposed."""
    drafted_by: Mapped[UUID | None]
    """None: taken over from what held before rules had versions."""
    drafted_at: Mapped[datetime]
    simulated_at: Mapped[datetime | None]
    """When these very terms were last simulated."""
    active_from: Mapped[datetime | None]
    activated_by: Mapped[UUID | None]
    activated_at: Mapped[datetime | None]


class EarningSimulation(TenantOwned, Base):
    """What a version would have credited in a period. Append-only."""

    __tablename__ = "earning_simulations"
    __table_args__ = (
        reference("earning_rule_versions", "version", "version"),
        CheckConstraint("period_from < period_to", name="period"),
        Index("ix_earning_simulations_version", "tenant_id", "version", "id"),
    )
    id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int]
    terms: Mapped[dict[str, Any]] = mapped_column(JSONB)
    """The terms that were simulated: a draft may have been replaced since."""
    period_from: Mapped[datetime]
    period_to: Mapped[datetime]
    """The first moment after the period."""
    records: Mapped[int]
    points_before: Mapped[int]
    points_after: Mapped[int]
    minutes_before: Mapped[int]
    minutes_after: Mapped[int]
    kinds: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    """The same by kind of service."""
    simulated_by: Mapped[UUID]
    simulated_at: Mapped[datetime]


class EarningSimulationLine(TenantOwned, Base):
    """One person's line of a simulation. Append-only."""

    __tablename__ = "earning_simulation_lines"
    __table_args__ = (reference("earning_simulations", "simulation_id"),)
    simulation_id: Mapped[UUID] = mapped_column(primary_key=True)
    place: Mapped[int] = mapped_column(primary_key=True)
    """1 = whom it changes most."""
    account_id: Mapped[UUID]
    records: Mapped[int]
    points_before: Mapped[int]
    points_after: Mapped[int]
    minutes_before: Mapped[int]
    minutes_after: Mapped[int]


class ServiceSource(StrEnum):
    """What proves a service; also the source kind of its posting."""

    ORDER_RATED = "order_rated"
    SERVICE_CERTIFIED = "service_certified"


class ServiceRecord(TenantOwned, Base):
    """One person's service, and what it earned; written with the credit. Append-only.

    Also what earned nothing has its record: it may have earned something by another rule.
    """

    __tablename__ = "service_records"
    __table_args__ = (
        UniqueConstraint("tenant_id", "source_kind", "source_id", "account_id"),
        UniqueConstraint("tenant_id", "account_id", "sequence"),
        reference("memberships", "account_id", "account_id"),
        reference("areas", "community_id"),
        reference("earning_rule_versions", "rule_version", "version"),
        reference("ledger_transactions", "transaction_id"),
        CheckConstraint("sequence > 0", name="sequence"),
        CheckConstraint("minutes BETWEEN 0 AND 1440", name="minutes"),
        CheckConstraint("began_at <= ended_at", name="times"),
        CheckConstraint("stars BETWEEN 1 AND 5 AND (stars IS NULL) = (solved IS NULL)", name="rating"),
        CheckConstraint("points >= 0 AND minutes_credited >= 0", name="credited"),
        CheckConstraint("(transaction_id IS NULL) = (points = 0 AND minutes_credited = 0)", name="credited_is_posted"),
        CheckConstraint("approved_by <> recorded_by", name="second_person"),
        Index("ix_service_records_served_on", "tenant_id", "account_id", "served_on"),
        Index("ix_service_records_judged_at", "tenant_id", "judged_at"),
        Index("ix_service_records_ended_at", "tenant_id", "ended_at"),
        Index("ix_service_records_recorded_by", "tenant_id", "recorded_by", "recorded_at"),
    )
    id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID]
    """Who served."""
    sequence: Mapped[int]
    """Counts the person's records without gaps: the order in which limits were applied."""
    source_kind: Mapped[ServiceSource] = mapped_column(enumeration(ServiceSource))
    source_id: Mapped[UUID]
    """The order, or the activity."""
    activity_name: Mapped[str | None] = mapped_column(String(60))
    service_kind: Mapped[str] = mapped_column(String(40))
    """The kind of the order, or of the activity's service."""
    community_id: Mapped[UUID]
    """The community that credits."""
    began_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    minutes: Mapped[int | None] = mapped_column(SmallInteger)
    """Service time; not known of every order."""
    served_on: Mapped[date]
    """The day in Asia/Shanghai on which it ended, or was judged if that is not known: what daily limits go by."""
    stars: Mapped[int | None] = mapped_column(SmallInteger)
    solved: Mapped[bool | None]
    judged_at: Mapped[datetime]
    """When it was rated or certified: decides the rule."""
    recorded_by: Mapped[UUID | None]
    """The clerk; none when it was an order."""
    approved_by: Mapped[UUID | None]
    recorded_at: Mapped[datetime]
    rule_version: Mapped[int | None]
    points: Mapped[int]
    minutes_credited: Mapped[int]
    details: Mapped[dict[str, Any]] = mapped_column(JSONB)
    """The sum, what a limit cut off, why nothing was earned; as the posting says it."""
    transaction_id: Mapped[UUID | None]


class ProposalKind(StrEnum):
    AWARD = "award"
    TRANSACTION = "transaction"
    CERTIFICATION = "certification"


class ProposalState(StrEnum):
    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"


class CreditProposal(TenantOwned, Base):
    """A credit one person proposes and another decides (四眼). It ends once; nothing else of it ever changes."""

    __tablename__ = "credit_proposals"
    __table_args__ = (
        reference("areas", "community_id"),
        CheckConstraint("proposed_at < expires_at", name="term"),
        CheckConstraint(
            "(state = 'pending') = (decided_at IS NULL) AND (state = 'pending') = (decided_by IS NULL)", name="decided"
        ),
        CheckConstraint("state <> 'approved' OR decided_by <> proposed_by", name="second_person"),
        CheckConstraint("(state = 'rejected') = (reason IS NOT NULL)", name="rejected_with_reason"),
        CheckConstraint("(state = 'approved') = (result IS NOT NULL)", name="approved_with_result"),
        CheckConstraint("decided_at < expires_at", name="decided_in_time"),
        Index("ix_credit_proposals_community", "tenant_id", "community_id", "id"),
        Index("ix_credit_proposals_proposed_by", "tenant_id", "proposed_by", "id"),
    )
    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[ProposalKind] = mapped_column(enumeration(ProposalKind))
    community_id: Mapped[UUID]
    body: Mapped[dict[str, Any]] = mapped_column(JSONB)
    """The award, transaction or certification, as it would have been booked at once."""
    proposed_by: Mapped[UUID]
    proposed_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    state: Mapped[ProposalState] = mapped_column(enumeration(ProposalState), server_default=ProposalState.PENDING.value)
    decided_by: Mapped[UUID | None]
    decided_at: Mapped[datetime | None]
    reason: Mapped[str | None] = mapped_column(String(200))
    """Why it was rejected."""
    result: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    """What the approval booked."""


class AnomalyVerdict(StrEnum):
    EXPLAINED = "explained"
    """Somebody knows how it came about, and it is right."""
    WRONG = "wrong"
    """To be put right: by a reversal, or a correction."""


class AnomalyReview(TenantOwned, Base):
    """Somebody has looked at an anomaly. Append-only: a second look is a second row."""

    __tablename__ = "anomaly_reviews"
    __table_args__ = (Index("ix_anomaly_reviews_anomaly_id", "tenant_id", "anomaly_id", "id"),)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"), primary_key=True, sort_order=-2)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    anomaly_id: Mapped[str] = mapped_column(String(120))
    verdict: Mapped[AnomalyVerdict] = mapped_column(enumeration(AnomalyVerdict))
    note: Mapped[str] = mapped_column(String(200))
    reviewed_by: Mapped[UUID]
    reviewed_at: Mapped[datetime]
