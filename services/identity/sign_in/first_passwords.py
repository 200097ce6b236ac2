"""A first password is chosen by an administrator and opens nothing but the choice of one's own, within a few days."""

from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from models.identity import PasswordCredential
from services.chassis import clock
from services.chassis.errors import Problem
from services.identity.sign_in.new_passwords import PasswordUnchanged, refuse_weak
from services.identity.sign_in.passwords import CredentialsInvalid, Judged, Passwords

FIRST_PASSWORD_LIFETIME = timedelta(days=7)


class PasswordChangeNeeded(Problem):
    status = 403
    code = "password_change_needed"
    zh = "这是初始密码，请在 new_password 中填写自己的新密码后再登录。"
    en = "This is a first password. Sign in with a password of your own as new_password."


class FirstPasswordExpired(Problem):
    status = 403
    code = "first_password_expired"
    zh = "初始密码已过期，请联系管理员重置。"
    en = "This first password has expired; please ask an administrator for another."


class PasswordNotFirst(Problem):
    status = 409
    code = "password_not_first"
    zh = "该密码不是初始密码，请登录后再修改密码。"
    en = "This is not a first password. Sign in without new_password, and change it then."


async def hash_of_own(passwords: Passwords, judged: Judged, username: str, first: str, own: str | None) -> str | None:
    """The hash of the password that takes the place of a right first one; None where it was no first one.

    Raises PasswordChangeNeeded, FirstPasswordExpired, PasswordNotFirst, PasswordTooWeak and PasswordUnchanged.
    """
    if judged.first_until is None:
        if own is not None:
            raise PasswordNotFirst
        return None
    if judged.first_until <= clock.now():
        raise FirstPasswordExpired
    if own is None:
        raise PasswordChangeNeeded
    refuse_weak(own, username=username)
    if own == first:
        raise PasswordUnchanged
    async with passwords.turn():
        return await passwords.hash(own)


async def settle(transaction: AsyncSession, judged: Judged, own_hash: str | None) -> None:
    """Keeps the password as it was judged, or replaces a first one. Raises CredentialsInvalid if it was changed since.

    Locks the credential, so that whoever changes it now also finds the session that is about to be opened.
    """
    credential = await transaction.get_one(PasswordCredential, judged.account_id, with_for_update={"key_share": True})
    if credential.password_hash != judged.password_hash:
        raise CredentialsInvalid
    if own_hash is not None:
        credential.password_hash = own_hash
        credential.first_until = None
