"""What a body may hold: what Postgres can store and people can read, and nothing that only looks like it."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from services.chassis.database import Database
from services.chassis.schemas import Latitude, Line, Longitude, Moment, Name, Paragraph, Phone, new_id
from tests.chassis.conftest import SEEDED
from tests.chassis.probe import Everything

LONE_SURROGATE = json.loads(r'"\ud800"')


def accepts(kind: Any, value: Any) -> bool:
    try:
        TypeAdapter(kind).validate_python(value)
    except ValidationError:
        return False
    return True


def parsed(kind: Any, value: Any) -> Any:
    return TypeAdapter(kind).validate_python(value)


def body_accepts(content: str) -> bool:
    """As a service reads it: Python's JSON, then the schema."""
    try:
        Everything.model_validate(json.loads(content))
    except ValidationError:
        return False
    return True


class TestTexts:
    @pytest.mark.parametrize("kind", [Name, Line, Paragraph], ids=["name", "line", "paragraph"])
    @pytest.mark.parametrize(
        "bad",
        [
            "",
            " ",
            "\t\n",
            "\u3000",
            "a\0b",
            "\0",
            "a\x1bb",
            "a\x7fb",
            "a\x85b",
            "a\rb",
            LONE_SURROGATE,
            f"a{LONE_SURROGATE}",
        ],
        ids=ascii,
    )
    def test_what_nobody_can_read_is_refused(self, kind: Any, bad: str) -> None:
        """Nothing at all, NUL, control characters, half a character."""
        assert not accepts(kind, bad)

    @pytest.mark.parametrize(
        "good", ["张德明", "𠮷野家", "👵🏽 买药", "a\nb", "a\tb", "Ünï", "·", "\u200d", "٣", "１０"]
    )
    def test_every_script_is_welcome(self, good: str) -> None:
        """Four-byte characters, emoji, line breaks in a text."""
        assert parsed(Paragraph, good) == good

    def test_texts_are_trimmed(self) -> None:
        """The space of an ideographic keyboard too."""
        assert parsed(Name, " \u3000张德明\n ") == "张德明"

    @pytest.mark.parametrize(("kind", "length"), [(Name, 60), (Line, 200), (Paragraph, 2000)])
    def test_length_is_counted_in_characters(self, kind: Any, length: int) -> None:
        """As the column does: 60 characters of four bytes fit where 60 letters do."""
        assert accepts(kind, "𠮷" * length)
        assert accepts(kind, f"  {'𠮷' * length}  ")
        assert not accepts(kind, "𠮷" * (length + 1))

    @pytest.mark.parametrize("value", [1, 1.5, True, None, ["a"], {"a": 1}, b"\xff"], ids=repr)
    def test_only_text_is_text(self, value: Any) -> None:
        assert not accepts(Name, value)

    @SEEDED
    @given(texts=st.lists(st.text(st.characters(codec=None), max_size=20), max_size=30))
    async def test_what_is_accepted_can_be_stored(self, database: Database, texts: list[str]) -> None:
        """Postgres and JSON take every text that gets through, unchanged."""
        good = [parsed(Paragraph, text) for text in texts if accepts(Paragraph, text)]
        stored = await database.pool.fetchval("SELECT $1::text[]", good)
        as_json = await database.pool.fetchval("SELECT $1::jsonb::text", json.dumps(good))
        assert (stored, json.loads(as_json)) == (good, good)

    async def test_what_is_refused_could_not_be(self, database: Database) -> None:
        """Why NUL and lone surrogates are refused at the door: further in they would be a 500."""
        for bad in ("a\0b", LONE_SURROGATE):
            with pytest.raises((asyncpg.PostgresError, UnicodeEncodeError)):
                await database.pool.fetchval("SELECT $1::text", bad)


class TestPhones:
    @pytest.mark.parametrize("good", ["13800138000", "+8613800138000", "0762-3386123", "12345", "110-1"])
    def test_numbers_people_dial(self, good: str) -> None:
        assert accepts(Phone, good)

    @pytest.mark.parametrize(
        "bad",
        [
            "",
            "1380",
            "１３８００１３８０００",
            "138 0013 8000",
            "13800138000\n",
            "-13800138000",
            "1" * 20,
            "٣٣٣٣٣٣",
            "1380013800x",
        ],
    )
    def test_what_only_looks_like_one(self, bad: str) -> None:
        """Full-width and Arabic digits, a line break at the end, too short, too long."""
        assert not accepts(Phone, bad)


