"""Bodies of requests and answers about accounts of the ledger."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from models.points import AccountAction, AccountStatus, Asset, LedgerAccountKind, Side
from services.chassis.schemas import Answer, Body, Line, Name
from services.points.ledger.schemas import Points


class NewAccount(Body):
    """A partner merchant, or points set aside for a purpose. People's and communities' accounts open themselves."""

    kind: Literal[LedgerAccountKind.MERCHANT, LedgerAccountKind.ESCROW]
    name: Annotated[Name, Field(examples=["惠民生活超市"])]
    community_id: UUID
    """The community that answers for it, in the clerk's area."""
    asset: Asset = Asset.POINTS


class AccountChange(Body):
    reason: Annotated[Line, Field(examples=["涉嫌代签，核实期间冻结"])]
    asset: Asset = Asset.POINTS


class LedgerAccountRead(Answer):
    """One account of the ledger; of a community the sum over its stripes."""

    owner_id: UUID
    """The person, the community, or the merchant or escrow itself."""
    name: str | None
    kind: LedgerAccountKind
    asset: Asset
    normal_side: Side | None
    """The side its balance grows on: credit = positive, debit = negative, null = either."""
    status: AccountStatus
    balance: Points
    held: Points
    community_id: UUID | None


class AccountEventRead(Answer):
    action: AccountAction
    reason: str
    recorded_at: datetime
    recorded_by: UUID
