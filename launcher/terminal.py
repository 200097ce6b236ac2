"""What the person at the terminal reads: one line per step, tables, and why something cannot be."""

import unicodedata
from collections.abc import Sequence


class CannotStart(Exception):
    """Something the person can mend stands in the way; the message is a sentence that says what."""


def say(line: str = "") -> None:
    """Print one line now, also into a pipe."""
    print(line, flush=True)


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Left-aligned columns under headings; Chinese characters count as the two columns they take."""
    lines = [headings, *rows]
    widths = [max(map(_columns, cells)) for cells in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell + " " * (width - _columns(cell)) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _columns(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)
