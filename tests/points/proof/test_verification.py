"""Every kind of manipulation is found: each done once as the owner of the database, past every trigger and key."""

import pytest

from services.chassis.snapshots import Snapshots
from services.points.proof.heads import publish_head
from services.points.proof.records import RecordKey, fetch_records, link_hash, record_text
from services.points.proof.sealing import _keys
from services.points.proof.verification import SENTENCES, KnownHead, Outcome, verify
from tests.migrations.catalog import connected
from tests.points.books import Books
from tests.points.proof.histories import sealed

NO_TRIGGERS = "SET LOCAL session_replication_role = replica"
FIFTH = "(SELECT record_id FROM ledger_chain WHERE position = 5)"
SWAPPED = (
    "CREATE TEMPORARY TABLE swapped ON COMMIT DROP AS SELECT * FROM ledger_chain WHERE position IN (3, 4)",
    "DELETE FROM ledger_chain WHERE position IN (3, 4)",
    "INSERT INTO ledger_chain SELECT tenant_id, 7 - position, record_kind, record_id, hash FROM swapped",
)
"""A person who may do everything has two neighbouring links change places."""


async def tamper(books: Books, *statements: str) -> None:
    async with connected(books.world.settings.database_url) as owner, owner.transaction():
        for statement in (NO_TRIGGERS, *statements):
            await owner.execute(statement)


async def checked(
    books: Books, *, after: int = 0, most: int | None = None, kept: tuple[KnownHead, ...] = ()
) -> Outcome:
    async with Snapshots(books.database).of(books.world.tenant_id) as connection:
        return await verify(connection, books.world.tenant_id, after=after, most=most, kept=kept)


def places(outcome: Outcome) -> set[tuple[str, int | None]]:
    """What was found in the chain itself; what follows from it for the sums is another test's."""
    return {(found.code, found.position) for found in outcome.found if found.code != "broken_invariant"}


async def rehash_from(books: Books, first: int) -> None:
    """Writes the chain anew from a position on, its head included: what somebody would do who knows how it works."""
    tenant_id = books.world.tenant_id
    links = await books.world.fetch("SELECT * FROM ledger_chain ORDER BY position")
    async with books.database.hot_transaction(tenant_id) as connection:
        records = await fetch_records(connection, tenant_id, _keys(links))
    previous = links[first - 2]["hash"]
    statements = []
    for link in links[first - 1 :]:
        key = RecordKey(*_keys([link])[0])
        previous = link_hash(link["position"], previous, record_text(records[key]))
        statements.append(f"UPDATE ledger_chain SET hash = '\\x{previous.hex()}' WHERE position = {link['position']}")
    await tamper(books, *statements, f"UPDATE ledger_chain_heads SET hash = '\\x{previous.hex()}'")


async def test_sound_books_are_found_sound(sealed_books: Books) -> None:
    await publish_head(sealed_books.database, sealed_books.world.tenant_id)
    outcome = await checked(sealed_books)
    assert outcome.found == []
    assert outcome.is_whole
    assert outcome.position == await sealed(sealed_books)


async def test_books_without_a_record_are_sound(spoilt_books: Books) -> None:
    assert (await checked(spoilt_books)).found == []


@pytest.mark.parametrize(
    ("found", "statements"),
    [
        ({("record_changed", 5)}, [f"UPDATE ledger_holds SET reason = 'x' WHERE id = {FIFTH}"]),
        ({("record_changed", 8)}, [f"UPDATE ledger_hold_ends SET reason = 'x' WHERE hold_id = {FIFTH}"]),
        ({("record_changed", 1)}, ["UPDATE ledger_transactions SET recorded_by = gen_random_uuid()"
                                   " WHERE id = (SELECT record_id FROM ledger_chain WHERE position = 1)"]),
        ({("record_changed", 1)}, ["UPDATE ledger_transactions SET effective_at = effective_at - interval '1 us'"
                                   " WHERE id = (SELECT record_id FROM ledger_chain WHERE position = 1)"]),
        ({("record_changed", 1)}, ["UPDATE ledger_lots SET expires_at = now() WHERE (account_id, sequence) IN"
                                   " (SELECT account_id, sequence FROM ledger_entries WHERE transaction_id ="
                                   " (SELECT record_id FROM ledger_chain WHERE position = 1))"]),
        ({("record_changed", 2)}, ["UPDATE ledger_entries SET amount = amount * 2 WHERE transaction_id ="
                                   " (SELECT record_id FROM ledger_chain WHERE position = 2)"]),
        ({("record_missing", 3)}, ["UPDATE ledger_chain SET record_id = gen_random_uuid() WHERE position = 3"]),
        ({("links_missing", 4)}, ["DELETE FROM ledger_chain WHERE position = 4"]),
        ({("record_changed", 3), ("record_changed", 4), ("record_changed", 5)}, [*SWAPPED]),
        ({("record_missing", 1)}, ["DELETE FROM ledger_transactions WHERE id ="
                                   " (SELECT record_id FROM ledger_chain WHERE position = 1)"]),
        ({("queued_record_missing", None)}, ["INSERT INTO ledger_unsealed SELECT id, 'hold', gen_random_uuid()"
                                             " FROM tenants"]),
        ({("sealed_and_queued", None)}, ["INSERT INTO ledger_unsealed SELECT tenant_id, record_kind, record_id"
                                         " FROM ledger_chain WHERE position = 2"]),
        (set(), ["UPDATE ledger_accounts SET balance = balance + 1 WHERE kind = 'member'"]),
    ],
)  # fmt: skip
async def test_finds(sealed_books: Books, found: set[tuple[str, int | None]], statements: list[str]) -> None:
    await tamper(sealed_books, *statements)
    outcome = await checked(sealed_books)
    assert outcome.found
    assert places(outcome) - {("never_sealed", None)} == found


