"""What the hash chain seals: every record of the ledger as a text, and the hash that ties it to its place.

The text names no tenant, no row numbers and no people's names: accounts are told by asset, kind, owner and stripe, so
that the books can be carried into another district of another installation and prove the same.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, NamedTuple
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

from models.points import Asset, HoldOutcome, LedgerAccountKind, LedgerRecord, TransactionKind

NO_HASH = bytes(32)
"""What stands before the first link."""

Amount = Annotated[int, Meta(gt=-(2**53), lt=2**53)]
Count = Annotated[int, Meta(ge=1, lt=2**53)]
Part = Annotated[int, Meta(ge=1, lt=2**15)]


class AccountKey(NamedTuple):
    """Which account of the district it is, in every installation the same."""

    asset: Asset
    kind: LedgerAccountKind
    owner_id: UUID
    stripe: int


class RecordKey(NamedTuple):
    kind: LedgerRecord
    id: UUID


class OpenedLot(Struct, kw_only=True, forbid_unknown_fields=True):
    part: Part
    amount: Count
    expires_at: datetime | None
    """None = never."""
    issuer_id: UUID | None


class LotShare(Struct, kw_only=True, forbid_unknown_fields=True):
    """What was taken from a lot (negative) or returned to it; of a hold, what is reserved of it."""

    lot_sequence: Count
    lot_part: Part
    amount: Amount


class LegRecord(Struct, kw_only=True, forbid_unknown_fields=True):
    asset: Asset
    account_kind: LedgerAccountKind
    owner_id: UUID
    stripe: Annotated[int, Meta(ge=0, le=15)]
    sequence: Count
    amount: Amount
    balance_after: Amount
    lots: list[OpenedLot]
    allocations: list[LotShare]

    @property
    def account(self) -> AccountKey:
        return AccountKey(self.asset, self.account_kind, self.owner_id, self.stripe)


class TransactionRecord(Struct, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="transaction"):
    id: UUID
    kind: TransactionKind
    source_kind: str
    source_id: str
    reason: str
    effective_at: datetime
    recorded_at: datetime
    recorded_by: UUID | None
    approved_by: UUID | None
    details: dict[str, Any]
    legs: list[LegRecord]


class HoldRecord(Struct, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="hold"):
    id: UUID
    asset: Asset
    account_kind: LedgerAccountKind
    owner_id: UUID
    amount: Count
    kind: TransactionKind
    to_kind: LedgerAccountKind
    to_owner_id: UUID
    source_kind: str
    source_id: str
    reason: str
    details: dict[str, Any]
    expires_at: datetime
    recorded_at: datetime
    recorded_by: UUID | None
    lots: list[LotShare]

    @property
    def account(self) -> AccountKey:
        return AccountKey(self.asset, self.account_kind, self.owner_id, 0)


class HoldEndRecord(Struct, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="hold_end"):
    hold_id: UUID
    outcome: HoldOutcome
    amount: Annotated[int, Meta(ge=0, lt=2**53)]
    transaction_id: UUID | None
    reason: str
    recorded_at: datetime
    recorded_by: UUID | None


Record = TransactionRecord | HoldRecord | HoldEndRecord


def key_of(record: Record) -> RecordKey:
    if isinstance(record, TransactionRecord):
        return RecordKey(LedgerRecord.TRANSACTION, record.id)
    if isinstance(record, HoldRecord):
        return RecordKey(LedgerRecord.HOLD, record.id)
    return RecordKey(LedgerRecord.HOLD_END, record.hold_id)


def record_text(record: Record) -> str:
    """The one text of a record: JSON without spaces, members sorted by name, times in UTC to the microsecond."""
    plain = msgspec.to_builtins(record, builtin_types=(datetime,))
    return json.dumps(plain, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=_moment)


def link_hash(position: int, previous: bytes, text: str) -> bytes:
    """SHA-256 over the position, the hash before (in hexadecimal) and the text of the record, a line each."""
    return hashlib.sha256(f"{position}\n{previous.hex()}\n{text}".encode()).digest()


def _moment(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


async def fetch_records(connection: Any, tenant_id: UUID, keys: Iterable[RecordKey]) -> dict[RecordKey, Record]:
    """The records of these keys as they are stored now; those that are not there are left out.

    Seven questions however many there are. The connection's tenant is set.
    """
    wanted: dict[LedgerRecord, list[UUID]] = defaultdict(list)
    for key in keys:
        wanted[key.kind].append(key.id)
    records = [
        *await _transactions(connection, tenant_id, wanted[LedgerRecord.TRANSACTION]),
        *await _holds(connection, tenant_id, wanted[LedgerRecord.HOLD]),
        *await _hold_ends(connection, tenant_id, wanted[LedgerRecord.HOLD_END]),
    ]
    return {key_of(record): record for record in records}


async def _transactions(connection: Any, tenant_id: UUID, ids: list[UUID]) -> list[Record]:
    lots: dict[tuple[UUID, int], list[OpenedLot]] = defaultdict(list)
    for row in await connection.fetch(_LOTS, tenant_id, ids):
        lots[row["account_id"], row["sequence"]].append(OpenedLot(**_members(row, OpenedLot)))
    allocations: dict[tuple[UUID, int], list[LotShare]] = defaultdict(list)
    for row in await connection.fetch(_ALLOCATIONS, tenant_id, ids):
        allocations[row["account_id"], row["sequence"]].append(LotShare(**_members(row, LotShare)))
    legs: dict[UUID, list[LegRecord]] = defaultdict(list)
    for row in await connection.fetch(_LEGS, tenant_id, ids):
        entry = row["account_id"], row["sequence"]
        legs[row["transaction_id"]].append(
            LegRecord(
                asset=Asset(row["asset"]),
                account_kind=LedgerAccountKind(row["account_kind"]),
                owner_id=row["owner_id"],
                stripe=row["stripe"],
                sequence=row["sequence"],
                amount=row["amount"],
                balance_after=row["balance_after"],
                lots=lots[entry],
                allocations=allocations[entry],
            )
        )
    return [
        TransactionRecord(
            id=row["id"],
            kind=TransactionKind(row["kind"]),
            source_kind=row["source_kind"],
            source_id=row["source_id"],
            reason=row["reason"],
            effective_at=row["effective_at"],
            recorded_at=row["recorded_at"],
            recorded_by=row["recorded_by"],
            approved_by=row["approved_by"],
            details=json.loads(row["details"]),
            legs=sorted(legs[row["id"]], key=lambda leg: (leg.account, leg.sequence)),
        )
        for row in await connection.fetch(_TRANSACTIONS, tenant_id, ids)
    ]


async def _holds(connection: Any, tenant_id: UUID, ids: list[UUID]) -> Iterator[Record]:
    lots: dict[UUID, list[LotShare]] = defaultdict(list)
    for row in await connection.fetch(_HOLD_LOTS, tenant_id, ids):
        lots[row["hold_id"]].append(LotShare(**_members(row, LotShare)))
    return (
        HoldRecord(
            id=row["id"],
            asset=Asset(row["asset"]),
            account_kind=LedgerAccountKind(row["account_kind"]),
            owner_id=row["owner_id"],
            amount=row["amount"],
            kind=TransactionKind(row["kind"]),
            to_kind=LedgerAccountKind(row["to_kind"]),
            to_owner_id=row["to_owner_id"],
            source_kind=row["source_kind"],
            source_id=row["source_id"],
            reason=row["reason"],
            details=json.loads(row["details"]),
            expires_at=row["expires_at"],
            recorded_at=row["recorded_at"],
            recorded_by=row["recorded_by"],
            lots=lots[row["id"]],
        )
        for row in await connection.fetch(_HOLDS, tenant_id, ids)
    )


async def _hold_ends(connection: Any, tenant_id: UUID, ids: list[UUID]) -> Iterator[Record]:
    return (
        HoldEndRecord(**{**_members(row, HoldEndRecord), "outcome": HoldOutcome(row["outcome"])})
        for row in await connection.fetch(_HOLD_ENDS, tenant_id, ids)
    )


def _members(row: Any, kind: type[Struct]) -> dict[str, Any]:
    return {name: row[name] for name in kind.__struct_fields__}


_TRANSACTIONS = """
SELECT id, kind, source_kind, source_id, reason, effective_at, recorded_at, recorded_by, approved_by,
    details::text AS details
