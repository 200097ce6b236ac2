"""Checking the books against the chain, the chain against its head, and both against what was published.

What is looked for, and by what it is found:

* a record that was edited, or a link whose hash was: the hash of its place differs (`record_changed`)
* swapped links: the hashes of both places differ
* a link deleted in the middle: its position is missing (`links_missing`)
* links deleted at the end: the head stands further on (`head_differs`), and so does a published head
* a tail that was changed and hashed anew, head included: a published head differs (`published_head_differs`)
* a sealed record that is gone (`record_missing`)
* a record that is neither sealed nor waits for it (`never_sealed`)
* balances, lots and holds that do not follow from the entries (`broken_invariant`)
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

from models.points import LedgerRecord
from services.points.ledger.invariants import broken_invariants
from services.points.proof.records import NO_HASH, Record, RecordKey, fetch_records, link_hash, record_text

PAGE = 500
MOST_FINDINGS = 100
"""Nobody reads more; the first ones say where it began."""

SENTENCES = {
    "links_missing": (
        "第{position}条至第{last}条链接缺失。",
        "The links of positions {position} to {last} are missing.",
    ),
    "record_missing": (
        "第{position}条所封存的记录已不存在（{kind} {id}）。",
        "The record sealed at position {position} is gone ({kind} {id}).",
    ),
    "record_changed": (
        "第{position}条记录与封存时不符（{kind} {id}）。",
        "The record at position {position} is not what was sealed there ({kind} {id}).",
    ),
    "head_differs": (
        "链尾应为第{expected}条，实际止于第{position}条，或校验值不符。",
        "The head says the chain ends at position {expected}; it ends at {position}, or with another hash.",
    ),
    "published_head_differs": (
        "{day}公示的第{position}条校验值与现有账本不符。",
        "The head published on {day} for position {position} is not that of the chain.",
    ),
    "never_sealed": (
        "记录既未封存也不在待封存队列中（{kind} {id}）。",
        "A record is neither sealed nor waits for it ({kind} {id}).",
    ),
    "sealed_and_queued": (
        "记录已封存却仍在待封存队列中（{kind} {id}）。",
        "A record is sealed and still waits for it ({kind} {id}).",
    ),
    "queued_record_missing": (
        "待封存队列中的记录已不存在（{kind} {id}）。",
        "A record that waits to be sealed is gone ({kind} {id}).",
    ),
    "broken_invariant": ("账目不平：{sentence}。", "The books do not add up: {sentence}."),
    "import_unfinished": (
        "账本导入尚未完成：应有{expected}条，现有{position}条。",
        "The books are still being imported: {position} of {expected} records are there.",
    ),
}
"""What was found, in Chinese and in English."""


class Found(NamedTuple):
    """Something that is wrong. `members` fill in the sentences."""

    code: str
    position: int | None
    members: dict[str, Any]

    def sentence(self, *, english: bool) -> str:
        return SENTENCES[self.code][english].format(position=self.position, **self.members)


class KnownHead(NamedTuple):
    """A head somebody kept."""

    day: date
    position: int
    hash: bytes


@dataclass
class Outcome:
    """What a check of the links behind `after` found; `is_whole` if it reached the end and checked the books too."""

    after: int
    position: int
    """The last link that was checked."""
    is_whole: bool = True
    found: list[Found] = field(default_factory=list)

    def add(self, code: str, position: int | None = None, **members: Any) -> None:
        if len(self.found) < MOST_FINDINGS:
            self.found.append(Found(code, position, members))


Progress = Callable[[int], None]
Heads = Mapping[int, list[KnownHead]]


async def verify(
    connection: Any,
    tenant_id: UUID,
    *,
    after: int = 0,
    most: int | None = None,
    kept: Iterable[KnownHead] = (),
    progress: Progress = lambda _position: None,
) -> Outcome:
    """Checks up to `most` links behind the position `after`, and at the end of the chain the books as a whole.

    The connection reads one snapshot of the tenant, which it has set. `kept` are heads from elsewhere, to be compared
    beside those the database itself says were published. Takes no locks; reads every record of the stretch.
    """
    heads: dict[int, list[KnownHead]] = defaultdict(list)
    for head in [*await _published(connection, tenant_id), *kept]:
        heads[head.position].append(head)
    outcome = Outcome(after, after)
    last_hash = await _walk(connection, tenant_id, outcome, heads, most, progress)
    if outcome.is_whole:
        for head in (head for position in sorted(heads) for head in heads[position] if position > outcome.position):
            outcome.add("published_head_differs", head.position, day=head.day)
        await _check_head(connection, tenant_id, outcome, last_hash)
        await _check_queue(connection, tenant_id, outcome)
        for sentence in await broken_invariants(connection, tenant_id):
            outcome.add("broken_invariant", sentence=sentence)
    return outcome


async def _walk(
    connection: Any, tenant_id: UUID, outcome: Outcome, heads: Heads, most: int | None, progress: Progress
) -> bytes | None:
    """The hash of the last link; None when it is not known, because there is none at the beginning."""
    previous = await _hash_at(connection, tenant_id, outcome.after)
    left = most
    while left is None or left > 0:
        page = PAGE if left is None else min(PAGE, left)
        rows = await connection.fetch(_LINKS, tenant_id, outcome.position, page)
        records = await fetch_records(connection, tenant_id, [_key(row) for row in rows])
        for row in rows:
            _check_link(outcome, row, records.get(_key(row)), previous)
            for head in heads.get(row["position"], ()):
                if head.hash != row["hash"]:
                    outcome.add("published_head_differs", head.position, day=head.day)
            previous, outcome.position = row["hash"], row["position"]
        left = left and left - len(rows)
        progress(outcome.position)
        await asyncio.sleep(0)
        if len(rows) < page:
            return previous
    outcome.is_whole = not await connection.fetchval(_IS_MORE, tenant_id, outcome.position)
    return previous


def _key(link: Any) -> RecordKey:
    return RecordKey(LedgerRecord(link["record_kind"]), link["record_id"])


def _check_link(outcome: Outcome, link: Any, record: Record | None, previous: bytes | None) -> None:
    """One link behind `outcome.position`, on the hash before it."""
    position, named = link["position"], {"kind": link["record_kind"], "id": link["record_id"]}
    is_next = position == outcome.position + 1
    if not is_next:
        outcome.add("links_missing", outcome.position + 1, last=position - 1)
    if record is None:
        outcome.add("record_missing", position, **named)
    elif is_next and previous is not None and link_hash(position, previous, record_text(record)) != link["hash"]:
        outcome.add("record_changed", position, **named)


async def _hash_at(connection: Any, tenant_id: UUID, position: int) -> bytes | None:
    if position == 0:
        return NO_HASH
    digest: bytes | None = await connection.fetchval(_HASH_AT, tenant_id, position)
    return digest


async def _check_head(connection: Any, tenant_id: UUID, outcome: Outcome, last_hash: bytes | None) -> None:
    head = await connection.fetchrow(_HEAD, tenant_id)
    expected, digest = (head["position"], head["hash"]) if head else (0, NO_HASH)
    if (expected, digest) != (outcome.position, last_hash):
        outcome.add("head_differs", outcome.position, expected=expected)
    unfinished = await connection.fetchval(_UNFINISHED_IMPORT, tenant_id)
    if unfinished is not None:
        outcome.add("import_unfinished", outcome.position, expected=unfinished)


async def _check_queue(connection: Any, tenant_id: UUID, outcome: Outcome) -> None:
    for row in await connection.fetch(_OUT_OF_PLACE, tenant_id, MOST_FINDINGS):
        outcome.add(row["code"], kind=row["kind"], id=row["id"])


async def _published(connection: Any, tenant_id: UUID) -> list[KnownHead]:
    return [KnownHead(*row) for row in await connection.fetch(_PUBLISHED, tenant_id)]


_PUBLISHED = "SELECT published_on, position, hash FROM ledger_published_heads WHERE tenant_id = $1 ORDER BY 1"
_LINKS = """
SELECT position, record_kind, record_id, hash FROM ledger_chain
WHERE tenant_id = $1 AND position > $2 ORDER BY position LIMIT $3
"""
_IS_MORE = "SELECT EXISTS (SELECT FROM ledger_chain WHERE tenant_id = $1 AND position > $2)"
_HASH_AT = "SELECT hash FROM ledger_chain WHERE tenant_id = $1 AND position = $2"
_HEAD = "SELECT position, hash FROM ledger_chain_heads WHERE tenant_id = $1"
_UNFINISHED_IMPORT = "SELECT head_position FROM ledger_imports WHERE tenant_id = $1 AND completed_at IS NULL"
_OUT_OF_PLACE = """
WITH records AS (
    SELECT 'transaction' AS kind, id FROM ledger_transactions WHERE tenant_id = $1
    UNION ALL
    SELECT 'hold', id FROM ledger_holds WHERE tenant_id = $1
    UNION ALL
    SELECT 'hold_end', hold_id FROM ledger_hold_ends WHERE tenant_id = $1
), sealed AS (
    SELECT record_kind AS kind, record_id AS id FROM ledger_chain WHERE tenant_id = $1
), queued AS (
    SELECT record_kind AS kind, record_id AS id FROM ledger_unsealed WHERE tenant_id = $1
)
SELECT 'never_sealed' AS code, kind, id FROM (
    SELECT kind, id FROM records EXCEPT SELECT kind, id FROM sealed EXCEPT SELECT kind, id FROM queued
) AS r
UNION ALL
SELECT 'sealed_and_queued', kind, id FROM (SELECT kind, id FROM sealed INTERSECT SELECT kind, id FROM queued) AS r
UNION ALL
SELECT 'queued_record_missing', kind, id FROM (
    SELECT kind, id FROM queued EXCEPT SELECT kind, id FROM records
) AS r
LIMIT $2
"""
