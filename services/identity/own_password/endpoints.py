"""HTTP of one's own password."""

from fastapi import APIRouter

from services.chassis.application import problems
from services.chassis.errors import InvalidRequest, InvalidToken, Unauthenticated, UnreadableBody
from services.chassis.idempotency import IdempotencyKeyMissing, IdempotencyKeyReused, OnceKey, Transaction
from services.chassis.identity import Caller
from services.identity.own_password import actions
from services.identity.own_password.actions import NoPassword, OldPasswordWrong
from services.identity.own_password.schemas import PasswordChange, PasswordChanged
from services.identity.sign_in.endpoints import UsedDesk
from services.identity.sign_in.new_passwords import PasswordTooWeak, PasswordUnchanged
from services.identity.sign_in.password_route import PasswordRoute
from services.identity.sign_in.passwords import TooManySignIns

router = APIRouter(prefix="/v1/accounts/me", tags=["accounts"], route_class=PasswordRoute)


@router.post(
    "/password",
    response_model=PasswordChanged,
    responses=problems(
        InvalidRequest,
        Unauthenticated,
        InvalidToken,
        UnreadableBody,
        IdempotencyKeyMissing,
        IdempotencyKeyReused,
        TooManySignIns,
        NoPassword,
        OldPasswordWrong,
        PasswordTooWeak,
        PasswordUnchanged,
    ),
)
async def change_own_password(
    body: PasswordChange, caller: Caller, transaction: Transaction, desk: UsedDesk, _: OnceKey
) -> PasswordChanged:
    """Whoever signs in with a password: change it. All other sign-ins of the account end, on all devices."""
    ended = await actions.change_password(transaction, desk.passwords, caller, body)
    return PasswordChanged(ended_sessions=ended)
