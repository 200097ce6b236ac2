"""Bodies of requests and answers about proposals (四眼)."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import model_validator

from models.earning import ProposalKind
from models.points import LedgerAccountKind
from services.chassis.schemas import Answer, Body, Line
from services.points.earning.certifications.schemas import Certification, CertificationRead
from services.points.ledger.schemas import Amount, Award, TransactionBody


class ProposedAward(Award):
    """An award as a clerk books it alone, but of any amount: two people answer for it."""

    amount: Amount


class Proposal(Body):
    """What takes a second person: an award, any transaction a clerk may post, or a certification."""

    award: ProposedAward | None = None
    transaction: TransactionBody | None = None
    certification: Certification | None = None

    @model_validator(mode="after")
    def _is_one_thing(self) -> "Proposal":
        if sum(part is not None for part in (self.award, self.transaction, self.certification)) != 1:
            raise ValueError("either an award, or a transaction, or a certification")
        return self

    @property
    def kind(self) -> ProposalKind:
        if self.award is not None:
            return ProposalKind.AWARD
        return ProposalKind.CERTIFICATION if self.transaction is None else ProposalKind.TRANSACTION

    @property
    def credit(self) -> ProposedAward | TransactionBody | Certification:
        credit = self.award or self.transaction or self.certification
        assert credit is not None
        return credit

    @property
    def people(self) -> set[UUID]:
        """Whose points it is about, coming or going."""
        if self.award is not None:
            return {self.award.account_id}
        if self.transaction is not None:
            return {leg.owner_id for leg in self.transaction.legs if leg.account_kind is LedgerAccountKind.MEMBER}
        return (
            {participant.account_id for participant in self.certification.participants} if self.certification else set()
        )


class ProposalApproval(Body):
    """Nothing to say: it is booked as it was proposed."""


class ProposalRejection(Body):
    reason: Line


class ProposalStanding(StrEnum):
    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"
    """Nobody has decided it in time."""


class ProposalRead(Answer):
    """A proposal, and how it ended."""

    id: UUID
    kind: ProposalKind
    state: ProposalStanding
    community_id: UUID
    """The community of it; of a transaction the first that it names."""
    award: dict[str, Any] | None
    transaction: dict[str, Any] | None
    certification: dict[str, Any] | None
    proposed_by: UUID
    proposed_at: datetime
    expires_at: datetime
    """Undecided until then, it is over."""
    decided_by: UUID | None
    decided_at: datetime | None
    reason: str | None
    """Why it was rejected."""
    posting_id: UUID | None
    """What an approved award or transaction booked; of a source that was posted before, what that was."""
    certified: CertificationRead | None
    """What an approved certification booked."""
