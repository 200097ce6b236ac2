"""Everything administrators do to accounts: open, suspend, reinstate, and give a first password.

Each leaves a row of `identity_events`. Other processes notice within `services.chassis.identity.REMEMBERED_SECONDS`.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from models.identity import Account, IdentityEventKind, Membership, PasswordCredential
from services.chassis import clock
from services.chassis.errors import Forbidden, Problem
from services.chassis.identity import Identity
from services.chassis.schemas import new_id
from services.identity.accounts.events import record_event
from services.identity.accounts.schemas import AccountRead
from services.identity.grants.actions import AccountNotFound, give_grant
from services.identity.grants.schemas import GrantGift
from services.identity.own_password.actions import NoPassword
from services.identity.sign_in.first_passwords import FIRST_PASSWORD_LIFETIME
from services.identity.sign_in.new_passwords import refuse_demo_username, refuse_weak
from services.identity.sign_in.passwords import Passwords
from services.identity.staff import policy
from services.identity.staff.queries import belongs_elsewhere, roles_held
from services.identity.staff.schemas import (
    AccountOpening,
    OpenedAccount,
    PasswordReset,
    Reinstatement,
    ResetPassword,
    Standing,
    Suspension,
)
from services.identity.tokens.actions import EndReason, end_sessions


class UsernameTaken(Problem):
    status = 409
    code = "username_taken"
    zh = "该用户名已被使用，请换一个。"
    en = "Somebody has this user name already; please choose another."


class OwnAccount(Problem):
    """So that a district does not lose its last administrator by a slip."""

    status = 403
    code = "own_account"
    zh = "不能对自己的账号执行此操作。"
    en = "You cannot do this to an account of your own."


class AccountOfOthersToo(Problem):
    """A password opens every district of its account, so one of them may not set it."""

    status = 409
    code = "account_of_others_too"
    zh = "该账号同时属于其他区县，不能在此重置密码。"
    en = "The account belongs to another district too, so its password cannot be reset here."


class AlreadySuspended(Problem):
    status = 409
    code = "already_suspended"
    zh = "该账号此前已停用。"
    en = "The account was suspended before."


class NotSuspended(Problem):
    status = 409
    code = "not_suspended"
    zh = "该账号未被停用。"
    en = "The account is not suspended."


async def open_account(
    transaction: AsyncSession, passwords: Passwords, caller: Identity, opening: AccountOpening
) -> OpenedAccount:
    """A new person of this district with a first password and a first role. Does not commit.

    Raises UsernameOfDemo, PasswordTooWeak, UsernameTaken and what `give_grant` raises.
    """
    password = opening.first_password.get_secret_value()
    refuse_demo_username(opening.username)
    refuse_weak(password, username=opening.username)
    account = Account(id=new_id(), name=opening.name)
    transaction.add(account)
    await transaction.flush()
    transaction.add(Membership(tenant_id=caller.tenant_id, account_id=account.id, joined_at=clock.now()))
    await transaction.flush()
    gift = GrantGift(account_id=account.id, **opening.model_dump(include={"role", "area_id", "valid_from", "valid_to"}))
    grant = await give_grant(transaction, caller, gift)
    until = clock.now() + FIRST_PASSWORD_LIFETIME
    credential = {
        "account_id": account.id,
        "username": opening.username,
        "password_hash": await passwords.hash(password),
        "first_until": until,
    }
    taking = insert(PasswordCredential).values(credential).on_conflict_do_nothing(index_elements=["username"])
    if await transaction.scalar(taking.returning(PasswordCredential.account_id)) is None:
        raise UsernameTaken
    record_event(transaction, caller.tenant_id, IdentityEventKind.ACCOUNT_OPENED, account.id, by=caller.account_id)
    return OpenedAccount(
        account=AccountRead.model_validate(account), username=opening.username, grant=grant, first_password_until=until
    )


async def reset_password(
    transaction: AsyncSession, passwords: Passwords, caller: Identity, account_id: UUID, reset: PasswordReset
) -> ResetPassword:
    """Gives a first password, lifts a lock and ends every sign-in of the account. Does not commit.

    Raises AccountNotFound, Forbidden, OwnAccount, AccountOfOthersToo, NoPassword and PasswordTooWeak.
    """
    await _membership_to_keep(transaction, caller, account_id)
    if await belongs_elsewhere(transaction, caller.tenant_id, account_id):
        raise AccountOfOthersToo
    credential = await transaction.get(PasswordCredential, account_id, with_for_update={"key_share": True})
    if credential is None:
        raise NoPassword
    password = reset.first_password.get_secret_value()
    refuse_weak(password, username=credential.username)
    credential.password_hash = await passwords.hash(password)
    credential.first_until = until = clock.now() + FIRST_PASSWORD_LIFETIME
    credential.failed_attempts = 0
    credential.locked_until = None
    await end_sessions(transaction, account_id, EndReason.PASSWORD_RESET)
    _record(transaction, caller, IdentityEventKind.PASSWORD_RESET, account_id, reset.reason)
    account = AccountRead.model_validate(await transaction.get_one(Account, account_id))
    return ResetPassword(account=account, username=credential.username, first_password_until=until)


async def suspend(transaction: AsyncSession, caller: Identity, account_id: UUID, suspension: Suspension) -> Standing:
    """Keeps the account out of this district, and ends its sign-ins to it. Does not commit.

    Raises AccountNotFound, Forbidden, OwnAccount and AlreadySuspended.
    """
    membership = await _membership_to_keep(transaction, caller, account_id)
    if membership.suspended_at is not None:
        raise AlreadySuspended
    moment = clock.now()
    membership.ended_at = membership.suspended_at = moment
    await end_sessions(transaction, account_id, EndReason.SUSPENDED, tenant_id=caller.tenant_id)
    _record(transaction, caller, IdentityEventKind.ACCOUNT_SUSPENDED, account_id, suspension.reason)
    return await _standing(transaction, account_id, moment)


async def reinstate(
    transaction: AsyncSession, caller: Identity, account_id: UUID, reinstatement: Reinstatement
) -> Standing:
    """Lets the account in again, with what roles it still holds. Does not commit.

    Raises AccountNotFound, Forbidden, OwnAccount and NotSuspended.
    """
    membership = await _membership_to_keep(transaction, caller, account_id)
    if membership.suspended_at is None:
        raise NotSuspended
    membership.ended_at = membership.suspended_at = None
    # One that was opened in the very moment of the suspension.
    await end_sessions(transaction, account_id, EndReason.SUSPENDED, tenant_id=caller.tenant_id)
    _record(transaction, caller, IdentityEventKind.ACCOUNT_REINSTATED, account_id, reinstatement.reason)
    return await _standing(transaction, account_id, None)


async def _membership_to_keep(transaction: AsyncSession, caller: Identity, account_id: UUID) -> Membership:
    """Locked, so that nobody gives the person a higher role meanwhile.

    Raises AccountNotFound, Forbidden and OwnAccount.
    """
    membership = await transaction.get(Membership, (caller.tenant_id, account_id), with_for_update={"key_share": True})
    if membership is None or (membership.ended_at is not None and membership.suspended_at is None):
        raise AccountNotFound
    held = await roles_held(transaction, caller.tenant_id, account_id)
    if not policy.knows(caller, held):
        raise AccountNotFound
    if account_id == caller.account_id:
        raise OwnAccount
    if not policy.keeps(caller, held):
        raise Forbidden
    return membership


def _record(
    transaction: AsyncSession, caller: Identity, kind: IdentityEventKind, account_id: UUID, reason: str
) -> None:
    record_event(transaction, caller.tenant_id, kind, account_id, by=caller.account_id, reason=reason)


async def _standing(transaction: AsyncSession, account_id: UUID, suspended_at: datetime | None) -> Standing:
    account = AccountRead.model_validate(await transaction.get_one(Account, account_id))
    return Standing(account=account, suspended_at=suspended_at)
