"""Bodies of the routes by which administrators keep accounts."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import ConfigDict, Field

from models.identity import Role
from services.chassis.schemas import Answer, Body, Line, Moment, Name
from services.identity.accounts.schemas import AccountRead
from services.identity.grants.schemas import GrantRead
from services.identity.sign_in.new_passwords import NewUsername
from services.identity.sign_in.schemas import Password

Reason = Annotated[Line, Field(description="Kept in the trail, which nobody can edit: no personal data.")]


class AccountOpening(Body):
    """A person with a user name, and the first role they hold here."""

    model_config = ConfigDict(str_strip_whitespace=False)  # a password may begin or end with a space

    name: Annotated[Name, Field(examples=["李晓燕"])]
    username: Annotated[NewUsername, Field(examples=["li.xiaoyan"])]
    first_password: Password
    """Handed to the person, who replaces it at the first sign-in, within seven days."""
    role: Role
    area_id: Annotated[UUID, Field(description="The role holds in this area and everything below it.")]
    valid_from: Annotated[Moment | None, Field(description="When the term begins; now, if left out.")] = None
    valid_to: Annotated[Moment | None, Field(description="First moment after the term; open, if left out.")] = None


class PasswordReset(Body):
    model_config = ConfigDict(str_strip_whitespace=False)

    first_password: Password
    """Handed to the person, who replaces it at the next sign-in, within seven days."""
    reason: Reason


class Suspension(Body):
    reason: Reason


class Reinstatement(Body):
    reason: Reason


class OpenedAccount(Answer):
    account: AccountRead
    username: str
    grant: GrantRead
    first_password_until: datetime


class ResetPassword(Answer):
    account: AccountRead
    username: str
    first_password_until: datetime


class Standing(Answer):
    """Whether an account may sign in to this district."""

    account: AccountRead
    suspended_at: Annotated[datetime | None, Field(description="Null for who may sign in.")]
