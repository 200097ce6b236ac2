"""Keyset pages: a cursor is one of ours, or it is refused. Nothing else can come out of it."""

import base64
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.chassis.pagination import InvalidCursor, decode_cursor, encode_cursor
from tests.chassis.conftest import SEEDED

KEYS = [tuple[UUID], tuple[str], tuple[str, str], tuple[str, UUID], tuple[int], tuple[int, UUID], tuple[datetime, UUID]]
"""What lists page by."""

moments = st.sampled_from(
    ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-03-16T09:00:00", "2026-03-16T09:00:00+08:00"]
)
anything_json: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec="utf-8"))
    | st.uuids()
    | moments,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=2)
    ),
    max_leaves=5,
)


def opened(cursor: str, key: Any) -> Any:
    """The key behind a cursor; None when it was refused."""
    try:
        return decode_cursor(cursor, key)
    except InvalidCursor:
        return None


def is_key(value: Any, kinds: Any) -> bool:
    """Whether Postgres takes the parts of this key as they are."""
    return len(value) == len(kinds) and all(_fits(part, kind) for part, kind in zip(value, kinds, strict=True))


def _fits(part: Any, kind: type) -> bool:
    if kind is str:
        return type(part) is str and "\0" not in part
    if kind is int:
        return type(part) is int and -(2**63) <= part < 2**63
    if kind is datetime:
        return type(part) is datetime and part.tzinfo is not None and part.astimezone(UTC) is not None
    return type(part) is kind


@pytest.mark.parametrize("key", KEYS, ids=str)
class TestFuzz:
    @SEEDED
    @given(cursor=st.text(max_size=80))
    @example(cursor="")
    @example(cursor="====")
    @example(cursor="\N{SNOWMAN}")
    @example(cursor="\ud800")
    @example(cursor="WyJhIl0\n")
    def test_any_text_is_a_key_or_refused(self, key: Any, cursor: str) -> None:
        value = opened(cursor, key)
        assert value is None or is_key(value, key.__args__)

    @SEEDED
    @given(raw=st.binary(max_size=80))
    @example(raw=b'["\\ud800"]')
    @example(raw=b"[" * 300)
    @example(raw=b"[1e309]")
    def test_any_bytes_are_a_key_or_refused(self, key: Any, raw: bytes) -> None:
        """Also those that are base64 as ours is."""
        value = opened(base64.urlsafe_b64encode(raw).decode(), key)
        assert value is None or is_key(value, key.__args__)

    @SEEDED
    @given(parts=st.lists(anything_json, max_size=3))
    @example(parts=["\0"])
    @example(parts=["a", "b\0"])
    @example(parts=[2**63])
    @example(parts=[-(2**63) - 1, UUID(int=1)])
    @example(parts=["0001-01-01T00:00:00+14:00", UUID(int=1)])
    @example(parts=["9999-12-31T23:59:59-14:00", UUID(int=1)])
    @example(parts=["2026-03-16T09:00:00", UUID(int=1)])
    def test_any_json_is_a_key_or_refused(self, key: Any, parts: list[Any]) -> None:
        """Also what somebody wrote who knows how ours are made: wrong types, NUL, numbers no column holds."""
        value = opened(encode_cursor(*parts), key)
        assert value is None or is_key(value, key.__args__)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (tuple[UUID], (UUID(int=7),)),
        (tuple[str, UUID], ("张德明", UUID(int=7))),
        (tuple[str, str], ("441602004010", "2单元502")),
        (tuple[str], ("",)),
        (tuple[int], (2**63 - 1,)),
        (tuple[datetime, UUID], (datetime(2026, 3, 16, 9, tzinfo=UTC), UUID(int=7))),
    ],
    ids=str,
)
def test_a_cursor_of_ours_is_read_back(key: Any, value: tuple[Any, ...]) -> None:
    """Whatever the key, in an address it needs no escaping."""
    cursor = encode_cursor(*value)
    assert decode_cursor(cursor, key) == value
    assert set(cursor) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@pytest.mark.parametrize("spoilt", ["WyJ!hIl0", " WyJhIl0", "WyJhIl0=WyJhIl0", "WyJhIl0+", "WyJhIl0/"])
def test_a_spoilt_cursor_is_refused(spoilt: str) -> None:
    """What is not of our alphabet is not passed over."""
    assert opened("WyJhIl0", tuple[str]) == ("a",)
    assert opened(spoilt, tuple[str]) is None


def test_a_cursor_can_be_looked_into() -> None:
    """JSON in base64, when something is wrong; nothing secret is ever in it."""
    cursor = encode_cursor("a", 1)
    assert msgspec.json.decode(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))) == ["a", 1]
