"""What must hold when many post at once. Each trial asserts what it saw; the books are audited afterwards.

`test_races.py` runs them as they are, `test_guards.py` with a guard removed: then each must turn red. Nothing here
retries a deadlock (but the one trial that is about it), so one that happens turns a trial red too.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from itertools import permutations
from random import Random
from typing import Any, TypeVar
from uuid import UUID

from models.points import HoldOutcome
from services.chassis.commands import CommandAnswer
from services.points.holds.actions import HoldCommand
from services.points.ledger.posting import LedgerCommands, PostCommand
from tests.migrations.catalog import connected
from tests.points.books import Books, as_json, code_of, once, shanghai

Result = TypeVar("Result")

BATCH = "SELECT status, body, replayed FROM ledger_post_batch($1, $2)"


@asynccontextmanager
async def posted_but_not_committed(
    books: Books, command: Any, *, function: str = "ledger_post"
) -> AsyncIterator[CommandAnswer]:
    """Within, the command's transaction is open; it commits on leaving."""
    async with books.database.pool.acquire() as connection, connection.transaction():
        rows = await connection.fetch(
            f"SELECT status, body, replayed FROM {function}($1, $2)", books.world.tenant_id, as_json(command)
        )
        yield CommandAnswer(*rows[0])


async def one_after_another(
    books: Books, first: Any, second: Any, *, function: str = "ledger_post"
) -> list[CommandAnswer]:
    """The answers when the second arrives while the first has not committed yet."""
    async with posted_but_not_committed(books, first, function=function) as answer:
        follower = asyncio.create_task(books.call(function, second))
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


async def opposing_transfers_of_many_lots(books: Books) -> None:
    """The same, where everybody's points run out at five different times: they do so wherever they are by then."""
    await books.decide(expiry_unit="days", expiry_count=30)
    await books.at("2026-03-16 09:00")
    for person in books.world.people.values():
        for day in range(5):
            effective_at = shanghai("2026-03-16 09:00") - timedelta(days=day)
            await books.post(books.gift(person.account_id, 6, effective_at=effective_at))
    await _opposing_transfers(books, BATCH)
    count = len(books.world.people) * 6
    left = await books.world.fetch(
        "SELECT expires_at, sum(remaining)::bigint AS amount FROM ledger_lots GROUP BY expires_at ORDER BY expires_at"
    )
    assert [row["amount"] for row in left[:4]] == [count] * 4


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


async def thirty_two_clients_of_one_community(books: Books) -> None:
    """Nobody waits in a circle, and the stripes add up to what was issued."""
    people = [person.account_id for person in books.world.people.values()]

    async def client(number: int) -> None:
        for turn in range(8):
            assert (await books.post(books.gift(people[(number + turn) % len(people)], 1 + turn))).status == 201

    await all_of(client(number) for number in range(32))
    assert await books.balance(books.community_id) == -32 * sum(range(1, 9))
    assert await books.world.fetch_value("SELECT count(*) FROM ledger_accounts WHERE kind = 'issuing_community'") == 16


async def two_reversals_of_one_posting(books: Books) -> None:
    one, other = books.world.member.account_id, books.world.second_member.account_id
    await books.give(one, 30)
    gift = books.transfer(one, other, 20)
    await books.post(gift)
    answers = await one_after_another(
        books, books.reversal(gift.id), books.reversal(gift.id), function="ledger_reverse"
    )
    assert [answer.status for answer in answers] == [201, 409]
    assert code_of(answers[1]) == "already_reversed"
    assert (await books.balance(one), await books.balance(other)) == (30, 0)


async def two_ends_of_one_hold(books: Books) -> None:
    person = books.world.member.account_id
    await books.give(person, 30)
    held = await a_hold(books, person, 10)
    ends = [books.end(held.id, outcome) for outcome in (HoldOutcome.POSTED, HoldOutcome.VOIDED)]
    answers = await one_after_another(books, *ends, function="ledger_hold_end")
    assert [answer.status for answer in answers] == [200, 409]
    assert (await books.balance(person), await books.available(person)) == (20, 20)


async def two_holds_of_the_last_points(books: Books) -> None:
    person = books.world.member.account_id
    await books.give(person, 30)
    answers = await one_after_another(books, books.hold(person, 20), books.hold(person, 20), function="ledger_hold")
    assert [answer.status for answer in answers] == [201, 409]
    assert (await books.balance(person), await books.available(person)) == (30, 10)


