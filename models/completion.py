"""After the work: what the resident answered, who called back (回访), and what is left out of the rates (剔除)."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, SmallInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, TenantOwned, enumeration, reference


class AnswerSource(StrEnum):
    RESIDENT = "resident"
    """Given by who needed it, or by who may speak for them."""
    FOLLOW_UP = "follow_up"
    """Given to staff who called back."""


class OrderAnswer(TenantOwned, Base):
    """What was answered to one round of work: solved, satisfied, in which words. Append-only.

    Written by `order_answer_record` alone; a rating gets there through a trigger on the order's history.
    """

    __tablename__ = "order_answers"
    __table_args__ = (
        reference("orders", "order_id"),
        CheckConstraint("sequence > 0 AND round > 0", name="numbers"),
        CheckConstraint("stars BETWEEN 1 AND 5", name="stars_range"),
        CheckConstraint("source <> 'resident' OR stars IS NOT NULL", name="residents_give_stars"),
    )
    order_id: Mapped[UUID] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(primary_key=True)
    round: Mapped[int] = mapped_column(SmallInteger)
    """Which completion it answers: 1 for the first, one more each time the order was done again."""
    completed_at: Mapped[datetime | None]
    """When that round was completed. An answer counts while this is the order's own `completed_at`."""
    source: Mapped[AnswerSource] = mapped_column(enumeration(AnswerSource))
    solved: Mapped[bool]
    stars: Mapped[int | None] = mapped_column(SmallInteger)
    """None: called back, somebody would not say how many."""
    words: Mapped[str | None] = mapped_column(String(2000))
    account_id: Mapped[UUID | None]
    """Who gave it, or who called."""
    at: Mapped[datetime]


class UnreachableBecause(StrEnum):
    NO_ANSWER = "no_answer"
    """无人接听."""
    SWITCHED_OFF = "switched_off"
    """关机或停机."""
    WRONG_NUMBER = "wrong_number"
    """号码有误."""
    DECLINED = "declined"
    """拒绝回访."""
    INCONVENIENT = "inconvenient"
    """不便接听."""


class FollowUp(TenantOwned, Base):
    """One attempt to ask the person how it went. Append-only."""

    __tablename__ = "follow_ups"
    __table_args__ = (
        reference("orders", "order_id"),
        CheckConstraint("sequence > 0 AND round > 0", name="numbers"),
        CheckConstraint("is_reached = (unreachable_because IS NULL)", name="reached_or_why_not"),
        CheckConstraint("answer_sequence IS NULL OR is_reached AND next_call_at IS NULL", name="answered"),
        CheckConstraint("next_call_at > called_at", name="next_call"),
    )
    order_id: Mapped[UUID] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(primary_key=True)
    round: Mapped[int] = mapped_column(SmallInteger)
    is_reached: Mapped[bool]
    unreachable_because: Mapped[UnreachableBecause | None] = mapped_column(enumeration(UnreachableBecause))
    answer_sequence: Mapped[int | None]
    """The answer that was given (`order_answers`), if one was."""
    words: Mapped[str | None] = mapped_column(String(2000))
    next_call_at: Mapped[datetime | None]
    called_by: Mapped[UUID]
    called_at: Mapped[datetime]


class FollowUpCause(StrEnum):
    UNANSWERED = "unanswered"
    """Completed, and nobody has said how it went."""
    UNSOLVED = "unsolved"
    """Somebody has said that it is not solved, and it is not done again yet."""


_DUE = ("cause", "due_at", "order_id")


class DueFollowUp(TenantOwned, Base):
    """An order somebody should call back about, or decide on. Derived: orders and answers decide (triggers)."""

    __tablename__ = "due_follow_ups"
    __table_args__ = (
        reference("orders", "order_id"),
        CheckConstraint("attempts >= 0", name="attempts"),
        Index("ix_due_follow_ups_community", "tenant_id", "community_id", *_DUE),
        Index("ix_due_follow_ups_area", "tenant_id", "area_id", *_DUE),
        Index("ix_due_follow_ups_completed_at", "tenant_id", "completed_at"),
    )
    order_id: Mapped[UUID] = mapped_column(primary_key=True)
    community_id: Mapped[UUID]
    area_id: Mapped[UUID]
    cause: Mapped[FollowUpCause] = mapped_column(enumeration(FollowUpCause))
    completed_at: Mapped[datetime]
    due_at: Mapped[datetime]
    """When it was completed or found unsolved; after an attempt, when to try again."""
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default="0")


class ExclusionReason(StrEnum):
    UNREASONABLE = "unreasonable"
    """不合理诉求."""
    UNREACHABLE = "unreachable"
    """多次联系不上."""
    DUPLICATE = "duplicate"
    """重复诉求."""
    OUTSIDE_REMIT = "outside_remit"
    """非本级职责."""
    MALICIOUS = "malicious"
    """恶意或骚扰."""
    FORCE_MAJEURE = "force_majeure"
    """不可抗力."""
    WITHDRAWN_BY_RESIDENT = "withdrawn_by_resident"
    """当事人撤诉."""
    OTHER = "other"


class RateExclusion(TenantOwned, Base):
    """Somebody asks that an order be left out of the rates (剔除). Append-only; see `RateExclusionStep`."""

    __tablename__ = "rate_exclusions"
    __table_args__ = (
        reference("orders", "order_id"),
        Index("ix_rate_exclusions_order_id", "tenant_id", "order_id", "id"),
    )
    id: Mapped[UUID] = mapped_column(primary_key=True)
    order_id: Mapped[UUID]
    reason_code: Mapped[ExclusionReason] = mapped_column(enumeration(ExclusionReason))
    words: Mapped[str] = mapped_column(String(2000))
    asked_by: Mapped[UUID]
    asked_at: Mapped[datetime]


class ExclusionOutcome(StrEnum):
    APPROVED = "approved"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


class RateExclusionStep(TenantOwned, Base):
    """What became of an exclusion: decided or withdrawn first; what was approved may be withdrawn after. Append-only.

    The order is left out of the rates while `approved` is the last step.
    """

    __tablename__ = "rate_exclusion_steps"
    __table_args__ = (
        reference("rate_exclusions", "exclusion_id"),
        CheckConstraint("sequence = 1 OR sequence = 2 AND outcome = 'withdrawn'", name="in_turn"),
    )
    exclusion_id: Mapped[UUID] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    outcome: Mapped[ExclusionOutcome] = mapped_column(enumeration(ExclusionOutcome))
    reason: Mapped[str] = mapped_column(String(2000))
    decided_by: Mapped[UUID]
    decided_at: Mapped[datetime]
