"""GET /v1/points/account/at and /balances: what was there at a past moment, and many balances of one moment."""

import asyncio
from typing import Any

import pytest

from services.chassis import clock
from tests.points.books import shanghai
from tests.points.desk import Desk, done, refused
from tests.world import World

MONDAY, TUESDAY, WEDNESDAY, THURSDAY = (f"2026-03-{day}T09:00:00+08:00" for day in (16, 17, 18, 19))


async def balance(desk: Desk, **moments: str) -> int:
    return int(done(await desk.world.member.get("/v1/points/account/at", **moments))["balance"])


@pytest.fixture
async def desk(desk: Desk) -> Desk:
    """10 points on Monday; on Wednesday 20 for a service of Tuesday; on Thursday the first 10 are taken back."""
    await desk.books.at("2026-03-16 09:00")
    award = done(await desk.award(amount=10))
    await desk.books.at("2026-03-18 09:00")
    legs = desk.leg("community", -20), desk.leg("member", 20)
    done(await desk.post("service", *legs, effective_at=TUESDAY))
    await desk.books.at("2026-03-19 09:00")
    done(await desk.reverse(award))
    return desk


class TestBothTimes:
    @pytest.mark.parametrize(
        ("effective_at", "recorded_at", "expected"),
        [
            ("2026-03-16T08:59:59+08:00", THURSDAY, 0),
            (MONDAY, THURSDAY, 10),
            (TUESDAY, TUESDAY, 10),
            (TUESDAY, WEDNESDAY, 30),
            ("2026-03-17T08:59:59+08:00", WEDNESDAY, 10),
            (WEDNESDAY, TUESDAY, 10),
            (THURSDAY, WEDNESDAY, 30),
            (THURSDAY, THURSDAY, 20),
            ("2026-03-17T01:00:00Z", "2026-03-18T01:00:00Z", 30),
        ],
    )
    async def test_what_had_happened_and_what_was_known(
        self, desk: Desk, effective_at: str, recorded_at: str, expected: int
    ) -> None:
        assert await balance(desk, effective_at=effective_at, recorded_at=recorded_at) == expected

    async def test_each_is_now_unless_it_is_said(self, desk: Desk) -> None:
        """By the ledger's clock, not a worker's: what was booked a moment ago is there."""
        await desk.books.now()
        assert await balance(desk) == 20
        assert await balance(desk, effective_at=TUESDAY) == 30
        assert await balance(desk, recorded_at=TUESDAY) == 10
        with clock.shifted(shanghai("2026-03-18 12:00") - clock.now()):
            member = await desk.world.new_session(desk.world.member)
            assert done(await member.get("/v1/points/account/at"))["balance"] == 20

    async def test_answers_the_moments_it_means(self, desk: Desk) -> None:
        body = done(await desk.world.member.get("/v1/points/account/at", effective_at=TUESDAY))
        assert body["effective_at"] == "2026-03-17T01:00:00Z" or body["effective_at"].startswith("2026-03-17T09:00")
        assert body["asset"] == "points"

    async def test_of_others_only_for_who_answers_for_them(self, desk: Desk) -> None:
        for by, status in [("points_clerk", 200), ("district_admin", 200), ("zhang", 404), ("other_member", 404)]:
            answer = await desk.world.people[by].get("/v1/points/account/at", account_id=desk.id_of("member"))
            assert answer.status_code == status

    @pytest.mark.parametrize(
        "moment", ["2026-03-16", "2026-03-16T09:00:00", "1773622800", "now", "9999-01-01T00:00:00Z"]
    )
    async def test_refuses_what_is_no_moment(self, desk: Desk, moment: str) -> None:
        assert (await desk.world.member.get("/v1/points/account/at", effective_at=moment)).status_code == 422


class TestBalances:
    async def test_of_many_with_their_sum(self, desk: Desk) -> None:
        done(await desk.award("zhang", amount=5))
        done(await desk.hold("zhang", 3))
        ids = [desk.id_of(person) for person in ("zhang", "member", "neighbour")]
        body = done(await desk.world.points_clerk.get("/v1/points/balances", account_id=ids))
        assert [(item["account_id"], item["balance"], item["held"]) for item in body["items"]] == [
            (ids[0], 5, 3), (ids[1], 20, 0), (ids[2], 0, 0),
        ]  # fmt: skip
        assert body["total"] == 25

    async def test_are_those_of_one_moment(self, desk: Desk) -> None:
        """Points go back and forth all the while, and nobody ever sees them missing or doubled."""
        await desk.books.decide()
        one, other = desk.world.member.account_id, desk.world.second_member.account_id
        going = True

        async def give_back_and_forth() -> None:
            giver, taker = one, other
            while going:
                assert (await desk.books.post(desk.books.transfer(giver, taker, 7))).status == 201
                giver, taker = taker, giver

        giving = asyncio.create_task(give_back_and_forth())
        seen = set[tuple[int, ...]]()
        for _ in range(40):
            body = done(await desk.world.points_clerk.get("/v1/points/balances", account_id=[str(one), str(other)]))
            assert body["total"] == 20
            seen.add(tuple(item["balance"] for item in body["items"]))
        going = False
        await giving
        assert seen <= {(20, 0), (13, 7)}
        assert len(seen) == 2

    @pytest.mark.parametrize("stranger", ["other_member", "other_dispatcher"])
    async def test_only_of_people_one_answers_for(self, desk: Desk, stranger: str) -> None:
        ids = [desk.id_of("member"), desk.id_of(stranger)]
        assert refused(await desk.world.points_clerk.get("/v1/points/balances", account_id=ids)) == (404, "not_found")
        assert done(await desk.world.district_admin.get("/v1/points/balances", account_id=ids))["total"] == 20

    async def test_not_of_another_district(self, desk: Desk, neighbour_district: World) -> None:
        answer = await neighbour_district.district_admin.get("/v1/points/balances", account_id=[desk.id_of("member")])
        assert refused(answer) == (404, "not_found")

    @pytest.mark.parametrize("count", [0, 101])
    async def test_refuses_too_few_and_too_many(self, desk: Desk, count: int) -> None:
        query: dict[str, Any] = {"account_id": [desk.id_of("member")] * count}
        assert (await desk.world.points_clerk.get("/v1/points/balances", **query)).status_code == 422
