"""Lots: what each credit brought is spent first to expire first, and keeps its expiry wherever it goes."""

from datetime import timedelta
from uuid import UUID

import pytest

from models.identity import Role
from services.chassis import clock
from tests.points.desk import Desk, done, refused


@pytest.fixture
async def desk(desk: Desk) -> Desk:
    """Thirty days of life, members may give; it is 2026-03-16 09:00."""
    await desk.books.decide(expiry_unit="days", expiry_count=30)
    await desk.books.at("2026-03-16 09:00")
    return desk


async def credit(desk: Desk, amount: int, day: str, *, to: str = "member", community: str = "community") -> None:
    """Points of a service on a day of this March; they live thirty days from then."""
    clerk = "points_clerk" if community == "community" else "north_clerk"
    legs = [desk.leg(community, -amount), desk.leg(to, amount)]
    body = desk.movement("service", *legs, effective_at=f"2026-03-{day}T09:00:00+08:00")
    done(await desk.world.people[clerk].post("/v1/points/transactions", body))


class TestSpending:
    async def test_first_to_expire_first(self, desk: Desk) -> None:
        """Not first in, first out: what is booked last may be over first."""
        for amount, day in [(30, "10"), (20, "01"), (50, "05")]:
            await credit(desk, amount, day)
        assert await desk.lots("member") == [
            (20, "2026-03-31 09:00"),
            (50, "2026-04-04 09:00"),
            (30, "2026-04-09 09:00"),
        ]
        done(await desk.spend("member", 45))
        assert await desk.lots("member") == [(25, "2026-04-04 09:00"), (30, "2026-04-09 09:00")]

    async def test_what_never_expires_last(self, desk: Desk) -> None:
        await desk.books.decide(expiry_unit="none")
        await credit(desk, 10, "01")
        await desk.books.decide(expiry_unit="days", expiry_count=30)
        await credit(desk, 10, "02")
        done(await desk.spend("member", 12))
        assert await desk.lots("member") == [(8, None)]

    async def test_of_two_that_end_together_the_older(self, desk: Desk) -> None:
        for amount in (10, 20):
            await credit(desk, amount, "05")
        done(await desk.spend("member", 11))
        assert await desk.lots("member") == [(19, "2026-04-04 09:00")]

    async def test_is_recorded_lot_by_lot(self, desk: Desk) -> None:
        for amount, day in [(10, "01"), (20, "02"), (30, "03")]:
            await credit(desk, amount, day)
        done(await desk.spend("member", 35))
        rows = await desk.world.fetch(
            "SELECT sequence, lot_sequence, amount FROM ledger_allocations ORDER BY lot_sequence"
        )
        assert [tuple(row) for row in rows] == [(4, 1, -10), (4, 2, -20), (4, 3, -5)]

    async def test_never_a_lot_that_is_over(self, desk: Desk) -> None:
        """Also before its expiry has been booked: the balance still shows it, what can be spent does not."""
        await credit(desk, 10, "01")
        await credit(desk, 5, "10")
        await desk.books.at("2026-03-31 09:00:00")
        assert await desk.figures("member") == (15, 0, 5)
        answer = await desk.spend("member", 6)
        assert refused(answer) == (409, "insufficient_points")
        assert (answer.json()["balance"], answer.json()["available"]) == (15, 5)
        assert refused(await desk.transfer("member", "zhang", 6)) == (409, "insufficient_points")
        assert refused(await desk.hold("member", 6)) == (409, "insufficient_points")
        done(await desk.spend("member", 5))
        assert await desk.figures("member") == (10, 0, 0)

    async def test_until_the_last_second(self, desk: Desk) -> None:
        await credit(desk, 10, "01")
        await desk.books.at("2026-03-31 08:59:59")
        done(await desk.spend("member", 9))
        await desk.books.at("2026-03-31 09:00:00")
        assert refused(await desk.spend("member", 1)) == (409, "insufficient_points")

    @pytest.mark.parametrize("hours", [-24, 24])
    async def test_by_the_clock_of_the_ledger_whatever_a_worker_says(self, desk: Desk, hours: int) -> None:
        """The lot has an hour to go, or has been over for one: a worker a day ahead or behind changes nothing."""
        await credit(desk, 10, "01")
        await desk.world.connection.execute("UPDATE grants SET valid_from = valid_from - interval '2 days'")
        for moment, spent in [("2026-03-31 08:00", True), ("2026-03-31 10:00", False)]:
            await desk.books.at(moment)
            with clock.shifted(timedelta(hours=hours)):
                clerk = await desk.world.new_session(desk.world.points_clerk)
                body = desk.movement("redemption", desk.leg("member", -1), desk.leg("community", 1))
                answer = await clerk.post("/v1/points/transactions", body)
                assert await desk.books.keep() == (0 if spent else 1)
            assert (answer.status_code == 201) == spent, answer.text
        assert await desk.figures("member") == (0, 0, 0)