async def fifty_reversals_of_one_posting(books: Books) -> None:
    one, other = books.world.member.account_id, books.world.second_member.account_id
    await books.give(one, 30)
    gift = books.transfer(one, other, 20)
    await books.post(gift)
    answers = await all_of(books.call("ledger_reverse", books.reversal(gift.id)) for _ in range(50))
    assert Counter(answer.status for answer in answers) == {201: 1, 409: 49}
    assert {code_of(answer) for answer in answers if answer.status == 409} == {"already_reversed"}
    assert (await books.balance(one), await books.balance(other)) == (30, 0)


async def a_deadlock_with_somebody_else(books: Books) -> None:
    """A posting meets somebody who takes the same locks the other way round: it gives way, and is posted then."""
    one, other = books.world.member.account_id, books.world.second_member.account_id
    await books.give(one, 10)
    await books.give(other, 10)
    ids = [
        row["id"] for row in await books.world.fetch("SELECT id FROM ledger_accounts WHERE kind = 'member' ORDER BY id")
    ]
    lock = "SELECT FROM ledger_accounts WHERE id = $1 FOR UPDATE"
    commands = LedgerCommands(books.database)
    async with connected(books.world.settings.database_url) as owner:
        await owner.execute(
            f"ALTER DATABASE {await owner.fetchval('SELECT current_database()')} SET deadlock_timeout = '50ms'"
        )
        await books.database.pool.expire_connections()
        async with owner.transaction():  # opened before the setting: this side is patient
            await owner.fetch(lock, ids[1])
            posting = asyncio.create_task(commands.post(books.world.tenant_id, books.transfer(one, other, 4)))
            await _until_it_waits(books, posting)
            await owner.fetch(lock, ids[0])
    assert (await posting).status == 201
    assert (await books.balance(one), await books.balance(other)) == (6, 14)


async def spending_what_is_held(books: Books) -> None:
    one, other = books.world.member.account_id, books.world.second_member.account_id
    await books.give(one, 10)
    assert (await books.call("ledger_hold", books.hold(one, 8))).status == 201
    assert (await books.post(books.transfer(one, other, 3))).status == 409
    assert (await books.call("ledger_hold", books.hold(one, 3))).status == 409
    assert (await books.post(books.transfer(one, other, 2))).status == 201
    assert (await books.balance(one), await books.available(one)) == (8, 0)


async def spending_what_is_over(books: Books) -> None:
    """Nobody does, even before the expiry is booked."""
    one, other = books.world.member.account_id, books.world.second_member.account_id
    await books.decide(expiry_unit="days", expiry_count=30)
    await books.at("2026-03-01 09:00")
    await books.give(one, 40)
    await books.at("2026-03-31 09:00")
    assert (await books.post(books.transfer(one, other, 1))).status == 409
    assert (await books.call("ledger_hold", books.hold(one, 1))).status == 409
    assert (await books.balance(one), await books.available(one)) == (40, 0)


async def spending_and_taking_it_back(books: Books) -> None:
    """Points return to the very lots they came from, with the expiry these have."""
    one = books.world.member.account_id
    await books.decide(expiry_unit="days", expiry_count=30)
    await books.at("2026-03-01 09:00")
    await books.give(one, 100)
    await books.at("2026-03-16 09:00")
    await books.give(one, 50)
    lots = await books.lots(one)
    spent = books.transfer(one, books.world.second_member.account_id, 120)
    await books.post(spent)
    await books.at("2026-03-20 09:00")
    assert (await books.call("ledger_reverse", books.reversal(spent.id))).status == 201
    assert await books.lots(one) == lots


async def debts_settled_and_taken_back_at_once(books: Books) -> None:
    """What settles a debt and what takes that back meet on three accounts, and do not wait in a circle."""
    one, other = books.world.member.account_id, books.world.second_member.account_id
    await books.decide(spent_earning="debt")
    mistaken = books.gift(one, 1000)
    await books.post(mistaken)
    await books.post(books.transfer(one, other, 1000))
    assert (await books.call("ledger_reverse", books.reversal(mistaken.id))).status == 201
    for _ in range(4):
        settling = [books.gift(one, 1) for _ in range(12)]
        for command in settling:
            await books.post(command)
        answers = await all_of([
            *(books.call("ledger_reverse", books.reversal(command.id)) for command in settling),
            *(books.post(books.gift(one, 1)) for _ in range(18)),
        ])  # fmt: skip
        assert {answer.status for answer in answers} == {201}
    assert await books.world.fetch_value("SELECT balance FROM ledger_accounts WHERE kind = 'debt'") == 4 * 18 - 1000


