"""The chain is written once, in an order that can be replayed, by however many workers."""

import asyncio
import random
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from models.points import Asset, HoldOutcome, LedgerAccountKind, TransactionKind
from services.points.proof import sealing
from services.points.proof.records import (
    NO_HASH,
    HoldEndRecord,
    HoldRecord,
    LegRecord,
    LotShare,
    Record,
    TransactionRecord,
    fetch_records,
    key_of,
    link_hash,
    record_text,
)
from services.points.proof.sealing import in_order, seal_due
from tests.points.books import Books
from tests.points.proof.histories import live, sealed, set_clock

NOON = datetime(2026, 3, 16, 4, tzinfo=UTC)
OWNER = uuid4()


def leg(sequence: int) -> LegRecord:
    return LegRecord(
        asset=Asset.POINTS, account_kind=LedgerAccountKind.MEMBER, owner_id=OWNER, stripe=0, sequence=sequence,
        amount=1, balance_after=sequence, lots=[], allocations=[],
    )  # fmt: skip


def transaction(sequence: int, at: datetime = NOON) -> TransactionRecord:
    return TransactionRecord(
        id=uuid4(), kind=TransactionKind.AWARD, source_kind="award", source_id="1", reason="", effective_at=at,
        recorded_at=at, recorded_by=None, approved_by=None, details={}, legs=[leg(sequence)],
    )  # fmt: skip


def hold(lot_sequence: int, at: datetime = NOON) -> HoldRecord:
    return HoldRecord(
        id=uuid4(), asset=Asset.POINTS, account_kind=LedgerAccountKind.MEMBER, owner_id=OWNER, amount=1,
        kind=TransactionKind.REDEMPTION, to_kind=LedgerAccountKind.MERCHANT, to_owner_id=OWNER, source_kind="hold",
        source_id="1", reason="", details={}, expires_at=at, recorded_at=at, recorded_by=None,
        lots=[LotShare(lot_sequence=lot_sequence, lot_part=1, amount=1)],
    )  # fmt: skip


def end(hold_id: UUID, transaction_id: UUID | None, at: datetime = NOON) -> HoldEndRecord:
    return HoldEndRecord(
        hold_id=hold_id, outcome=HoldOutcome.POSTED, amount=1, transaction_id=transaction_id, reason="",
        recorded_at=at, recorded_by=None,
    )  # fmt: skip


class TestOrder:
    def test_follows_the_accounts_whatever_the_clock_said(self) -> None:
        """The clock of the database went back an hour between two postings."""
        records = [transaction(n, NOON - timedelta(hours=n)) for n in range(1, 20)]
        random.Random(3).shuffle(records)
        assert [r.legs[0].sequence for r in in_order(records) if isinstance(r, TransactionRecord)] == [*range(1, 20)]

    def test_has_a_hold_behind_its_lots_and_its_end_behind_both(self) -> None:
        opening, posting = transaction(1), transaction(2)
        held = hold(1, NOON - timedelta(hours=1))
        ended = end(held.id, posting.id, NOON - timedelta(hours=2))
        records: list[Record] = [ended, held, posting, opening]
        placed = [key_of(record) for record in in_order(records)]
        assert placed.index(key_of(opening)) < placed.index(key_of(held)) < placed.index(key_of(ended))
        assert placed[-1] == key_of(ended)

    def test_loses_nothing(self) -> None:
        records = [transaction(n) for n in range(1, 50)]
        assert {key_of(r) for r in in_order(records)} == {key_of(r) for r in records}


