"""Holds: points reserved and then spent, in full or in part, or let go. Each ends once."""

from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest

from models.identity import Role
from tests.points.books import shanghai
from tests.points.desk import Desk, Json, done, refused
from tests.world import World


@pytest.fixture
async def desk(desk: Desk) -> Desk:
    """Member has 100 points; it is 2026-03-16 09:00."""
    await desk.books.at("2026-03-16 09:00")
    done(await desk.award(amount=100))
    return desk


@pytest.fixture
async def shop(desk: Desk) -> str:
    return str(done(await desk.open())["owner_id"])


class TestHolding:
    async def test_reserves(self, desk: Desk) -> None:
        body = done(await desk.hold("member", 30, metadata={"goods": "洗衣液"}))
        assert (body["state"], body["amount"], body["posted_amount"]) == ("pending", 30, 0)
        assert (body["account_id"], body["owner_name"]) == (desk.id_of("member"), "陈志强")
        assert (body["kind"], body["details"], body["posting_id"]) == ("redemption", {"goods": "洗衣液"}, None)
        assert datetime.fromisoformat(body["expires_at"]) == shanghai("2026-03-23 09:00")
        assert await desk.figures("member") == (100, 30, 70)

    async def test_leaves_the_statement_alone(self, desk: Desk) -> None:
        done(await desk.hold("member", 30))
        assert await desk.statement("member") == [("award", 100)]

    async def test_reserves_what_expires_first(self, desk: Desk) -> None:
        for days in (20, 10):
            await desk.books.decide(expiry_unit="days", expiry_count=days)
            done(await desk.award(amount=10))
        done(await desk.hold("member", 15))
        assert [(remaining, held) for remaining, held, _ in await desk.books.lots(desk.world.member.account_id)] == [
            (10, 10), (10, 5), (100, 0),
        ]  # fmt: skip

    async def test_what_is_held_is_not_spent(self, desk: Desk) -> None:
        await desk.books.decide()
        done(await desk.hold("member", 80))
        for refusal in [
            await desk.spend("member", 21),
            await desk.transfer("member", "zhang", 21),
            await desk.hold("member", 21),
        ]:
            assert refused(refusal) == (409, "insufficient_points")
            assert (refusal.json()["balance"], refusal.json()["available"]) == (100, 20)
        done(await desk.spend("member", 20))

    async def test_spending_beside_it_takes_other_lots(self, desk: Desk) -> None:
        """What a hold has reserved is its own, though it would be first to expire."""
        await desk.books.decide(expiry_unit="days", expiry_count=10)
        done(await desk.award(amount=10))
        held = done(await desk.hold("member", 10))
        done(await desk.spend("member", 60))
        assert await desk.lots("member") == [(10, "2026-03-26 09:00"), (40, None)]
        done(await desk.post_hold(held))
        assert await desk.lots("member") == [(40, None)]

    async def test_by_a_clerk_for_a_member(self, desk: Desk, shop: str) -> None:
        answer = await desk.hold("member", 30, by="points_clerk", to_account_kind="merchant", to_owner_id=shop)
        assert done(answer)["recorded_by"] == desk.id_of("points_clerk")

    async def test_lasts_as_long_as_the_district_says(self, desk: Desk) -> None:
        await desk.books.decide(hold_days=3)
        assert datetime.fromisoformat(done(await desk.hold("member", 1))["expires_at"]) == shanghai("2026-03-19 09:00")

    async def test_of_one_source_is_one_hold(self, desk: Desk) -> None:
        source: Json = {"by": "points_clerk", "source": {"kind": "redemption_order", "id": "42"}}
        first, again = done(await desk.hold("member", 30, **source)), await desk.hold("member", 40, **source)
        assert (done(again)["id"], again.headers["Idempotency-Replayed"]) == (first["id"], "true")
        assert await desk.figures("member") == (100, 30, 70)

    async def test_a_source_is_a_clerks_to_name(self, desk: Desk) -> None:
        """Whoever took one beforehand would keep the clerk from holding it."""
        answer = await desk.hold("member", 30, source={"kind": "redemption_order", "id": "42"})
        assert refused(answer) == (403, "forbidden")

    @pytest.mark.parametrize("by", ["second_member", "zhang", "north_clerk"])
    async def test_of_one_source_is_shown_to_nobody_else(self, desk: Desk, by: str) -> None:
        """Neither as a hold of theirs nor as one of the first person's."""
        await desk.world.add_person("north_clerk", "何敏", roles={Role.POINTS_CLERK: "other_community"})
        source: Json = {"source": {"kind": "redemption_order", "id": "42"}}
        done(await desk.hold("member", 30, **{**source, "by": "points_clerk"}))
        for owner in (by, "member"):
            assert refused(await desk.hold(owner, 30, by=by, **source)) == (403, "forbidden")

    async def test_with_one_key_is_one_hold(self, desk: Desk) -> None:
        answers = [await desk.hold("member", 30, key="monday") for _ in range(2)]
        assert answers[0].content == answers[1].content
        assert refused(await desk.hold("member", 31, key="monday")) == (422, "idempotency_key_reused")
        assert await desk.figures("member") == (100, 30, 70)

    async def test_of_minutes(self, desk: Desk) -> None:
        done(await desk.award(amount=90, asset="minutes"))
        held = done(await desk.hold("member", 60, asset="minutes"))
        done(await desk.post_hold(held, 45))
        assert (await desk.account("member", "minutes"))["available"] == 45
        assert await desk.figures("member") == (100, 0, 100)


