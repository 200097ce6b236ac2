"""Refresh tokens: derived from the session, never stored.

A token is the session's id, the generation and an HMAC-SHA256 over both, as base64url. Whoever has the database but
not the secret can make none; whoever repeats a rotation gets the same token again, because it is computed again.
"""

import base64
import binascii
import hashlib
import hmac
from typing import NamedTuple
from uuid import UUID

from services.chassis.errors import Problem
from services.chassis.settings import UnsafeSettings

SHORTEST_SECRET = 32
"""Characters. Fewer could be guessed offline from one token."""

_PAYLOAD_BYTES = 16 + 8


class RefreshTokenInvalid(Problem):
    status = 401
    code = "refresh_token_invalid"
    zh = "登录凭证无效，请重新登录。"
    en = "This is not one of our refresh tokens. Please sign in again."


class RefreshToken(NamedTuple):
    """What a genuine token says. Whether it is still the newest, only the session knows."""

    session_id: UUID
    generation: int


class RefreshSecret:
    """The secret behind refresh tokens and behind the marks of repeated sign-ins."""

    def __init__(self, secret: str) -> None:
        """Raises UnsafeSettings when the secret is shorter than `SHORTEST_SECRET`."""
        if len(secret) < SHORTEST_SECRET:
            raise UnsafeSettings(f"LINLI_REFRESH_SECRET must have at least {SHORTEST_SECRET} characters")
        self._token_key = _derive(secret, b"linli refresh token")
        self._request_key = _derive(secret, b"linli sign-in request")

    def write(self, token: RefreshToken) -> str:
        payload = token.session_id.bytes + token.generation.to_bytes(8)
        return base64.urlsafe_b64encode(payload + self._mac(payload)).rstrip(b"=").decode()

    def read(self, text: str) -> RefreshToken:
        """Raises RefreshTokenInvalid for anything `write` did not make; compares in constant time."""
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError) as error:
            raise RefreshTokenInvalid from error
        payload, mac = raw[:_PAYLOAD_BYTES], raw[_PAYLOAD_BYTES:]
        if not hmac.compare_digest(mac, self._mac(payload)):
            raise RefreshTokenInvalid
        return RefreshToken(UUID(bytes=payload[:16]), int.from_bytes(payload[16:]))

    def mark(self, *parts: bytes) -> str:
        """A fingerprint of a sign-in request. Keyed, because a request holds a password: nobody may try out guesses."""
        digest = hmac.new(self._request_key, digestmod=hashlib.sha256)
        for part in parts:
            digest.update(len(part).to_bytes(8) + part)
        return digest.hexdigest()

    def _mac(self, payload: bytes) -> bytes:
        return hmac.digest(self._token_key, payload, "sha256")


def _derive(secret: str, purpose: bytes) -> bytes:
    return hmac.digest(secret.encode(), purpose, "sha256")
