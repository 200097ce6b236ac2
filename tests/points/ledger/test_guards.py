"""Each guard of the ledger, taken off once: the trial it is there for must then turn red."""

from collections.abc import Awaitable, Callable

import asyncpg
import pytest

from migrations.functions import function_source
from services.chassis import commands
from tests.migrations.catalog import connected
from tests.points.books import Books
from tests.points.ledger import trials

Trial = Callable[[Books], Awaitable[None]]

Guard = tuple[str, str, str]
"""A piece of a function: its file, the piece, what stands there instead."""

ACCOUNT_LOCK = ("ledger_post_all_v2", "            FOR NO KEY UPDATE\n", "")
SOURCE_LOCK = ("ledger_post_all_v2", "PERFORM pg_advisory_xact_lock(s.lock) FROM", "PERFORM s.lock FROM")
KEY_LOCK = ("idempotency_recall_v2", "PERFORM pg_advisory_xact_lock(", "PERFORM (")
OVERDRAFT_CHECK = ("ledger_post_one_v1", "v_available + c.leg_amounts[i] < 0", "false")
PENDING_TERM = ("ledger_available_v1", "l.remaining - l.held", "l.remaining")
REVERSAL_LOCK = ("ledger_reverse_decided_v1", "PERFORM pg_advisory_xact_lock(", "PERFORM (")
HOLDERS_LOCK = ("ledger_hold_decided_v1", "\n    FOR NO KEY UPDATE;", ";")
ONE_END_PER_HOLD = ("ledger_hold_end_decided_v1", "IF v_outcome IS NOT NULL THEN", "IF false THEN")
LOTS_HAVE_IT = ("ledger_take_v1", "IF v_taken <> p_amount THEN", "IF false THEN")
NOT_LOTS_THAT_ARE_OVER = ("ledger_available_v1", " AND l.expires_at > p_now", "")
ORIGINAL_EXPIRY = (
    ("ledger_give_back_v1", "t.expires_at <= p_now AND p_days > 0 AS lives_on", "true AS lives_on"),
    ("ledger_give_back_v1", "p_now + p_days * interval '24 hours'", "p_now + interval '30 days'"),
)
ONE_SOURCE_ONCE = (
    "ALTER TABLE ledger_transactions DROP CONSTRAINT uq_ledger_transactions_tenant_id_source_kind_source_id"
)
NO_OVERDRAFT = "ALTER TABLE ledger_accounts DROP CONSTRAINT ck_ledger_accounts_no_overdraft"


