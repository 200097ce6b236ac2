"""`ledger_post`: what one posting writes, what it refuses, and what it answers when it is repeated."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest

from models.points import TransactionKind
from services.chassis.schemas import new_id
from services.points.ledger.posting import Leg, issue
from tests.points.books import COMMUNITY, MEMBER, NOTHING, Books, code_of, once


class TestPosting:
    async def test_writes_both_sides(self, books: Books) -> None:
        person, moment = books.world.member.account_id, datetime(2026, 3, 16, 1, 30, tzinfo=UTC)
        answer = await books.post(
            books.gift(
                person,
                8,
                kind=TransactionKind.REWARD,
                source=("order_rated", "42"),
                reason="代购药品",
                effective_at=moment,
                details={"sum": "8"},
            )
        )
        assert (answer.status, answer.replayed) == (201, False)
        body: dict[str, Any] = msgspec.json.decode(answer.body)
        assert body["legs"] == [
            {
                "asset": "points",
                "account_kind": "issuing_community",
                "owner_id": str(books.community_id),
                "owner_name": "康乐路南社区",
                "amount": -8,
            },
            {
                "asset": "points",
                "account_kind": "member",
                "owner_id": str(person),
                "owner_name": "陈志强",
                "amount": 8,
            },
        ]
        stored = (await books.world.fetch("SELECT * FROM ledger_transactions"))[0]
        assert str(stored["id"]) == body["id"]
        assert {
            name: body[name] for name in ("kind", "source_kind", "source_id", "reason", "details", "recorded_by")
        } == {
            "kind": "reward",
            "source_kind": "order_rated",
            "source_id": "42",
            "reason": "代购药品",
            "details": {"sum": "8"},
            "recorded_by": None,
        }
        assert stored["effective_at"] == datetime.fromisoformat(body["effective_at"]) == moment
        assert stored["recorded_at"] == datetime.fromisoformat(body["recorded_at"])
        assert await books.balance(person) == 8
        assert await books.balance(books.community_id) == -8

    async def test_counts_each_account_without_gaps(self, books: Books) -> None:
        one, other = books.world.member.account_id, books.world.second_member.account_id
        await books.give(one, 5)
        await books.post(books.transfer(one, other, 3))
        await books.give(one, 2)
        rows = await books.world.fetch(
            "SELECT e.sequence, e.amount, e.balance_after FROM ledger_entries e"
            " JOIN ledger_accounts a ON a.id = e.account_id WHERE a.owner_id = $1 ORDER BY e.sequence",
            one,
        )
        assert [tuple(row) for row in rows] == [(1, 5, 5), (2, -3, 2), (3, 2, 4)]

    async def test_spreads_a_community_over_stripes(self, books: Books) -> None:
        """Each counts its own entries; together they are what the community has issued."""
        for amount in range(1, 31):
            await books.give(books.world.member.account_id, amount)
        stripes = await books.world.fetch(
            "SELECT stripe, balance, version FROM ledger_accounts WHERE owner_id = $1 ORDER BY stripe",
            books.community_id,
        )
        assert 4 < len(stripes) <= 16
        assert sum(stripe["balance"] for stripe in stripes) == -sum(range(1, 31))
        assert sum(stripe["version"] for stripe in stripes) == 30

    async def test_moves_points_between_more_than_two(self, books: Books) -> None:
        people = [books.world.member.account_id, books.world.second_member.account_id]
        legs = [
            Leg(COMMUNITY, books.community_id, -9),
            *(Leg(MEMBER, person, 4 + n) for n, person in enumerate(people)),
        ]
        assert (await books.post(books.command(legs))).status == 201
        assert [await books.balance(person) for person in people] == [4, 5]

    async def test_spends_to_the_last_point(self, books: Books) -> None:
        one, other = books.world.member.account_id, books.world.second_member.account_id
        await books.give(one, 30)
        assert (await books.post(books.transfer(one, other, 30))).status == 201
        assert [await books.balance(one), await books.balance(other)] == [0, 30]


class TestRefusing:
    async def test_an_overdraft_with_the_balance(self, books: Books) -> None:
        one, other = books.world.member.account_id, books.world.second_member.account_id
        await books.give(one, 30)
        await books.give(other, 1)
        before = await books.state()
        answer = await books.post(books.transfer(one, other, 31))
        assert answer.status == 409
        assert msgspec.json.decode(answer.body) == {"code": "insufficient_points", "balance": 30, "available": 30}
        assert await books.state() == before

    async def test_an_overdraft_of_whoever_has_no_account_yet(self, books: Books) -> None:
        answer = await books.post(books.transfer(books.world.zhang.account_id, books.world.member.account_id, 1))
        assert msgspec.json.decode(answer.body) == {"code": "insufficient_points", "balance": 0, "available": 0}
        assert (await books.state())[1:] == NOTHING[1:]

    @pytest.mark.parametrize(
        "amounts",
        [[], [5], [-5, 4], [-5, 0, 5], [2_000_000_000, -2_000_000_000], [0, 0], [2**63 - 1, 1, -(2**63) + 1, -1]],
    )
    async def test_legs_that_do_not_balance(self, books: Books, amounts: list[int]) -> None:
        legs = [Leg(MEMBER if amount > 0 else COMMUNITY, new_id(), amount) for amount in amounts]
        answer = await books.post(books.command(legs))
        assert (answer.status, code_of(answer)) == (422, "unbalanced_legs")
        assert await books.state() == NOTHING

    async def test_two_legs_on_one_account(self, books: Books) -> None:
        person = books.world.member.account_id
        await books.give(person, 10)
        answer = await books.post(books.command([Leg(MEMBER, person, -5), Leg(MEMBER, person, 5)]))
        assert code_of(answer) == "unbalanced_legs"

    @pytest.mark.parametrize(
        ("refusal", "areas", "community", "recipient"),
        [
            ("forbidden", [], "community", "member"),
            ("community_not_found", ["community"], "other_community", "member"),
            ("community_not_found", ["subdistrict"], "subdistrict", "member"),
            ("community_not_found", ["compound"], "community", "member"),
            ("own_points", ["subdistrict"], "community", "points_clerk"),
        ],
    )
    async def test_what_a_clerk_may_not(
        self, books: Books, refusal: str, areas: list[str], community: str, recipient: str
    ) -> None:
        world = books.world
        command = books.command(
            issue(5, community_id=world.areas[community], account_id=world.people[recipient].account_id),
            account=world.points_clerk.account_id,
            issuer_areas=[world.areas[area] for area in areas],
        )
        assert code_of(await books.post(command)) == refusal
        assert await books.state() == NOTHING

    async def test_a_recipient_who_left_the_district(self, books: Books) -> None:
        world = books.world
        await world.connection.execute(
            "UPDATE memberships SET ended_at = now() WHERE account_id = $1", world.member.account_id
        )
        for recipient in (world.member.account_id, new_id()):
            clerk = {"account": world.points_clerk.account_id, "issuer_areas": [world.areas["district"]]}
            answer = await books.post(books.gift(recipient, 5, **clerk))
            assert (answer.status, code_of(answer)) == (422, "recipient_not_a_member")

    async def test_nothing_for_whom_a_rule_posts(self, books: Books) -> None:
        """Who did the work earned it, also when he has left since."""
        await books.world.connection.execute("UPDATE memberships SET ended_at = now()")
        assert (await books.post(books.gift(books.world.member.account_id, 5))).status == 201


class TestRepeating:
    async def test_a_source_answers_its_transaction(self, books: Books) -> None:
        source = {"source": ("order_rated", "42")}
        first = await books.post(books.gift(books.world.member.account_id, 8, **source))
        again = await books.post(books.gift(books.world.member.account_id, 8, **source))
        other = await books.post(books.gift(books.world.second_member.account_id, 3, **source))
        assert (again.status, again.replayed, again.body) == (201, True, first.body)
        assert other == again
        assert await books.count("ledger_transactions") == 1

    async def test_a_source_is_answered_before_anything_is_refused(self, books: Books) -> None:
        one, other = books.world.member.account_id, books.world.second_member.account_id
        await books.give(one, 5)
        first = await books.post(books.transfer(one, other, 5, source=("test", "1")))
        again = await books.post(books.transfer(one, other, 5, source=("test", "1")))
        assert (again.status, again.replayed) == (201, True)
        assert msgspec.json.decode(again.body) == msgspec.json.decode(first.body)

    async def test_the_same_source_in_another_kind_is_another(self, books: Books) -> None:
        for kind in ("order_rated", "activity_certified"):
            assert not (await books.post(books.gift(books.world.member.account_id, 1, source=(kind, "42")))).replayed
        assert await books.balance(books.world.member.account_id) == 2

    async def test_a_key_answers_as_before(self, books: Books) -> None:
        keyed = {"account": books.world.points_clerk.account_id, "once": once("k")}
        first = await books.post(books.gift(books.world.member.account_id, 8, **keyed))
        again = await books.post(books.gift(books.world.member.account_id, 8, **keyed))
        assert (first.replayed, again.replayed) == (False, True)
        assert first[:2] == again[:2]
        assert await books.balance(books.world.member.account_id) == 8

    async def test_a_refusal_is_an_answer_too(self, books: Books) -> None:
        """Also after the account has been topped up."""
        one, other = books.world.member.account_id, books.world.second_member.account_id
        keyed = {"account": one, "once": once("k")}
        first = await books.post(books.transfer(one, other, 5, **keyed))
        await books.give(one, 100)
        again = await books.post(books.transfer(one, other, 5, **keyed))
        assert (first.status, again.status, again.replayed) == (409, 409, True)
        assert first.body == again.body

    async def test_a_key_with_another_request_is_refused(self, books: Books) -> None:
        account = books.world.points_clerk.account_id
        await books.post(books.gift(books.world.member.account_id, 8, account=account, once=once("k", "8 points")))
        answer = await books.post(
            books.gift(books.world.member.account_id, 9, account=account, once=once("k", "9 points"))
        )
        assert (answer.status, code_of(answer)) == (422, "idempotency_key_reused")
        assert await books.balance(books.world.member.account_id) == 8

    async def test_a_key_belongs_to_its_caller(self, books: Books) -> None:
        for person in ("points_clerk", "community_admin"):
            account = books.world.people[person].account_id
            await books.post(books.gift(books.world.member.account_id, 8, account=account, once=once("k")))
        assert await books.balance(books.world.member.account_id) == 16

    async def test_a_new_key_for_a_known_source_gets_its_transaction(self, books: Books) -> None:
        account, source = books.world.points_clerk.account_id, ("activity_certified", "7")
        gifts = [
            books.gift(books.world.member.account_id, 8, account=account, once=once(key), source=source)
            for key in ("a", "b", "b")
        ]
        answers = [await books.post(gift) for gift in gifts]
        assert [answer.replayed for answer in answers] == [False, True, True]
        assert len({msgspec.json.decode(answer.body)["id"] for answer in answers}) == 1


async def test_districts_keep_their_own_books(books: Books, other_books: Books) -> None:
    """The same person, the same source: two districts."""
    person: UUID = books.world.member.account_id
    source = {"source": ("order_rated", "42")}
    await other_books.world.insert("memberships", account_id=person)
    for ledger, amount in ((books, 3), (other_books, 4)):
        assert not (await ledger.post(ledger.gift(person, amount, **source))).replayed
    assert (await books.balance(person), await other_books.balance(person)) == (3, 4)
