"""Bodies of the grant routes."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from models.identity import Role
from services.chassis.schemas import Answer, Body, Moment
from services.identity.accounts.schemas import AccountRead, AreaName


class GrantGift(Body):
    """Role × area subtree × term."""

    account_id: Annotated[UUID, Field(description="A member of this tenant.")]
    role: Role
    area_id: Annotated[UUID, Field(description="The role holds in this area and everything below it.")]
    valid_from: Annotated[Moment | None, Field(description="When the term begins; now, if left out.")] = None
    valid_to: Annotated[Moment | None, Field(description="First moment after the term; open, if left out.")] = None


class GrantEnd(Body):
    """Nothing to say: the grant ends now."""


class GrantRead(Answer):
    id: UUID
    account: AccountRead
    role: Role
    area: AreaName
    valid_from: datetime
    valid_to: Annotated[datetime | None, Field(description="First moment after the term; null while it is open.")]
