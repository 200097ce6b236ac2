"""Routes of signed-in people that change who may sign in."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response

from services.chassis.idempotency import RequestKey, TenantRoute
from services.chassis.identity import Identities, identify
from services.identity.sign_in.actions import Desk


class AccountRoute(TenantRoute):
    """Afterwards this process asks anew who people are."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_and_forget(request: Request) -> Response:
            response = await handle(request)
            identities: Identities = request.app.state.identities
            identities.forget()
            return response

        return handle_and_forget


class PasswordRoute(AccountRoute):
    """Waits for its turn at argon2 before it takes a connection, so that those who wait hold none.

    Of the request it keeps a fingerprint under the refresh secret: nobody may try out passwords on a stored hash.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_in_turn(request: Request) -> Response:
            await identify(request)
            async with _desk(request).passwords.turn():
                return await handle(request)

        return handle_in_turn

    async def key_of(self, request: Request) -> RequestKey:
        once = await super().key_of(request)
        mark = _desk(request).issuer.refresh_secret.mark(b"idempotency", once.request_hash)
        return RequestKey(once.key, bytes.fromhex(mark))


def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk
