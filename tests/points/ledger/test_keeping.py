"""The bookkeeper does what is due, in every district, whatever goes wrong in one of them."""

import asyncio
import contextlib
from datetime import timedelta
from uuid import UUID

import asyncpg

from services.chassis import clock
from services.chassis.database import Database
from services.points.ledger.keeping import BookKeeper, expire_holds, expire_lots
from services.points.main import JOBS
from tests.migrations.catalog import connected
from tests.points.books import Books
from tests.points.proof.histories import all_sealed, hold, until


async def work(books: Books) -> list[str]:
    """What is due in the district."""
    rows = await books.database.pool.fetch("SELECT tenant_id, work FROM ledger_due_work()")
    return next((list(row["work"]) for row in rows if row["tenant_id"] == books.world.tenant_id), [])


def keeper(books: Books) -> BookKeeper:
    return BookKeeper(books.database, poll_seconds=0.05, jobs=JOBS)


async def test_does_everything_that_is_due(quiet_books: Books) -> None:
    assert await work(quiet_books) == []
    await quiet_books.give(quiet_books.world.member.account_id, 10)
    assert await work(quiet_books) == ["seal"]
    await keeper(quiet_books).keep()
    assert await work(quiet_books) == ["publish_head"]
    await keeper(quiet_books).keep()
    assert await work(quiet_books) == []
    assert await keeper(quiet_books).keep() == 0


async def test_holds_and_lots_that_are_over_end(quiet_books: Books) -> None:
    world, member = quiet_books.world, quiet_books.world.member.account_id
    await world.insert(
        "ledger_settings", asset="points", version=1, expiry_unit="days", expiry_count=1, expired_return_days=0,
        spent_earning="refuse", hold_days=7, may_transfer=True, recorded_at=clock.now(), recorded_by=member,
    )  # fmt: skip
    over_in_a_moment = clock.now() - timedelta(days=1) + timedelta(seconds=1)
    assert (await quiet_books.post(quiet_books.gift(member, 10, effective_at=over_in_a_moment))).status == 201
    await hold(quiet_books, member, 4, expires_at=clock.now() + timedelta(seconds=0.5))
    await asyncio.sleep(1.1)
    assert {"expire_holds", "expire_lots"} <= set(await work(quiet_books))
    assert await expire_holds(quiet_books.database, world.tenant_id) == 1
    assert await expire_lots(quiet_books.database, world.tenant_id) >= 1
    assert await quiet_books.balance(member) == 0
    assert await quiet_books.count("ledger_open_holds") == 0
    assert not {"expire_holds", "expire_lots"} & set(await work(quiet_books))


async def test_one_job_that_fails_stops_no_other(quiet_books: Books) -> None:
    await quiet_books.give(quiet_books.world.member.account_id, 10)

    async def fail(_database: Database, _tenant_id: UUID) -> int:
        raise asyncpg.DeadlockDetectedError("somebody else was quicker")

    jobs = {"seal": fail, "publish_head": JOBS["publish_head"]}
    assert await BookKeeper(quiet_books.database, poll_seconds=1, jobs=jobs).keep() == 0
    await keeper(quiet_books).keep()
    assert await quiet_books.count("ledger_unsealed") == 0


async def test_survives_the_end_of_its_sessions(quiet_books: Books) -> None:
    task = asyncio.create_task(keeper(quiet_books).run())
    try:
        for _ in range(3):
            await quiet_books.give(quiet_books.world.member.account_id, 1)
            async with connected(quiet_books.world.settings.database_url) as owner:
                await owner.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE application_name = 'linli-points' AND datname = current_database()"
                )
            await until(lambda: all_sealed(quiet_books))
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_many_keepers_do_it_once(quiet_books: Books) -> None:
    for _ in range(20):
        await quiet_books.give(quiet_books.world.member.account_id, 1)
    await asyncio.gather(*(keeper(quiet_books).keep() for _ in range(5)))
    await keeper(quiet_books).keep()
    assert await quiet_books.count("ledger_chain") == 20
    assert await quiet_books.count("ledger_published_heads") == 1
