"""What must hold when many post at once. Each trial asserts what it saw; the books are audited afterwards.

`test_races.py` runs them as they are, `test_guards.py` with a guard removed: then each must turn red. Nothing here
retries a deadlock, so one that happens turns a trial red too.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from random import Random
from typing import Any, TypeVar

from services.chassis.commands import CommandAnswer
from services.points.ledger.posting import PostCommand
from tests.points.books import Books, as_json, once

Result = TypeVar("Result")

BATCH = "SELECT status, body, replayed FROM ledger_post_batch($1, $2)"


@asynccontextmanager
async def posted_but_not_committed(books: Books, command: PostCommand) -> AsyncIterator[CommandAnswer]:
    """Within, the posting's transaction is open; it commits on leaving."""
    async with books.database.pool.acquire() as connection, connection.transaction():
        rows = await connection.fetch("SELECT * FROM ledger_post($1, $2)", books.world.tenant_id, as_json(command))
        yield CommandAnswer(*rows[0])


async def one_after_another(books: Books, first: PostCommand, second: PostCommand) -> list[CommandAnswer]:
    """The answers when the second arrives while the first has not committed yet."""
    async with posted_but_not_committed(books, first) as answer:
        follower = asyncio.create_task(books.post(second))
        await _until_it_waits(books, follower)
        assert not follower.done(), "the second did not wait for the first"
    return [answer, await follower]


async def _until_it_waits(books: Books, follower: "asyncio.Task[CommandAnswer]") -> None:
    """Until somebody on this server waits for a lock, or the follower is through."""
    gives_up_at = asyncio.get_running_loop().time() + 10
    while not follower.done() and asyncio.get_running_loop().time() < gives_up_at:
        if await books.world.fetch_value("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"):
            await asyncio.sleep(0.02)
            return
        await asyncio.sleep(0.01)


async def all_of(work: Iterable[Coroutine[Any, Any, Result]]) -> list[Result]:
    """All results; a failure is raised, but only when nothing is under way any more."""
    tasks = [asyncio.create_task(each) for each in work]
    await asyncio.wait(tasks)
    failures = [failure for task in tasks if (failure := task.exception()) is not None]
    if failures:
        raise failures[0]
    return [task.result() for task in tasks]


async def two_credits_of_one_account(books: Books) -> None:
    person = books.world.member.account_id
    await books.give(person, 1)
    answers = await one_after_another(books, books.gift(person, 5), books.gift(person, 7))
    assert [answer.status for answer in answers] == [201, 201]
    assert await books.balance(person) == 13


async def two_postings_of_one_source(books: Books) -> None:
    person, source = books.world.member.account_id, ("order_rated", "42")
    await books.give(person, 1)
    answers = await one_after_another(books, books.gift(person, 5, source=source), books.gift(person, 5, source=source))
    assert [(answer.status, answer.replayed) for answer in answers] == [(201, False), (201, True)]
    assert await books.balance(person) == 6


async def two_requests_with_one_key(books: Books) -> None:
    person, keyed = books.world.member.account_id, {"account": books.world.points_clerk.account_id, "once": once("k")}
    await books.give(person, 1)
    answers = await one_after_another(books, books.gift(person, 5, **keyed), books.gift(person, 5, **keyed))
    assert [(answer.status, answer.replayed) for answer in answers] == [(201, False), (201, True)]
    assert await books.balance(person) == 6


async def two_first_credits_of_one_person(books: Books) -> None:
    """Both find no account; one opens it, the other uses it."""
    person = books.world.member.account_id
    answers = await one_after_another(books, books.gift(person, 5), books.gift(person, 7))
    assert [answer.status for answer in answers] == [201, 201]
    assert await books.balance(person) == 12


async def two_debits_of_the_last_points(books: Books) -> None:
    one, other = books.world.member.account_id, books.world.second_member.account_id
    await books.give(one, 10)
    await books.give(other, 1)
    answers = await one_after_another(books, books.transfer(one, other, 8), books.transfer(one, other, 8))
    assert [answer.status for answer in answers] == [201, 409]
    assert (await books.balance(one), await books.balance(other)) == (2, 9)


async def twenty_debits_for_five(books: Books) -> None:
    one, other = books.world.member.account_id, books.world.second_member.account_id
    await books.give(one, 50)
    answers = await all_of([books.post(books.transfer(one, other, 10)) for _ in range(20)])
    assert Counter(answer.status for answer in answers) == {201: 5, 409: 15}
    assert (await books.balance(one), await books.balance(other)) == (0, 50)


async def opposing_transfers(books: Books) -> None:
    """A to B, B to A, in cycles, singly and in batches, with one community paying in between."""
    await _opposing_transfers(books, BATCH)


async def opposing_transfers_posted_item_by_item(books: Books) -> None:
    """The same, but a batch locks accounts as it meets them."""
    statement = (
        "SELECT r.* FROM unnest($1::uuid[], $2::jsonb[]) WITH ORDINALITY AS c (t, j, n),"
        " LATERAL ledger_post(c.t, c.j) AS r ORDER BY c.n"
    )
    for _ in range(5):
        await _opposing_transfers(books, statement)


async def _opposing_transfers(books: Books, batch: str) -> None:
    chance = Random(7)
    people = [person.account_id for person in books.world.people.values()]
    for person in people:
        await books.give(person, 30)

    def some() -> PostCommand:
        if chance.random() < 0.3:
            return books.gift(chance.choice(people), 3)
        one, other = chance.sample(people, 2)
        return books.transfer(one, other, chance.randint(1, 25))

    async def in_batches() -> None:
        for _ in range(6):
            commands = [as_json(some()) for _ in range(24)]
            rows = await books.database.pool.fetch(batch, [books.world.tenant_id] * len(commands), commands)
            assert {row["status"] for row in rows} <= {201, 409}

    async def singly() -> None:
        for _ in range(12):
            assert (await books.post(some())).status in {201, 409}

    await all_of([*(in_batches() for _ in range(4)), *(singly() for _ in range(8))])
