"""Writing the hash chain, off the hot path: what `ledger_unsealed` names is sealed, in an order that can be replayed.

A record never comes before one it stands on: entries of an account in their sequence, a hold after the lots it
reserves, the end of a hold after the hold and the transaction that posts it. That order comes from the records
themselves; clocks only choose among those that could all be next.
"""

import asyncio
import heapq
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any, NamedTuple
from uuid import UUID

from models.points import LedgerRecord
from services.chassis.database import Database
from services.points.proof.records import (
    NO_HASH,
    AccountKey,
    HoldEndRecord,
    HoldRecord,
    Record,
    RecordKey,
    TransactionRecord,
    fetch_records,
    key_of,
    link_hash,
    record_text,
)

BATCH = 500
"""Records sealed in one transaction, beside those that have to come before them."""
WINDOW = 20 * BATCH
"""How much of a backlog is put in order at once."""
BREATH = 50
"""After so many records others in the process have their turn."""

_RANK = {LedgerRecord.HOLD_END: 0, LedgerRecord.TRANSACTION: 1, LedgerRecord.HOLD: 2}
"""Of records of one moment: what frees points before what takes them."""


class Head(NamedTuple):
    """Where a chain stands."""

    position: int
    hash: bytes


async def seal_due(database: Database, tenant_id: UUID) -> int:
    """Seals all of the tenant that is not sealed; the number of records sealed. Each batch is one transaction.

    Any number of workers may do this at once: one at a time has the chain, the others leave it to that one.
    """
    sealed = 0
    while True:
        async with database.hot_transaction(tenant_id) as connection:
            due = _keys(await connection.fetch(_OLDEST, tenant_id, WINDOW))
        for start in range(0, len(due), BATCH):
            links = await _seal(database, tenant_id, due[start : start + BATCH])
            if links is None:
                return sealed
            sealed += links
        if len(due) < WINDOW:
            return sealed


async def locked_head(connection: Any, tenant_id: UUID) -> Head | None:
    """The head of the tenant's chain, locked until the transaction ends; None if somebody else has it."""
    await connection.execute(_BEGIN_CHAIN, tenant_id, NO_HASH)
    row = await connection.fetchrow(_LOCK_HEAD, tenant_id)
    return Head(row["position"], row["hash"]) if row else None


async def add_links(connection: Any, tenant_id: UUID, links: Sequence[tuple[int, RecordKey, bytes]]) -> None:
    """Appends links to the chain whose head the caller has locked, and moves the head to the last of them."""
    await connection.execute(
        _ADD_LINKS,
        tenant_id,
        [position for position, _, _ in links],
        [key.kind.value for _, key, _ in links],
        [key.id for _, key, _ in links],
        [digest for _, _, digest in links],
    )
    position, _, digest = links[-1]
    await connection.execute(_MOVE_HEAD, tenant_id, position, digest)


async def _seal(database: Database, tenant_id: UUID, batch: list[RecordKey]) -> int | None:
    """How many records were sealed; None if another worker has the chain."""
    async with database.hot_transaction(tenant_id) as connection:
        head = await locked_head(connection, tenant_id)
        if head is None:
            return None
        keys = _keys(await connection.fetch(_STILL_DUE, tenant_id, *_columns(batch)))
        keys = await _with_what_they_stand_on(connection, tenant_id, keys)
        records = await fetch_records(connection, tenant_id, keys)
        links = [link async for link in _links(head, in_order(records.values()))]
        if links:
            await add_links(connection, tenant_id, links)
            await connection.execute(_SEALED, tenant_id, *_columns([key for _, key, _ in links]))
        return len(links)


async def _with_what_they_stand_on(connection: Any, tenant_id: UUID, keys: list[RecordKey]) -> list[RecordKey]:
    """The keys and, step by step, everything unsealed that has to come before one of them.

    A transaction that posts a hold brings the end of that hold along: no chain ends between the two.
    """
    taken, latest = set(keys), keys
    while latest:
        before = _keys(await connection.fetch(_STANDS_ON, tenant_id, *(_ids(latest, kind) for kind in LedgerRecord)))
        missing = [key for key in before if key not in taken]
        latest = _keys(await connection.fetch(_STILL_DUE, tenant_id, *_columns(missing))) if missing else []
        taken.update(latest)
    return list(taken)


async def _links(head: Head, records: Iterable[Record]) -> Any:
    position, previous = head
    for record in records:
        position += 1
        previous = link_hash(position, previous, record_text(record))
        yield position, key_of(record), previous
        if position % BREATH == 0:
            await asyncio.sleep(0)


def in_order(records: Iterable[Record]) -> Iterator[Record]:
    """Each after all that it stands on; of those that could be next the one recorded first."""
    by_key = {key_of(record): record for record in records}
    waits_for: dict[RecordKey, int] = dict.fromkeys(by_key, 0)
    lets_go: dict[RecordKey, list[RecordKey]] = defaultdict(list)
    for key, before in _precedences(by_key):
        if before in by_key and before != key:
            waits_for[key] += 1
            lets_go[before].append(key)
    ready = [_turn(by_key[key]) for key, count in waits_for.items() if count == 0]
    heapq.heapify(ready)
    while ready:
        key = heapq.heappop(ready)[-1]
        yield by_key[key]
        for follower in lets_go[key]:
            waits_for[follower] -= 1
            if waits_for[follower] == 0:
                heapq.heappush(ready, _turn(by_key[follower]))


def _turn(record: Record) -> tuple[datetime, int, UUID, RecordKey]:
    key = key_of(record)
    return record.recorded_at, _RANK[key.kind], key.id, key