class TestRefusing:
    @pytest.mark.parametrize(
        ("change", "refusal"),
        [
            ({"to_owner_id": str(uuid4())}, (404, "community_not_found")),
            ({"to_account_kind": "merchant", "to_owner_id": str(uuid4())}, (404, "points_account_not_found")),
            ({"to_account_kind": "escrow", "to_owner_id": str(uuid4())}, (404, "points_account_not_found")),
            ({"to_account_kind": "member"}, (422, "invalid_request")),
            ({"kind": "award"}, (422, "invalid_request")),
            ({"expires_at": "2026-03-16T09:00:00+08:00"}, (422, "hold_term_invalid")),
            ({"expires_at": "2026-03-01T09:00:00+08:00"}, (422, "hold_term_invalid")),
            ({"expires_at": "2027-03-18T09:00:00+08:00"}, (422, "hold_term_invalid")),
            ({"expires_at": "2026-03-20"}, (422, "invalid_request")),
            ({"reason": ""}, (422, "invalid_request")),
        ],
    )
    async def test_what_does_not_fit(self, desk: Desk, change: dict[str, Any], refusal: tuple[int, str]) -> None:
        assert refused(await desk.hold("member", 10, **change)) == refusal
        assert await desk.books.count("ledger_holds") == 0

    async def test_a_merchant_of_the_other_asset(self, desk: Desk, shop: str) -> None:
        done(await desk.award(amount=90, asset="minutes"))
        answer = await desk.hold("member", 30, asset="minutes", to_account_kind="merchant", to_owner_id=shop)
        assert refused(answer) == (404, "points_account_not_found")

    @pytest.mark.parametrize("by", ["zhang", "dispatcher", "community_admin", "second_member"])
    async def test_somebody_elses_points(self, desk: Desk, by: str) -> None:
        assert refused(await desk.hold("member", 10, by=by)) == (403, "forbidden")

    async def test_a_clerk_for_a_merchant_of_another_area(self, desk: Desk, shop: str) -> None:
        await desk.world.add_person("north_clerk", "何敏", roles={Role.POINTS_CLERK: "other_community"})
        answer = await desk.hold("member", 10, by="north_clerk", to_account_kind="merchant", to_owner_id=shop)
        assert refused(answer) == (404, "points_account_not_found")
        assert refused(await desk.hold("member", 10, by="north_clerk")) == (404, "community_not_found")

    async def test_a_member_at_any_merchant_of_the_district(self, desk: Desk, shop: str) -> None:
        done(await desk.award("other_member", amount=10))
        done(await desk.hold("other_member", 10, to_account_kind="merchant", to_owner_id=shop))

    async def test_somebody_of_another_district(self, desk: Desk, neighbour_district: World) -> None:
        stranger = str(neighbour_district.member.account_id)
        answer = await desk.hold("member", 10, by="points_clerk", account_id=stranger)
        assert refused(answer) == (422, "recipient_not_a_member")

    async def test_a_frozen_account(self, desk: Desk) -> None:
        done(await desk.change(desk.id_of("member"), "freeze"))
        assert refused(await desk.hold("member", 10)) == (409, "account_frozen")

    async def test_a_closed_account(self, desk: Desk) -> None:
        done(await desk.spend("member", 100))
        done(await desk.change(desk.id_of("member"), "close"))
        assert refused(await desk.hold("member", 10)) == (409, "account_closed")

    async def test_stays_refused_with_its_key(self, desk: Desk) -> None:
        assert refused(await desk.hold("member", 150, key="monday")) == (409, "insufficient_points")
        done(await desk.award(amount=100))
        answer = await desk.hold("member", 150, key="monday")
        assert refused(answer) == (409, "insufficient_points")
        assert answer.headers["Idempotency-Replayed"] == "true"
        done(await desk.hold("member", 150, key="tuesday"))


