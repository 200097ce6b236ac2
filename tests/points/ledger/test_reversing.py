"""POST /v1/points/postings/{id}/reverse: what was booked is taken back once, and everything finds its way home."""

from typing import Any

import pytest

from models.identity import Role
from tests.points.desk import Desk, done, refused
from tests.world import World


@pytest.fixture
async def desk(desk: Desk) -> Desk:
    """Thirty days of life; 2026-03-16 09:00."""
    await desk.books.decide(expiry_unit="days", expiry_count=30)
    await desk.books.at("2026-03-16 09:00")
    return desk


async def rules(desk: Desk, **changes: Any) -> None:
    await desk.books.decide(**{"expiry_unit": "days", "expiry_count": 30, **changes})


async def balance_of(desk: Desk, kind: str) -> int:
    query = "SELECT COALESCE(sum(balance), 0)::bigint FROM ledger_accounts WHERE kind = $1"
    return int(await desk.world.fetch_value(query, kind))


class TestAnswer:
    async def test_is_a_posting_of_its_own(self, desk: Desk) -> None:
        award = done(await desk.award(amount=10))
        body = done(await desk.reverse(award))
        assert (body["kind"], body["source_kind"], body["source_id"]) == ("reversal", "reversal", award["id"])
        assert (body["reason"], body["recorded_by"]) == ("登记错误", desk.id_of("points_clerk"))
        assert [(leg["account_kind"], leg["amount"]) for leg in body["legs"]] == [
            ("member", -10),
            ("issuing_community", 10),
        ]

    async def test_is_named_by_what_it_took_back(self, desk: Desk) -> None:
        award = done(await desk.award(amount=10))
        assert award["reversed_by"] is None
        reversal = done(await desk.reverse(award))
        after = done(await desk.world.member.get(f"/v1/points/postings/{award['id']}"))
        assert after["reversed_by"] == reversal["id"]

    async def test_goes_back_into_the_same_stripe(self, desk: Desk) -> None:
        for amount in range(1, 20):
            done(await desk.reverse(done(await desk.award(amount=amount))))
        assert await desk.world.fetch_value("SELECT count(*) FROM ledger_accounts WHERE balance <> 0") == 0


class TestOfSpending:
    async def test_returns_to_the_very_lots(self, desk: Desk) -> None:
        for days in (30, 10, 20):
            await rules(desk, expiry_count=days)
            done(await desk.award(amount=10))
        before = await desk.lots("member")
        spent = done(await desk.spend("member", 25))
        await desk.books.at("2026-03-20 09:00")
        done(await desk.reverse(spent))
        assert await desk.lots("member") == before
        rows = await desk.world.fetch("SELECT lot_sequence, sum(amount) AS sum FROM ledger_allocations GROUP BY 1")
        assert {row["sum"] for row in rows} == {0}

    async def test_what_is_over_by_then_lapses_again(self, desk: Desk) -> None:
        """The rule of a district that says nothing."""
        done(await desk.award(amount=10))
        await rules(desk, expiry_count=60)
        done(await desk.award(amount=20))
        spent = done(await desk.spend("member", 15))
        await desk.books.at("2026-04-20 09:00")
        done(await desk.reverse(spent))
        assert await desk.figures("member") == (30, 0, 20)
        assert await desk.books.keep() == 1
        assert await desk.lots("member") == [(20, "2026-05-15 09:00")]

    async def test_or_lives_some_days_more(self, desk: Desk) -> None:
        """Where the district says so: in a lot of its own, with the community it came from."""
        await rules(desk, expired_return_days=14)
        done(await desk.award(amount=10))
        await rules(desk, expiry_count=60, expired_return_days=14)
        done(await desk.award(amount=20))
        spent = done(await desk.spend("member", 15))
        await desk.books.at("2026-04-20 09:00")
        done(await desk.reverse(spent))
        assert await desk.lots("member") == [(10, "2026-05-04 09:00"), (20, "2026-05-15 09:00")]
        lots = done(await desk.world.member.get("/v1/points/lots"))["items"]
        assert {lot["issuer_name"] for lot in lots} == {"康乐路南社区"}
        assert await desk.books.keep() == 0

    async def test_at_a_merchant_who_has_settled_is_refused(self, desk: Desk) -> None:
        shop = done(await desk.open())["owner_id"]
        done(await desk.award(amount=10))
        spent = done(await desk.post("redemption", desk.leg("member", -10), desk.leg(shop, 10, kind="merchant")))
        settled = done(await desk.post("settlement", desk.leg(shop, -10, kind="merchant"), desk.leg("community", 10)))
        assert refused(await desk.reverse(spent)) == (409, "insufficient_points")
        done(await desk.reverse(settled))
        done(await desk.reverse(spent))
        assert await desk.figures("member") == (10, 0, 10)

    async def test_back_to_somebody_who_left_or_is_frozen(self, desk: Desk) -> None:
        """What is theirs comes back to them."""
        done(await desk.award(amount=10))
        spent = done(await desk.spend("member", 10))
        done(await desk.change(desk.id_of("member"), "freeze"))
        await desk.world.connection.execute(
            "UPDATE memberships SET ended_at = now() WHERE account_id = $1", desk.world.member.account_id
        )
        done(await desk.reverse(spent))
        assert await desk.books.balance(desk.world.member.account_id) == 10


