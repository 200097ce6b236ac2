"""Signing in: find out who it is, choose the tenant, open a session. A repeated request finds its session again."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from models.identity import IdentityEventKind, Session, SignInMethod, Tenant
from services.chassis import clock
from services.chassis.database import Database, tenant_statement
from services.chassis.errors import Problem
from services.identity.accounts.events import record_event
from services.identity.accounts.schemas import AccountRead, TenantRead
from services.identity.sign_in.accounts import account_of, account_of_persona, account_of_wechat_user
from services.identity.sign_in.first_passwords import hash_of_own, settle
from services.identity.sign_in.passwords import CredentialsInvalid, Passwords
from services.identity.sign_in.schemas import (
    DemoSignIn,
    PasswordSignIn,
    SignedIn,
    WechatSignIn,
)
from services.identity.sign_in.tenants import choose_or_join_tenant, choose_tenant, tenants_of
from services.identity.sign_in.wechat import WechatClient, WechatCodeInvalid, WechatUser
from services.identity.tokens.actions import open_session
from services.identity.tokens.issuer import TokenIssuer

REPEATED_WITHIN = timedelta(minutes=10)
"""How long a sign-in may be repeated: enough for broken connections, too short to make a password of the request."""


class SignInUsedUp(Problem):
    """The repeated request was answered long ago, or its session has gone on or ended since."""

    status = 409
    code = "sign_in_used_up"
    zh = "该登录请求此前已完成，请使用新的 Idempotency-Key 重新登录。"
    en = "This sign-in was answered before. Sign in again with a new Idempotency-Key."


@dataclass(frozen=True, slots=True)
class Desk:
    """What signing in needs at hand."""

    database: Database
    issuer: TokenIssuer
    passwords: Passwords
    wechat: WechatClient


async def sign_in_by_password(desk: Desk, body: PasswordSignIn, *, request: str | None) -> SignedIn:
    """Commits. `request` marks the request if it came with an idempotency key.

    With a first password the one that replaces it is set in the same transaction.
    """
    repeated = await _repeated(desk, request)
    if repeated is not None:
        return repeated
    try:
        return await _enter_by_password(desk, body, request)
    except CredentialsInvalid:
        # Perhaps the same request, sent twice at once, has just used the first password up.
        repeated = await _soon_repeated(desk, request) if body.new_password else None
        if repeated is None:
            raise
        return repeated


async def sign_in_by_wechat(desk: Desk, body: WechatSignIn, *, request: str | None) -> SignedIn:
    """Commits. An openid never seen gets an account."""
    repeated = await _repeated(desk, request)
    if repeated is not None:
        return repeated
    try:
        user = await desk.wechat.user_of(body.code)
    except WechatCodeInvalid:
        # Perhaps the same request, sent twice at once, has just used the code up.
        repeated = await _soon_repeated(desk, request)
        if repeated is None:
            raise
        return repeated
    return await _enter_as_wechat_user(desk, user, body.tenant_code, request)


async def sign_in_as_persona(desk: Desk, body: DemoSignIn, *, request: str | None) -> SignedIn:
    """Commits. Only demonstrations route this."""
    repeated = await _repeated(desk, request)
    if repeated is not None:
        return repeated
    async with desk.database.transaction(None) as transaction:
        account_id = await account_of_persona(transaction, body.persona)
        tenants = await tenants_of(transaction, account_id)
        tenant = await choose_tenant(transaction, account_id, tenants, body.tenant_code)
        return await _enter(desk, transaction, account_id, tenant, SignInMethod.DEMO, request)


async def _enter_by_password(desk: Desk, body: PasswordSignIn, request: str | None) -> SignedIn:
    password = body.password.get_secret_value()
    own = None if body.new_password is None else body.new_password.get_secret_value()
    judged = await desk.passwords.judge(desk.database, body.username, password)
    own_hash = await hash_of_own(desk.passwords, judged, body.username, password, own)
    async with desk.database.transaction(None) as transaction:
        tenants = await tenants_of(transaction, judged.account_id)
        tenant = await choose_tenant(transaction, judged.account_id, tenants, body.tenant_code)
        await settle(transaction, judged, own_hash)
        if own_hash is not None:
            await transaction.execute(text(tenant_statement(tenant.id)))
            record_event(transaction, tenant.id, IdentityEventKind.PASSWORD_CHANGED, judged.account_id)
        return await _enter(desk, transaction, judged.account_id, tenant, SignInMethod.PASSWORD, request)


async def _enter_as_wechat_user(desk: Desk, user: WechatUser, tenant_code: str | None, request: str | None) -> SignedIn:
    async with desk.database.transaction(None) as transaction:
        account_id = await account_of_wechat_user(transaction, desk.wechat.app_id, user)
        tenants = await tenants_of(transaction, account_id)
        tenant = await choose_or_join_tenant(transaction, account_id, tenants, tenant_code)
        return await _enter(desk, transaction, account_id, tenant, SignInMethod.WECHAT, request)


async def _enter(
    desk: Desk,
    transaction: AsyncSession,
    account_id: UUID,
    tenant: Tenant,
    method: SignInMethod,
    request: str | None,
) -> SignedIn:
    session = await open_session(transaction, account_id, tenant.id, method=method, request=request)
    return await _answer(desk, transaction, session)


async def _answer(desk: Desk, transaction: AsyncSession, session: Session) -> SignedIn:
    """Raises SignInUsedUp for a session that is no longer as its sign-in left it, AccountSuspended."""
    moment = clock.now()
    if session.ended_at or session.generation or moment > session.created_at + REPEATED_WITHIN:
        raise SignInUsedUp
    account = await account_of(transaction, session.account_id)
    tenant = await transaction.get_one(Tenant, session.tenant_id)
    tenants = await tenants_of(transaction, account.id)
    tokens = desk.issuer.issue(session, moment=moment)
    return SignedIn(
        **tokens.model_dump(),
        account=AccountRead.model_validate(account),
        tenant=TenantRead.model_validate(tenant),
        memberships=[TenantRead.model_validate(each) for each in tenants],
    )


async def _repeated(desk: Desk, request: str | None) -> SignedIn | None:
    """The answer to the same request before: the same refresh token. Raises SignInUsedUp."""
    if request is None:
        return None
    async with desk.database.transaction(None) as transaction:
        session = await transaction.scalar(select(Session).where(Session.sign_in_request == request))
        return None if session is None else await _answer(desk, transaction, session)


async def _soon_repeated(desk: Desk, request: str | None) -> SignedIn | None:
    for pause_seconds in (0.0, 0.1, 0.2, 0.4):
        await asyncio.sleep(pause_seconds)
        repeated = await _repeated(desk, request)
        if repeated is not None or request is None:
            return repeated
    return None
