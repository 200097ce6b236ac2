"""POST /v1/points/transactions, /transfers and /conversions: what may move where, and at whose word."""

from typing import Any
from uuid import uuid4

import pytest

from models.identity import Role
from tests.points.desk import Desk, done, refused
from tests.world import World


class TestTransactions:
    async def test_through_every_kind_of_account(self, desk: Desk) -> None:
        """Issued, spent with a merchant, settled, set aside, corrected: nothing is lost on the way."""
        shop = done(await desk.open())["owner_id"]
        fund = done(await desk.open("escrow", "重阳节专项"))["owner_id"]
        for kind, *legs in [
            ("service", desk.leg("community", -100), desk.leg("member", 100)),
            ("redemption", desk.leg("member", -40), desk.leg(shop, 40, kind="merchant")),
            ("settlement", desk.leg(shop, -30, kind="merchant"), desk.leg("community", 30)),
            ("transfer", desk.leg("member", -20), desk.leg(fund, 20, kind="escrow")),
            ("transfer", desk.leg(fund, -15, kind="escrow"), desk.leg("zhang", 15)),
            ("correction", desk.leg("community", -2, kind="correction"), desk.leg("member", 2)),
            ("correction", desk.leg("member", -1), desk.leg("community", 1, kind="correction")),
        ]:
            done(await desk.post(str(kind), *legs))
        accounts = done(await desk.world.points_clerk.get("/v1/points/accounts"))["items"]
        assert {(account["kind"], account["balance"]) for account in accounts} == {
            ("issuing_community", -70), ("merchant", 10), ("escrow", 5), ("correction", -1),
        }  # fmt: skip
        assert await desk.figures("member") == (41, 0, 41)
        assert await desk.figures("zhang") == (15, 0, 15)

    async def test_of_both_assets_at_once(self, desk: Desk) -> None:
        """Each asset adds up to zero by itself."""
        legs = [
            desk.leg("community", -2), desk.leg("member", 2),
            desk.leg("community", -90, asset="minutes"), desk.leg("member", 90, asset="minutes"),
        ]  # fmt: skip
        body = done(await desk.post("service", *legs))
        assert [(leg["asset"], leg["amount"]) for leg in body["legs"]] == [
            ("points", -2), ("points", 2), ("minutes", -90), ("minutes", 90),
        ]  # fmt: skip
        assert done(await desk.world.member.get(f"/v1/points/postings/{body['id']}")) == body
        assert ((await desk.account("member"))["balance"], (await desk.account("member", "minutes"))["balance"]) == (
            2,
            90,
        )

    async def test_one_asset_does_not_pay_for_the_other(self, desk: Desk) -> None:
        legs = desk.leg("community", -90, asset="minutes"), desk.leg("member", 90)
        assert refused(await desk.post("service", *legs)) == (422, "unbalanced_legs")

    async def test_keeps_what_it_is_told(self, desk: Desk) -> None:
        legs = desk.leg("community", -5), desk.leg("member", 5)
        body = done(
            await desk.post(
                "service", *legs,
                reason="重阳节敬老", source={"kind": "activity_certified", "id": "2026-10-29 重阳节"},
                effective_at="2026-03-01T09:00:00+08:00", metadata={"签到": "08:55", "地点": "社区食堂"},
            )
        )  # fmt: skip
        assert (body["source_kind"], body["source_id"]) == ("activity_certified", "2026-10-29 重阳节")
        assert body["details"] == {"签到": "08:55", "地点": "社区食堂"}
        line = done(await desk.world.member.get("/v1/points/statement"))["items"][0]
        assert (line["reason"], line["details"]) == ("重阳节敬老", body["details"])
        assert line["effective_at"] < line["recorded_at"]

    async def test_of_one_source_is_one_transaction(self, desk: Desk) -> None:
        legs, source = (desk.leg("community", -5), desk.leg("member", 5)), {"kind": "activity_certified", "id": "7"}
        answers = [await desk.post("service", *legs, source=source) for _ in range(2)]
        assert answers[0].json()["id"] == answers[1].json()["id"]
        assert answers[1].headers["Idempotency-Replayed"] == "true"
        assert await desk.figures("member") == (5, 0, 5)

    @pytest.mark.parametrize("by", ["zhang", "member", "community_admin", "north_clerk"])
    async def test_of_a_source_is_shown_to_nobody_whose_business_it_is_not(self, desk: Desk, by: str) -> None:
        await desk.world.add_person("north_clerk", "何敏", roles={Role.POINTS_CLERK: "other_community"})
        legs, source = (desk.leg("community", -5), desk.leg("member", 5)), {"kind": "activity_certified", "id": "7"}
        done(await desk.post("service", *legs, source=source))
        answer = await desk.world.people[by].post(
            "/v1/points/transactions", desk.movement("service", *legs, source=source)
        )
        assert refused(answer) == (403, "forbidden")

    @pytest.mark.parametrize("back", [0, 1])
    async def test_points_of_members_among_themselves(self, desk: Desk, back: int) -> None:
        """What people give each other they give themselves, also when the community gets its share."""
        done(await desk.award())
        legs = [desk.leg("member", -5), desk.leg("zhang", 5 - back)] + [desk.leg("community", back)] * back
        assert refused(await desk.post("transfer", *legs)) == (403, "forbidden")
        assert await desk.figures("member") == (100, 0, 100)

    async def test_points_of_another_community(self, desk: Desk) -> None:
        """Its clerk spends what it has given; who wants to spend it elsewhere holds it there themselves."""
        await desk.world.add_person("north_clerk", "何敏", roles={Role.POINTS_CLERK: "other_community"})
        done(await desk.award())
        legs = desk.leg("member", -5), desk.leg("other_community", 5)
        answer = await desk.world.north_clerk.post("/v1/points/transactions", desk.movement("redemption", *legs))
        assert refused(answer) == (403, "forbidden")
        north = str(desk.world.areas["other_community"])
        hold = done(await desk.hold("member", 5, to_owner_id=north))
        done(await desk.post_hold(hold, by="north_clerk"))
        assert await desk.figures("member") == (95, 0, 95)


