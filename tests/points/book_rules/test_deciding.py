"""POST /v1/points/book-rules: the district decides how its books are kept, version after version."""

from typing import Any

import pytest

from tests.points.desk import Desk, done, refused
from tests.world import World

PATH = "/v1/points/book-rules"
DEFAULTS = {
    "asset": "points",
    "expiry_unit": "none",
    "expiry_count": 0,
    "expired_return_days": 0,
    "spent_earning": "refuse",
    "hold_days": 7,
    "member_cap": None,
    "second_person_from": None,
    "may_transfer": False,
    "minutes_per_point": None,
}


class TestDeciding:
    async def test_starts_a_version(self, desk: Desk) -> None:
        await desk.books.at("2026-03-16 09:00")
        body = done(await desk.decide(expiry_unit="years", expiry_count=1, member_cap=5000))
        assert body.pop("recorded_by") == desk.id_of("district_admin")
        assert body.pop("recorded_at").startswith("2026-03-16T01:00:00")
        assert body == {**DEFAULTS, "version": 1, "expiry_unit": "years", "expiry_count": 1, "member_cap": 5000}

    async def test_the_newest_version_holds(self, desk: Desk) -> None:
        for cap in (10, 20, 30):
            done(await desk.decide(member_cap=cap))
        in_force = done(await desk.world.zhang.get(f"{PATH}/in-force"))
        assert (in_force["version"], in_force["member_cap"]) == (3, 30)

    async def test_until_somebody_decides_the_defaults_hold(self, desk: Desk) -> None:
        for asset in ("points", "minutes"):
            in_force = done(await desk.world.zhang.get(f"{PATH}/in-force", asset=asset))
            assert in_force == {**DEFAULTS, "asset": asset, "version": 0, "recorded_at": None, "recorded_by": None}

    async def test_points_and_minutes_have_rules_of_their_own(self, desk: Desk) -> None:
        done(await desk.decide(asset="minutes", minutes_per_point=60))
        done(await desk.decide(member_cap=10))
        for asset in ("points", "minutes"):
            assert done(await desk.world.zhang.get(f"{PATH}/in-force", asset=asset))["version"] == 1

    async def test_every_version_stays_readable(self, desk: Desk) -> None:
        for cap in range(1, 6):
            done(await desk.decide(member_cap=cap))
        seen: list[int] = []
        query: dict[str, Any] = {"limit": 2}
        while True:
            page = done(await desk.world.zhang.get(PATH, **query))
            seen += [version["member_cap"] for version in page["items"]]
            if page["next_cursor"] is None:
                break
            query["cursor"] = page["next_cursor"]
        assert seen == [5, 4, 3, 2, 1]

    async def test_is_done_once_per_key(self, desk: Desk) -> None:
        for _ in range(2):
            answer = await desk.world.district_admin.post(PATH, {"asset": "points", "member_cap": 7}, key="monday")
            assert done(answer)["version"] == 1

    async def test_another_district_keeps_its_own(self, desk: Desk, neighbour_district: World) -> None:
        done(await desk.decide(member_cap=10))
        assert done(await neighbour_district.zhang.get(f"{PATH}/in-force"))["version"] == 0


