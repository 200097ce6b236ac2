"""What is over is booked out by a job, once, whoever runs it and however often."""

import asyncio
from datetime import datetime

import pytest

from models.identity import Role
from tests.points.books import Books, shanghai
from tests.points.desk import Desk, done, refused


@pytest.fixture
async def desk(desk: Desk) -> Desk:
    await desk.books.decide(expiry_unit="days", expiry_count=1)
    await desk.books.at("2026-03-16 09:00")
    return desk


async def expiry_account(books: Books) -> int:
    return await books.world.fetch_value("SELECT sum(balance)::bigint FROM ledger_accounts WHERE kind = 'expiry'") or 0


class TestBalanceCollapse:
    """A job that takes what was earned, and not what is left, sends members below zero."""

    async def test_spent_before_it_expired(self, desk: Desk) -> None:
        """Earn 100 that end tomorrow, spend 60: the day after there are 0, not −60."""
        done(await desk.award(amount=100))
        done(await desk.spend("member", 60))
        await desk.books.at("2026-03-17 09:00")
        assert await desk.books.keep() == 1
        assert await desk.figures("member") == (0, 0, 0)
        assert await desk.statement("member") == [("award", 100), ("redemption", -60), ("expiry", -40)]

    async def test_spent_from_the_right_lot(self, desk: Desk) -> None:
        """100 that end tomorrow and 50 that end in nine days, spend 60: the day after there are 50."""
        done(await desk.award(amount=100))
        await desk.books.decide(expiry_unit="days", expiry_count=9)
        done(await desk.award(amount=50))
        done(await desk.spend("member", 60))
        await desk.books.at("2026-03-17 09:00")
        await desk.books.keep()
        assert await desk.figures("member") == (50, 0, 50)
        assert await desk.lots("member") == [(50, "2026-03-25 09:00")]