async def test_a_deleted_tail_differs_from_the_head(sealed_books: Books) -> None:
    length = await sealed(sealed_books)
    await tamper(sealed_books, f"DELETE FROM ledger_chain WHERE position > {length - 2}")
    assert ("head_differs", length - 2) in places(await checked(sealed_books))


async def test_a_tail_deleted_with_its_records_and_head_differs_from_what_was_published(sealed_books: Books) -> None:
    length = await sealed(sealed_books)
    await publish_head(sealed_books.database, sealed_books.world.tenant_id)
    await tamper(
        sealed_books,
        f"DELETE FROM ledger_holds WHERE id = (SELECT record_id FROM ledger_chain WHERE position = {length})",
        f"DELETE FROM ledger_chain WHERE position = {length}",
        f"UPDATE ledger_chain_heads SET position = {length - 1},"
        f" hash = (SELECT hash FROM ledger_chain WHERE position = {length - 1})",
    )
    assert places(await checked(sealed_books)) == {("published_head_differs", length)}


async def test_a_tail_hashed_anew_differs_from_what_was_published(sealed_books: Books) -> None:
    await publish_head(sealed_books.database, sealed_books.world.tenant_id)
    length = await sealed(sealed_books)
    await tamper(sealed_books, f"UPDATE ledger_holds SET reason = 'x' WHERE id = {FIFTH}")
    await rehash_from(sealed_books, 5)
    assert places(await checked(sealed_books)) == {("published_head_differs", length)}


async def test_nothing_but_a_published_head_finds_it(sealed_books: Books) -> None:
    """Even who deletes what was published meets somebody who kept it."""
    length = await sealed(sealed_books)
    await publish_head(sealed_books.database, sealed_books.world.tenant_id)
    row = (await sealed_books.world.fetch("SELECT published_on, position, hash FROM ledger_published_heads"))[0]
    kept = KnownHead(*row)
    await tamper(
        sealed_books,
        f"UPDATE ledger_holds SET reason = 'x' WHERE id = {FIFTH}",
        "DELETE FROM ledger_published_heads",
    )
    await rehash_from(sealed_books, 5)
    assert places(await checked(sealed_books)) == set()
    assert places(await checked(sealed_books, kept=(kept,))) == {("published_head_differs", length)}


async def test_a_published_head_that_was_edited_is_found(sealed_books: Books) -> None:
    await publish_head(sealed_books.database, sealed_books.world.tenant_id)
    await tamper(sealed_books, "UPDATE ledger_published_heads SET position = 2")
    assert places(await checked(sealed_books)) == {("published_head_differs", 2)}


async def test_a_record_taken_out_of_the_queue_is_found(sealed_books: Books) -> None:
    """Who deletes the bookmark keeps the record out of the chain, but not out of sight."""
    await sealed_books.give(sealed_books.world.member.account_id, 3)
    assert places(await checked(sealed_books)) == set()
    await tamper(sealed_books, "DELETE FROM ledger_unsealed")
    assert places(await checked(sealed_books)) == {("never_sealed", None)}


async def test_a_stretch_begins_where_the_one_before_ended(sealed_books: Books) -> None:
    length = await sealed(sealed_books)
    await tamper(sealed_books, "DELETE FROM ledger_chain WHERE position = 9")
    first = await checked(sealed_books, most=4)
    assert (first.position, first.is_whole, first.found) == (4, False, [])
    second = await checked(sealed_books, after=first.position, most=length)
    assert second.is_whole
    assert ("links_missing", 9) in places(second)


def test_every_finding_has_a_sentence_in_both_languages() -> None:
    for chinese, english in SENTENCES.values():
        assert chinese.endswith("。")
        assert english.endswith(".")
