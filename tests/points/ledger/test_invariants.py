"""The audit finds what somebody changed behind the ledger's back: each invariant broken once by the owner's hand."""

import asyncpg
import pytest

from models.points import HoldOutcome
from services.points.ledger.invariants import broken_invariants
from tests.migrations.catalog import connected
from tests.points.books import Books, once

PERSON = "(SELECT id FROM ledger_accounts WHERE kind = 'member')"
OPEN_HOLDS = "(SELECT hold_id FROM ledger_open_holds)"
NO_TRIGGERS = "SET LOCAL session_replication_role = replica"


@pytest.fixture
async def filled(spoilt_books: Books) -> Books:
    books = spoilt_books
    for amount in (10, 5):
        await books.give(books.world.member.account_id, amount)
    keyed = {"account": books.world.points_clerk.account_id, "once": once("k")}
    await books.post(books.gift(books.world.member.account_id, 2, **keyed))
    assert await books.broken() == []
    return books


@pytest.fixture
async def held(filled: Books) -> Books:
    """Five of the points held, and four that were held spent."""
    books, person = filled, filled.world.member.account_id
    posted = books.hold(person, 5)
    for command in (posted, books.hold(person, 5)):
        await books.call("ledger_hold", command)
    await books.call("ledger_hold_end", books.end(posted.id, HoldOutcome.POSTED, 4))
    assert await books.broken() == []
    return books


async def tamper(books: Books, *statements: str) -> None:
    """As the owner of the database, past every trigger and foreign key."""
    async with connected(books.world.settings.database_url) as owner, owner.transaction():
        for statement in (NO_TRIGGERS, *statements):
            await owner.execute(statement)


@pytest.mark.parametrize(
    ("broken", "statements"),
    [
        ("I1 I2 I5", [f"UPDATE ledger_accounts SET balance = balance + 1 WHERE id = {PERSON}"]),
        ("I2", ["UPDATE ledger_accounts SET version = version + 1"]),
        ("I2 I5", [f"UPDATE ledger_entries SET sequence = 9 WHERE sequence = 2 AND account_id = {PERSON}"]),
        ("I2", [f"UPDATE ledger_entries SET balance_after = 11 WHERE sequence = 1 AND account_id = {PERSON}"]),
        ("I2 I3 I5", [f"UPDATE ledger_entries SET amount = 6 WHERE sequence = 2 AND account_id = {PERSON}"]),
        ("I2 I3", [f"DELETE FROM ledger_entries WHERE sequence = 3 AND account_id = {PERSON}"]),
        (
            "I3",
            [
                "INSERT INTO ledger_transactions (tenant_id, id, kind, source_kind, source_id, reason, effective_at)"
                " SELECT id, gen_random_uuid(), 'award', 'x', 'x', 'x', now() FROM tenants"
            ],
        ),
        (
            "I1 I2 I3 I4 I5",
            [
                "ALTER TABLE ledger_accounts DROP CONSTRAINT ck_ledger_accounts_no_overdraft",
                f"UPDATE ledger_accounts SET balance = -3 WHERE id = {PERSON}",
                "UPDATE ledger_entries SET amount = -20, balance_after = -3"
                f" WHERE sequence = 3 AND account_id = {PERSON}",
            ],
        ),
        (
            "I9",
            [
                "ALTER TABLE ledger_transactions"
                " DROP CONSTRAINT uq_ledger_transactions_tenant_id_source_kind_source_id",
                "UPDATE ledger_transactions SET source_kind = 'order_rated', source_id = '42'",
            ],
        ),
        ("I9", ["UPDATE idempotency_keys SET body = json_build_object('id', gen_random_uuid(), 'legs', '[]'::json)"]),
        ("I11", ["GRANT UPDATE ON ledger_entries TO linli_points"]),
        ("I11", ["GRANT TRUNCATE ON ledger_transactions TO linli_orders"]),
        ("I11", ["ALTER TABLE ledger_entries DISABLE TRIGGER append_only"]),
        ("I11", ["DROP TRIGGER append_only_truncate ON ledger_transactions"]),
    ],
)
async def test_finds(filled: Books, broken: str, statements: list[str]) -> None:
    await tamper(filled, *statements)
    sentences = await filled.broken()
    assert " ".join(sorted({sentence.partition(":")[0] for sentence in sentences}, key=lambda i: int(i[1:]))) == broken


@pytest.mark.parametrize(
    ("broken", "statements"),
    [
        ("I5", ["UPDATE ledger_lots SET remaining = remaining - 1 WHERE sequence = 1"]),
        ("I5", ["UPDATE ledger_lots SET held = held - 1 WHERE held > 0"]),
        ("I5", ["UPDATE ledger_accounts SET held = held + 1 WHERE kind = 'member'"]),
        ("I5", ["UPDATE ledger_allocations SET amount = amount - 1"]),
        ("I5", ["DELETE FROM ledger_allocations"]),
        ("I5", ["DELETE FROM ledger_lots WHERE sequence = 3"]),
        ("I5 I6", ["DELETE FROM ledger_open_holds"]),
        ("I5 I6", [f"UPDATE ledger_hold_lots SET amount = amount - 1 WHERE hold_id IN {OPEN_HOLDS}"]),
        ("I6", [f"UPDATE ledger_holds SET amount = amount - 1 WHERE id IN {OPEN_HOLDS}"]),
        ("I6", ["DELETE FROM ledger_hold_ends"]),
        ("I6", ["UPDATE ledger_hold_ends SET amount = 6"]),
        ("I6", ["UPDATE ledger_transactions SET source_id = 'x' WHERE source_kind = 'hold'"]),
        (
            "I6",
            [
                "INSERT INTO ledger_hold_ends (tenant_id, hold_id, outcome, amount, reason, recorded_at)"
                " SELECT tenant_id, hold_id, 'voided', 0, '', now() FROM ledger_open_holds"
            ],
        ),
        ("I11", ["GRANT DELETE ON ledger_allocations TO linli_points"]),
        ("I11", ["ALTER TABLE ledger_hold_ends DISABLE TRIGGER append_only"]),
    ],
)  # fmt: skip
async def test_finds_in_lots_and_holds(held: Books, broken: str, statements: list[str]) -> None:
    await tamper(held, *statements)
    assert " ".join(sorted({sentence.partition(":")[0] for sentence in await held.broken()})) == broken


async def test_says_what_is_wrong(filled: Books) -> None:
    await tamper(filled, f"UPDATE ledger_accounts SET balance = 18 WHERE id = {PERSON}")
    person = await filled.world.fetch_value(f"SELECT {PERSON}")
    assert await filled.broken() == [
        "I1: the balances of points add up to 1",
        f"I2: account {person} has balance 18, its entries add up to 17",
        f"I5: account {person} has balance 18 and 17 in its lots",
    ]


@pytest.mark.parametrize("role", ["linli_points", "linli_test", ""])
async def test_may_be_asked_by_whoever_may_read(filled: Books, role: str) -> None:
    """The service, the tests and the owner: each finds the same."""
    await tamper(filled, "UPDATE ledger_accounts SET version = version + 1 WHERE kind = 'member'")
    async with connected(filled.world.settings.database_url, role) as connection:
        assert len(await broken_invariants(connection, filled.world.tenant_id)) == 1


async def test_may_not_be_asked_by_another_service(filled: Books) -> None:
    async with connected(filled.world.settings.database_url, "linli_orders") as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await broken_invariants(connection, filled.world.tenant_id)