HOLD_ENDS = ("post part", "post full", "void", "expire")
OWN_CLOCK = """
CREATE OR REPLACE FUNCTION ledger_now() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$
    SELECT COALESCE(NULLIF(current_setting('linli.test_clock', true), '')::timestamptz, clock_timestamp())
$$
"""
"""Whoever sets it is ahead of the others: so the end of a hold comes as early as its posting."""


async def all_ends_of_a_hold_at_once(books: Books) -> None:
    """In all 4! orders: each hold ends once, and the points are where that end put them."""
    person = books.world.member.account_id
    await books.give(person, 1000)
    async with connected(books.world.settings.database_url) as owner:
        await owner.execute(OWN_CLOCK)
    spent, ends = 0, Counter[str]()
    for order in permutations(HOLD_ENDS):
        held = await a_hold(books, person, 10)
        await all_of(end_hold(books, held, how) for how in order)
        outcome, amount = await _end_of(books, held)
        spent, ends = spent + amount, ends + Counter([outcome])
        assert (await books.balance(person), await books.available(person)) == (1000 - spent, 1000 - spent)
    assert ends.total() == 24 == await books.count("ledger_hold_ends")


async def all_ends_of_a_hold_one_after_another(books: Books) -> None:
    """In all 4! orders: the first is the end, the others are told so."""
    person = books.world.member.account_id
    await books.give(person, 1000)
    async with connected(books.world.settings.database_url) as owner:
        await owner.execute(OWN_CLOCK)
    first_ends = {
        "post part": ("posted", 4), "post full": ("posted", 10), "void": ("voided", 0), "expire": ("expired", 0),
    }  # fmt: skip
    for order in permutations(HOLD_ENDS):
        held = await a_hold(books, person, 10)
        took = [await end_hold(books, held, how) for how in order]
        assert took == [True, False, False, False]
        assert await _end_of(books, held) == first_ends[order[0]]


async def a_hold(books: Books, person: UUID, amount: int) -> HoldCommand:
    command = books.hold(person, amount)
    assert (await books.call("ledger_hold", command)).status == 201
    return command


async def end_hold(books: Books, held: HoldCommand, how: str) -> bool:
    """Whether that was its end."""
    if how == "expire":
        return await _expire_holds_a_month_early(books) == 1
    outcome = HoldOutcome.VOIDED if how == "void" else HoldOutcome.POSTED
    answer = await books.call("ledger_hold_end", books.end(held.id, outcome, 4 if how == "post part" else None))
    assert answer.status == 200 or code_of(answer) == "hold_ended"
    return answer.status == 200


async def _expire_holds_a_month_early(books: Books) -> int:
    async with books.database.pool.acquire() as connection, connection.transaction():
        later: datetime = await connection.fetchval("SELECT clock_timestamp() + interval '1 month'")
        await connection.execute(f"SET LOCAL linli.test_clock = '{later.isoformat()}'")
        return int(await connection.fetchval("SELECT ledger_expire_holds($1, 100)", books.world.tenant_id))


async def _end_of(books: Books, held: HoldCommand) -> tuple[str, int]:
    rows = await books.world.fetch("SELECT outcome, amount FROM ledger_hold_ends WHERE hold_id = $1", held.id)
    assert len(rows) == 1
    return rows[0]["outcome"], rows[0]["amount"]


async def expiry_on_three_workers_while_members_spend(books: Books) -> None:
    """What is over goes once, what is not is spent, and nobody waits in a circle."""
    chance = Random(11)
    people = [person.account_id for person in books.world.people.values()]
    await books.decide(expiry_unit="days", expiry_count=30)
    for month in (2, 3):
        await books.at(f"2026-0{month}-10 09:00")
        for person in people:
            await books.give(person, 40)
    await books.at("2026-03-15 09:00")

    async def spend() -> None:
        for _ in range(12):
            one, other = chance.sample(people, 2)
            command = books.transfer(one, other, chance.randint(1, 30))
            assert (await books.post(command)).status in {201, 409}

    async def expire() -> int:
        booked = 0
        for _ in range(12):
            booked += await books.database.pool.fetchval("SELECT ledger_expire_lots($1, 3)", books.world.tenant_id)
        return booked

    results = await all_of([*(expire() for _ in range(3)), *(_nothing(spend()) for _ in range(10))])
    assert sum(results) + await books.keep() == len(people)
    assert await books.world.fetch_value("SELECT balance FROM ledger_accounts WHERE kind = 'expiry'") == 40 * len(
        people
    )
    assert sum([await books.available(person) for person in people]) == 40 * len(people)
    assert await books.keep() == 0


async def _nothing(work: Coroutine[Any, Any, None]) -> int:
    await work
    return 0
