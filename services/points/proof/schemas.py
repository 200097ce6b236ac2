"""Bodies of requests and answers about the proof of the books."""

from datetime import date, datetime
from typing import Annotated

from pydantic import Field

from services.chassis.schemas import Answer, Body

Hash = Annotated[str, Field(pattern="^[0-9a-f]{64}$", examples=["9f86d081884c7d659a2feaa0c55ad015" * 2])]
Position = Annotated[int, Field(ge=0, examples=[1204])]

MOST_LINES = 1001
"""The header and a thousand records."""
LONGEST_LINE = 900_000


class CurrentHead(Answer):
    """Where the chain stands now. Before the first record the hash is all zeros."""

    position: Position
    """How many records are sealed."""
    hash: Hash
    sealed_at: datetime | None
    unsealed: Annotated[int, Field(ge=0, examples=[3])]
    """Records that wait for their link, usually for a second."""


class PublishedHead(Answer):
    """A head as it was published at the beginning of a day."""

    published_on: date
    """The day in Asia/Shanghai."""
    position: Position
    hash: Hash
    published_at: datetime
    notice: Annotated[str, Field(examples=["源城区志愿积分账本公示：截至2026年3月16日，账本共有1,204条记录，校验值……"])]
    """A sentence for the notice board."""


class ChainHeads(Answer):
    """The head of the district's chain, and a page of what was published of it. Keep it: it proves the books later."""

    tenant_code: str
    tenant_name: str
    current: CurrentHead
    items: list[PublishedHead]
    next_cursor: str | None


class Finding(Answer):
    """Something that is not as it was sealed, or does not add up."""

    code: Annotated[str, Field(examples=["record_changed"])]
    position: int | None
    """The place in the chain; null for what is wrong with the books as a whole."""
    detail: Annotated[
        str, Field(examples=["第1204条记录与封存时不符（transaction 0198c5a0-7d3e-7c11-9a55-2f4f5d1c9b7e）。"])
    ]


class Verification(Answer):
    """What a check of a stretch of the chain found. The last stretch also checks the books as a whole."""

    from_position: int
    to_position: int
    head: CurrentHead
    sound: bool
    """Whether nothing was found in this stretch."""
    findings: list[Finding]
    next_cursor: str | None
    """Continues behind this stretch; null when the end was reached."""


class ImportedLines(Body):
    """A piece of an exported file: its first line, the header, and then lines in the order of the file."""

    lines: Annotated[list[Annotated[str, Field(max_length=LONGEST_LINE)]], Field(min_length=1, max_length=MOST_LINES)]


class ImportProgress(Answer):
    """How far the books have got: continue with the line behind `position`."""

    position: Position
    hash: Hash
    expected_position: int | None
    """Where the exported chain ends; null before anything was imported."""
    complete: bool
    """Whether the books are all there and live on."""


class ImportAnswer(ImportProgress):
    taken: int
    """Lines of this request that were new."""
    skipped: int
    """Lines of this request that were there already, with the same hash."""
