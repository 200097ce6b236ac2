"""What an account may know of itself."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from models.identity import Role
from services.chassis.schemas import Answer


class AccountRead(Answer):
    id: UUID
    name: str


class TenantRead(Answer):
    """A district or county; `code` is its six-digit division code."""

    id: UUID
    code: Annotated[str, Field(examples=["441602"])]
    name: Annotated[str, Field(examples=["源城区"])]


class AreaName(Answer):
    id: UUID
    code: Annotated[str, Field(examples=["441602004010"])]
    name: Annotated[str, Field(examples=["康乐路南社区"])]
    level: Annotated[str, Field(examples=["community"], description="The tenant's own level, as in GET /v1/areas.")]


class RoleRead(Answer):
    """A role in an area and everything below it."""

    grant_id: UUID
    role: Role
    area: AreaName
    valid_from: datetime
    valid_to: Annotated[datetime | None, Field(description="First moment after the term; null while it is open.")]


class HouseholdRead(Answer):
    id: UUID
    dwelling: Annotated[str, Field(examples=["2单元502"])]
    area: AreaName


class ResidentRead(Answer):
    """The district's entry for this person, if the account is linked to one."""

    id: UUID
    name: str
    households: list[HouseholdRead]


class Me(Answer):
    """Who I am in the tenant I signed in to, and which others I belong to."""

    account: AccountRead
    tenant: TenantRead
    roles: Annotated[list[RoleRead], Field(description="What is in force now. A resident needs no role.")]
    resident: ResidentRead | None
    memberships: Annotated[list[TenantRead], Field(description="All tenants of this account, this one included.")]