class TestOfAnEarning:
    async def test_untouched(self, desk: Desk) -> None:
        """It takes its own lot, though others end earlier."""
        done(await desk.award(amount=10))
        await rules(desk, expiry_count=60)
        award = done(await desk.award(amount=20))
        done(await desk.reverse(award))
        assert await desk.lots("member") == [(10, "2026-04-15 09:00")]
        assert await balance_of(desk, "issuing_community") == -10

    async def test_partly_spent(self, desk: Desk) -> None:
        """Its own lot first, then what else there is, first to expire first."""
        award = done(await desk.award(amount=10))
        done(await desk.spend("member", 6))
        for days in (50, 40):
            await rules(desk, expiry_count=days)
            done(await desk.award(amount=4))
        done(await desk.reverse(award))
        assert await desk.lots("member") == [(2, "2026-05-05 09:00")]

    async def test_expired_and_booked(self, desk: Desk) -> None:
        """What has expired of it comes out of the expiry account, not out of other points."""
        award = done(await desk.award(amount=10))
        done(await desk.spend("member", 4))
        await desk.books.at("2026-04-15 09:00")
        done(await desk.award(amount=7))
        await desk.books.keep()
        assert await balance_of(desk, "expiry") == 6
        reversal = done(await desk.reverse(award))
        assert {(leg["account_kind"], leg["amount"]) for leg in reversal["legs"]} == {
            ("expiry", -6), ("member", -4), ("issuing_community", 10),
        }  # fmt: skip
        assert await desk.figures("member") == (3, 0, 3)
        assert await balance_of(desk, "expiry") == 0

    async def test_expired_but_not_booked(self, desk: Desk) -> None:
        award = done(await desk.award(amount=10))
        await desk.books.at("2026-04-15 09:00")
        done(await desk.award(amount=7))
        done(await desk.reverse(award))
        assert await desk.figures("member") == (7, 0, 7)
        assert await desk.books.keep() == 0

    async def test_held_is_refused(self, desk: Desk) -> None:
        award = done(await desk.award(amount=10))
        held = done(await desk.hold("member", 8))
        answer = await desk.reverse(award)
        assert refused(answer) == (409, "insufficient_points")
        assert (answer.json()["balance"], answer.json()["available"]) == (10, 2)
        done(await desk.void_hold(held))
        done(await desk.reverse(award))

    async def test_held_leaves_the_hold_alone_where_there_is_enough(self, desk: Desk) -> None:
        award = done(await desk.award(amount=10))
        done(await desk.hold("member", 8))
        done(await desk.award(amount=9))
        done(await desk.reverse(award))
        assert await desk.figures("member") == (9, 8, 1)

    async def test_of_several_people(self, desk: Desk) -> None:
        legs = [desk.leg("community", -9), desk.leg("member", 4), desk.leg("zhang", 5)]
        service = done(await desk.post("service", *legs))
        done(await desk.reverse(service))
        assert (await desk.figures("member"), await desk.figures("zhang")) == ((0, 0, 0), (0, 0, 0))

    async def test_frozen(self, desk: Desk) -> None:
        """A clerk may correct what a frozen account got."""
        award = done(await desk.award(amount=10))
        done(await desk.change(desk.id_of("member"), "freeze"))
        done(await desk.reverse(award))
        assert await desk.figures("member") == (0, 0, 0)

    async def test_on_a_closed_account_is_refused(self, desk: Desk) -> None:
        award = done(await desk.award(amount=10))
        spent = done(await desk.spend("member", 10))
        done(await desk.change(desk.id_of("member"), "close"))
        for posting in (award, spent):
            assert refused(await desk.reverse(posting)) == (409, "account_closed")


