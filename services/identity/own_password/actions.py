"""Changing one's own password."""

from sqlalchemy.ext.asyncio import AsyncSession

from models.identity import IdentityEventKind, PasswordCredential
from services.chassis.errors import Problem
from services.chassis.identity import Identity
from services.identity.accounts.events import record_event
from services.identity.own_password.schemas import PasswordChange
from services.identity.sign_in.new_passwords import PasswordUnchanged, refuse_weak
from services.identity.sign_in.passwords import Passwords
from services.identity.tokens.actions import EndReason, end_sessions


class NoPassword(Problem):
    """Residents and members sign in with WeChat."""

    status = 409
    code = "no_password"
    zh = "该账号没有设置用户名和密码。"
    en = "This account has no user name and password."


class OldPasswordWrong(Problem):
    """Also while the account is locked. The failure is counted with those at the sign-in."""

    status = 403
    code = "old_password_wrong"
    zh = "原密码不正确。连续输错五次，账号将暂时锁定（至少 15 分钟）。"
    en = "The old password is wrong. After five failures in a row the account is locked for 15 minutes or longer."
    keeps_effects = True


async def change_password(
    transaction: AsyncSession, passwords: Passwords, caller: Identity, change: PasswordChange
) -> int:
    """Replaces the caller's password and ends their other sign-ins; returns how many. Does not commit.

    Raises NoPassword, PasswordTooWeak, PasswordUnchanged and OldPasswordWrong.
    """
    old, new = change.old_password.get_secret_value(), change.new_password.get_secret_value()
    credential = await transaction.get(PasswordCredential, caller.account_id, with_for_update={"key_share": True})
    if credential is None:
        raise NoPassword
    refuse_weak(new, username=credential.username)
    if not await passwords.is_right(credential, old):
        raise OldPasswordWrong
    if new == old:
        raise PasswordUnchanged
    credential.password_hash = await passwords.hash(new)
    credential.first_until = None
    record_event(transaction, caller.tenant_id, IdentityEventKind.PASSWORD_CHANGED, caller.account_id)
    return await end_sessions(transaction, caller.account_id, EndReason.PASSWORD_CHANGED, besides=caller.session_id)
