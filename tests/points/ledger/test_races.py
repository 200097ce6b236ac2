"""Many post at once. Through SQL as `trials.py` has them, and through HTTP, where batches form by themselves."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from uuid import uuid4

import pytest

from services.chassis.errors import Problem
from services.points.ledger.posting import LedgerCommands, PostCommand
from tests.points.books import Books, once
from tests.points.ledger import trials
from tests.world import World

Trial = Callable[[Books], Awaitable[None]]


@pytest.mark.parametrize(
    "trial",
    [
        trials.two_credits_of_one_account,
        trials.two_postings_of_one_source,
        trials.two_requests_with_one_key,
        trials.two_first_credits_of_one_person,
        trials.two_debits_of_the_last_points,
        trials.twenty_debits_for_five,
        trials.opposing_transfers,
        trials.opposing_transfers_of_many_lots,
        trials.thirty_two_clients_of_one_community,
        trials.two_reversals_of_one_posting,
        trials.two_holds_of_the_last_points,
        trials.two_ends_of_one_hold,
        trials.fifty_reversals_of_one_posting,
        trials.debts_settled_and_taken_back_at_once,
        trials.a_deadlock_with_somebody_else,
        trials.spending_what_is_held,
        trials.spending_what_is_over,
        trials.spending_and_taking_it_back,
        trials.all_ends_of_a_hold_at_once,
        trials.all_ends_of_a_hold_one_after_another,
        trials.expiry_on_three_workers_while_members_spend,
    ],
)
async def test_trial(quiet_books: Books, trial: Trial) -> None:
    await trial(quiet_books)


async def test_fifty_identical_requests_at_once(world: World, books: Books) -> None:
    """One effect, one answer, and 49 that say they are repeated."""
    award = {
        "account_id": str(world.member.account_id),
        "community_id": str(world.areas["community"]),
        "amount": 5,
        "reason": "助老服务",
    }
    key = str(uuid4())
    answers = await asyncio.gather(*(world.points_clerk.post("/v1/points/postings", award, key=key) for _ in range(50)))
    assert {answer.status_code for answer in answers} == {201}
    assert {answer.content for answer in answers} == {answers[0].content}
    assert Counter(answer.headers.get("Idempotency-Replayed") for answer in answers) == {None: 1, "true": 49}
    assert await books.balance(world.member.account_id) == 5


async def test_a_hundred_awards_at_once_and_some_of_them_wrong(world: World, books: Books) -> None:
    """Batches form; what is wrong is refused by itself."""
    recipients = [world.member, world.second_member, world.points_clerk, world.zhang]

    async def award(number: int) -> int:
        recipient = recipients[number % 4]
        body = {
            "account_id": str(uuid4() if number % 10 == 3 else recipient.account_id),
            "community_id": str(world.areas["other_community" if number % 10 == 7 else "community"]),
            "amount": 2,
            "reason": "助老服务",
        }
        return (await world.points_clerk.post("/v1/points/postings", body)).status_code

    statuses = Counter(await asyncio.gather(*(award(number) for number in range(100))))
    assert statuses == {422: 10, 404: 10, 403: 25, 201: 55}
    assert await books.balance(books.community_id) == -110
    assert sum([await books.balance(person.account_id) for person in recipients]) == 110


async def test_two_processes_post_the_same_requests(quiet_books: Books) -> None:
    """A client that gave up on one process repeats at another: both batch, in different orders."""
    books = quiet_books
    keyed = {"account": books.world.points_clerk.account_id}
    people = [person.account_id for person in books.world.people.values()]
    commands = [books.gift(people[n % len(people)], 1, once=once(f"k{n}"), **keyed) for n in range(60)]
    first, second = LedgerCommands(books.database), LedgerCommands(books.database)

    async def post(process: LedgerCommands, command: PostCommand) -> bool:
        return (await process.post(books.world.tenant_id, command)).replayed

    replayed = await asyncio.gather(
        *(post(first, command) for command in commands), *(post(second, command) for command in reversed(commands))
    )
    assert Counter(replayed) == {False: 60, True: 60}
    assert await books.balance(books.community_id) == -60


async def test_a_refusal_in_a_batch_raises_its_own_problem(quiet_books: Books) -> None:
    books, commands = quiet_books, LedgerCommands(quiet_books.database)
    one, other = books.world.member.account_id, books.world.second_member.account_id
    await books.give(one, 100)

    async def spend(amount: int) -> str:
        try:
            await commands.post(books.world.tenant_id, books.transfer(one, other, amount))
        except Problem as problem:
            return f"{problem.status} {problem.code} {problem.members['balance'] < amount}"
        return "posted"

    outcomes = Counter(await asyncio.gather(*(spend(1 if number % 2 else 500) for number in range(60))))
    assert outcomes == {"posted": 30, "409 insufficient_points True": 30}
