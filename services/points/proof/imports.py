"""Books from a file: an exported chain is replayed, line by line, into a district whose books are empty.

What comes out is the same to the last hash: accounts, transactions, entries, lots, holds and the chain. A file may come
in as many pieces as one likes; each is taken as a whole or not at all, except that a posted hold and its end stay
together: what a piece has from such a posting on waits for the next. The books are sound after every piece. While a
file is not complete nobody posts, and nothing falls due.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, NamedTuple
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Meta, Struct

from models.points import AccountStatus, Asset, LedgerAccountKind
from services.chassis.errors import Busy, Problem
from services.chassis.identity import Identity
from services.chassis.schemas import new_id
from services.points.proof.export import FORMAT, VERSION
from services.points.proof.policy import IMPORTING_ROLES, check_holds_in_district
from services.points.proof.records import Count, Record, fetch_records, key_of, link_hash, record_text
from services.points.proof.replay import OPEN_ACCOUNT, AccountName, Replay, WrongRecord, length_to_take
from services.points.proof.schemas import ImportAnswer, ImportProgress
from services.points.proof.sealing import Head, add_links, locked_head

REASONS = {
    "unreadable": ("不是完整的一行 JSON，文件可能被截断", "it is not a whole line of JSON; the file may have been cut"),
    "not_a_header": ("第一行不是账本文件的表头", "the first line is not the header of exported books"),
    "not_a_record": ("内容不符合记录的格式", "it does not have the form of a record"),
    "wrong_position": ("位置不连续，应为下一条", "its position does not follow the one before"),
    "wrong_hash": ("校验值不符，内容或次序被改动", "its hash differs: the content or the order was changed"),
    "unbalanced": ("分录合计不为零", "its legs do not add up to zero"),
    "wrong_sequence": ("账户的分录序号不连续", "an entry is not the next one of its account"),
    "wrong_balance": ("账户余额与分录不符", "a balance does not follow from the entries"),
    "wrong_lots": ("积分批次与分录不符", "its lots do not fit its entries"),
    "wrong_hold": ("冻结记录不符", "it does not fit the hold it speaks of"),
    "wrong_account": ("账户编号不符", "there is no such account"),
    "twice": ("记录或其来源已存在", "the record, or what it comes from, is there already"),
    "refused": ("数据库拒绝写入", "the database refuses it"),
    "differs": ("写入后与原文不符", "what was stored does not read the same"),
}
"""What can be wrong with a line, in Chinese and in English."""


class DamagedLine(Problem):
    """`line` counts the lines of the request from 1, `position` those of the chain; `reason` is one of REASONS."""

    status = 422
    code = "damaged_line"
    zh = "第 {line} 行（链上第 {position} 条）有误：{reason}。本次请求未导入任何内容。"
    en = "Line {line} (position {position} of the chain) is damaged: {reason}. Nothing of this request was imported."

    def detail(self, *, english: bool) -> str:
        reason = REASONS[self.members["reason"]][english]
        return (self.en if english else self.zh).format_map({**self.members, "reason": reason})


class ImportGap(Problem):
    """`position` is where the books stand: continue with the line behind it."""

    status = 409
    code = "import_gap"
    zh = "已导入至第 {position} 条，请从下一条继续。"
    en = "The books stand at position {position}: continue with the line behind it."


class BooksNotEmpty(Problem):
    status = 409
    code = "books_not_empty"
    zh = "本区账本已有自己的记录，不能导入其他账本。"
    en = "The books of this district have records of their own; no others can be imported."


class SourceTenant(Struct):
    code: str
    name: str


class SourceAccount(Struct):
    """What the records do not tell of an account."""

    asset: Asset
    kind: LedgerAccountKind
    owner_id: UUID
    name: Annotated[str, Meta(max_length=60)] | None
    community_id: UUID | None
    status: AccountStatus


class Place(Struct):
    """Where the exported chain ends."""

    position: Annotated[int, Meta(ge=0, lt=2**53)]
    hash: str


class Header(Struct):
    format: str
    version: int
    tenant: SourceTenant
    exported_at: Annotated[datetime, Meta(tz=True)]
    head: Place
    accounts: list[SourceAccount]

    @property
    def end(self) -> Head:
        return Head(self.head.position, bytes.fromhex(self.head.hash))


class Line(Struct, forbid_unknown_fields=True):
    position: Count
    hash: str
    record: Any


class Link(NamedTuple):
    line: int
    position: int
    hash: bytes
    record: Record


async def import_lines(connection: Any, caller: Identity, lines: Sequence[str]) -> ImportAnswer:
    """Takes a piece of a file: its header, and lines that go on where the books stand or begin before.

    Lines that are there already, with the same hash, are skipped. Raises DamagedLine, ImportGap, BooksNotEmpty, Busy or
    Forbidden; then nothing may be committed. Waits for postings under way, and lets nobody else post until the
    connection's transaction ends (`ledger_is_importing`). Writes in that transaction and commits nothing.
    """
    await check_holds_in_district(connection, caller, IMPORTING_ROLES)
    header = _header(lines[0])
    await connection.execute(_EXCLUDE_POSTINGS, str(caller.tenant_id))
    head = await locked_head(connection, caller.tenant_id)
    if head is None:
        raise Busy
    await _check_may_go_on(connection, caller.tenant_id, head)
    parsed = [_line(number, text) for number, text in enumerate(lines[1:], 2)]
    new = await _without_known(connection, caller.tenant_id, head, parsed)
    links = _to_take(_links(head, new), header)
    if links or await _is_unfinished(connection, caller.tenant_id, head, header):
        await _note(connection, caller, header)
    if links:
        await _replay(connection, caller.tenant_id, links, header.accounts)
        head = Head(links[-1].position, links[-1].hash)
        await connection.execute(_NOTE_POSITION, caller.tenant_id, head.position)
    if head == header.end:
        await _complete(connection, caller.tenant_id, header.accounts)
    progress = await import_progress(connection, caller)
    return ImportAnswer(**progress.model_dump(), taken=len(links), skipped=len(parsed) - len(new))


async def import_progress(connection: Any, caller: Identity) -> ImportProgress:
    """How far the books of the caller's district have got. Raises Forbidden for all but its administrators."""
    await check_holds_in_district(connection, caller, IMPORTING_ROLES)
    row = await connection.fetchrow(_PROGRESS, caller.tenant_id)
    return ImportProgress(
        position=row["position"],
        hash=row["hash"].hex(),
        expected_position=row["expected_position"],
        complete=row["complete"],
    )


