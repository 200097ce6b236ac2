"""Bodies of requests and answers about holds."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from models.points import Asset, LedgerAccountKind, TransactionKind
from services.chassis.schemas import Answer, Body, Line, Moment, text_of
from services.points.ledger.schemas import Amount, Metadata, Points, Source


class HoldState(StrEnum):
    PENDING = "pending"
    POSTED = "posted"
    VOIDED = "voided"
    EXPIRED = "expired"


class HoldBody(Body):
    """A reservation of a member's points for a merchant or a community, who gets them when it is posted."""

    account_id: UUID
    """Whose points: the caller's own, or, for a clerk, a member's."""
    amount: Amount
    asset: Asset = Asset.POINTS
    to_account_kind: Literal[LedgerAccountKind.ISSUING_COMMUNITY, LedgerAccountKind.MERCHANT, LedgerAccountKind.ESCROW]
    to_owner_id: UUID
    kind: Literal[TransactionKind.REDEMPTION, TransactionKind.TRANSFER] = TransactionKind.REDEMPTION
    reason: Annotated[Line, Field(examples=["预定洗衣液一瓶"])]
    source: Source | None = None
    expires_at: Moment | None = None
    """When it ends by itself; the district's usual time if it is not said, a year at most."""
    metadata: Metadata


class HoldPost(Body):
    amount: Amount | None = None
    """All of it if not said; what is not posted is free again."""
    reason: Annotated[str, *text_of(200, least=0)] = ""


class HoldVoid(Body):
    reason: Annotated[Line, Field(examples=["缺货"])]


class HoldRead(Answer):
    """A hold. It ends once: posted (in full or in part), voided, or expired."""

    id: UUID
    account_id: UUID
    owner_name: str | None
    asset: Asset
    amount: Points
    kind: TransactionKind
    to_account_kind: LedgerAccountKind
    to_owner_id: UUID
    reason: str
    source_kind: str
    source_id: str
    details: dict[str, Any]
    expires_at: datetime
    recorded_at: datetime
    recorded_by: UUID | None
    state: HoldState
    posted_amount: Points
    posting_id: UUID | None
    end_reason: str | None
    ended_at: datetime | None
    ended_by: UUID | None
