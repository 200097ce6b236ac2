"""Bodies of changing one's own password."""

from typing import Annotated

from pydantic import ConfigDict, Field

from services.chassis.schemas import Answer, Body
from services.identity.sign_in.schemas import Password


class PasswordChange(Body):
    model_config = ConfigDict(str_strip_whitespace=False)  # a password may begin or end with a space

    old_password: Password
    new_password: Password
    """At least ten characters, five different ones, without the user name."""


class PasswordChanged(Answer):
    ended_sessions: Annotated[int, Field(description="How many other sign-ins ended; this one goes on.")]
