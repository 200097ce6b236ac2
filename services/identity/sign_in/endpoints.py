"""HTTP of signing in."""

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request

from services.chassis.application import problems
from services.chassis.errors import InvalidRequest
from services.chassis.idempotency import IdempotencyKeyMissing
from services.identity.sign_in import actions
from services.identity.sign_in.accounts import AccountSuspended, PersonaUnknown
from services.identity.sign_in.actions import Desk, SignInUsedUp
from services.identity.sign_in.first_passwords import FirstPasswordExpired, PasswordChangeNeeded, PasswordNotFirst
from services.identity.sign_in.new_passwords import PasswordTooWeak, PasswordUnchanged
from services.identity.sign_in.passwords import CredentialsInvalid, TooManySignIns
from services.identity.sign_in.schemas import DemoSignIn, PasswordSignIn, SignedIn, WechatSignIn
from services.identity.sign_in.tenants import NotAMember, TenantChoiceNeeded, TenantUnknown
from services.identity.sign_in.wechat import (
    WechatCodeInvalid,
    WechatNotSetUp,
    WechatTooFrequent,
    WechatUnavailable,
    WechatUserBlocked,
)


def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


async def _request_mark(
    request: Request,
    idempotency_key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            pattern="^[!-~]{1,64}$",
            description="Optional here. Repeating the request with the same key and body within ten minutes "
            "gives the same refresh token again instead of opening another session.",
            examples=["0198c5a0-7d3e-7c11-9a55-2f4f5d1c9b7e"],
        ),
    ] = None,
) -> str | None:
    if idempotency_key is None:
        return None
    desk = _desk(request)
    body = await request.body()
    return desk.issuer.refresh_secret.mark(request.url.path.encode(), idempotency_key.encode(), body)


UsedDesk = Annotated[Desk, Depends(_desk)]
RequestMark = Annotated[str | None, Depends(_request_mark)]
"""Tells a repeated sign-in from a new one; None without an idempotency key."""

ALWAYS = (
    IdempotencyKeyMissing,
    InvalidRequest,
    AccountSuspended,
    NotAMember,
    TenantChoiceNeeded,
    TenantUnknown,
    SignInUsedUp,
)

router = APIRouter(prefix="/v1/sign-in", tags=["sign-in"])
demo_router = APIRouter(prefix="/v1/sign-in", tags=["sign-in"])


@router.post(
    "/password",
    response_model=SignedIn,
    responses=problems(
        CredentialsInvalid,
        TooManySignIns,
        PasswordChangeNeeded,
        FirstPasswordExpired,
        PasswordNotFirst,
        PasswordTooWeak,
        PasswordUnchanged,
        *ALWAYS,
    ),
)
async def sign_in_by_password(body: PasswordSignIn, desk: UsedDesk, request: RequestMark) -> SignedIn:
    """Staff: user name and password. With a first password, one of their own as `new_password` too."""
    return await actions.sign_in_by_password(desk, body, request=request)


@router.post(
    "/wechat",
    response_model=SignedIn,
    responses=problems(
        WechatCodeInvalid, WechatTooFrequent, WechatUserBlocked, WechatUnavailable, WechatNotSetUp, *ALWAYS
    ),
)
async def sign_in_by_wechat(body: WechatSignIn, desk: UsedDesk, request: RequestMark) -> SignedIn:
    """Users of the mini-program: the code of `wx.login`. A new user of a district joins it as a resident."""
    return await actions.sign_in_by_wechat(desk, body, request=request)


@demo_router.post("/demo", response_model=SignedIn, responses=problems(PersonaUnknown, *ALWAYS))
async def sign_in_as_persona(body: DemoSignIn, desk: UsedDesk, request: RequestMark) -> SignedIn:
    """Demonstrations only: sign in as one of the demo district's people. Production does not have this route."""
    return await actions.sign_in_as_persona(desk, body, request=request)