class TestOfWhatIsSpent:
    async def test_is_refused_where_the_district_says_nothing(self, desk: Desk) -> None:
        award = done(await desk.award(amount=10))
        done(await desk.spend("member", 7))
        before = await desk.books.state()
        answer = await desk.reverse(award)
        assert refused(answer) == (409, "insufficient_points")
        assert answer.json()["available"] == 3
        assert await desk.books.state() == before

    async def test_becomes_a_debt_where_it_says_so(self, desk: Desk) -> None:
        await rules(desk, spent_earning="debt")
        award = done(await desk.award(amount=10))
        done(await desk.spend("member", 7))
        reversal = done(await desk.reverse(award))
        assert {(leg["account_kind"], leg["owner_name"], leg["amount"]) for leg in reversal["legs"]} == {
            ("debt", "陈志强", -7), ("member", "陈志强", -3), ("issuing_community", "康乐路南社区", 10),
        }  # fmt: skip
        account = await desk.account("member")
        assert (account["balance"], account["available"], account["debt"]) == (0, 0, 7)

    async def test_a_debt_of_all_of_it(self, desk: Desk) -> None:
        await rules(desk, spent_earning="debt")
        award = done(await desk.award(amount=10))
        done(await desk.spend("member", 10))
        done(await desk.reverse(award))
        assert (await desk.account("member"))["debt"] == 10

    async def test_what_is_held_becomes_a_debt_too(self, desk: Desk) -> None:
        await rules(desk, spent_earning="debt")
        award = done(await desk.award(amount=10))
        held = done(await desk.hold("member", 8))
        done(await desk.reverse(award))
        account = await desk.account("member")
        assert (account["balance"], account["held"], account["debt"]) == (8, 8, 8)
        done(await desk.post_hold(held))

    @pytest.mark.parametrize(("earned", "left", "debt"), [(4, 0, 3), (7, 0, 0), (20, 13, 0)])
    async def test_later_earnings_settle_it_first(self, desk: Desk, earned: int, left: int, debt: int) -> None:
        await rules(desk, spent_earning="debt")
        award = done(await desk.award(amount=10))
        done(await desk.spend("member", 10))
        done(await desk.award(amount=3))
        done(await desk.reverse(award))
        assert (await desk.account("member"))["debt"] == 7
        done(await desk.award(amount=earned))
        account = await desk.account("member")
        assert (account["balance"], account["debt"]) == (left, debt)

    async def test_what_somebody_gives_does_not(self, desk: Desk) -> None:
        await rules(desk, spent_earning="debt")
        award = done(await desk.award(amount=10))
        done(await desk.spend("member", 10))
        done(await desk.reverse(award))
        done(await desk.award("zhang", amount=5))
        done(await desk.transfer("zhang", "member", 5))
        account = await desk.account("member")
        assert (account["balance"], account["debt"]) == (5, 10)

    async def test_in_one_batch_everything_settles_in_turn(self, desk: Desk) -> None:
        await rules(desk, spent_earning="debt")
        award = done(await desk.award(amount=10))
        done(await desk.spend("member", 10))
        done(await desk.reverse(award))
        legs = desk.leg("community", -4), desk.leg("member", 4)
        assert done(await desk.bulk("each", *[desk.movement("service", *legs)] * 3))["posted"] == 3
        account = await desk.account("member")
        assert (account["balance"], account["debt"]) == (2, 0)

    async def test_what_settled_a_debt_can_be_taken_back(self, desk: Desk) -> None:
        """Then the debt is there again."""
        await rules(desk, spent_earning="debt")
        award = done(await desk.award(amount=10))
        done(await desk.spend("member", 10))
        done(await desk.reverse(award))
        for amount in (6, 10):
            settling = done(await desk.award(amount=amount))
            done(await desk.reverse(settling))
            account = await desk.account("member")
            assert (account["balance"], account["debt"]) == (0, 10)

    @pytest.mark.parametrize(("spent", "left", "debt"), [(30, 0, 0), (40, 0, 0), (60, 0, 0)])
    async def test_what_comes_back_settles_it_first(self, desk: Desk, spent: int, left: int, debt: int) -> None:
        """Who owes what they spent owes nothing once the spending is taken back, and has nothing either."""
        await rules(desk, spent_earning="debt")
        award = done(await desk.award(amount=100))
        goods = done(await desk.spend("member", spent))
        done(await desk.reverse(award))
        assert (await desk.account("member"))["debt"] == spent
        done(await desk.reverse(goods))
        account = await desk.account("member")
        assert (account["balance"], account["available"], account["debt"]) == (left, left, debt)

    async def test_what_is_left_of_it_keeps_the_expiry_that_is_furthest(self, desk: Desk) -> None:
        """The debt is paid from what would expire first."""
        await rules(desk, spent_earning="debt", expiry_unit="days", expiry_count=10)
        first = done(await desk.award(amount=10))
        await rules(desk, spent_earning="debt", expiry_unit="days", expiry_count=20)
        done(await desk.award(amount=10))
        last = (await desk.lots("member"))[1:]
        goods = done(await desk.spend("member", 20))
        done(await desk.reverse(first))
        before = await desk.account("member")
        done(await desk.reverse(goods))
        assert (before["debt"], await desk.figures("member")) == (10, (10, 0, 10))
        assert await desk.lots("member") == last

    async def test_a_debt_is_closed_with_nobodys_account(self, desk: Desk) -> None:
        await rules(desk, spent_earning="debt")
        award = done(await desk.award(amount=10))
        done(await desk.spend("member", 10))
        done(await desk.reverse(award))
        answer = await desk.change(desk.id_of("member"), "close")
        assert refused(answer) == (409, "account_not_empty")
        assert answer.json()["debt"] == 10