class TestGiving:
    async def test_points_keep_their_expiry(self, desk: Desk) -> None:
        """In parts: one gift out of three lots is three lots of one entry."""
        for amount, day in [(10, "01"), (20, "02"), (30, "03")]:
            await credit(desk, amount, day)
        done(await desk.transfer("member", "zhang", 35))
        parts = done(await desk.world.zhang.get("/v1/points/lots"))["items"]
        assert [(part["sequence"], part["part"]) for part in parts] == [(1, 1), (1, 2), (1, 3)]
        assert await desk.lots("zhang") == [
            (10, "2026-03-31 09:00"),
            (20, "2026-04-01 09:00"),
            (5, "2026-04-02 09:00"),
        ]
        assert await desk.lots("member") == [(25, "2026-04-02 09:00")]

    async def test_points_stay_those_of_their_community(self, desk: Desk) -> None:
        await desk.world.add_person("north_clerk", "何敏", roles={Role.POINTS_CLERK: "other_community"})
        await credit(desk, 10, "01")
        await credit(desk, 20, "02", community="other_community")
        done(await desk.transfer("member", "zhang", 15))
        lots = done(await desk.world.zhang.get("/v1/points/lots"))["items"]
        assert [(lot["remaining"], lot["issuer_name"]) for lot in lots] == [(10, "康乐路南社区"), (5, "康乐路北社区")]

    async def test_through_many_hands(self, desk: Desk) -> None:
        await credit(desk, 10, "01")
        for giver, to in [("member", "zhang"), ("zhang", "daughter"), ("daughter", "member")]:
            done(await desk.transfer(giver, to, 10))
        assert await desk.lots("member") == [(10, "2026-03-31 09:00")]

    async def test_what_comes_back_from_a_merchant_is_new(self, desk: Desk) -> None:
        """A merchant has no lots: a refund that is no reversal lives by the rule of today."""
        shop = done(await desk.open())["owner_id"]
        await credit(desk, 10, "01")
        done(await desk.post("redemption", desk.leg("member", -10), desk.leg(shop, 10, kind="merchant")))
        done(await desk.post("correction", desk.leg(shop, -4, kind="merchant"), desk.leg("member", 4)))
        assert await desk.lots("member") == [(4, "2026-04-15 09:00")]
        issuer = await desk.world.fetch_value("SELECT issuer_id FROM ledger_lots WHERE remaining = 4")
        assert issuer == UUID(desk.community_id)


class TestReading:
    async def test_next_to_expire(self, desk: Desk) -> None:
        for amount, day in [(10, "05"), (20, "01"), (7, "01")]:
            await credit(desk, amount, day)
        account = await desk.account("member")
        assert account["next_expiry"]["amount"] == 27
        assert account["next_expiry"]["expires_at"].startswith("2026-03-31T")

    async def test_next_to_expire_is_what_could_be_spent(self, desk: Desk) -> None:
        """Neither what is held nor what is over already."""
        for amount, day in [(10, "01"), (20, "02"), (30, "03")]:
            await credit(desk, amount, day)
        await desk.books.at("2026-03-31 09:00")
        done(await desk.hold("member", 20))
        assert (await desk.account("member"))["next_expiry"]["amount"] == 30

    async def test_in_pages_without_gap_or_overlap(self, desk: Desk) -> None:
        for day in range(1, 8):
            await credit(desk, day, f"0{day}")
        await desk.books.decide(expiry_unit="none")
        for amount in (8, 9):
            await credit(desk, amount, "01")
        seen: list[int] = []
        query: dict[str, object] = {"limit": 2}
        while True:
            page = done(await desk.world.member.get("/v1/points/lots", **query))
            seen += [lot["remaining"] for lot in page["items"]]
            if page["next_cursor"] is None:
                break
            query["cursor"] = page["next_cursor"]
        assert seen == [1, 2, 3, 4, 5, 6, 7, 8, 9]

    @pytest.mark.parametrize("cursor", ["", "x", "WzEsMl0", "9" * 401, "WyIyMDI2LTAzLTE2VDA5OjAwOjAwIiwxLDFd"])
    async def test_refuses_a_cursor_that_is_not_ours(self, desk: Desk, cursor: str) -> None:
        assert (await desk.world.member.get("/v1/points/lots", cursor=cursor)).status_code == 422

    async def test_of_others_only_for_who_answers_for_them(self, desk: Desk) -> None:
        await credit(desk, 10, "01")
        member_id = desk.id_of("member")
        for by, status in [("points_clerk", 200), ("community_admin", 200), ("zhang", 404), ("other_member", 404)]:
            assert (await desk.world.people[by].get("/v1/points/lots", account_id=member_id)).status_code == status

    async def test_minutes_apart_from_points(self, desk: Desk) -> None:
        done(await desk.award(amount=90, asset="minutes"))
        assert await desk.lots("member") == []
        lots = done(await desk.world.member.get("/v1/points/lots", asset="minutes"))["items"]
        assert [lot["remaining"] for lot in lots] == [90]