class TestNumbers:
    @pytest.mark.parametrize(
        "number",
        ["NaN", "Infinity", "-Infinity", "1e309", "-1e309", "180.0001", '"１０"', '"abc"', "[1]", "{}"],
    )
    def test_no_coordinate_is_beyond_the_earth(self, number: str) -> None:
        """Python's JSON reads NaN and Infinity, and makes Infinity of 1e309."""
        assert not body_accepts(f'{{"lng": {number}}}')

    @pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e309"])
    def test_no_number_is_without_a_value(self, number: str) -> None:
        """Also where a field says nothing about it."""
        assert not body_accepts(f'{{"ratio": {number}}}')

    @pytest.mark.parametrize("kind", [Longitude, Latitude], ids=["lng", "lat"])
    def test_nor_in_a_query(self, kind: Any) -> None:
        for text in ("nan", "inf", "-inf", "1e309", "１０", "", " "):
            assert not accepts(kind, text), text

    @pytest.mark.parametrize(
        "number",
        [
            "-1",
            "9007199254740993",
            "9223372036854775808",
            "1e309",
            "NaN",
            "1.5",
            '"１０"',
            '""',
            "[]",
            '"0x10"',
        ],
    )
    def test_no_count_is_beyond_its_column(self, number: str) -> None:
        assert not body_accepts(f'{{"count": {number}}}')

    @pytest.mark.parametrize(("lng", "lat"), [(180, 90), (-180, -90), (0, 0), (114.6904, 23.7412)])
    def test_the_whole_earth_is_in(self, lng: float, lat: float) -> None:
        assert body_accepts(json.dumps({"lng": lng, "lat": lat}))


class TestMoments:
    @pytest.mark.parametrize(
        "bad",
        [
            "2026-03-16T08:00:00",
            "2026-03-16",
            "2026-02-29T08:00:00+08:00",
            "2026-13-01T00:00:00Z",
            "2026-03-16T24:00:01Z",
            "2026-03-16T08:00:00+25:00",
            "1899-12-31T23:59:59Z",
            "2201-01-01T00:00:00Z",
            "9999-12-31T23:59:59-23:59",
            "0001-01-01T00:00:00+23:59",
            "10000-01-01T00:00:00Z",
            "２０２６-03-16T08:00:00Z",
            "",
            "now",
            "NaN",
        ],
    )
    def test_what_is_no_moment_is_refused(self, bad: str) -> None:
        """Without an offset, not in the calendar, or in a year nobody means."""
        assert not accepts(Moment, bad)

    @pytest.mark.parametrize(
        ("text", "moment"),
        [
            ("2026-03-16T08:00:00+08:00", datetime(2026, 3, 16, tzinfo=UTC)),
            ("2028-02-29T00:00:00Z", datetime(2028, 2, 29, tzinfo=UTC)),
            ("2038-01-19T03:14:08Z", datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC)),
            ("2200-12-31T23:59:59Z", datetime(2200, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ],
    )
    def test_rfc_3339_is_read(self, text: str, moment: datetime) -> None:
        """Leap days, and the second after 32 bits are full."""
        assert parsed(Moment, text) == moment

    async def test_every_accepted_moment_can_be_stored(self, database: Database) -> None:
        """With the furthest offsets at both ends of the range."""
        for text in ("1900-01-01T00:00:00+23:59", "2200-12-31T23:59:59-23:59"):
            moment = parsed(Moment, text)
            assert await database.pool.fetchval("SELECT $1::timestamptz", moment) == moment


class TestBodies:
    @pytest.mark.parametrize(
        "content", ['{"wings": 2}', '{"name": "a", "tenant_id": 1}', '{"Name": "a"}', '{"name ": "a"}']
    )
    def test_unknown_fields_are_refused(self, content: str) -> None:
        """Nobody sets what is not offered, and nobody misspells in silence."""
        assert not body_accepts(content)

    @pytest.mark.parametrize("content", ["null", "[]", '"a"', "1", "true", "[{}]"])
    def test_a_body_is_an_object(self, content: str) -> None:
        assert not body_accepts(content)

    def test_nothing_is_required_by_accident(self) -> None:
        assert body_accepts("{}")


def test_ids_grow_with_time() -> None:
    """UUIDv7: rows of one time lie together, and a list by id is a list by age."""
    ids = [new_id() for _ in range(1000)]
    assert ids == sorted(ids)
    assert {(type(each), each.version) for each in ids} == {(UUID, 7)}