# Reading ----------------------------------------------------------------------------------------------------------


def _header(text: str) -> Header:
    try:
        parsed = _parsed(text)
        header = msgspec.convert(parsed, Header)
        is_header = header.format == FORMAT and header.version == VERSION and len(bytes.fromhex(header.head.hash)) == 32
        is_header = is_header and _is_storable(parsed) and 1900 <= header.exported_at.year <= 2200
    except (ValueError, RecursionError):
        is_header = False
    if not is_header:
        raise DamagedLine(line=1, position=0, reason="not_a_header")
    return header


def _is_storable(parsed: Any) -> bool:
    """Postgres stores neither NUL nor, which raises UnicodeEncodeError, halves of characters."""
    return b"\\u0000" not in json.dumps(parsed, ensure_ascii=False).encode()


def _line(number: int, text: str) -> tuple[int, Line]:
    try:
        parsed = _parsed(text)
    except (ValueError, RecursionError):
        raise DamagedLine(line=number, position=_position_at_the_start_of(text), reason="unreadable") from None
    try:
        return number, msgspec.convert(parsed, Line)
    except msgspec.ValidationError:
        raise DamagedLine(line=number, position=_position_at_the_start_of(text), reason="not_a_record") from None


def _parsed(text: str) -> Any:
    return json.loads(text, parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _position_at_the_start_of(text: str) -> int | None:
    """Of a cut line what can still be read: `{"position":12,…`."""
    digits = text.removeprefix('{"position":').partition(",")[0]
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 15 else None


async def _check_may_go_on(connection: Any, tenant_id: UUID, head: Head) -> None:
    """Books that were not imported, or in which something has been written since, are nobody else's to continue."""
    if await connection.fetchval(_HAS_OWN, tenant_id, head.position):
        raise BooksNotEmpty


async def _without_known(
    connection: Any, tenant_id: UUID, head: Head, lines: list[tuple[int, Line]]
) -> list[tuple[int, Line]]:
    """The lines behind the head. Those before must be what is there."""
    behind = [(number, line) for number, line in lines if line.position > head.position]
    known = [(number, line) for number, line in lines if line.position <= head.position]
    rows = await connection.fetch(_HASHES, tenant_id, [line.position for _, line in known])
    hashes = {row["position"]: row["hash"].hex() for row in rows}
    for number, line in known:
        if hashes.get(line.position) != line.hash:
            raise DamagedLine(line=number, position=line.position, reason="wrong_hash")
    if behind and behind[0][1].position != head.position + 1:
        raise ImportGap(position=head.position)
    return behind


def _links(head: Head, lines: list[tuple[int, Line]]) -> list[Link]:
    """The lines as links that follow on the head: each in its place, with the hash of what it says."""
    links: list[Link] = []
    position, previous = head
    for number, line in lines:
        if line.position != position + 1:
            raise DamagedLine(line=number, position=line.position, reason="wrong_position")
        try:
            record: Record = msgspec.convert(line.record, Record)
            digest = link_hash(line.position, previous, record_text(record))
        except (msgspec.ValidationError, OverflowError, UnicodeEncodeError):
            raise DamagedLine(line=number, position=line.position, reason="not_a_record") from None
        if digest.hex() != line.hash:
            raise DamagedLine(line=number, position=line.position, reason="wrong_hash")
        position, previous = line.position, digest
        links.append(Link(number, position, digest, record))
    return links


def _to_take(links: list[Link], header: Header) -> list[Link]:
    """The links without those that wait for the end of a hold; a file that ends before it is damaged."""
    length = length_to_take([link.record for link in links])
    if length < len(links) and links[-1][1:3] == header.end:
        raise DamagedLine(line=links[length].line, position=links[length].position, reason="wrong_hold")
    return links[:length]


# Writing ----------------------------------------------------------------------------------------------------------


async def _is_unfinished(connection: Any, tenant_id: UUID, head: Head, header: Header) -> bool:
    """Whether a header alone says something: books that are complete stay so until lines follow, and books nobody has
    begun to import are nobody's yet, unless the file has no lines at all."""
    is_complete = await connection.fetchval(_IS_COMPLETE, tenant_id)
    return head == header.end if is_complete is None else not is_complete


async def _note(connection: Any, caller: Identity, header: Header) -> None:
    """Notes where the books come from; the newest header counts. A file that goes on opens the import again."""
    await connection.execute(
        _NOTE, caller.tenant_id, header.tenant.code[:40], header.tenant.name[:60], header.exported_at,
        header.head.position, bytes.fromhex(header.head.hash), caller.account_id,
    )  # fmt: skip


async def _replay(connection: Any, tenant_id: UUID, links: list[Link], accounts: list[SourceAccount]) -> None:
    replay = await Replay.beginning(connection, tenant_id, [link.record for link in links])
    for link in links:
        try:
            replay.take(link.record)
        except WrongRecord as wrong:
            raise DamagedLine(line=link.line, position=link.position, reason=str(wrong)) from None
    first = links[0]
    try:
        await replay.write(connection, tenant_id, _names(accounts))
        await add_links(connection, tenant_id, [(link.position, key_of(link.record), link.hash) for link in links])
    except (asyncpg.IntegrityConstraintViolationError, asyncpg.DataError):
        raise DamagedLine(line=first.line, position=first.position, reason="refused") from None
    await _check_reads_the_same(connection, tenant_id, links)


async def _check_reads_the_same(connection: Any, tenant_id: UUID, links: list[Link]) -> None:
    """What was written is read again: the chain must prove what is in the tables, not what was in the file."""
    stored = await fetch_records(connection, tenant_id, [key_of(link.record) for link in links])
    for link in links:
        record = stored.get(key_of(link.record))
        if record is None or record_text(record) != record_text(link.record):
            raise DamagedLine(line=link.line, position=link.position, reason="differs")


def _names(accounts: list[SourceAccount]) -> dict[tuple[Asset, LedgerAccountKind, UUID], AccountName]:
    return {
        (account.asset, account.kind, account.owner_id): AccountName(account.name, account.community_id)
        for account in accounts
    }


async def _complete(connection: Any, tenant_id: UUID, accounts: list[SourceAccount]) -> None:
    """The last line is in: accounts are frozen or closed as they were, and the books live on.

    What this district has decided about an account since stays as it is.
    """
    if not await connection.fetchval(_COMPLETE, tenant_id):
        return
    # Those nothing was ever posted to are not told by any record.
    await connection.executemany(
        OPEN_ACCOUNT,
        [
            (tenant_id, new_id(), account.asset, account.kind, account.owner_id, 0, account.name, account.community_id)
            for account in accounts
        ],
    )
    await connection.execute(
        _STATUS, tenant_id,
        [account.asset.value for account in accounts], [account.kind.value for account in accounts],
        [account.owner_id for account in accounts], [account.status.value for account in accounts],
    )  # fmt: skip


_NOTE = """
INSERT INTO ledger_imports (
    tenant_id, source_code, source_name, exported_at, position, head_position, head_hash, started_at, started_by
)
VALUES ($1, $2, $3, $4, 0, $5, $6, ledger_now(), $7)
ON CONFLICT (tenant_id) DO UPDATE SET
    source_code = excluded.source_code, source_name = excluded.source_name, exported_at = excluded.exported_at,
    head_position = excluded.head_position, head_hash = excluded.head_hash, completed_at = NULL
"""
_NOTE_POSITION = "UPDATE ledger_imports SET position = $2 WHERE tenant_id = $1"
_HAS_OWN = """
SELECT EXISTS (SELECT FROM ledger_unsealed WHERE tenant_id = $1)
    OR $2::bigint <> COALESCE((SELECT position FROM ledger_imports WHERE tenant_id = $1), 0)
"""
_IS_COMPLETE = "SELECT completed_at IS NOT NULL FROM ledger_imports WHERE tenant_id = $1"
_EXCLUDE_POSTINGS = "SELECT pg_advisory_xact_lock(hashtextextended('ledger import ' || $1, 0))"
_HASHES = "SELECT position, hash FROM ledger_chain WHERE tenant_id = $1 AND position = ANY ($2::bigint[])"
_PROGRESS = """
SELECT
    COALESCE(h.position, 0) AS position,
    COALESCE(h.hash, decode(repeat('00', 32), 'hex')) AS hash,
    i.head_position AS expected_position,
    i.completed_at IS NOT NULL AS complete
FROM (SELECT $1::uuid AS tenant_id) AS t
LEFT JOIN ledger_chain_heads h ON h.tenant_id = t.tenant_id
LEFT JOIN ledger_imports i ON i.tenant_id = t.tenant_id
"""
_COMPLETE = """
UPDATE ledger_imports SET completed_at = ledger_now() WHERE tenant_id = $1 AND completed_at IS NULL RETURNING true
"""
_STATUS = """
UPDATE ledger_accounts a SET status = s.status
FROM (
    SELECT c.id, COALESCE(d.status, 'open') AS status
    FROM ledger_accounts c
    LEFT JOIN unnest($2::text[], $3::text[], $4::uuid[], $5::text[]) AS d (asset, kind, owner_id, status)
        ON c.asset = d.asset AND c.kind = d.kind AND c.owner_id = d.owner_id
    WHERE c.tenant_id = $1
        AND NOT EXISTS (SELECT FROM ledger_account_events e WHERE e.tenant_id = $1 AND e.account_id = c.id)
) AS s
WHERE a.tenant_id = $1 AND a.id = s.id AND a.status <> s.status AND (s.status <> 'closed' OR a.balance = 0)
"""
