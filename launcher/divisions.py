"""The levels of a district and its official areas, as somebody typed them or keeps them in a table."""

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from pydantic import TypeAdapter, ValidationError

from services.chassis.schemas import Name

COLUMNS = ("code", "parent_code", "level", "name")
COMMUNITY_DIGITS = 12
"""A community is what has a code of twelve digits."""
MOST_COMPLAINTS = 10

Levels: TypeAlias = Mapping[str, str]
"""What each level is called, from the district down."""

_NAME = TypeAdapter(Name)


class DivisionsRefused(Exception):
    """Something in it cannot be; the message says what and where."""


@dataclass(frozen=True, slots=True)
class Division:
    """One official area. `parent_code` is empty for the district."""

    code: str
    parent_code: str
    level: str
    name: str

    @property
    def is_community(self) -> bool:
        return len(self.code) == COMMUNITY_DIGITS


def read_levels(text: str) -> Levels:
    """`district=区,subdistrict=街道,…`, from the top down. Raises DivisionsRefused."""
    pairs = [pair.partition("=") for pair in text.split(",")]
    levels = {level.strip(): name.strip() for level, _, name in pairs}
    for level, name in levels.items():
        if not re.fullmatch("[a-z][a-z0-9_]{0,39}", level) or not _is_name(name):
            raise DivisionsRefused(f"A level is written like district=区, and one of them is '{level}={name}'.")
    if len(levels) < len(pairs):
        raise DivisionsRefused("Two levels have the same identifier.")
    return levels


def read_divisions(path: Path, district_code: str, levels: Levels) -> list[Division]:
    """The areas below the district, parents before children; rows of other districts are left out.

    Names are taken as they stand. UTF-8, or GB 18030 as Excel writes it. Raises DivisionsRefused, which names the rows.
    """
    rows = list(_rows(path))
    ours = {number: row for number, row in rows if row.code.startswith(district_code) and row.code != district_code}
    complaints = list(_complaints(ours, district_code, levels))
    if complaints:
        rest = [f"… and {len(complaints) - MOST_COMPLAINTS} more"] if len(complaints) > MOST_COMPLAINTS else []
        raise DivisionsRefused("\n".join([f"{path} cannot be used:", *complaints[:MOST_COMPLAINTS], *rest]))
    if not ours:
        raise DivisionsRefused(f"{path} has no area below {district_code}.")
    return sorted(ours.values(), key=lambda row: (len(row.code), row.code))


def _rows(path: Path) -> Iterator[tuple[int, Division]]:
    """With the line each stands in."""
    reader = csv.DictReader(io.StringIO(_text(path)))
    if missing := set(COLUMNS) - set(reader.fieldnames or ()):
        raise DivisionsRefused(f"{path} lacks the columns {', '.join(sorted(missing))}.")
    for row in reader:
        yield reader.line_num, Division(*((row[column] or "").strip() for column in COLUMNS))


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DivisionsRefused(f"{path} cannot be read: {error.strerror}.") from None
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise DivisionsRefused(f"{path} is neither UTF-8 nor GB 18030.")


def _complaints(rows: Mapping[int, Division], district_code: str, levels: Levels) -> Iterator[str]:
    depths = {level: depth for depth, level in enumerate(levels)}
    depth_of = {district_code: 0}
    for row in rows.values():
        depth_of[row.code] = depths.get(row.level, len(depths))
    seen: set[str] = set()
    for number, row in rows.items():
        complaint = _about_code(row, seen, depth_of) or _about_rest(row, depths, depth_of)
        if complaint:
            yield f"line {number}: {complaint}"
        seen.add(row.code)


def _about_code(row: Division, seen: set[str], known: Mapping[str, int]) -> str | None:
    if not re.fullmatch("[0-9]{7,24}", row.code):
        return f"a code has 7 to 24 digits, and this is '{row.code}'"
    if row.code in seen:
        return f"{row.code} stands there twice"
    if row.parent_code not in known:
        return f"{row.code} lies in '{row.parent_code}', which is not there"
    if row.parent_code == row.code or not row.code.startswith(row.parent_code):
        return f"{row.code} does not begin with the code of its parent {row.parent_code}"
    return None


def _about_rest(row: Division, depths: Mapping[str, int], depth_of: Mapping[str, int]) -> str | None:
    if row.level not in depths:
        return f"there is no level '{row.level}', only {', '.join(depths)}"
    if depths[row.level] <= depth_of[row.parent_code]:
        return f"level {row.level} does not lie below that of its parent {row.parent_code}"
    if not _is_name(row.name):
        return f"a name has 1 to 60 characters, and this is '{row.name}'"
    return None


def _is_name(name: str) -> bool:
    try:
        _NAME.validate_python(name)
    except ValidationError:
        return False
    return True