def _precedences(records: Mapping[RecordKey, Record]) -> Iterator[tuple[RecordKey, RecordKey]]:
    """Pairs of a record and one that comes before it."""
    entries: dict[AccountKey, dict[int, RecordKey]] = defaultdict(dict)
    for key, record in records.items():
        if isinstance(record, TransactionRecord):
            for leg in record.legs:
                entries[leg.account][leg.sequence] = key
    for of_account in entries.values():
        for earlier, later in pairwise(sorted(of_account)):
            yield of_account[later], of_account[earlier]
    for key, record in records.items():
        yield from ((key, before) for before in _named_by(record, entries))


def _named_by(record: Record, entries: Mapping[AccountKey, Mapping[int, RecordKey]]) -> Iterator[RecordKey]:
    """What a hold, or the end of one, speaks of."""
    if isinstance(record, HoldRecord):
        of_account = entries.get(record.account, {})
        yield from (of_account[lot.lot_sequence] for lot in record.lots if lot.lot_sequence in of_account)
    elif isinstance(record, HoldEndRecord):
        yield RecordKey(LedgerRecord.HOLD, record.hold_id)
        if record.transaction_id:
            yield RecordKey(LedgerRecord.TRANSACTION, record.transaction_id)


def _keys(rows: Iterable[Any]) -> list[RecordKey]:
    return [RecordKey(LedgerRecord(row["record_kind"]), row["record_id"]) for row in rows]


def _ids(keys: Iterable[RecordKey], kind: LedgerRecord) -> list[UUID]:
    return [key.id for key in keys if key.kind is kind]


def _columns(keys: Sequence[RecordKey]) -> tuple[list[str], list[UUID]]:
    return [key.kind.value for key in keys], [key.id for key in keys]


_OLDEST = """
SELECT u.record_kind, u.record_id
FROM ledger_unsealed u
LEFT JOIN ledger_transactions t ON t.tenant_id = $1 AND u.record_kind = 'transaction' AND t.id = u.record_id
LEFT JOIN ledger_holds h ON h.tenant_id = $1 AND u.record_kind = 'hold' AND h.id = u.record_id
LEFT JOIN ledger_hold_ends e ON e.tenant_id = $1 AND u.record_kind = 'hold_end' AND e.hold_id = u.record_id
WHERE u.tenant_id = $1 AND COALESCE(t.recorded_at, h.recorded_at, e.recorded_at) IS NOT NULL
ORDER BY COALESCE(t.recorded_at, h.recorded_at, e.recorded_at), u.record_id
LIMIT $2
"""
_BEGIN_CHAIN = """
INSERT INTO ledger_chain_heads (tenant_id, position, hash, sealed_at) VALUES ($1, 0, $2, ledger_now())
ON CONFLICT DO NOTHING
"""
_LOCK_HEAD = "SELECT position, hash FROM ledger_chain_heads WHERE tenant_id = $1 FOR NO KEY UPDATE SKIP LOCKED"
_STILL_DUE = """
SELECT u.record_kind, u.record_id
FROM ledger_unsealed u
JOIN unnest($2::text[], $3::uuid[]) AS k (kind, id) ON u.record_kind = k.kind AND u.record_id = k.id
WHERE u.tenant_id = $1
"""
# $2 transactions, $3 holds, $4 ends of holds, in the order of LedgerRecord. LIMIT: an index look-up each, whatever the
# statistics of a growing table say.
_STANDS_ON = """
SELECT 'transaction' AS record_kind, p.transaction_id AS record_id
FROM ledger_entries e
CROSS JOIN LATERAL (
    SELECT p.transaction_id FROM ledger_entries p
    WHERE p.tenant_id = $1 AND p.account_id = e.account_id AND p.sequence = e.sequence - 1 LIMIT 1
) AS p
WHERE e.tenant_id = $1 AND e.transaction_id = ANY ($2::uuid[])
UNION
SELECT 'transaction', p.transaction_id
FROM ledger_hold_lots l
CROSS JOIN LATERAL (
    SELECT p.transaction_id FROM ledger_entries p
    WHERE p.tenant_id = $1 AND p.account_id = l.account_id AND p.sequence = l.lot_sequence LIMIT 1
) AS p
WHERE l.tenant_id = $1 AND l.hold_id = ANY ($3::uuid[])
UNION
SELECT 'transaction', h.transaction_id FROM ledger_hold_ends h
WHERE h.tenant_id = $1 AND h.hold_id = ANY ($4::uuid[]) AND h.transaction_id IS NOT NULL
UNION
SELECT 'hold', id FROM unnest($4::uuid[]) AS id
UNION
SELECT 'hold_end', e.hold_id
FROM ledger_transactions t
JOIN ledger_hold_ends e ON e.tenant_id = $1 AND e.transaction_id = t.id
    AND e.hold_id = CASE WHEN t.source_id ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN t.source_id::uuid END
WHERE t.tenant_id = $1 AND t.id = ANY ($2::uuid[]) AND t.source_kind = 'hold'
"""
_ADD_LINKS = """
INSERT INTO ledger_chain (tenant_id, position, record_kind, record_id, hash)
SELECT $1, l.position, l.kind, l.id, l.hash
FROM unnest($2::bigint[], $3::text[], $4::uuid[], $5::bytea[]) AS l (position, kind, id, hash)
"""
_MOVE_HEAD = "UPDATE ledger_chain_heads SET position = $2, hash = $3, sealed_at = ledger_now() WHERE tenant_id = $1"
_SEALED = """
DELETE FROM ledger_unsealed u
USING unnest($2::text[], $3::uuid[]) AS k (kind, id)
WHERE u.tenant_id = $1 AND u.record_kind = k.kind AND u.record_id = k.id
"""