class TestOfATransfer:
    async def test_returns_to_the_givers_lots(self, desk: Desk) -> None:
        done(await desk.award(amount=10))
        before = await desk.lots("member")
        gift = done(await desk.transfer("member", "zhang", 6))
        await desk.books.at("2026-03-20 09:00")
        done(await desk.reverse(gift))
        assert await desk.lots("member") == before
        assert await desk.figures("zhang") == (0, 0, 0)

    async def test_that_has_expired_at_the_receivers(self, desk: Desk) -> None:
        """It comes out of the expiry account and lapses again, at the giver's."""
        done(await desk.award(amount=10))
        gift = done(await desk.transfer("member", "zhang", 6))
        await desk.books.at("2026-04-15 09:00")
        await desk.books.keep()
        done(await desk.reverse(gift))
        assert (await desk.figures("member"), await desk.figures("zhang")) == ((6, 0, 0), (0, 0, 0))
        await desk.books.keep()
        assert await balance_of(desk, "expiry") == 10

    async def test_that_has_been_spent_follows_the_rule(self, desk: Desk) -> None:
        done(await desk.award(amount=10))
        gift = done(await desk.transfer("member", "zhang", 6))
        done(await desk.spend("zhang", 6))
        assert refused(await desk.reverse(gift)) == (409, "insufficient_points")
        await rules(desk, spent_earning="debt")
        done(await desk.reverse(gift))
        assert (await desk.account("zhang"))["debt"] == 6
        assert await desk.figures("member") == (10, 0, 10)


class TestOfAConversion:
    async def test_takes_the_points_and_returns_the_minutes(self, desk: Desk) -> None:
        done(await desk.decide(asset="minutes", minutes_per_point=60, expiry_unit="years", expiry_count=1))
        done(await desk.award(amount=200, asset="minutes"))
        body = {"points": 3, "community_id": desk.community_id}
        conversion = done(await desk.world.member.post("/v1/points/conversions", body))
        await desk.books.at("2026-03-20 09:00")
        done(await desk.reverse(conversion))
        assert await desk.figures("member") == (0, 0, 0)
        lots = done(await desk.world.member.get("/v1/points/lots", asset="minutes"))["items"]
        assert [(lot["remaining"], lot["sequence"]) for lot in lots] == [(200, 1)]