class TestSecondPerson:
    """So much needs one, whatever way it takes."""

    @pytest.fixture
    async def desk(self, desk: Desk) -> Desk:
        await desk.books.decide(second_person_from=200)
        return desk

    @pytest.mark.parametrize("kind", ["escrow", "merchant"])
    async def test_from_a_community_to_what_is_no_person(self, desk: Desk, kind: str) -> None:
        owner = done(await desk.open(kind))["owner_id"]
        legs = desk.leg("community", -200), desk.leg(owner, 200, kind=kind)
        assert refused(await desk.post("correction", *legs)) == (403, "second_person_needed")

    async def test_from_an_escrow_to_a_person(self, desk: Desk) -> None:
        fund = done(await desk.open("escrow"))["owner_id"]
        for _ in range(2):
            done(await desk.post("correction", desk.leg("community", -199), desk.leg(fund, 199, kind="escrow")))
        legs = desk.leg(fund, -200, kind="escrow"), desk.leg("member", 200)
        assert refused(await desk.post("correction", *legs)) == (403, "second_person_needed")
        done(await desk.post("correction", desk.leg(fund, -199, kind="escrow"), desk.leg("member", 199)))

    async def test_not_for_what_a_member_spends(self, desk: Desk) -> None:
        shop = done(await desk.open())["owner_id"]
        for _ in range(2):
            done(await desk.award(amount=150))
        done(await desk.post("redemption", desk.leg("member", -300), desk.leg(shop, 300, kind="merchant")))
        done(await desk.post("settlement", desk.leg(shop, -300, kind="merchant"), desk.leg("community", 300)))