class TestRefusing:
    @pytest.mark.parametrize("by", ["zhang", "member", "points_clerk", "community_admin", "dispatcher"])
    async def test_whoever_does_not_run_the_district(self, desk: Desk, by: str) -> None:
        assert refused(await desk.decide(by=by, member_cap=10)) == (403, "forbidden")
        assert await desk.books.count("ledger_settings") == 0

    @pytest.mark.parametrize(
        "rules",
        [
            {"asset": "yuan"},
            {"expiry_unit": "weeks"},
            {"expiry_unit": "days"},
            {"expiry_unit": "days", "expiry_count": 0},
            {"expiry_count": -1},
            {"expiry_unit": "days", "expiry_count": 36501},
            {"expiry_unit": "months", "expiry_count": 1201},
            {"expiry_unit": "years", "expiry_count": 101},
            {"expiry_unit": "years", "expiry_count": 1.0},
            {"expired_return_days": -1},
            {"expired_return_days": 3651},
            {"spent_earning": "forgive"},
            {"hold_days": 0},
            {"hold_days": 366},
            {"member_cap": 0},
            {"member_cap": 2**53},
            {"member_cap": "10"},
            {"second_person_from": 0},
            {"second_person_from": True},
            {"may_transfer": None},
            {"minutes_per_point": 60},
            {"asset": "minutes", "minutes_per_point": 0},
            {"asset": "minutes", "minutes_per_point": 1_000_001},
            {"version": 7},
        ],
    )
    async def test_what_is_no_rule(self, desk: Desk, rules: dict[str, Any]) -> None:
        assert refused(await desk.decide(**rules)) == (422, "invalid_request")
        assert await desk.books.count("ledger_settings") == 0

    async def test_the_longest_lives_can_be_read(self, desk: Desk) -> None:
        """A credit that lives as long as a rule allows is still over at a time everybody can write."""
        await desk.books.at("2200-01-01 00:00")
        for unit, count in [("days", 36500), ("months", 1200), ("years", 100)]:
            done(await desk.decide(expiry_unit=unit, expiry_count=count))
            legs = desk.leg("community", -1), desk.leg("member", 1)
            done(await desk.post("service", *legs, effective_at="2199-12-31T23:59:59+08:00"))
        assert [amount for amount, _ in await desk.lots("member")] == [1, 1, 1]
        assert (await desk.account("member"))["next_expiry"] is not None


class TestWhatIsOptional:
    async def test_a_second_person(self, desk: Desk) -> None:
        """From the threshold on a clerk alone is refused, whatever she calls it; below it she is not."""
        done(await desk.decide(second_person_from=50))
        done(await desk.award(amount=49))
        assert refused(await desk.award(amount=50)) == (403, "second_person_needed")
        for kind, giver in [("service", "issuing_community"), ("correction", "correction")]:
            legs = desk.leg("community", -60, kind=giver), desk.leg("member", 60)
            assert refused(await desk.post(kind, *legs)) == (403, "second_person_needed")
        done(await desk.spend("member", 49))

    async def test_a_second_person_for_one_asset_only(self, desk: Desk) -> None:
        done(await desk.decide(asset="minutes", second_person_from=50))
        done(await desk.award(amount=50))
        assert refused(await desk.award(amount=50, asset="minutes")) == (403, "second_person_needed")

    async def test_no_second_person_for_what_members_already_have(self, desk: Desk) -> None:
        done(await desk.award(amount=200))
        done(await desk.decide(second_person_from=50, may_transfer=True))
        done(await desk.transfer("member", "zhang", 100))
        shop = done(await desk.open())["owner_id"]
        done(await desk.post("redemption", desk.leg("member", -81), desk.leg(shop, 81, kind="merchant")))

    async def test_a_cap(self, desk: Desk) -> None:
        done(await desk.decide(member_cap=100, may_transfer=True))
        done(await desk.award(amount=99))
        answer = await desk.award(amount=2)
        assert refused(answer) == (409, "balance_cap_reached")
        assert (answer.json()["cap"], answer.json()["balance"]) == (100, 99)
        done(await desk.award(amount=1))
        done(await desk.award("zhang", amount=1))
        assert refused(await desk.transfer("zhang", "member", 1)) == (409, "balance_cap_reached")
        done(await desk.spend("member", 1))
        done(await desk.transfer("zhang", "member", 1))

    async def test_a_cap_counts_within_one_batch(self, desk: Desk) -> None:
        done(await desk.decide(member_cap=100))
        gift = desk.movement("service", desk.leg("community", -40), desk.leg("member", 40))
        answer = done(await desk.bulk("each", gift, gift, gift))
        assert [result["code"] for result in answer["results"]] == [None, None, "balance_cap_reached"]

    async def test_what_is_above_a_new_cap_stays(self, desk: Desk) -> None:
        done(await desk.award(amount=100))
        done(await desk.decide(member_cap=50))
        assert refused(await desk.award(amount=1)) == (409, "balance_cap_reached")
        done(await desk.spend("member", 10))
        assert await desk.figures("member") == (90, 0, 90)

    async def test_transfers(self, desk: Desk) -> None:
        done(await desk.award(amount=100))
        assert refused(await desk.transfer("member", "zhang", 10)) == (403, "transfers_not_allowed")
        done(await desk.decide(may_transfer=True))
        done(await desk.transfer("member", "zhang", 10))
        done(await desk.decide(may_transfer=False))
        assert refused(await desk.transfer("member", "zhang", 10)) == (403, "transfers_not_allowed")