FROM ledger_transactions WHERE tenant_id = $1 AND id = ANY ($2)
"""
_LEGS = """
SELECT
    e.transaction_id, e.account_id, e.sequence, e.amount, e.balance_after,
    a.asset, a.kind AS account_kind, a.owner_id, a.stripe
FROM ledger_entries e
JOIN ledger_accounts a ON a.tenant_id = $1 AND a.id = e.account_id
WHERE e.tenant_id = $1 AND e.transaction_id = ANY ($2)
"""
_LOTS = """
SELECT
    l.account_id, l.sequence, l.part, l.amount, l.issuer_id, NULLIF(l.expires_at, 'infinity') AS expires_at
FROM ledger_entries e
JOIN ledger_lots l ON l.tenant_id = $1 AND l.account_id = e.account_id AND l.sequence = e.sequence
WHERE e.tenant_id = $1 AND e.transaction_id = ANY ($2)
ORDER BY l.account_id, l.sequence, l.part
"""
_ALLOCATIONS = """
SELECT l.account_id, l.sequence, l.lot_sequence, l.lot_part, l.amount
FROM ledger_entries e
JOIN ledger_allocations l ON l.tenant_id = $1 AND l.account_id = e.account_id AND l.sequence = e.sequence
WHERE e.tenant_id = $1 AND e.transaction_id = ANY ($2)
ORDER BY l.account_id, l.sequence, l.lot_sequence, l.lot_part
"""
_HOLDS = """
SELECT
    h.id, a.asset, a.kind AS account_kind, a.owner_id, h.amount, h.kind, h.to_kind, h.to_owner_id,
    h.source_kind, h.source_id, h.reason, h.details::text AS details, h.expires_at, h.recorded_at, h.recorded_by
FROM ledger_holds h
JOIN ledger_accounts a ON a.tenant_id = $1 AND a.id = h.account_id
WHERE h.tenant_id = $1 AND h.id = ANY ($2)
"""
_HOLD_LOTS = """
SELECT hold_id, lot_sequence, lot_part, amount FROM ledger_hold_lots
WHERE tenant_id = $1 AND hold_id = ANY ($2)
ORDER BY hold_id, lot_sequence, lot_part
"""
_HOLD_ENDS = """
SELECT hold_id, outcome, amount, transaction_id, reason, recorded_at, recorded_by FROM ledger_hold_ends
WHERE tenant_id = $1 AND hold_id = ANY ($2)
"""
