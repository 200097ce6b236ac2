"""`ledger_post_batch`: answers each item as if it were alone, in the order given, whatever the others are."""

from random import Random
from uuid import UUID

import msgspec
import pytest

from services.chassis.commands import CommandAnswer
from services.chassis.schemas import new_id
from services.points.ledger.posting import Leg, PostCommand
from tests.points.books import COMMUNITY, MEMBER, Books, as_json, code_of, once
from tests.points.ledger.model import Model, Outcome


class Chance:
    """Random postings among a few people: many overdrafts, repeated keys, repeated sources, and some nonsense."""

    def __init__(self, books: Books, seed: int) -> None:
        self._books = books
        self._random = Random(seed)
        self._people = [person.account_id for person in books.world.people.values()][:5]

    def command(self) -> PostCommand:
        random = self._random
        clerk = random.choice([None, *self._people])
        areas = random.choice([None, [self._books.world.areas["district"]], []]) if clerk else None
        return self._books.command(
            self._legs(),
            source=("test", str(random.randrange(25))) if random.random() < 0.3 else None,
            account=clerk,
            issuer_areas=areas,
            once=once(f"k{random.randrange(12)}", random.choice("ab")) if clerk and random.random() < 0.5 else None,
        )

    def _legs(self) -> list[Leg]:
        random, amount = self._random, self._random.randint(1, 40)
        one, other = random.sample(self._people, 2)
        if random.random() < 0.05:
            return [Leg(MEMBER, one, -amount), Leg(MEMBER, one, amount)]
        if random.random() < 0.05:
            return [Leg(COMMUNITY, self._books.community_id, -amount), Leg(MEMBER, one, amount + 1)]
        if random.random() < 0.5:
            return [Leg(COMMUNITY, self._books.community_id, -amount), Leg(MEMBER, one, amount)]
        return [Leg(MEMBER, one, -amount), Leg(MEMBER, other, amount)]


def outcome_of(answer: CommandAnswer) -> Outcome:
    body = msgspec.json.decode(answer.body)
    return Outcome(answer.status, body["id"] if answer.status == 201 else body["code"], answer.replayed)


@pytest.mark.parametrize("seed", range(12))
async def test_agrees_with_the_model(quiet_books: Books, seed: int) -> None:
    chance, model = Chance(quiet_books, seed), Model()
    met = set[str]()
    for size in (1, 40, 1, 7, 90, 1, 1, 40):
        commands = [chance.command() for _ in range(size)]
        if size == 1:
            answers, expected = [await quiet_books.post(commands[0])], [model.post(commands[0])]
        else:
            answers, expected = await quiet_books.post_batch(commands), model.post_batch(commands)
        assert [outcome_of(answer) for answer in answers] == expected
        met |= {outcome.result if outcome.status > 201 else f"posted {outcome.replayed}" for outcome in expected}
    assert {owner: await quiet_books.balance(owner) for owner in model.balances} == model.balances
    assert met == {
        "posted False", "posted True", "insufficient_points", "unbalanced_legs", "forbidden", "own_points",
        "idempotency_key_reused",
    }  # fmt: skip


async def test_one_refused_item_does_not_spoil_the_others(books: Books) -> None:
    person, stranger = books.world.member.account_id, books.world.zhang.account_id
    clerk = {"account": books.world.points_clerk.account_id, "issuer_areas": [books.world.areas["community"]]}
    answers = await books.post_batch([
        books.gift(person, 5),
        books.transfer(stranger, person, 1),
        books.gift(new_id(), 5, **clerk),
        books.command([Leg(MEMBER, person, 1)]),
        books.gift(person, 7),
    ])  # fmt: skip
    assert [answer.status for answer in answers] == [201, 409, 422, 422, 201]
    assert await books.balance(person) == 12


async def test_an_item_sees_what_those_before_it_did(books: Books) -> None:
    one, other = books.world.member.account_id, books.world.second_member.account_id
    answers = await books.post_batch([
        books.transfer(one, other, 4),
        books.gift(one, 10),
        books.transfer(one, other, 4),
        books.transfer(one, other, 4),
        books.transfer(one, other, 4),
        books.transfer(other, one, 8),
    ])  # fmt: skip
    assert [answer.status for answer in answers] == [409, 201, 201, 201, 409, 201]
    assert (await books.balance(one), await books.balance(other)) == (10, 0)


async def test_one_key_many_times_in_a_batch(books: Books) -> None:
    keyed = {"account": books.world.points_clerk.account_id}
    commands = [
        *(books.gift(books.world.member.account_id, 5, once=once("k", "five"), **keyed) for _ in range(20)),
        books.gift(books.world.member.account_id, 6, once=once("k", "six"), **keyed),
    ]
    answers = await books.post_batch(commands)
    assert {answer.body for answer in answers[:20]} == {answers[0].body}
    assert [answer.replayed for answer in answers] == [False] + 20 * [True]
    assert code_of(answers[20]) == "idempotency_key_reused"
    assert await books.balance(books.world.member.account_id) == 5


async def test_items_of_several_districts(books: Books, other_books: Books) -> None:
    """Each is posted in its own, and none sees the other's people."""
    order = [books, other_books, books, other_books]
    commands = [each.gift(each.world.member.account_id, 3) for each in order]
    foreign = other_books.gift(
        books.world.member.account_id, 3,
        account=other_books.world.points_clerk.account_id, issuer_areas=[other_books.world.areas["district"]],
    )  # fmt: skip
    tenants: list[UUID] = [each.world.tenant_id for each in [*order, other_books]]
    rows = await books.database.pool.fetch(
        "SELECT status, body, replayed FROM ledger_post_batch($1, $2)",
        tenants,
        [as_json(command) for command in [*commands, foreign]],
    )
    assert [row["status"] for row in rows] == [201, 201, 201, 201, 422]
    for each in (books, other_books):
        assert await each.balance(each.world.member.account_id) == 6
        assert await each.balance(each.community_id) == -6


async def test_an_empty_batch(books: Books) -> None:
    assert await books.post_batch([]) == []
