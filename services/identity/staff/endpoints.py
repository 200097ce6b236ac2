"""HTTP of keeping accounts."""

from uuid import UUID

from fastapi import APIRouter

from services.chassis.application import problems
from services.chassis.errors import Forbidden, InvalidRequest, InvalidToken, Unauthenticated, UnreadableBody
from services.chassis.idempotency import IdempotencyKeyMissing, IdempotencyKeyReused, OnceKey, Transaction
from services.chassis.identity import Caller
from services.identity.grants.actions import AccountNotFound, AreaNotFound, TermInvalid
from services.identity.own_password.actions import NoPassword
from services.identity.sign_in.endpoints import UsedDesk
from services.identity.sign_in.new_passwords import PasswordTooWeak, UsernameOfDemo
from services.identity.sign_in.password_route import AccountRoute, PasswordRoute
from services.identity.sign_in.passwords import TooManySignIns
from services.identity.staff import actions
from services.identity.staff.actions import (
    AccountOfOthersToo,
    AlreadySuspended,
    NotSuspended,
    OwnAccount,
    UsernameTaken,
)
from services.identity.staff.schemas import (
    AccountOpening,
    OpenedAccount,
    PasswordReset,
    Reinstatement,
    ResetPassword,
    Standing,
    Suspension,
)

ALWAYS = (
    InvalidRequest,
    Unauthenticated,
    InvalidToken,
    Forbidden,
    UnreadableBody,
    IdempotencyKeyMissing,
    IdempotencyKeyReused,
)
ON_ONE = (*ALWAYS, AccountNotFound, OwnAccount)

router = APIRouter(prefix="/v1/accounts", tags=["accounts"], route_class=AccountRoute)
password_router = APIRouter(prefix="/v1/accounts", tags=["accounts"], route_class=PasswordRoute)


@password_router.post(
    "",
    status_code=201,
    response_model=OpenedAccount,
    responses=problems(
        *ALWAYS, TooManySignIns, AreaNotFound, TermInvalid, PasswordTooWeak, UsernameOfDemo, UsernameTaken
    ),
)
async def open_account(
    body: AccountOpening, caller: Caller, transaction: Transaction, desk: UsedDesk, _: OnceKey
) -> OpenedAccount:
    """Administrators: open an account for somebody who works here, with a first password and a first role.

    Which role in which area is as with `POST /v1/grants`.
    """
    return await actions.open_account(transaction, desk.passwords, caller, body)


@password_router.post(
    "/{account_id}/reset-password",
    response_model=ResetPassword,
    responses=problems(*ON_ONE, TooManySignIns, AccountOfOthersToo, NoPassword, PasswordTooWeak),
)
async def reset_password(
    account_id: UUID, body: PasswordReset, caller: Caller, transaction: Transaction, desk: UsedDesk, _: OnceKey
) -> ResetPassword:
    """Administrators: give a first password to whom they could give every role the person holds. Sign-ins end."""
    return await actions.reset_password(transaction, desk.passwords, caller, account_id, body)


@router.post("/{account_id}/suspend", response_model=Standing, responses=problems(*ON_ONE, AlreadySuspended))
async def suspend_account(
    account_id: UUID, body: Suspension, caller: Caller, transaction: Transaction, _: OnceKey
) -> Standing:
    """Administrators: keep somebody out of this district until further notice. Sign-ins end within a minute."""
    return await actions.suspend(transaction, caller, account_id, body)


@router.post("/{account_id}/reinstate", response_model=Standing, responses=problems(*ON_ONE, NotSuspended))
async def reinstate_account(
    account_id: UUID, body: Reinstatement, caller: Caller, transaction: Transaction, _: OnceKey
) -> Standing:
    """Administrators: let somebody in again who was suspended; their roles are as before."""
    return await actions.reinstate(transaction, caller, account_id, body)
