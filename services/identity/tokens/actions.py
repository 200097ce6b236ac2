"""Everything that changes a session: opening it, rotating its refresh token, ending it."""

import hashlib
import hmac
from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from models.identity import Account, Membership, Session, SignInMethod
from services.chassis import clock
from services.chassis.database import Database, tenant_statement
from services.chassis.errors import Problem
from services.chassis.idempotency import IdempotencyKeyReused
from services.chassis.retention import Clearing
from services.chassis.schemas import new_id
from services.identity.tokens.issuer import TokenIssuer
from services.identity.tokens.refresh_tokens import RefreshToken
from services.identity.tokens.schemas import IssuedTokens

REFRESH_LIFETIME = timedelta(days=30)
"""A sign-in ends when it was not refreshed for so long …"""
LONGEST_SESSION = timedelta(days=180)
"""… and after so long however often it was."""


class EndReason(StrEnum):
    SIGNED_OUT = "signed_out"
    SIGNED_OUT_EVERYWHERE = "signed_out_everywhere"
    REFRESH_TOKEN_REUSED = "refresh_token_reused"  # noqa: S105 (a reason)
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 (a reason)
    PASSWORD_RESET = "password_reset"  # noqa: S105 (a reason)
    SUSPENDED = "suspended"


class SessionEnded(Problem):
    status = 401
    code = "session_ended"
    zh = "登录已结束，请重新登录。"
    en = "This sign-in has ended. Please sign in again."


class RefreshTokenReused(Problem):
    """Somebody else has the token, or this client kept an old copy: nobody can tell, so the sign-in ends for both."""

    status = 401
    code = "refresh_token_reused"
    zh = "登录凭证被重复使用，为安全起见已退出登录，请重新登录。"
    en = "The refresh token had been used before. To be safe the sign-in was ended; please sign in again."


async def open_session(
    transaction: AsyncSession, account_id: UUID, tenant_id: UUID, *, method: SignInMethod, request: str | None
) -> Session:
    """A new session, or the one that the same request (`sign_in_request`) opened in the meantime."""
    moment = clock.now()
    row = {
        "id": new_id(),
        "account_id": account_id,
        "tenant_id": tenant_id,
        "method": method,
        "generation": 0,
        "sign_in_request": request,
        "created_at": moment,
        "expires_at": moment + REFRESH_LIFETIME,
    }
    inserting = insert(Session).values(row).on_conflict_do_nothing(index_elements=[Session.sign_in_request])
    opened: Session | None = await transaction.scalar(inserting.returning(Session))
    if opened is not None:
        return opened
    return (await transaction.scalars(select(Session).where(Session.sign_in_request == request))).one()


async def rotate(database: Database, issuer: TokenIssuer, refresh_token: str, *, key: str) -> IssuedTokens:
    """The next pair of tokens for the newest refresh token, which is used up. Commits, also when it refuses a reuse.

    The same request repeated (same token, same idempotency key) gets the same refresh token again until that is used.
    """
    token = issuer.refresh_secret.read(refresh_token)
    moment = clock.now()
    async with database.transaction(None) as transaction:
        session = await transaction.get(Session, token.session_id, with_for_update={"key_share": True})
        refusal = await _rotate(transaction, session, token, key=key, moment=moment)
    if session is None or refusal is not None:
        raise refusal or SessionEnded()
    return issuer.issue(session, moment=moment)


async def _rotate(
    transaction: AsyncSession, session: Session | None, token: RefreshToken, *, key: str, moment: datetime
) -> Problem | None:
    """Changes the locked session; returns the refusal instead of raising it, so that what it changed is committed."""
    if session is None:
        return SessionEnded()
    has_same_key = session.rotation_key is not None and hmac.compare_digest(session.rotation_key, _key_hash(key))
    is_newest = token.generation == session.generation
    is_repeat = token.generation == session.generation - 1 and has_same_key
    if token.generation < session.generation and not is_repeat:
        _end([session], EndReason.REFRESH_TOKEN_REUSED, moment)
        return RefreshTokenReused()
    if not (is_newest or is_repeat) or not await _is_alive(transaction, session, moment):
        return SessionEnded()
    if is_newest and has_same_key:
        return IdempotencyKeyReused()
    if is_newest:
        session.generation += 1
        session.rotation_key = _key_hash(key)
        session.rotated_at = moment
        session.expires_at = min(moment + REFRESH_LIFETIME, session.created_at + LONGEST_SESSION)
    return None


async def sign_out(transaction: AsyncSession, account_id: UUID, session_id: UUID, *, everywhere: bool) -> int:
    """Ends the session, or all of the account's; returns how many ended. One that has ended can end no other."""
    alive = select(Session).where(Session.account_id == account_id, Session.ended_at.is_(None)).order_by(Session.id)
    chosen = alive if everywhere else alive.where(Session.id == session_id)
    sessions = (await transaction.scalars(chosen.with_for_update(key_share=True))).all()
    if all(session.id != session_id for session in sessions):
        return 0
    _end(sessions, EndReason.SIGNED_OUT_EVERYWHERE if everywhere else EndReason.SIGNED_OUT, clock.now())
    return len(sessions)


async def end_sessions(
    transaction: AsyncSession,
    account_id: UUID,
    reason: EndReason,
    *,
    tenant_id: UUID | None = None,
    besides: UUID | None = None,
) -> int:
    """Ends what is alive of the account's sessions, or those of one tenant, `besides` one; returns how many ended."""
    alive = select(Session).where(Session.account_id == account_id, Session.ended_at.is_(None)).order_by(Session.id)
    if tenant_id is not None:
        alive = alive.where(Session.tenant_id == tenant_id)
    if besides is not None:
        alive = alive.where(Session.id != besides)
    sessions = (await transaction.scalars(alive.with_for_update(key_share=True))).all()
    _end(sessions, reason, clock.now())
    return len(sessions)


async def _is_alive(transaction: AsyncSession, session: Session, moment: datetime) -> bool:
    """Neither ended nor expired, and the person may still be here."""
    if session.ended_at is not None or session.expires_at <= moment:
        return False
    await transaction.execute(text(tenant_statement(session.tenant_id)))
    is_here = (
        select(Account.id)
        .join(Membership, Membership.account_id == Account.id)
        .where(Account.id == session.account_id, Account.suspended_at.is_(None))
        .where(Membership.tenant_id == session.tenant_id, Membership.ended_at.is_(None))
    )
    return await transaction.scalar(is_here) is not None


def ended_sessions(kept: timedelta) -> Clearing:
    """Clears sign-ins that ended or expired so long ago. Refresh tokens of theirs are refused as those of any other."""
    return Clearing("sessions", kept, _ENDED)


_ENDED = """
DELETE FROM sessions WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM sessions WHERE tenant_id = $1 AND LEAST(ended_at, expires_at) < $2 LIMIT $3 FOR UPDATE SKIP LOCKED
))
"""


def _end(sessions: Iterable[Session], reason: EndReason, moment: datetime) -> None:
    for session in sessions:
        session.ended_at = session.ended_at or moment
        session.end_reason = session.end_reason or reason


def _key_hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
