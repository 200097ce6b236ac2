"""Each guard of the ledger, taken off once: the trial it is there for must then turn red."""

from collections.abc import Awaitable, Callable

import asyncpg
import pytest

from migrations.functions import function_source
from tests.migrations.catalog import connected
from tests.points.books import Books
from tests.points.ledger import trials

Trial = Callable[[Books], Awaitable[None]]

ACCOUNT_LOCK = ("ledger_post_all_v1", "        FOR NO KEY UPDATE\n", "")
SOURCE_LOCK = ("ledger_post_all_v1", "PERFORM pg_advisory_xact_lock(s.lock) FROM", "PERFORM s.lock FROM")
KEY_LOCK = ("idempotency_recall_v1", "PERFORM pg_advisory_xact_lock(", "PERFORM (")
OVERDRAFT_CHECK = ("ledger_post_all_v1", "v_balances[v_party] + c.leg_amounts[i] < 0", "false")
ONE_SOURCE_ONCE = (
    "ALTER TABLE ledger_transactions DROP CONSTRAINT uq_ledger_transactions_tenant_id_source_kind_source_id"
)
NO_OVERDRAFT = "ALTER TABLE ledger_accounts DROP CONSTRAINT ck_ledger_accounts_no_overdraft"


async def take_off(books: Books, *guards: tuple[str, str, str] | str) -> None:
    """A constraint by its statement, or a piece of a function by (file, piece, what stands there instead)."""
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
    ("guard", "trial"),
    [
        (ACCOUNT_LOCK, trials.two_credits_of_one_account),
        (ACCOUNT_LOCK, trials.two_debits_of_the_last_points),
        (SOURCE_LOCK, trials.two_postings_of_one_source),
        (KEY_LOCK, trials.two_requests_with_one_key),
        (OVERDRAFT_CHECK, trials.twenty_debits_for_five),
    ],
)
async def test_without_the_guard_the_trial_is_red(
    spoilt_books: Books, guard: tuple[str, str, str], trial: Trial
) -> None:
    await take_off(spoilt_books, guard)
    assert await is_red(trial, spoilt_books)


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

    async def test_without_both_the_audit_says_so(self, spoilt_books: Books) -> None:
        await take_off(spoilt_books, OVERDRAFT_CHECK, NO_OVERDRAFT)
        with pytest.raises(AssertionError):
            await trials.twenty_debits_for_five(spoilt_books)
        assert {sentence[:3] for sentence in await spoilt_books.broken()} == {"I4:"}
