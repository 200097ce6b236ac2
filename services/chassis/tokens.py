"""Access tokens: short-lived JWTs, signed with Ed25519 by identity, verified by the gateway and by every service."""

import asyncio
import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple, Protocol
from uuid import UUID

import httpx2
import jwt
import msgspec

from services.chassis import clock
from services.chassis.errors import InvalidToken, ServiceUnavailable
from services.chassis.settings import Settings

logger = logging.getLogger(__name__)

ISSUER = "linli"
ALGORITHM = "EdDSA"
JWKS_PATH = "/.well-known/jwks.json"
REMEMBERED_TOKENS = 50_000
KEYS_KEPT_SECONDS = 60.0
"""A key that identity withdrew is refused everywhere after at most this long, if identity can be asked."""
HALF_KEPT_SECONDS = KEYS_KEPT_SECONDS / 2
"""So long a fetched key verifies tokens, and so long a verified token is remembered: one after the other."""
UNKNOWN_KEY_PAUSE_SECONDS = 5.0
"""An unknown `kid` makes us ask identity again, but not more often than this."""
FAILED_FETCH_PAUSE_SECONDS = 1.0
"""Nor do we ask more often than this while it does not answer."""


class Claims(NamedTuple):
    """What a valid token says: who, in which tenant, by which sign-in, until when."""

    account_id: UUID
    tenant_id: UUID
    session_id: UUID
    expires_at: float
    """Seconds since the epoch."""


class KeySource(Protocol):
    """Where the public keys come from."""

    async def key(self, kid: str) -> Any:
        """The public key with this id, or None."""


class OwnKeys:
    """The public halves of this process's own signing keys (identity, and everything in one process)."""

    def __init__(self, jwks: list[dict[str, Any]]) -> None:
        self._keys = {jwk["kid"]: _public_key(jwk) for jwk in jwks}

    async def key(self, kid: str) -> Any:
        return self._keys.get(kid)


class FetchedKeys:
    """Keys published by identity, fetched again when old or when an unknown id turns up."""

    def __init__(self, identity_url: str) -> None:
        self._url = identity_url
        self._keys: Mapping[str, Any] = {}
        self._fetched_at = float("-inf")
        self._asked_at = float("-inf")
        self._lock = asyncio.Lock()

    async def key(self, kid: str) -> Any:
        """While identity does not answer, known keys are used on, and an unknown one raises ServiceUnavailable."""
        if self._is_due(kid) and not (kid in self._keys and self._lock.locked()):
            async with self._lock:
                if self._is_due(kid):
                    await self._fetch()
        if kid not in self._keys and self._asked_at > self._fetched_at:
            raise ServiceUnavailable
        return self._keys.get(kid)

    def _is_due(self, kid: str) -> bool:
        moment = time.monotonic()
        kept_seconds = HALF_KEPT_SECONDS if kid in self._keys else UNKNOWN_KEY_PAUSE_SECONDS
        return moment - self._fetched_at > kept_seconds and moment - self._asked_at > FAILED_FETCH_PAUSE_SECONDS

    async def _fetch(self) -> None:
        try:
            jwks = await fetch_json(self._url, JWKS_PATH)
            self._keys = {jwk["kid"]: _public_key(jwk) for jwk in jwks["keys"]}
        except (httpx2.HTTPError, jwt.PyJWTError, ValueError, TypeError, KeyError) as error:
            logger.warning("the keys of identity could not be fetched: %s", type(error).__name__)
            self._asked_at = time.monotonic()
        else:
            self._fetched_at = self._asked_at = time.monotonic()


async def fetch_json(base_url: str, path: str) -> Any:
    """GET from a neighbour at `http://host:port` or `unix:/path`."""
    transport = httpx2.AsyncHTTPTransport(uds=base_url.removeprefix("unix:")) if base_url.startswith("unix:") else None
    base = "http://identity" if transport else base_url
    async with httpx2.AsyncClient(transport=transport, base_url=base, timeout=5.0, trust_env=False) as client:
        answer = await client.get(path)
        answer.raise_for_status()
        return answer.json()


def key_source(settings: Settings) -> KeySource:
    """Own keys where they are known, identity's published ones elsewhere."""
    if settings.signing_keys:
        return OwnKeys(settings.signing_keys)
    return FetchedKeys(settings.identity_url)


class TokenVerifier:
    """Verifies tokens and remembers verified ones by their hash until they expire or their key may have changed."""

    def __init__(self, keys: KeySource) -> None:
        self._keys = keys
        self._remembered: OrderedDict[bytes, tuple[Claims, float]] = OrderedDict()

    async def verify(self, token: str) -> Claims:
        """The claims of a valid token; raises InvalidToken. Costs two microseconds for one seen before."""
        digest = hashlib.sha256(token.encode()).digest()
        remembered = self._remembered.get(digest)
        if remembered is not None and time.monotonic() < remembered[1]:
            claims = remembered[0]
        else:
            claims = await self._verify(token)
            self._remember(digest, claims)
        if claims.expires_at <= clock.now().timestamp():
            raise InvalidToken
        return claims

    async def _verify(self, token: str) -> Claims:
        try:
            kid = str(jwt.get_unverified_header(token).get("kid", ""))
            key = await self._keys.key(kid)
            if key is None:
                raise InvalidToken
            payload = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                issuer=ISSUER,
                options={"require": ["exp", "iss", "sub", "tid", "sid"], "verify_exp": False, "verify_iat": False},
            )
            account_id, tenant_id, session_id = (UUID(str(payload[name])) for name in ("sub", "tid", "sid"))
            return Claims(account_id, tenant_id, session_id, float(int(payload["exp"])))
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError) as error:
            raise InvalidToken from error

    def _remember(self, digest: bytes, claims: Claims) -> None:
        self._remembered[digest] = (claims, time.monotonic() + HALF_KEPT_SECONDS)
        if len(self._remembered) > REMEMBERED_TOKENS:
            self._remembered.popitem(last=False)


def sign_token(jwk: dict[str, Any], claims: Claims, issued_at: datetime) -> str:
    """A signed access token. Only identity has the key."""
    payload = {
        "iss": ISSUER,
        "sub": str(claims.account_id),
        "tid": str(claims.tenant_id),
        "sid": str(claims.session_id),
        "iat": int(issued_at.timestamp()),
        "exp": int(claims.expires_at),
    }
    return jwt.encode(payload, jwt.PyJWK(jwk, ALGORITHM), algorithm=ALGORITHM, headers={"kid": jwk["kid"]})


def public_jwk(jwk: dict[str, Any]) -> dict[str, Any]:
    """The half of a key that may be published."""
    return {name: value for name, value in jwk.items() if name in {"kty", "crv", "x", "kid", "use", "alg"}}


def bearer_token(authorization: str) -> str | None:
    """The token of an `Authorization: Bearer …` header; None for anything else."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


def _public_key(jwk: dict[str, Any]) -> Any:
    return jwt.algorithms.OKPAlgorithm.from_jwk(msgspec.json.encode(public_jwk(jwk)).decode())