class TestRefusing:
    @pytest.mark.parametrize(
        "change",
        [
            {"kind": "reversal"},
            {"kind": "expiry"},
            {"kind": "reward"},
            {"kind": "conversion"},
            {"legs": []},
            {"source": {"kind": "Hold", "id": "1"}},
            {"source": {"kind": "activity", "id": ""}},
            {"metadata": {"a\x00b": "x"}},
            {"metadata": {"x": "a\x00b"}},
            {"metadata": {"k" * 41: "x"}},
            {"metadata": {"x": 1}},
            {"metadata": {f"{n}": "x" for n in range(21)}},
            {"effective_at": "yesterday"},
            {"approved_by": str(uuid4())},
        ],
    )
    async def test_what_does_not_fit(self, desk: Desk, change: dict[str, Any]) -> None:
        body = {**desk.movement("service", desk.leg("community", -5), desk.leg("member", 5)), **change}
        answer = await desk.world.points_clerk.post("/v1/points/transactions", body)
        assert refused(answer) == (422, "invalid_request")

    @pytest.mark.parametrize(
        "kind",
        ["hold", "reversal", "expiry", "award", "order_rated", "service_certified", "award_approved", "conversion"],
    )
    async def test_a_source_the_product_posts_from(self, desk: Desk, kind: str) -> None:
        """A clerk who took the place of a hold's or a reversal's posting could keep it from ever being written."""
        legs = desk.leg("community", -5), desk.leg("member", 5)
        answer = await desk.post("service", *legs, source={"kind": kind, "id": str(uuid4())})
        assert refused(answer) == (422, "invalid_request")

    @pytest.mark.parametrize("kind", ["expiry", "debt"])
    async def test_accounts_only_the_product_moves(self, desk: Desk, kind: str) -> None:
        legs = desk.leg("community", -5, kind=kind), desk.leg("member", 5)
        assert refused(await desk.post("service", *legs)) == (422, "invalid_request")

    async def test_one_account_twice(self, desk: Desk) -> None:
        legs = desk.leg("community", -5), desk.leg("member", 2), desk.leg("member", 3)
        assert refused(await desk.post("service", *legs)) == (422, "unbalanced_legs")

    async def test_what_lies_in_the_future(self, desk: Desk) -> None:
        """Nobody earns today what they will do tomorrow."""
        await desk.books.at("2026-03-16 09:00")
        legs = desk.leg("community", -5), desk.leg("member", 5)
        answer = await desk.post("service", *legs, effective_at="2026-03-16T09:02:00+08:00")
        assert refused(answer) == (422, "effective_in_future")
        done(await desk.post("service", *legs, effective_at="2026-03-16T09:00:00+08:00"))

    @pytest.mark.parametrize("kind", ["merchant", "escrow"])
    async def test_a_merchant_nobody_has_opened(self, desk: Desk, kind: str) -> None:
        done(await desk.award(amount=5))
        legs = desk.leg("member", -5), desk.leg(str(uuid4()), 5, kind=kind)
        assert refused(await desk.post("redemption", *legs)) == (404, "points_account_not_found")

    async def test_a_merchant_under_the_name_of_the_other_kind(self, desk: Desk) -> None:
        shop = done(await desk.open())["owner_id"]
        done(await desk.award(amount=5))
        legs = desk.leg("member", -5), desk.leg(shop, 5, kind="escrow")
        assert refused(await desk.post("redemption", *legs)) == (404, "points_account_not_found")

    async def test_a_merchant_of_another_area(self, desk: Desk) -> None:
        shop = done(await desk.open())["owner_id"]
        await desk.world.add_person("north_clerk", "何敏", roles={Role.POINTS_CLERK: "other_community"})
        done(await desk.award(amount=5))
        body = desk.movement("redemption", desk.leg("member", -5), desk.leg(shop, 5, kind="merchant"))
        answer = await desk.world.north_clerk.post("/v1/points/transactions", body)
        assert refused(answer) == (404, "points_account_not_found")

    async def test_more_than_a_merchant_has(self, desk: Desk) -> None:
        shop = done(await desk.open())["owner_id"]
        legs = desk.leg(shop, -1, kind="merchant"), desk.leg("community", 1)
        assert refused(await desk.post("settlement", *legs)) == (409, "insufficient_points")

    async def test_the_merchant_of_another_district(self, desk: Desk, neighbour_district: World) -> None:
        shop = done(await desk.open())["owner_id"]
        body = {"kind": "settlement", "reason": "x", "legs": [
            {"account_kind": "merchant", "owner_id": shop, "amount": -1},
            {
                "account_kind": "issuing_community", "amount": 1,
                "owner_id": str(neighbour_district.areas["community"]),
            },
        ]}  # fmt: skip
        answer = await neighbour_district.points_clerk.post("/v1/points/transactions", body)
        assert refused(answer) == (404, "points_account_not_found")

    @pytest.mark.parametrize("by", ["zhang", "member", "dispatcher", "community_admin", "district_admin"])
    async def test_whoever_is_no_clerk(self, desk: Desk, by: str) -> None:
        body = desk.movement("service", desk.leg("community", -5), desk.leg("second_member", 5))
        assert refused(await desk.world.people[by].post("/v1/points/transactions", body)) == (403, "forbidden")

    async def test_more_legs_in_one_bulk_than_can_be_booked_in_a_moment(self, desk: Desk) -> None:
        people = ["member", "zhang", "daughter", "neighbour", "second_member", "dispatcher"]
        many = desk.movement("service", desk.leg("community", -6), *(desk.leg(person, 1) for person in people))
        assert refused(await desk.bulk("each", *[many] * 286)) == (422, "invalid_request")

    async def test_ones_own_points(self, desk: Desk) -> None:
        """In either direction, on whatever account."""
        for amount in (-5, 5):
            legs = desk.leg("community", -amount), desk.leg("points_clerk", amount)
            assert refused(await desk.post("correction", *legs)) == (403, "own_points")


