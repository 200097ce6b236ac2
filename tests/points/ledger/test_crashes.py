"""Sessions of the database die while many post: every answer stands for exactly one posting."""

import asyncio
from collections import Counter
from random import Random

import asyncpg

from services.chassis.errors import ServiceUnavailable
from services.points.ledger.posting import LedgerCommands, PostCommand
from tests.migrations.catalog import connected
from tests.points.books import Books, once

POSTINGS, CALLERS, KILLS = 400, 40, 12


async def test_sessions_are_terminated_while_forty_post(quiet_books: Books) -> None:
    books, commands, chance = quiet_books, LedgerCommands(quiet_books.database), Random(3)
    people = [person.account_id for person in books.world.people.values()]
    keyed = {"account": books.world.points_clerk.account_id}
    due = [books.gift(chance.choice(people), 1, once=once(f"k{number}"), **keyed) for number in range(POSTINGS)]
    answered: Counter[str] = Counter()

    async def work() -> None:
        while due:
            command = due.pop()
            answered[await _posted(books, commands, command)] += 1

    workers = [asyncio.create_task(work()) for _ in range(CALLERS)]
    await _terminate_sessions(books, chance)
    await asyncio.gather(*workers)
    assert set(answered.values()) == {1}
    assert answered.total() == POSTINGS == await books.count("ledger_transactions")
    assert await books.balance(books.community_id) == -POSTINGS


async def _posted(books: Books, commands: LedgerCommands, command: PostCommand) -> str:
    """The answer, asked for again by its key as a client does that got a 5xx."""
    while True:
        try:
            return (await commands.post(books.world.tenant_id, command)).body
        except (ServiceUnavailable, asyncpg.InternalClientError):  # the latter: used while it is being terminated
            await asyncio.sleep(0.05)


async def _terminate_sessions(books: Books, chance: Random) -> None:
    async with connected(books.world.settings.database_url) as owner:
        for _ in range(KILLS):
            await asyncio.sleep(0.01)
            sessions = await owner.fetch(
                "SELECT pid FROM pg_stat_activity"
                " WHERE datname = current_database() AND application_name = 'linli-points'"
            )
            victims = chance.sample([row["pid"] for row in sessions], min(2, len(sessions)))
            await owner.fetch("SELECT pg_terminate_backend(pid) FROM unnest($1::int[]) AS pid", victims)
