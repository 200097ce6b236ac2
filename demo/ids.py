"""Ids of the demo district: UUIDv7 in shape, the same in every build, so that documents may quote them."""

import hashlib
from datetime import UTC, datetime
from uuid import UUID

FOUNDED_AT = datetime(2024, 3, 1, 9, 0, tzinfo=UTC)
"""When the district's register was opened. Ids of what does not move with the calendar carry this instant."""


def fixed_id(kind: str, key: str, at: datetime = FOUNDED_AT) -> UUID:
    """The id of the thing of this `kind` with this `key`: 48 bits of `at` in milliseconds, then a hash."""
    milliseconds = int(at.timestamp() * 1000)
    hashed = int.from_bytes(hashlib.sha256(f"linli-demo:{kind}:{key}".encode()).digest()[:10])
    version_7 = 0x7 << 76 | (hashed >> 62 & 0xFFF) << 64
    variant = 0b10 << 62 | hashed & ((1 << 62) - 1)
    return UUID(int=milliseconds << 80 | version_7 | variant)