class TestFrozenAndClosed:
    async def test_a_frozen_account_takes_and_does_not_give(self, desk: Desk) -> None:
        await desk.books.decide()
        done(await desk.award(amount=10))
        done(await desk.change(desk.id_of("member"), "freeze"))
        done(await desk.award(amount=5))
        for answer in (await desk.spend("member", 1), await desk.transfer("member", "zhang", 1)):
            assert refused(answer) == (409, "account_frozen")
        done(await desk.award("zhang", amount=5))
        done(await desk.transfer("zhang", "member", 5))
        assert await desk.figures("member") == (20, 0, 20)

    async def test_a_closed_account_neither(self, desk: Desk) -> None:
        await desk.books.decide()
        done(await desk.award(amount=10))
        done(await desk.spend("member", 10))
        done(await desk.award("zhang", amount=5))
        done(await desk.change(desk.id_of("member"), "close"))
        for answer in (await desk.award(amount=5), await desk.transfer("zhang", "member", 5)):
            assert refused(answer) == (409, "account_closed")
        done(await desk.change(desk.id_of("member"), "reopen"))
        done(await desk.award(amount=5))

    async def test_one_frozen_account_stops_its_own_transaction_only(self, desk: Desk) -> None:
        for person in ("member", "zhang"):
            done(await desk.award(person, amount=10))
        done(await desk.change(desk.id_of("zhang"), "freeze"))
        spends = [
            desk.movement("redemption", desk.leg(person, -1), desk.leg("community", 1))
            for person in ("member", "zhang", "member")
        ]
        body = done(await desk.bulk("each", *spends))
        assert [result["code"] for result in body["results"]] == [None, "account_frozen", None]


class TestTransfers:
    @pytest.fixture
    async def desk(self, desk: Desk) -> Desk:
        await desk.books.decide()
        done(await desk.award(amount=10))
        return desk

    async def test_from_one_to_another(self, desk: Desk) -> None:
        body = done(await desk.transfer("member", "zhang", 4))
        assert (body["kind"], body["recorded_by"]) == ("transfer", desk.id_of("member"))
        assert [(leg["owner_name"], leg["amount"]) for leg in body["legs"]] == [("陈志强", -4), ("张德明", 4)]
        assert await desk.statement("zhang") == [("transfer", 4)]

    async def test_both_can_read_it(self, desk: Desk) -> None:
        gift = done(await desk.transfer("member", "zhang", 4))
        for by, status in [("member", 200), ("zhang", 200), ("points_clerk", 200), ("daughter", 404)]:
            assert (await desk.world.people[by].get(f"/v1/points/postings/{gift['id']}")).status_code == status

    async def test_not_to_oneself(self, desk: Desk) -> None:
        assert refused(await desk.transfer("member", "member", 4)) == (422, "unbalanced_legs")

    async def test_not_to_a_stranger(self, desk: Desk, neighbour_district: World) -> None:
        for stranger in (str(uuid4()), str(neighbour_district.member.account_id)):
            answer = await desk.transfer("member", "zhang", 4, to_account_id=stranger)
            assert refused(answer) == (422, "recipient_not_a_member")

    async def test_not_more_than_there_is(self, desk: Desk) -> None:
        assert refused(await desk.transfer("member", "zhang", 11)) == (409, "insufficient_points")
        assert refused(await desk.transfer("zhang", "member", 1)) == (409, "insufficient_points")

    async def test_of_minutes_only_where_minutes_may_be_given(self, desk: Desk) -> None:
        done(await desk.award(amount=60, asset="minutes"))
        answer = await desk.transfer("member", "zhang", 30, asset="minutes")
        assert refused(answer) == (403, "transfers_not_allowed")
        await desk.books.decide(asset="minutes")
        done(await desk.transfer("member", "zhang", 30, asset="minutes"))