class TestOnce:
    async def test_and_never_again(self, desk: Desk) -> None:
        award = done(await desk.award(amount=10))
        done(await desk.award(amount=10))
        reversal = done(await desk.reverse(award))
        answer = await desk.reverse(award)
        assert refused(answer) == (409, "already_reversed")
        assert answer.json()["reversed_by"] == reversal["id"]
        assert await desk.figures("member") == (10, 0, 10)

    async def test_a_reversal_is_not_reversed(self, desk: Desk) -> None:
        reversal = done(await desk.reverse(done(await desk.award(amount=10))))
        answer = await desk.reverse(reversal)
        assert refused(answer) == (409, "not_reversible")
        assert answer.json()["kind"] == "reversal"

    async def test_what_a_hold_posted(self, desk: Desk) -> None:
        """Its points are free then; the hold has ended all the same."""
        done(await desk.award(amount=10))
        before = await desk.lots("member")
        held = done(await desk.hold("member", 8))
        posted = done(await desk.post_hold(held, 6))
        done(await desk.reverse({"id": posted["posting_id"]}))
        assert (await desk.figures("member"), await desk.lots("member")) == ((10, 0, 10), before)
        assert refused(await desk.post_hold(held)) == (409, "hold_ended")

    async def test_with_the_same_key_answers_as_before(self, desk: Desk) -> None:
        award = done(await desk.award(amount=10))
        answers = [await desk.reverse(award, key="monday") for _ in range(2)]
        assert answers[0].content == answers[1].content
        assert [answer.headers.get("Idempotency-Replayed") for answer in answers] == [None, "true"]

    async def test_a_refusal_stays_a_refusal(self, desk: Desk) -> None:
        award = done(await desk.award(amount=10))
        done(await desk.spend("member", 10))
        assert refused(await desk.reverse(award, key="monday")) == (409, "insufficient_points")
        done(await desk.award(amount=10))
        assert refused(await desk.reverse(award, key="monday")) == (409, "insufficient_points")
        done(await desk.reverse(award, key="tuesday"))


class TestRefusing:
    @pytest.mark.parametrize("by", ["member", "zhang", "dispatcher", "community_admin", "district_admin"])
    async def test_whoever_is_no_clerk(self, desk: Desk, by: str) -> None:
        award = done(await desk.award("second_member", amount=10))
        assert refused(await desk.reverse(award, by=by)) == (404, "posting_not_found")

    async def test_the_clerk_of_another_community(self, desk: Desk) -> None:
        await desk.world.add_person("north_clerk", "何敏", roles={Role.POINTS_CLERK: "other_community"})
        award = done(await desk.award(amount=10))
        assert refused(await desk.reverse(award, by="north_clerk")) == (404, "posting_not_found")

    async def test_another_district(self, desk: Desk, neighbour_district: World) -> None:
        award = done(await desk.award(amount=10))
        path = f"/v1/points/postings/{award['id']}/reverse"
        assert refused(await neighbour_district.points_clerk.post(path, {"reason": "x"})) == (404, "posting_not_found")

    async def test_ones_own_points(self, desk: Desk) -> None:
        await desk.world.add_person("clerk", "何敏", roles={Role.POINTS_CLERK: "community"})
        award = done(await desk.award("clerk", amount=10))
        assert refused(await desk.reverse(award, by="clerk")) == (403, "own_points")
        done(await desk.reverse(award))

    async def test_what_is_not_there(self, desk: Desk) -> None:
        assert refused(await desk.reverse({"id": desk.id_of("member")})) == (404, "posting_not_found")

    async def test_without_a_reason(self, desk: Desk) -> None:
        award = done(await desk.award(amount=10))
        answer = await desk.world.points_clerk.post(f"/v1/points/postings/{award['id']}/reverse", {"reason": " "})
        assert refused(answer) == (422, "invalid_request")