class TestPosting:
    async def test_in_full(self, desk: Desk, shop: str) -> None:
        held = done(await desk.hold("member", 30, to_account_kind="merchant", to_owner_id=shop))
        body = done(await desk.post_hold(held))
        assert (body["state"], body["posted_amount"]) == ("posted", 30)
        assert body["ended_by"] == desk.id_of("points_clerk")
        assert await desk.figures("member") == (70, 0, 70)
        posting = done(await desk.world.member.get(f"/v1/points/postings/{body['posting_id']}"))
        assert (posting["kind"], posting["source_kind"], posting["source_id"]) == ("redemption", "hold", held["id"])
        assert [(leg["owner_name"], leg["amount"]) for leg in posting["legs"]] == [
            ("陈志强", -30), ("惠民生活超市", 30),
        ]  # fmt: skip

    async def test_in_part_frees_the_rest(self, desk: Desk) -> None:
        held = done(await desk.hold("member", 30))
        body = done(await desk.post_hold(held, 12))
        assert (body["state"], body["amount"], body["posted_amount"]) == ("posted", 30, 12)
        assert await desk.figures("member") == (88, 0, 88)

    async def test_in_part_takes_what_expires_first(self, desk: Desk) -> None:
        await desk.books.decide(expiry_unit="days", expiry_count=10)
        done(await desk.award(amount=10))
        done(await desk.post_hold(done(await desk.hold("member", 50)), 12))
        assert await desk.lots("member") == [(98, None)]

    async def test_more_than_is_held_is_refused(self, desk: Desk) -> None:
        held = done(await desk.hold("member", 30))
        answer = await desk.post_hold(held, 31)
        assert refused(answer) == (422, "hold_exceeded")
        assert answer.json()["amount"] == 30
        done(await desk.post_hold(held, 30))

    async def test_from_a_frozen_account(self, desk: Desk) -> None:
        """What was promised before is kept."""
        held = done(await desk.hold("member", 30))
        done(await desk.change(desk.id_of("member"), "freeze"))
        done(await desk.post_hold(held))

    async def test_to_a_closed_merchant_is_refused_and_the_hold_stays(self, desk: Desk, shop: str) -> None:
        held = done(await desk.hold("member", 30, to_account_kind="merchant", to_owner_id=shop))
        done(await desk.change(shop, "close"))
        assert refused(await desk.post_hold(held)) == (409, "account_closed")
        assert done(await desk.read_hold(held))["state"] == "pending"
        done(await desk.void_hold(held))

    async def test_points_whose_lot_is_over_meanwhile(self, desk: Desk) -> None:
        await desk.books.decide(expiry_unit="days", expiry_count=1)
        done(await desk.award(amount=10))
        held = done(await desk.hold("member", 10))
        await desk.books.at("2026-03-18 09:00")
        assert await desk.books.keep() == 0
        done(await desk.post_hold(held))
        assert await desk.figures("member") == (100, 0, 100)

    async def test_with_one_key_answers_as_before(self, desk: Desk) -> None:
        held = done(await desk.hold("member", 30))
        answers = [await desk.post_hold(held, 10, key="monday") for _ in range(2)]
        assert answers[0].content == answers[1].content
        assert [answer.headers.get("Idempotency-Replayed") for answer in answers] == [None, "true"]
        assert refused(await desk.post_hold(held, 11, key="monday")) == (422, "idempotency_key_reused")

    async def test_a_reason_postgres_cannot_store(self, desk: Desk) -> None:
        held = done(await desk.hold("member", 30))
        answer = await desk.world.points_clerk.post(f"/v1/points/holds/{held['id']}/post", {"reason": "a\x00b"})
        assert refused(answer) == (422, "invalid_request")