class TestConversions:
    async def convert(self, desk: Desk, points: int, *, key: str | None = None, **changes: Any) -> Any:
        body = {"points": points, "community_id": desk.community_id, **changes}
        return await desk.world.member.post("/v1/points/conversions", body, key=key)

    @pytest.fixture
    async def desk(self, desk: Desk) -> Desk:
        """200 minutes, sixty of which make a point."""
        await desk.books.decide(asset="minutes", minutes_per_point=60)
        done(await desk.award(amount=200, asset="minutes"))
        return desk

    async def test_points_come_from_where_the_service_was(self, desk: Desk) -> None:
        """Nobody chooses who pays."""
        for area in ("other_community", "compound"):
            answer = await self.convert(desk, 1, community_id=str(desk.world.areas[area]))
            assert refused(answer) == (404, "community_not_found")

    async def test_turns_minutes_into_points(self, desk: Desk) -> None:
        body = done(await self.convert(desk, 3))
        assert (body["kind"], body["reason"]) == ("conversion", "180 分钟兑换 3 积分")
        assert body["details"] == {"minutes_per_point": 60, "settings_version": 1}
        assert [(leg["asset"], leg["account_kind"], leg["amount"]) for leg in body["legs"]] == [
            ("points", "issuing_community", -3), ("points", "member", 3),
            ("minutes", "member", -180), ("minutes", "issuing_community", 180),
        ]  # fmt: skip
        assert (await desk.account("member"))["balance"] == 3
        assert (await desk.account("member", "minutes"))["balance"] == 20

    async def test_only_as_many_as_there_are_minutes_for(self, desk: Desk) -> None:
        assert refused(await self.convert(desk, 4)) == (409, "insufficient_points")
        done(await self.convert(desk, 3))
        assert refused(await self.convert(desk, 1)) == (409, "insufficient_points")

    async def test_at_the_rate_in_force(self, desk: Desk) -> None:
        await desk.books.decide(asset="minutes", minutes_per_point=100)
        body = done(await self.convert(desk, 2))
        assert body["details"] == {"minutes_per_point": 100, "settings_version": 2}

    async def test_not_where_there_is_no_rate(self, desk: Desk) -> None:
        await desk.books.decide(asset="minutes", minutes_per_point=None)
        assert refused(await self.convert(desk, 1)) == (409, "not_convertible")

    @pytest.mark.parametrize("area", ["subdistrict", "district", "building"])
    async def test_not_with_what_is_no_community(self, desk: Desk, area: str) -> None:
        answer = await self.convert(desk, 1, community_id=str(desk.world.areas[area]))
        assert refused(answer) == (404, "community_not_found")

    async def test_once_per_key(self, desk: Desk) -> None:
        answers = [await self.convert(desk, 1, key="monday") for _ in range(2)]
        assert answers[0].content == answers[1].content
        assert (await desk.account("member"))["balance"] == 1

    async def test_never_back(self, desk: Desk) -> None:
        """There is no way from points to minutes."""
        done(await desk.award(amount=10))
        legs = [
            desk.leg("member", -1), desk.leg("community", 1),
            desk.leg("community", -60, asset="minutes"), desk.leg("member", 60, asset="minutes"),
        ]  # fmt: skip
        assert refused(await desk.post("conversion", *legs)) == (422, "invalid_request")
