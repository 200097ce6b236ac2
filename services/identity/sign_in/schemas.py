"""Bodies of the sign-in routes."""

from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field, SecretStr, StringConstraints

from services.chassis.schemas import Body, text_of
from services.identity.accounts.schemas import AccountRead, TenantRead
from services.identity.tokens.schemas import IssuedTokens

Username = Annotated[str, *text_of(64)]


def _encodable(password: SecretStr) -> SecretStr:
    try:
        password.get_secret_value().encode()
    except UnicodeEncodeError:
        raise ValueError("not a valid text") from None
    return password


Password = Annotated[SecretStr, Field(min_length=1, max_length=256), AfterValidator(_encodable)]
TenantCode = Annotated[
    str, StringConstraints(pattern="^[0-9]{6}$"), Field(description="Six-digit division code.", examples=["441602"])
]
WechatCode = Annotated[str, StringConstraints(pattern="^[!-~]{1,128}$")]
PersonaKey = Annotated[str, StringConstraints(pattern="^[a-z][a-z0-9_]{0,39}$")]


class PasswordSignIn(Body):
    model_config = ConfigDict(str_strip_whitespace=False)  # a password may begin or end with a space

    username: Annotated[Username, Field(examples=["demo-dispatcher"])]
    password: Password
    new_password: Password | None = None
    """Needed with a first password, which it replaces, and taken with no other."""
    tenant_code: TenantCode | None = None
    """The district to sign in to. May be left out by who belongs to one only."""


class WechatSignIn(Body):
    code: Annotated[WechatCode, Field(description="What `wx.login` gave: single use, valid five minutes.")]
    tenant_code: TenantCode | None = None
    """The district to sign in to; whoever is new there joins it as a resident."""


class DemoSignIn(Body):
    persona: Annotated[PersonaKey, Field(examples=["zhang"])]
    tenant_code: TenantCode | None = None


class SignedIn(IssuedTokens):
    """Signed in to `tenant`. `memberships` are all the districts this account belongs to."""

    account: AccountRead
    tenant: TenantRead
    memberships: list[TenantRead]