class TestVoiding:
    async def test_frees_all_of_it(self, desk: Desk) -> None:
        held = done(await desk.hold("member", 30))
        body = done(await desk.void_hold(held))
        assert (body["state"], body["posted_amount"], body["end_reason"]) == ("voided", 0, "缺货")
        assert await desk.figures("member") == (100, 0, 100)
        assert await desk.statement("member") == [("award", 100)]

    async def test_needs_a_reason(self, desk: Desk) -> None:
        held = done(await desk.hold("member", 30))
        answer = await desk.world.points_clerk.post(f"/v1/points/holds/{held['id']}/void", {})
        assert refused(answer) == (422, "invalid_request")


class TestEnding:
    @pytest.mark.parametrize("first", ["post", "void"])
    @pytest.mark.parametrize("second", ["post", "void"])
    async def test_once(self, desk: Desk, first: str, second: str) -> None:
        held = done(await desk.hold("member", 30))
        end = {"post": desk.post_hold, "void": desk.void_hold}
        done(await end[first](held))
        answer = await end[second](held)
        assert refused(answer) == (409, "hold_ended")
        assert answer.json()["state"] == {"post": "posted", "void": "voided"}[first]

    async def test_by_itself(self, desk: Desk) -> None:
        held = done(await desk.hold("member", 30))
        await desk.books.at("2026-03-23 08:59:59")
        assert await desk.books.keep() == 0
        await desk.books.at("2026-03-23 09:00:00")
        assert [await desk.books.keep() for _ in range(2)] == [1, 0]
        body = done(await desk.read_hold(held))
        assert (body["state"], body["ended_by"]) == ("expired", None)
        assert await desk.figures("member") == (100, 0, 100)

    @pytest.mark.parametrize("end", ["post", "void"])
    async def test_is_over_on_time_also_before_the_job_has_run(self, desk: Desk, end: str) -> None:
        held = done(await desk.hold("member", 30))
        await desk.books.at("2026-03-23 09:00:00")
        answer = await (desk.post_hold(held) if end == "post" else desk.void_hold(held))
        assert refused(answer) == (409, "hold_ended")
        assert answer.json()["state"] == "expired"
        assert await desk.books.keep() == 1

    @pytest.mark.parametrize("by", ["zhang", "second_member", "dispatcher", "district_admin"])
    async def test_by_nobody_but_a_clerk(self, desk: Desk, by: str) -> None:
        held = done(await desk.hold("member", 30))
        for answer in (await desk.post_hold(held, by=by), await desk.void_hold(held, by=by)):
            assert refused(answer) == (404, "hold_not_found")

    async def test_not_by_the_clerk_whose_points_they_are(self, desk: Desk) -> None:
        await desk.world.add_person("clerk", "何敏", roles={Role.POINTS_CLERK: "community"})
        done(await desk.award("clerk", amount=10))
        held = done(await desk.hold("clerk", 10))
        assert refused(await desk.post_hold(held, by="clerk")) == (403, "own_points")
        done(await desk.void_hold(held, by="clerk"))

    async def test_who_held_their_own_may_think_better_of_it(self, desk: Desk) -> None:
        own, clerks = done(await desk.hold("member", 30)), done(await desk.hold("member", 30, by="points_clerk"))
        assert refused(await desk.post_hold(own, by="member")) == (404, "hold_not_found")
        assert done(await desk.void_hold(own, by="member"))["state"] == "voided"
        assert refused(await desk.void_hold(clerks, by="member")) == (404, "hold_not_found")
        assert await desk.figures("member") == (100, 30, 70)

    async def test_not_by_the_clerk_of_another_area(self, desk: Desk, shop: str) -> None:
        await desk.world.add_person("north_clerk", "何敏", roles={Role.POINTS_CLERK: "other_community"})
        held = done(await desk.hold("member", 10, to_account_kind="merchant", to_owner_id=shop))
        assert refused(await desk.post_hold(held, by="north_clerk")) == (404, "hold_not_found")
        assert refused(await desk.read_hold(held, by="north_clerk")) == (404, "not_found")

    async def test_not_in_another_district(self, desk: Desk, neighbour_district: World) -> None:
        held = done(await desk.hold("member", 10))
        answer = await neighbour_district.points_clerk.post(f"/v1/points/holds/{held['id']}/void", {"reason": "x"})
        assert refused(answer) == (404, "hold_not_found")

    async def test_not_of_what_is_not_there(self, desk: Desk) -> None:
        assert refused(await desk.post_hold({"id": str(uuid4())})) == (404, "hold_not_found")


