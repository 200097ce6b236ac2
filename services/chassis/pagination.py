"""Keyset pages: a page names the last key it showed, the next one starts behind it. Flat however long the list is."""

import base64
import binascii
from datetime import MAXYEAR, MINYEAR, datetime
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from fastapi import Query

from services.chassis.errors import Problem
from services.chassis.schemas import Answer

Item = TypeVar("Item")

Limit = Annotated[int, Query(ge=1, le=100, description="How many items a page has.")]
Cursor = Annotated[str | None, Query(max_length=400, description="`next_cursor` of the page before.")]


class InvalidCursor(Problem):
    status = 422
    code = "invalid_cursor"
    zh = "分页游标无效。"
    en = "The cursor is not one of ours."


class Page(Answer, Generic[Item]):
    """One page of a list. `next_cursor` is null on the last one."""

    items: list[Item]
    next_cursor: str | None


def encode_cursor(*key: Any) -> str:
    """An opaque text for the key of the last row shown."""
    return base64.urlsafe_b64encode(msgspec.json.encode(key, enc_hook=str)).rstrip(b"=").decode()


Key = TypeVar("Key", bound=tuple[Any, ...])


def decode_cursor(cursor: str, key: type[Key]) -> Key:
    """The key behind a cursor, as a tuple type such as `tuple[int]`; raises InvalidCursor for anything else.

    Postgres takes the parts as they are: no text has a NUL, no number more than 64 bits, and a time has an offset, and
    is one in UTC too.
    """
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        parts: Key = msgspec.json.decode(raw, type=key)
    except (ValueError, binascii.Error, msgspec.DecodeError) as error:
        raise InvalidCursor from error
    if not all(_is_storable(part) for part in parts):
        raise InvalidCursor
    return parts


def _is_storable(part: Any) -> bool:
    if isinstance(part, int):
        return -(2**63) <= part < 2**63
    if isinstance(part, datetime):
        return part.tzinfo is not None and MINYEAR < part.year < MAXYEAR
    return not isinstance(part, str) or "\0" not in part