async def take_off(books: Books, *guards: Guard | str) -> None:
    """A constraint by its statement, or a piece of a function."""
    statements = [guard for guard in guards if isinstance(guard, str)]
    sources: dict[str, str] = {}
    for name, piece, instead in (guard for guard in guards if not isinstance(guard, str)):
        source = sources.get(name, function_source(name).replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"))
        assert source.count(piece) == 1, f"{piece!r} is not what stands in {name}"
        sources[name] = source.replace(piece, instead)
    async with connected(books.world.settings.database_url) as owner:
        for statement in [*statements, *sources.values()]:
            await owner.execute(statement)


async def is_red(trial: Trial, books: Books) -> bool:
    try:
        await trial(books)
    except (AssertionError, asyncpg.PostgresError):
        return True
    return await books.broken() != []


@pytest.mark.parametrize(
    ("guards", "trial"),
    [
        ([ACCOUNT_LOCK], trials.two_credits_of_one_account),
        ([ACCOUNT_LOCK], trials.two_debits_of_the_last_points),
        ([SOURCE_LOCK], trials.two_postings_of_one_source),
        ([SOURCE_LOCK, ONE_SOURCE_ONCE], trials.two_postings_of_one_source),
        ([KEY_LOCK], trials.two_requests_with_one_key),
        ([OVERDRAFT_CHECK], trials.twenty_debits_for_five),
        ([PENDING_TERM], trials.spending_what_is_held),
        ([PENDING_TERM, NO_OVERDRAFT], trials.spending_what_is_held),
        ([NOT_LOTS_THAT_ARE_OVER], trials.spending_what_is_over),
        ([*ORIGINAL_EXPIRY], trials.spending_and_taking_it_back),
        ([REVERSAL_LOCK], trials.two_reversals_of_one_posting),
        ([HOLDERS_LOCK], trials.two_holds_of_the_last_points),
        ([ONE_END_PER_HOLD], trials.two_ends_of_one_hold),
        ([ONE_END_PER_HOLD], trials.all_ends_of_a_hold_at_once),
        ([ONE_END_PER_HOLD], trials.all_ends_of_a_hold_one_after_another),
    ],
)
async def test_without_the_guard_the_trial_is_red(spoilt_books: Books, guards: list[Guard | str], trial: Trial) -> None:
    await take_off(spoilt_books, *guards)
    assert await is_red(trial, spoilt_books)


async def test_without_the_retry_the_trial_is_red(spoilt_books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "RETRIED_SQLSTATES", frozenset[str]())
    with pytest.raises(asyncpg.DeadlockDetectedError):
        await trials.a_deadlock_with_somebody_else(spoilt_books)


async def test_without_sorted_locks_batches_wait_in_a_circle(spoilt_books: Books) -> None:
    async with connected(spoilt_books.world.settings.database_url) as owner:
        database = await owner.fetchval("SELECT current_database()")
        await owner.execute(f"ALTER DATABASE {database} SET deadlock_timeout = '50ms'")
    await spoilt_books.database.pool.expire_connections()
    with pytest.raises(asyncpg.DeadlockDetectedError):
        await trials.opposing_transfers_posted_item_by_item(spoilt_books)


class TestBackstops:
    """What a constraint of the table still holds when the function does not."""

    async def test_a_source_is_not_posted_twice_even_without_its_lock(self, spoilt_books: Books) -> None:
        await take_off(spoilt_books, SOURCE_LOCK)
        with pytest.raises(asyncpg.UniqueViolationError):
            await trials.two_postings_of_one_source(spoilt_books)
        assert await spoilt_books.broken() == []

    async def test_without_both_it_is_posted_twice_and_the_audit_says_so(self, spoilt_books: Books) -> None:
        await take_off(spoilt_books, SOURCE_LOCK, ONE_SOURCE_ONCE)
        books, source = spoilt_books, ("order_rated", "42")
        one, other = books.world.member.account_id, books.world.zhang.account_id
        for person in (one, other):
            await books.give(person, 1)
        async with trials.posted_but_not_committed(books, books.gift(one, 5, source=source)):
            books.community_id = books.world.areas["other_community"]
            await books.post(books.gift(other, 5, source=source))
        assert await books.broken() == ["I9: source order_rated 42 was posted 2 times"]

    async def test_nobody_goes_below_zero_even_unchecked(self, spoilt_books: Books) -> None:
        await take_off(spoilt_books, OVERDRAFT_CHECK)
        with pytest.raises(asyncpg.CheckViolationError):
            await trials.twenty_debits_for_five(spoilt_books)

    async def test_nor_are_its_lots_overdrawn(self, spoilt_books: Books) -> None:
        await take_off(spoilt_books, OVERDRAFT_CHECK, NO_OVERDRAFT)
        with pytest.raises(asyncpg.RaiseError, match="the lots of account"):
            await trials.twenty_debits_for_five(spoilt_books)
        assert await spoilt_books.broken() == []

    async def test_without_all_three_the_audit_says_so(self, spoilt_books: Books) -> None:
        await take_off(spoilt_books, OVERDRAFT_CHECK, NO_OVERDRAFT, LOTS_HAVE_IT)
        with pytest.raises(AssertionError):
            await trials.twenty_debits_for_five(spoilt_books)
        assert {sentence[:3] for sentence in await spoilt_books.broken()} == {"I4:", "I5:"}

    async def test_what_is_held_is_not_spent_even_unchecked(self, spoilt_books: Books) -> None:
        await take_off(spoilt_books, PENDING_TERM)
        with pytest.raises(asyncpg.CheckViolationError, match="no_overdraft"):
            await trials.spending_what_is_held(spoilt_books)
        assert await spoilt_books.broken() == []

    async def test_a_hold_ends_once_even_unchecked(self, spoilt_books: Books) -> None:
        await take_off(spoilt_books, ONE_END_PER_HOLD)
        with pytest.raises((asyncpg.UniqueViolationError, asyncpg.CheckViolationError)):
            await trials.all_ends_of_a_hold_one_after_another(spoilt_books)
        assert await spoilt_books.broken() == []