class TestSealing:
    async def test_seals_every_record_once(self, quiet_books: Books) -> None:
        await live(quiet_books)
        waiting = await quiet_books.count("ledger_unsealed")
        assert await seal_due(quiet_books.database, quiet_books.world.tenant_id) == waiting
        assert await quiet_books.count("ledger_unsealed") == 0
        assert await quiet_books.count("ledger_chain") == waiting
        assert await seal_due(quiet_books.database, quiet_books.world.tenant_id) == 0

    async def test_each_link_holds_the_one_before(self, quiet_books: Books) -> None:
        await live(quiet_books)
        length = await sealed(quiet_books)
        tenant_id, previous = quiet_books.world.tenant_id, NO_HASH
        links = await quiet_books.world.fetch("SELECT * FROM ledger_chain ORDER BY position")
        assert [link["position"] for link in links] == [*range(1, length + 1)]
        async with quiet_books.database.hot_transaction(tenant_id) as connection:
            for link in links:
                key = sealing._keys([link])[0]
                record = (await fetch_records(connection, tenant_id, [key]))[key]
                previous = link_hash(link["position"], previous, record_text(record))
                assert link["hash"] == previous
        assert await quiet_books.world.fetch_value("SELECT hash FROM ledger_chain_heads") == previous

    async def test_texts_name_no_tenant_and_nobody(self, quiet_books: Books) -> None:
        await live(quiet_books)
        links = await quiet_books.world.fetch("SELECT record_kind, record_id FROM ledger_unsealed")
        async with quiet_books.database.hot_transaction(quiet_books.world.tenant_id) as connection:
            records = await fetch_records(connection, quiet_books.world.tenant_id, sealing._keys(links))
        texts = " ".join(record_text(record) for record in records.values())
        assert str(quiet_books.world.tenant_id) not in texts
        assert not any(person.name in texts for person in quiet_books.world.people.values())
        assert '"expires_at":null' in texts

    @pytest.mark.parametrize("batch", [1, 3])
    async def test_small_batches_make_the_same_chain(
        self, quiet_books: Books, monkeypatch: pytest.MonkeyPatch, batch: int
    ) -> None:
        """A record that comes first by the clock waits for those it stands on, wherever batches end."""
        await live(quiet_books)
        await quiet_books.world.connection.execute("ANALYZE")
        monkeypatch.setattr(sealing, "BATCH", batch)
        await sealed(quiet_books)
        keys = sealing._keys(
            await quiet_books.world.fetch("SELECT record_kind, record_id FROM ledger_chain ORDER BY position")
        )
        async with quiet_books.database.hot_transaction(quiet_books.world.tenant_id) as connection:
            records = await fetch_records(connection, quiet_books.world.tenant_id, keys)
        for key, before in sealing._precedences(records):
            assert keys.index(before) < keys.index(key)

    async def test_a_clock_that_goes_back_does_not_turn_the_books_around(
        self, quiet_books: Books, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Each posting an hour before the one before: the sequence of the account counts, also across batches."""
        monkeypatch.setattr(sealing, "BATCH", 2)
        for hour in range(6):
            await set_clock(quiet_books, NOON - timedelta(hours=hour))
            await quiet_books.give(quiet_books.world.member.account_id, 1 + hour)
        await sealed(quiet_books)
        rows = await quiet_books.world.fetch(
            "SELECT e.amount FROM ledger_chain c JOIN ledger_entries e ON e.transaction_id = c.record_id"
            " WHERE e.amount > 0 ORDER BY c.position"
        )
        assert [row["amount"] for row in rows] == [1, 2, 3, 4, 5, 6]

    async def test_many_workers_make_one_chain(self, quiet_books: Books) -> None:
        await live(quiet_books)
        waiting = await quiet_books.count("ledger_unsealed")
        done = await asyncio.gather(*(seal_due(quiet_books.database, quiet_books.world.tenant_id) for _ in range(8)))
        await sealed(quiet_books)
        assert sum(done) <= waiting
        assert await quiet_books.count("ledger_chain") == waiting

    async def test_a_queued_record_that_is_gone_stops_nobody(self, spoilt_books: Books) -> None:
        await live(spoilt_books)
        await spoilt_books.world.insert("ledger_unsealed", record_kind="transaction", record_id=uuid4())
        await sealed(spoilt_books)
        assert await spoilt_books.count("ledger_unsealed") == 1
