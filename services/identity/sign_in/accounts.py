"""Whose account a WeChat user's or a persona's is."""

from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from models.identity import Account, WechatIdentity
from services.chassis.errors import Problem
from services.chassis.schemas import new_id
from services.identity.sign_in.wechat import WechatUser

NAME_OF_NEWCOMERS = "微信用户"
"""WeChat tells no names; a person gives theirs later."""

DEMO_APP_ID = "wx-demo-linli"
"""The mini-program that the personas of the demo are users of, whatever the deployment's own is."""


class AccountSuspended(Problem):
    status = 403
    code = "account_suspended"
    zh = "账号已停用，请联系管理员。"
    en = "This account is suspended; please ask an administrator."


class PersonaUnknown(Problem):
    status = 404
    code = "persona_unknown"
    zh = "没有名为 {persona} 的演示人物。"
    en = "There is no demo persona called {persona}."


async def account_of(transaction: AsyncSession, account_id: UUID) -> Account:
    """Raises AccountSuspended."""
    account = await transaction.get_one(Account, account_id)
    if account.suspended_at is not None:
        raise AccountSuspended
    return account


async def account_of_persona(transaction: AsyncSession, persona: str) -> UUID:
    """Raises PersonaUnknown."""
    identity = await transaction.get(WechatIdentity, (DEMO_APP_ID, f"demo-openid-{persona}"))
    if identity is None:
        raise PersonaUnknown(persona=persona)
    return identity.account_id


async def account_of_wechat_user(transaction: AsyncSession, app_id: str, user: WechatUser) -> UUID:
    """The account of this openid, opened at its first sign-in. Two first sign-ins at once open one account."""
    identity = await transaction.get(WechatIdentity, (app_id, user.openid))
    if identity is None:
        identity = await _open_account(transaction, app_id, user)
    if identity.unionid is None and user.unionid is not None:
        identity.unionid = user.unionid
    return identity.account_id


async def _open_account(transaction: AsyncSession, app_id: str, user: WechatUser) -> WechatIdentity:
    account_id = new_id()
    identity = {"app_id": app_id, "openid": user.openid, "unionid": user.unionid, "account_id": account_id}
    try:
        async with transaction.begin_nested():
            await transaction.execute(insert(Account).values(id=account_id, name=NAME_OF_NEWCOMERS))
            await transaction.execute(insert(WechatIdentity).values(identity))
    except IntegrityError:
        pass  # somebody signed in with the same openid in this moment; the savepoint took our account back
    return await transaction.get_one(WechatIdentity, (app_id, user.openid))