class TestReading:
    @pytest.mark.parametrize("by", ["member", "points_clerk", "community_admin", "district_admin"])
    async def test_shows_it(self, desk: Desk, by: str) -> None:
        held = done(await desk.hold("member", 10))
        assert done(await desk.read_hold(held, by=by)) == held

    @pytest.mark.parametrize("by", ["second_member", "zhang", "dispatcher", "other_dispatcher"])
    async def test_but_not_to_others(self, desk: Desk, by: str) -> None:
        held = done(await desk.hold("member", 10))
        assert refused(await desk.read_hold(held, by=by)) == (404, "not_found")

    async def test_what_is_pending_next_to_be_over_first(self, desk: Desk) -> None:
        for amount, day in [(3, 20), (1, 18), (2, 19), (9, 17)]:
            done(await desk.hold("member", amount, expires_at=f"2026-03-{day}T09:00:00+08:00"))
        done(await desk.void_hold(done(await desk.world.member.get("/v1/points/holds"))["items"][0]))
        seen: list[int] = []
        query: dict[str, Any] = {"limit": 2}
        while True:
            page = done(await desk.world.member.get("/v1/points/holds", **query))
            seen += [held["amount"] for held in page["items"]]
            if page["next_cursor"] is None:
                break
            query["cursor"] = page["next_cursor"]
        assert seen == [1, 2, 3]

    async def test_what_is_pending_of_others_for_who_answers_for_them(self, desk: Desk) -> None:
        done(await desk.hold("member", 10))
        for by, status in [("points_clerk", 200), ("zhang", 404), ("other_member", 404)]:
            answer = await desk.world.people[by].get("/v1/points/holds", account_id=desk.id_of("member"))
            assert answer.status_code == status

    @pytest.mark.parametrize("cursor", ["", "x", "WzEsMl0"])
    async def test_refuses_a_cursor_that_is_not_ours(self, desk: Desk, cursor: str) -> None:
        answer = await desk.world.member.get("/v1/points/holds", cursor=cursor)
        assert refused(answer) == (422, "invalid_cursor")
