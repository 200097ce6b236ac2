"""Replaying records into the tables of the ledger: each is checked against what the books are by then."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from models.points import Asset, HoldOutcome, LedgerAccountKind, LedgerRecord, TransactionKind
from services.chassis.schemas import new_id
from services.points.proof.records import (
    AccountKey,
    HoldEndRecord,
    HoldRecord,
    LegRecord,
    Record,
    RecordKey,
    TransactionRecord,
)

NEVER_NEGATIVE = frozenset(
    {LedgerAccountKind.MEMBER, LedgerAccountKind.MERCHANT, LedgerAccountKind.EXPIRY, LedgerAccountKind.ESCROW}
)


class WrongRecord(ValueError):
    """A record that cannot follow on what the books are; the text is one of `services.points.proof.imports.REASONS`."""


class Source(NamedTuple):
    """The fact a transaction or a hold comes from: it is used once."""

    record: LedgerRecord
    kind: str
    id: str


class AccountName(NamedTuple):
    """What an account is called, and the community that answers for it."""

    name: str | None
    community_id: UUID | None


LotKey = tuple[AccountKey, int, int]

STRIPED = frozenset({LedgerAccountKind.ISSUING_COMMUNITY, LedgerAccountKind.CORRECTION})


@dataclass
class _Account:
    id: UUID
    balance: int = 0
    version: int = 0
    held: int = 0
    is_new: bool = True


@dataclass
class _Lot:
    amount: int
    remaining: int
    expires_at: datetime | None
    held: int = 0


@dataclass
class _Hold:
    account: AccountKey
    amount: int
    expires_at: datetime
    lots: dict[LotKey, int]
    is_ended: bool = False
    posted_by: UUID | None = None
    posted: int = 0


class Replay:
    """The state of the accounts, lots and holds some records speak of, and the rows these records become.

    `take` the records in their order, then `write` once. Nothing is written before, and nothing committed. Records do
    not end between a transaction that posts a hold and the end of that hold (see `length_to_take`).
    """

    def __init__(self) -> None:
        self._accounts: dict[AccountKey, _Account] = {}
        self._lots: dict[LotKey, _Lot] = {}
        self._changed_accounts: set[AccountKey] = set()
        self._changed_lots: set[LotKey] = set()
        self._holds: dict[UUID, _Hold] = {}
        self._opened_holds: list[UUID] = []
        self._ended_holds: list[UUID] = []
        self._known: set[RecordKey | Source] = set()
        self._rows: dict[str, list[tuple[Any, ...]]] = {statement: [] for statement in _INSERTS}

    @classmethod
    async def beginning(cls, connection: Any, tenant_id: UUID, records: Sequence[Record]) -> "Replay":
        """Where the records begin: reads what they speak of, and locks their accounts in the order of their ids.

        The caller has locked the chain, and keeps all others from posting.
        """
        replay = cls()
        await replay._read_known(connection, tenant_id, records)
        await replay._read_holds(connection, tenant_id, records)
        await replay._read_accounts(connection, tenant_id, records)
        await replay._read_lots(connection, tenant_id, records)
        return replay

    def take(self, record: Record) -> None:
        """Raises WrongRecord."""
        if isinstance(record, TransactionRecord):
            self._take_transaction(record)
        elif isinstance(record, HoldRecord):
            self._take_hold(record)
        else:
            self._take_hold_end(record)

    async def write(
        self, connection: Any, tenant_id: UUID, names: Mapping[tuple[Asset, LedgerAccountKind, UUID], AccountName]
    ) -> None:
        """Writes everything taken. `names` are given to accounts that are opened here."""
        no_name = AccountName(None, None)
        opened = [(key, account) for key, account in self._accounts.items() if account.is_new]
        await connection.executemany(
            OPEN_ACCOUNT,
            [
                (tenant_id, account.id, key.asset, key.kind, key.owner_id, key.stripe, *names.get(key[:3], no_name))
                for key, account in opened
            ],
        )
        for statement, rows in self._rows.items():
            await connection.executemany(statement, [(tenant_id, *row) for row in rows])
        await connection.executemany(
            _MOVE_ACCOUNT,
            [
                (tenant_id, account.id, account.balance, account.version, account.held)
                for account in (self._accounts[key] for key in sorted(self._changed_accounts))
            ],
        )
        await connection.executemany(
            _MOVE_LOT,
            [
                (tenant_id, self._accounts[key[0]].id, key[1], key[2], self._lots[key].remaining, self._lots[key].held)
                for key in sorted(self._changed_lots)
            ],
        )
        await connection.execute(_OPEN_HOLDS, tenant_id, self._opened_holds)
        await connection.execute(_END_HOLDS, tenant_id, self._ended_holds)

    # One record --------------------------------------------------------------------------------------------------

    def _take_transaction(self, record: TransactionRecord) -> None:
        self._learn(RecordKey(LedgerRecord.TRANSACTION, record.id))
        self._learn(Source(LedgerRecord.TRANSACTION, record.source_kind, record.source_id))
        sums: dict[Asset, int] = {}
        for leg in record.legs:
            sums[leg.asset] = sums.get(leg.asset, 0) + leg.amount
        if len(record.legs) < 2 or any(sums.values()):
            raise WrongRecord("unbalanced")
        self._rows[_INSERT_TRANSACTION].append(
            (
                record.id, record.kind, record.source_kind, record.source_id, record.reason, record.effective_at,
                record.recorded_at, record.recorded_by, record.approved_by, _json(record.details),
            )
        )  # fmt: skip
        posted = self._posted_hold(record)
        for leg in record.legs:
            self._take_leg(record, leg, posted)

    def _posted_hold(self, record: TransactionRecord) -> _Hold | None:
        """The open hold this transaction posts: it reserves nothing any more."""
        hold_id = posted_hold_id(record)
        hold = self._holds.get(hold_id) if hold_id else None
        if hold is None:
            return None
        if hold.is_ended or hold.posted_by or hold.expires_at <= record.recorded_at:
            raise WrongRecord("wrong_hold")
        hold.posted_by = record.id
        hold.posted = -sum(leg.amount for leg in record.legs if leg.account == hold.account)
        self._release(hold)
        return hold

    def _take_leg(self, record: TransactionRecord, leg: LegRecord, posted: _Hold | None) -> None:
        account = self._accounts[leg.account]
        if leg.stripe and leg.account_kind not in STRIPED:
            raise WrongRecord("wrong_account")
        if leg.sequence != account.version + 1:
            raise WrongRecord("wrong_sequence")
        if leg.amount == 0 or leg.balance_after != account.balance + leg.amount or _is_on_the_wrong_side(leg):
            raise WrongRecord("wrong_balance")
        account.version, account.balance = leg.sequence, leg.balance_after
        self._changed_accounts.add(leg.account)
        self._rows[_INSERT_ENTRY].append((account.id, leg.sequence, record.id, leg.amount, leg.balance_after))
        self._take_lots(record, leg, posted)

    def _take_lots(self, record: TransactionRecord, leg: LegRecord, posted: _Hold | None) -> None:
        account_id = self._accounts[leg.account].id
        moved = sum(lot.amount for lot in leg.lots) + sum(share.amount for share in leg.allocations)
        if moved != (leg.amount if leg.account_kind is LedgerAccountKind.MEMBER else 0):
            raise WrongRecord("wrong_lots")
        for lot in leg.lots:
            key = (leg.account, leg.sequence, lot.part)
            if key in self._lots:
                raise WrongRecord("wrong_lots")
            self._lots[key] = _Lot(lot.amount, lot.amount, lot.expires_at)
            self._rows[_INSERT_LOT].append(
                (account_id, leg.sequence, lot.part, lot.amount, lot.amount, lot.expires_at, lot.issuer_id)
            )
        for share in leg.allocations:
            key = (leg.account, share.lot_sequence, share.lot_part)
            taken_from = self._lots.get(key)
            if taken_from is None or not taken_from.held <= taken_from.remaining + share.amount <= taken_from.amount:
                raise WrongRecord("wrong_lots")
            if share.amount < 0 and not (posted or _may_be_taken(record, taken_from)):
                raise WrongRecord("wrong_lots")
            taken_from.remaining += share.amount
            self._changed_lots.add(key)
            self._rows[_INSERT_ALLOCATION].append(
                (account_id, leg.sequence, share.lot_sequence, share.lot_part, share.amount)
            )

    def _take_hold(self, record: HoldRecord) -> None:
        self._learn(RecordKey(LedgerRecord.HOLD, record.id))
        self._learn(Source(LedgerRecord.HOLD, record.source_kind, record.source_id))
        shares = {(record.account, share.lot_sequence, share.lot_part): share.amount for share in record.lots}
        if (
            record.account_kind is not LedgerAccountKind.MEMBER
            or len(shares) != len(record.lots)
            or sum(shares.values()) != record.amount
            or record.expires_at <= record.recorded_at
        ):
            raise WrongRecord("wrong_hold")
        for key, amount in shares.items():
            lot = self._lots.get(key)
            if lot is None or not 0 < amount <= lot.remaining - lot.held or _is_over(lot, record.recorded_at):
                raise WrongRecord("wrong_hold")
            lot.held += amount
            self._changed_lots.add(key)
        self._holds[record.id] = _Hold(record.account, record.amount, record.expires_at, shares)
        self._opened_holds.append(record.id)
        account = self._accounts[record.account]
        account.held += record.amount
        self._changed_accounts.add(record.account)
        self._rows[_INSERT_HOLD].append(
            (
                record.id, account.id, record.amount, record.kind, record.to_kind, record.to_owner_id,
                record.source_kind, record.source_id, record.reason, _json(record.details), record.expires_at,
                record.recorded_at, record.recorded_by,
            )
        )  # fmt: skip
        self._rows[_INSERT_HOLD_LOT].extend(
            (record.id, account.id, share.lot_sequence, share.lot_part, share.amount) for share in record.lots
        )

    def _take_hold_end(self, record: HoldEndRecord) -> None:
        hold = self._holds.get(record.hold_id)
        if hold is None or hold.is_ended or record.amount > hold.amount:
            raise WrongRecord("wrong_hold")
        if (record.transaction_id, record.amount) != (hold.posted_by, hold.posted):
            raise WrongRecord("wrong_hold")
        if (hold.posted_by is not None) != (record.outcome is HoldOutcome.POSTED):
            raise WrongRecord("wrong_hold")
        hold.is_ended = True
        if hold.posted_by is None:
            self._release(hold)
        self._ended_holds.append(record.hold_id)
        self._rows[_INSERT_HOLD_END].append(
            (
                record.hold_id, record.outcome, record.amount, record.transaction_id, record.reason,
                record.recorded_at, record.recorded_by,
            )
        )  # fmt: skip

    def _release(self, hold: _Hold) -> None:
        self._accounts[hold.account].held -= hold.amount
        self._changed_accounts.add(hold.account)
        for key, amount in hold.lots.items():
            self._lots[key].held -= amount
            self._changed_lots.add(key)

    def _learn(self, name: "RecordKey | Source") -> None:
        if name in self._known:
            raise WrongRecord("twice")
        self._known.add(name)

    # What was there before ---------------------------------------------------------------------------------------

    async def _read_known(self, connection: Any, tenant_id: UUID, records: Iterable[Record]) -> None:
        for kind, of_kind, statement in (
            (LedgerRecord.TRANSACTION, TransactionRecord, _READ_TRANSACTIONS),
            (LedgerRecord.HOLD, HoldRecord, _READ_SOURCES_OF_HOLDS),
        ):
            some = [record for record in records if isinstance(record, of_kind)]
            rows = await connection.fetch(
                statement, tenant_id, [record.id for record in some],
                [_storable(record.source_kind) for record in some],
                [_storable(record.source_id) for record in some],
            )  # fmt: skip
            for row in rows:
                self._known |= {RecordKey(kind, row["id"]), Source(kind, row["source_kind"], row["source_id"])}

    async def _read_holds(self, connection: Any, tenant_id: UUID, records: Iterable[Record]) -> None:
        ids = {hold_id for record in records if (hold_id := _hold_spoken_of(record))}
        for row in await connection.fetch(_READ_HOLDS, tenant_id, list(ids)):
            account = _account_key(row)
            lots = {(account, lot["sequence"], lot["part"]): lot["amount"] for lot in json.loads(row["lots"])}
            self._holds[row["id"]] = _Hold(account, row["amount"], row["expires_at"], lots, row["is_ended"])

    async def _read_accounts(self, connection: Any, tenant_id: UUID, records: Iterable[Record]) -> None:
        keys = {account for record in records for account in _accounts_of(record)}
        ordered = sorted(keys | {hold.account for hold in self._holds.values()})
        rows = await connection.fetch(
            _READ_ACCOUNTS, tenant_id,
            [key.asset.value for key in ordered], [key.kind.value for key in ordered],
            [key.owner_id for key in ordered], [key.stripe for key in ordered],
        )  # fmt: skip
        self._accounts = {key: _Account(new_id()) for key in ordered}
        for row in rows:
            self._accounts[_account_key(row)] = _Account(
                row["id"], row["balance"], row["version"], row["held"], is_new=False
            )

    async def _read_lots(self, connection: Any, tenant_id: UUID, records: Iterable[Record]) -> None:
        keys = {key for record in records for key in _lots_of(record)}
        keys |= {key for hold in self._holds.values() for key in hold.lots}
        ordered = [key for key in keys if not self._accounts[key[0]].is_new]
        rows = await connection.fetch(
            _READ_LOTS, tenant_id,
            [self._accounts[account].id for account, _, _ in ordered],
            [sequence for _, sequence, _ in ordered], [part for _, _, part in ordered],
        )  # fmt: skip
        by_id = {account.id: key for key, account in self._accounts.items()}
        for row in rows:
            key = (by_id[row["account_id"]], row["sequence"], row["part"])
            self._lots[key] = _Lot(row["amount"], row["remaining"], row["expires_at"], row["held"])


def posted_hold_id(record: Record) -> UUID | None:
    """The hold a transaction says it posts."""
    if not isinstance(record, TransactionRecord) or record.source_kind != LedgerRecord.HOLD:
        return None
    try:
        return UUID(record.source_id)
    except ValueError:
        return None


def length_to_take(records: Sequence[Record]) -> int:
    """How many of the records can be taken: a hold that is posted ends in the same piece, so that books are always
    sound. From the first posting on whose end is not there yet, they wait for the next piece."""
    postings: dict[UUID, int] = {}
    for place, record in enumerate(records):
        if isinstance(record, HoldEndRecord) and record.transaction_id:
            postings.pop(record.transaction_id, None)
        elif isinstance(record, TransactionRecord) and posted_hold_id(record):
            postings[record.id] = place
    return min(postings.values(), default=len(records))


def _hold_spoken_of(record: Record) -> UUID | None:
    return record.hold_id if isinstance(record, HoldEndRecord) else posted_hold_id(record)


def _account_key(row: Any) -> AccountKey:
    return AccountKey(Asset(row["asset"]), LedgerAccountKind(row["kind"]), row["owner_id"], row["stripe"])


def _is_over(lot: _Lot, moment: datetime) -> bool:
    return lot.expires_at is not None and lot.expires_at <= moment


def _may_be_taken(record: TransactionRecord, lot: _Lot) -> bool:
    """What is over can only expire; and an earning is taken back from its own lot even then."""
    if record.kind is TransactionKind.REVERSAL:
        return True
    return _is_over(lot, record.recorded_at) == (record.kind is TransactionKind.EXPIRY)


def _storable(text: str) -> str:
    """To be looked for. What Postgres cannot store is not there."""
    return text.replace("\0", "")


def _accounts_of(record: Record) -> list[AccountKey]:
    if isinstance(record, TransactionRecord):
        return [leg.account for leg in record.legs]
    return [record.account] if isinstance(record, HoldRecord) else []


def _lots_of(record: Record) -> list[LotKey]:
    if isinstance(record, TransactionRecord):
        return [(leg.account, share.lot_sequence, share.lot_part) for leg in record.legs for share in leg.allocations]
    if isinstance(record, HoldRecord):
        return [(record.account, share.lot_sequence, share.lot_part) for share in record.lots]
    return []


def _is_on_the_wrong_side(leg: LegRecord) -> bool:
    if leg.account_kind in NEVER_NEGATIVE:
        return leg.balance_after < 0
    return leg.account_kind is LedgerAccountKind.DEBT and leg.balance_after > 0


def _json(details: dict[str, Any]) -> str:
    return json.dumps(details, ensure_ascii=False)


OPEN_ACCOUNT = """
INSERT INTO ledger_accounts (tenant_id, id, asset, kind, owner_id, stripe, name, community_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, (SELECT a.id FROM areas a WHERE a.tenant_id = $1 AND a.id = $8))
ON CONFLICT DO NOTHING
"""
"""A community that this district does not have is left out."""
_INSERT_TRANSACTION = """
INSERT INTO ledger_transactions (
    tenant_id, id, kind, source_kind, source_id, reason, effective_at, recorded_at, recorded_by, approved_by, details
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::text::jsonb)
"""
_INSERT_ENTRY = """
INSERT INTO ledger_entries (tenant_id, account_id, sequence, transaction_id, amount, balance_after)
VALUES ($1, $2, $3, $4, $5, $6)
"""
_INSERT_LOT = """
INSERT INTO ledger_lots (tenant_id, account_id, sequence, part, amount, remaining, expires_at, issuer_id)
VALUES ($1, $2, $3, $4, $5, $6, COALESCE($7::timestamptz, 'infinity'), $8)
"""
_INSERT_ALLOCATION = """
INSERT INTO ledger_allocations (tenant_id, account_id, sequence, lot_sequence, lot_part, amount)
VALUES ($1, $2, $3, $4, $5, $6)
"""
_INSERT_HOLD = """
INSERT INTO ledger_holds (
    tenant_id, id, account_id, amount, kind, to_kind, to_owner_id, source_kind, source_id, reason, details,
    expires_at, recorded_at, recorded_by
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::text::jsonb, $12, $13, $14)
"""
_INSERT_HOLD_LOT = """
INSERT INTO ledger_hold_lots (tenant_id, hold_id, account_id, lot_sequence, lot_part, amount)
VALUES ($1, $2, $3, $4, $5, $6)
"""
_INSERT_HOLD_END = """
INSERT INTO ledger_hold_ends (
    tenant_id, hold_id, outcome, amount, transaction_id, reason, recorded_at, recorded_by
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
_INSERTS = (
    _INSERT_TRANSACTION, _INSERT_ENTRY, _INSERT_LOT, _INSERT_ALLOCATION,
    _INSERT_HOLD, _INSERT_HOLD_LOT, _INSERT_HOLD_END,
)  # fmt: skip
"""In the order of their foreign keys."""
_MOVE_ACCOUNT = "UPDATE ledger_accounts SET balance = $3, version = $4, held = $5 WHERE tenant_id = $1 AND id = $2"
_MOVE_LOT = """
UPDATE ledger_lots SET remaining = $5, held = $6
WHERE tenant_id = $1 AND account_id = $2 AND sequence = $3 AND part = $4
"""
_OPEN_HOLDS = """
INSERT INTO ledger_open_holds (tenant_id, hold_id, account_id, expires_at)
SELECT h.tenant_id, h.id, h.account_id, h.expires_at FROM ledger_holds h
WHERE h.tenant_id = $1 AND h.id = ANY ($2::uuid[])
"""
_END_HOLDS = "DELETE FROM ledger_open_holds WHERE tenant_id = $1 AND hold_id = ANY ($2::uuid[])"
_READ_ACCOUNTS = """
SELECT a.id, a.asset, a.kind, a.owner_id, a.stripe, a.balance, a.version, a.held
FROM unnest($2::text[], $3::text[], $4::uuid[], $5::int[]) AS k (asset, kind, owner_id, stripe)
JOIN ledger_accounts a ON a.tenant_id = $1
    AND a.asset = k.asset AND a.kind = k.kind AND a.owner_id = k.owner_id AND a.stripe = k.stripe
ORDER BY a.id FOR NO KEY UPDATE OF a
"""
_READ_LOTS = """
SELECT
    l.account_id, l.sequence, l.part, l.amount, l.remaining, l.held, NULLIF(l.expires_at, 'infinity') AS expires_at
FROM unnest($2::uuid[], $3::bigint[], $4::int[]) AS k (account_id, sequence, part)
JOIN ledger_lots l ON l.tenant_id = $1
    AND l.account_id = k.account_id AND l.sequence = k.sequence AND l.part = k.part
"""
_READ_HOLDS = """
SELECT
    h.id, h.amount, h.expires_at, a.asset, a.kind, a.owner_id, a.stripe,
    EXISTS (SELECT FROM ledger_hold_ends e WHERE e.tenant_id = $1 AND e.hold_id = h.id) AS is_ended,
    (
        SELECT json_agg(json_build_object('sequence', l.lot_sequence, 'part', l.lot_part, 'amount', l.amount))::text
        FROM ledger_hold_lots l WHERE l.tenant_id = $1 AND l.hold_id = h.id
    ) AS lots
FROM ledger_holds h
JOIN ledger_accounts a ON a.tenant_id = $1 AND a.id = h.account_id
WHERE h.tenant_id = $1 AND h.id = ANY ($2::uuid[])
"""
_READ_TRANSACTIONS = """
SELECT id, source_kind, source_id FROM ledger_transactions WHERE tenant_id = $1 AND id = ANY ($2::uuid[])
UNION
SELECT t.id, t.source_kind, t.source_id
FROM unnest($3::text[], $4::text[]) AS s (kind, id)
JOIN ledger_transactions t ON t.tenant_id = $1 AND t.source_kind = s.kind AND t.source_id = s.id
"""
_READ_SOURCES_OF_HOLDS = """
SELECT id, source_kind, source_id FROM ledger_holds WHERE tenant_id = $1 AND id = ANY ($2::uuid[])
UNION
SELECT h.id, h.source_kind, h.source_id
FROM unnest($3::text[], $4::text[]) AS s (kind, id)
JOIN ledger_holds h ON h.tenant_id = $1 AND h.source_kind = s.kind AND h.source_id = s.id
"""
