"""The keys that sign access tokens.

Rotation without a refused request: append the new key to LINLI_SIGNING_KEYS, so that it is published; restart; once
every service has fetched it (`PUBLISHED_FOR_SECONDS`), move it to the front, so that it signs; once the last token of
the old key has expired (`ACCESS_TOKEN_LIFETIME`), take the old one out, and its tokens are refused.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from services.chassis.settings import UnsafeSettings
from services.chassis.tokens import ALGORITHM, KEYS_KEPT_SECONDS, Claims, public_jwk, sign_token

PUBLISHED_FOR_SECONDS = int(KEYS_KEPT_SECONDS)
"""How long whoever fetched the published keys may keep them."""


class SigningKeys:
    """The private Ed25519 JWKs of the settings: the first signs, all are published and verify."""

    def __init__(self, jwks: Sequence[dict[str, Any]]) -> None:
        """Raises UnsafeSettings when there is none, or one is not a private Ed25519 key with a `kid` of its own."""
        if not jwks:
            raise UnsafeSettings("LINLI_SIGNING_KEYS holds no key")
        if not all(_is_private_ed25519(jwk) for jwk in jwks):
            raise UnsafeSettings("LINLI_SIGNING_KEYS holds something else than private Ed25519 keys with a kid")
        if len({jwk["kid"] for jwk in jwks}) < len(jwks):
            raise UnsafeSettings("two keys in LINLI_SIGNING_KEYS share a kid")
        self._signing = jwks[0]
        self._published = [{**public_jwk(jwk), "use": "sig", "alg": ALGORITHM} for jwk in jwks]

    def sign(self, claims: Claims, *, issued_at: datetime) -> str:
        """An access token that expires when the claims say."""
        return sign_token(self._signing, claims, issued_at)

    def published(self) -> dict[str, Any]:
        """The JSON Web Key Set (RFC 7517) of the public halves."""
        return {"keys": self._published}


def _is_private_ed25519(jwk: dict[str, Any]) -> bool:
    kind = (jwk.get("kty"), jwk.get("crv"))
    return kind == ("OKP", "Ed25519") and all(
        isinstance(jwk.get(part), str) and jwk[part] for part in ("kid", "x", "d")
    )
