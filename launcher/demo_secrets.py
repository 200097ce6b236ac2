"""Secrets of the demo: made once per data folder, readable by us only, and all beginning with `demo-`.

Production mode refuses every one of them (see services.chassis.settings).
"""

import json
import os
import secrets
from base64 import urlsafe_b64encode
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.chassis.settings import DEMO_PREFIX

FILE_NAME = "demo-secrets.json"


def demo_secrets(data: Path) -> dict[str, str]:
    """The environment variables LINLI_SIGNING_KEYS and LINLI_REFRESH_SECRET, the same at every start."""
    path = data / FILE_NAME
    if not path.exists():
        _write_whole(path, json.dumps(_fresh()))
    return {str(name): str(value) for name, value in json.loads(path.read_text()).items()}


def _fresh() -> dict[str, str]:
    return {
        "LINLI_SIGNING_KEYS": json.dumps([_signing_key()]),
        "LINLI_REFRESH_SECRET": DEMO_PREFIX + secrets.token_urlsafe(32),
    }


def _signing_key() -> dict[str, str]:
    """A private Ed25519 key as a JWK (RFC 8037)."""
    key = Ed25519PrivateKey.generate()
    return {
        "kty": "OKP",
        "crv": "Ed25519",
        "use": "sig",
        "alg": "EdDSA",
        "kid": DEMO_PREFIX + secrets.token_hex(8),
        "x": _base64(key.public_key().public_bytes_raw()),
        "d": _base64(key.private_bytes_raw()),
    }


def _base64(octets: bytes) -> str:
    return urlsafe_b64encode(octets).rstrip(b"=").decode()


def _write_whole(path: Path, text: str) -> None:
    # A kill while writing must not leave half a file: it would be read at every later start.
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(path)