class TestBooking:
    async def test_says_when_it_was_over_and_when_that_was_booked(self, desk: Desk) -> None:
        done(await desk.award(amount=100))
        await desk.books.at("2026-03-20 02:00")
        await desk.books.keep()
        line = done(await desk.world.member.get("/v1/points/statement"))["items"][0]
        assert (line["kind"], line["amount"], line["reason"]) == ("expiry", -100, "积分到期")
        assert datetime.fromisoformat(line["effective_at"]) == shanghai("2026-03-17 09:00")
        assert datetime.fromisoformat(line["recorded_at"]) == shanghai("2026-03-20 02:00")

    async def test_goes_to_the_expiry_account_of_the_community(self, desk: Desk) -> None:
        done(await desk.award(amount=100))
        await desk.books.at("2026-03-17 09:00")
        await desk.books.keep()
        accounts = done(await desk.world.points_clerk.get("/v1/points/accounts"))["items"]
        assert {(account["kind"], account["name"], account["balance"]) for account in accounts} == {
            ("issuing_community", "康乐路南社区", -100),
            ("expiry", "康乐路南社区", 100),
        }

    async def test_is_one_transaction_per_moment(self, desk: Desk) -> None:
        for amount in (1, 2):
            done(await desk.award(amount=amount))
        await desk.books.at("2026-03-16 10:00")
        done(await desk.award(amount=4))
        await desk.books.at("2026-03-18 09:00")
        assert await desk.books.keep() == 2
        assert (await desk.statement("member"))[3:] == [("expiry", -3), ("expiry", -4)]

    async def test_of_minutes_is_called_so(self, desk: Desk) -> None:
        await desk.books.decide(asset="minutes", expiry_unit="days", expiry_count=1)
        done(await desk.award(amount=90, asset="minutes"))
        await desk.books.at("2026-03-17 09:00")
        await desk.books.keep()
        line = done(await desk.world.member.get("/v1/points/statement", asset="minutes"))["items"][0]
        assert (line["amount"], line["reason"]) == (-90, "服务时长到期")

    async def test_not_a_second_early(self, desk: Desk) -> None:
        done(await desk.award(amount=100))
        await desk.books.at("2026-03-17 08:59:59")
        assert await desk.books.keep() == 0

    async def test_twice_is_once(self, desk: Desk) -> None:
        done(await desk.award(amount=100))
        await desk.books.at("2026-03-18 09:00")
        assert [await desk.books.keep() for _ in range(2)] == [1, 0]
        assert await expiry_account(desk.books) == 100

    async def test_on_three_workers_at_once_is_once(self, desk: Desk) -> None:
        people = list(desk.world.people)[:8]
        for person in people:
            await desk.books.give(desk.world.people[person].account_id, 10)
        await desk.books.at("2026-03-18 09:00")
        assert sum(await asyncio.gather(*(desk.books.keep() for _ in range(3)))) + await desk.books.keep() == 8
        assert await expiry_account(desk.books) == 80

    async def test_at_the_stroke_of_midnight_takes_what_was_over_when_it_began(self, desk: Desk) -> None:
        """What falls due while it runs is left for the next time: it would land on the wrong community."""
        await desk.world.add_person("north_clerk", "何敏", roles={Role.POINTS_CLERK: "other_community"})
        north = str(desk.world.areas["other_community"])
        await desk.books.decide(expiry_unit="days", expiry_count=1)
        done(await desk.award(amount=1))
        await desk.books.decide(expiry_unit="months", expiry_count=0)
        body = {"account_id": desk.id_of("member"), "community_id": north, "amount": 30, "reason": "助老服务"}
        awarded = done(await desk.world.north_clerk.post("/v1/points/postings", body))
        done(await desk.award(amount=50))
        await desk.books.just_before("2026-04-01 00:00")
        assert await desk.books.keep() == 2
        accounts = await desk.books.world.fetch("SELECT owner_id, balance FROM ledger_accounts WHERE kind = 'expiry'")
        assert {str(row["owner_id"]): row["balance"] for row in accounts} == {desk.community_id: 51, north: 30}
        done(await desk.reverse(awarded, by="north_clerk"))

    async def test_of_what_came_back_later_took_effect_then(self, desk: Desk) -> None:
        """By when things happened nobody ever had less than nothing."""
        done(await desk.award(amount=100))
        goods = done(await desk.spend("member", 40))
        await desk.books.at("2026-03-18 09:00")
        await desk.books.keep()
        await desk.books.at("2026-03-20 09:00")
        done(await desk.reverse(goods))
        await desk.books.keep()
        for day in range(16, 22):
            answer = await desk.world.member.get("/v1/points/account/at", effective_at=f"2026-03-{day}T12:00:00+08:00")
            assert done(answer)["balance"] >= 0

    async def test_of_a_frozen_account(self, desk: Desk) -> None:
        """Frozen points run out like all others."""
        done(await desk.award(amount=100))
        done(await desk.change(desk.id_of("member"), "freeze"))
        await desk.books.at("2026-03-17 09:00")
        assert await desk.books.keep() == 1

    async def test_is_not_taken_back(self, desk: Desk) -> None:
        done(await desk.award(amount=100))
        await desk.books.at("2026-03-17 09:00")
        await desk.books.keep()
        expiry = await desk.world.fetch_value("SELECT id FROM ledger_transactions WHERE kind = 'expiry'")
        assert refused(await desk.reverse({"id": str(expiry)})) == (409, "not_reversible")


class TestHeld:
    async def test_points_do_not_expire_until_the_hold_ends(self, desk: Desk) -> None:
        done(await desk.award(amount=100))
        held = done(await desk.hold("member", 30, expires_at="2026-03-20T09:00:00+08:00"))
        await desk.books.at("2026-03-18 09:00")
        await desk.books.keep()
        assert await desk.figures("member") == (30, 30, 0)
        done(await desk.post_hold(held, 20))
        assert await desk.books.keep() == 1
        assert await desk.statement("member") == [("award", 100), ("expiry", -70), ("redemption", -20), ("expiry", -10)]

    async def test_points_of_a_hold_that_is_over_expire_in_the_same_run(self, desk: Desk) -> None:
        done(await desk.award(amount=100))
        done(await desk.hold("member", 30, expires_at="2026-03-18T09:00:00+08:00"))
        await desk.books.at("2026-03-18 09:00")
        assert await desk.books.keep() == 2
        assert await desk.figures("member") == (0, 0, 0)
