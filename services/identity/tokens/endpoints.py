"""HTTP of the tokens: refresh, sign-out, and the public keys."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from services.chassis.application import problems
from services.chassis.database import Database
from services.chassis.errors import InvalidRequest, InvalidToken, Unauthenticated, UnreadableBody
from services.chassis.idempotency import (
    IdempotencyKeyMissing,
    IdempotencyKeyReused,
    OnceKey,
    TenantRoute,
    Transaction,
)
from services.chassis.identity import Caller, Identities, Identity
from services.chassis.tokens import JWKS_PATH, Claims, TokenVerifier, bearer_token
from services.identity.tokens import actions
from services.identity.tokens.actions import RefreshTokenReused, SessionEnded
from services.identity.tokens.issuer import TokenIssuer
from services.identity.tokens.keys import PUBLISHED_FOR_SECONDS
from services.identity.tokens.refresh_tokens import RefreshTokenInvalid
from services.identity.tokens.schemas import IssuedTokens, JsonWebKeySet, Refresh, SignedOut, SignOut


async def _database(request: Request) -> Database:
    database: Database = request.app.state.database
    return database


async def _issuer(request: Request) -> TokenIssuer:
    issuer: TokenIssuer = request.app.state.token_issuer
    return issuer


UsedDatabase = Annotated[Database, Depends(_database)]
Issuer = Annotated[TokenIssuer, Depends(_issuer)]


class SignOutRoute(TenantRoute):
    """Knows its caller by the token alone: a repeated sign-out finds its answer although the sign-in has ended."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_by_token(request: Request) -> Response:
            claims = await _claims_of(request)
            request.scope["linli.caller"] = Identity(
                claims.account_id, claims.tenant_id, claims.session_id, name="", resident_id=None, grants=()
            )
            response = await handle(request)
            identities: Identities = request.app.state.identities
            identities.forget()
            return response

        return handle_by_token


async def _claims_of(request: Request) -> Claims:
    verified: Claims | None = request.scope.get("linli.claims")
    if verified is not None:
        return verified
    token = bearer_token(request.headers.get("authorization", ""))
    if token is None:
        raise Unauthenticated
    verifier: TokenVerifier = request.app.state.verifier
    return await verifier.verify(token)


router = APIRouter(tags=["tokens"])
sign_out_router = APIRouter(tags=["tokens"], route_class=SignOutRoute)


@router.post(
    "/v1/tokens/refresh",
    response_model=IssuedTokens,
    responses=problems(
        UnreadableBody,
        InvalidRequest,
        RefreshTokenInvalid,
        RefreshTokenReused,
        SessionEnded,
        IdempotencyKeyMissing,
        IdempotencyKeyReused,
    ),
)
async def refresh_tokens(body: Refresh, once: OnceKey, database: UsedDatabase, issuer: Issuer) -> IssuedTokens:
    """The next access token. The refresh token is used up and replaced; presenting a used one ends the sign-in.

    After a broken connection repeat the request with the same Idempotency-Key: it gets the same refresh token again.
    """
    return await actions.rotate(database, issuer, body.refresh_token, key=once.key)


@sign_out_router.post(
    "/v1/sign-out",
    response_model=SignedOut,
    responses=problems(
        UnreadableBody, InvalidRequest, Unauthenticated, InvalidToken, IdempotencyKeyMissing, IdempotencyKeyReused
    ),
)
async def sign_out(body: SignOut, caller: Caller, transaction: Transaction, _: OnceKey) -> SignedOut:
    """Ends this sign-in: its refresh token at once, its access token everywhere within a minute."""
    ended = await actions.sign_out(transaction, caller.account_id, caller.session_id, everywhere=body.everywhere)
    return SignedOut(ended_sessions=ended)


@router.get(JWKS_PATH, response_model=JsonWebKeySet)
async def published_keys(response: Response, issuer: Issuer) -> dict[str, Any]:
    """The public keys that verify access tokens (RFC 7517)."""
    response.headers["Cache-Control"] = f"public, max-age={PUBLISHED_FOR_SECONDS}"
    return issuer.keys.published()
