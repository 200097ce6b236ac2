"""Bodies of the token routes."""

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from services.chassis.schemas import Answer, Body

RefreshTokenText = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class IssuedTokens(Answer):
    """An access token for the `Authorization: Bearer` header, and the refresh token that gets the next pair."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 (a kind of token)
    expires_in: Annotated[int, Field(description="Seconds until the access token expires.", examples=[900])]
    refresh_token: str
    refresh_expires_in: Annotated[
        int, Field(description="Seconds until the sign-in ends if it is not refreshed.", examples=[2_592_000])
    ]


class Refresh(Body):
    refresh_token: RefreshTokenText
    """The newest refresh token of this sign-in. It is used up; the answer brings the next one."""


class SignOut(Body):
    everywhere: bool = False
    """Also end every other sign-in of this account, on all devices and in all tenants."""


class SignedOut(Answer):
    ended_sessions: Annotated[int, Field(description="How many sign-ins ended.", examples=[1])]


class JsonWebKeySet(Answer):
    """RFC 7517. Every key verifies access tokens whose header names its `kid`."""

    keys: Annotated[
        list[dict[str, Any]],
        Field(
            examples=[
                [{"kty": "OKP", "crv": "Ed25519", "kid": "2026-11", "x": "11qYAYKxCrf…", "use": "sig", "alg": "EdDSA"}]
            ]
        ),
    ]
