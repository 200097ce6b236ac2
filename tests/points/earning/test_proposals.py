"""Four eyes: what one proposes another decides, once, within thirty days."""

import asyncio
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx2
import pytest

from models.identity import Role
from services.chassis import clock
from tests.points.books import Books
from tests.points.earning.services import certification, certify, participant
from tests.world import World

PROPOSALS = "/v1/points/proposals"


def code(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def award(world: World, **changes: Any) -> dict[str, Any]:
    return {
        "award": {
            "account_id": str(world.member.account_id),
            "community_id": str(world.areas["community"]),
            "amount": 300,
            "reason": "年度优秀志愿者",
            **changes,
        }
    }


async def propose(world: World, body: dict[str, Any] | None = None, *, by: str = "points_clerk") -> str:
    answer = await world.people[by].post(PROPOSALS, body or award(world))
    assert answer.status_code == 201, answer.text
    assert answer.json()["state"] == "pending"
    return str(answer.json()["id"])


async def approve(world: World, proposal_id: str, by: str = "community_admin") -> httpx2.Response:
    return await world.people[by].post(f"{PROPOSALS}/{proposal_id}/approve")


async def reject(world: World, proposal_id: str, by: str = "community_admin") -> httpx2.Response:
    return await world.people[by].post(f"{PROPOSALS}/{proposal_id}/reject", {"reason": "名单有误"})


@pytest.fixture
async def guarded(books: Books) -> Books:
    """A district in which a hundred points, or ten hours, take a second person."""
    for asset, limit in (("points", 100), ("minutes", 600)):
        await books.world.insert(
            "ledger_settings", asset=asset, version=1, expiry_unit="none", expiry_count=0, expired_return_days=0,
            spent_earning="refuse", hold_days=7, second_person_from=limit, may_transfer=False,
            recorded_at=clock.now(), recorded_by=books.world.district_admin.account_id,
        )  # fmt: skip
    return books


class TestAward:
    async def test_needs_a_second_person_from_the_threshold_on(self, guarded: Books) -> None:
        world = guarded.world
        direct = await world.points_clerk.post("/v1/points/postings", award(world)["award"])
        assert code(direct) == (403, "second_person_needed")
        proposal_id = await propose(world)
        assert await guarded.balance(world.member.account_id) == 0
        answer = await approve(world, proposal_id)
        assert answer.status_code == 200, answer.text
        assert (answer.json()["state"], answer.json()["decided_by"]) == (
            "approved",
            str(world.community_admin.account_id),
        )
        posting = (await world.member.get(f"/v1/points/postings/{answer.json()['posting_id']}")).json()
        assert (posting["recorded_by"], posting["approved_by"]) == (
            str(world.points_clerk.account_id),
            str(world.community_admin.account_id),
        )
        assert await guarded.balance(world.member.account_id) == 300

    async def test_may_be_more_than_a_clerk_books_alone(self, guarded: Books) -> None:
        world = guarded.world
        assert (await approve(world, await propose(world, award(world, amount=5000)))).status_code == 200
        assert await guarded.balance(world.member.account_id) == 5000
        answer = await world.points_clerk.post(PROPOSALS, award(world, amount=1_000_000_001))
        assert code(answer) == (422, "invalid_request")

    async def test_of_minutes_goes_to_the_time_account(self, guarded: Books) -> None:
        world = guarded.world
        await approve(world, await propose(world, award(world, asset="minutes", amount=700)))
        assert await world.fetch_value("SELECT balance FROM ledger_accounts WHERE asset = 'minutes' AND balance > 0")
        assert await guarded.balance(world.member.account_id) == 0


def leg(owner_id: UUID, amount: int, kind: str = "issuing_community", asset: str = "points") -> dict[str, Any]:
    return {"account_kind": kind, "owner_id": str(owner_id), "amount": amount, "asset": asset}


def transaction(world: World, *legs: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Five thousand points for the member, unless other legs are given."""
    five_thousand = (leg(world.areas["community"], -5000), leg(world.member.account_id, 5000, "member"))
    return {"transaction": {"kind": "award", "reason": "年度特别奖", "legs": list(legs or five_thousand), **changes}}


async def merchant(world: World, by: str = "points_clerk", area: str = "community") -> UUID:
    body = {"kind": "merchant", "name": "惠民生活超市", "community_id": str(world.areas[area])}
    answer = await world.people[by].post("/v1/points/accounts", body)
    assert answer.status_code == 201, answer.text
    return UUID(answer.json()["owner_id"])


class TestTransaction:
    async def test_that_a_clerk_may_not_post_alone_is_posted_by_two(self, guarded: Books) -> None:
        world = guarded.world
        happened = clock.now().replace(microsecond=0) - timedelta(days=40)
        body = transaction(
            world,
            source={"kind": "annual_prize", "id": "2026"},
            effective_at=happened.isoformat(),
            metadata={"file": "源西办〔2026〕12号"},
        )
        direct = await world.points_clerk.post("/v1/points/transactions", body["transaction"])
        assert code(direct) == (403, "second_person_needed")
        proposal_id = await propose(world, body)
        proposed = (await world.community_admin.get(f"{PROPOSALS}/{proposal_id}")).json()
        assert (proposed["kind"], proposed["transaction"]["legs"]) == ("transaction", body["transaction"]["legs"])
        answer = await approve(world, proposal_id)
        assert answer.status_code == 200, answer.text
        posting = (await world.member.get(f"/v1/points/postings/{answer.json()['posting_id']}")).json()
        assert (posting["recorded_by"], posting["approved_by"]) == (
            str(world.points_clerk.account_id),
            str(world.community_admin.account_id),
        )
        assert (posting["kind"], posting["source_kind"], posting["source_id"]) == ("award", "annual_prize", "2026")
        assert datetime.fromisoformat(posting["effective_at"]) == happened
        assert posting["details"]["file"] == "源西办〔2026〕12号"
        assert [entry["amount"] for entry in posting["legs"]] == [-5000, 5000]
        assert await guarded.balance(world.member.account_id) == 5000

    async def test_of_several_people_and_both_assets(self, guarded: Books) -> None:
        world = guarded.world
        community = world.areas["community"]
        body = transaction(
            world,
            leg(community, -900, "correction"),
            leg(world.member.account_id, 500, "member"),
            leg(world.second_member.account_id, 400, "member"),
            leg(community, -700, asset="minutes"),
            leg(world.member.account_id, 700, "member", asset="minutes"),
            kind="correction",
        )
        assert (await approve(world, await propose(world, body))).status_code == 200
        assert await guarded.balance(world.member.account_id) == 500
        assert await guarded.balance(world.second_member.account_id) == 400

    async def test_that_the_ledger_refuses_stays_undecided(self, guarded: Books) -> None:
        world = guarded.world
        shop = await merchant(world)
        body = transaction(
            world, leg(world.member.account_id, -200, "member"), leg(shop, 200, "merchant"), kind="redemption"
        )
        proposal_id = await propose(world, body)
        assert code(await approve(world, proposal_id)) == (409, "insufficient_points")
        assert (await world.points_clerk.get(f"{PROPOSALS}/{proposal_id}")).json()["state"] == "pending"
        await guarded.give(world.member.account_id, 200)
        assert (await approve(world, proposal_id)).status_code == 200
        assert await guarded.balance(shop) == 200

    async def test_is_approved_by_who_answers_for_every_community(self, guarded: Books) -> None:
        world = guarded.world
        await world.add_person("clerk", "何敏", roles={Role.POINTS_CLERK: "subdistrict"})
        await world.add_person("admin", "黎明辉", roles={Role.COMMUNITY_ADMIN: "subdistrict"})
        shop = await merchant(world, "clerk", "other_community")
        both = (leg(world.areas["community"], -300), leg(world.areas["other_community"], -300))
        for counterpart, refusal in [
            ((both[1], leg(world.member.account_id, 600, "member")), "community_not_found"),
            ((leg(shop, 300, "merchant"),), "points_account_not_found"),
        ]:
            proposal_id = await propose(world, transaction(world, both[0], *counterpart), by="clerk")
            assert code(await approve(world, proposal_id)) == (404, refusal)
            assert (await approve(world, proposal_id, "admin")).status_code == 200

    async def test_is_not_approved_by_whom_it_is_about(self, guarded: Books) -> None:
        world = guarded.world
        body = transaction(
            world,
            leg(world.areas["community"], -600),
            leg(world.member.account_id, 300, "member"),
            leg(world.community_admin.account_id, 300, "member"),
        )
        assert code(await approve(world, await propose(world, body))) == (403, "own_points")

    async def test_is_refused_at_once_when_no_clerk_could_post_it(self, guarded: Books) -> None:
        world = guarded.world
        community, person = world.areas["community"], world.member.account_id
        await world.add_person("north_clerk", "蓝小芸", roles={Role.POINTS_CLERK: "other_community"})
        elsewhere = await merchant(world, "north_clerk", "other_community")
        tomorrow = (clock.now() + timedelta(days=1)).isoformat()
        unbalanced, not_a_shop = (422, "unbalanced_legs"), (404, "points_account_not_found")
        cases: list[tuple[list[dict[str, Any]], dict[str, Any], tuple[int, str]]] = [
            ([leg(community, -5000), leg(person, 4999, "member")], {}, unbalanced),
            ([leg(community, -500), leg(person, 500, "member", asset="minutes")], {}, unbalanced),
            ([leg(community, 0), leg(person, 0, "member")], {}, unbalanced),
            ([leg(community, -500), leg(community, 500)], {}, unbalanced),
            ([leg(world.areas["other_community"], -500), leg(person, 500, "member")], {}, (404, "community_not_found")),
            ([leg(world.areas["subdistrict"], -500), leg(person, 500, "member")], {}, (404, "community_not_found")),
            ([leg(person, -500, "member"), leg(elsewhere, 500, "merchant")], {}, not_a_shop),
            ([leg(person, -500, "member"), leg(uuid4(), 500, "escrow")], {}, not_a_shop),
            ([leg(person, -500, "member"), leg(world.zhang.account_id, 500, "member")], {}, (403, "forbidden")),
            (
                [leg(person, -500, "member"), leg(world.zhang.account_id, 499, "member"), leg(community, 1)],
                {},
                (403, "forbidden"),
            ),
            ([leg(community, -500), leg(world.points_clerk.account_id, 500, "member")], {}, (403, "own_points")),
            ([], {"effective_at": tomorrow}, (422, "effective_in_future")),
            ([], {"source": {"kind": "order_rated", "id": "1"}}, (422, "invalid_request")),
        ]  # fmt: skip
        for legs, changes, refusal in cases:
            answer = await world.points_clerk.post(PROPOSALS, transaction(world, *legs, **changes))
            assert code(answer) == refusal, (legs, changes)
        answer = await world.member.post(PROPOSALS, transaction(world))
        assert code(answer) == (403, "forbidden")
        assert await guarded.count("credit_proposals") == 0


class TestCertification:
    async def test_of_many_hours_needs_a_second_person(self, guarded: Books) -> None:
        world = guarded.world
        body = certification(world, [participant(world.member, minutes=660), participant(world.zhang)])
        direct = await world.points_clerk.post("/v1/points/certifications", body)
        assert code(direct) == (409, "certification_refused")
        assert [line["code"] for line in direct.json()["results"]] == ["second_person_needed", None]
        answer = await approve(world, await propose(world, {"certification": body}))
        assert answer.status_code == 200, answer.text
        assert [line["points"] for line in answer.json()["certified"]["results"]] == [11, 1]
        (record,) = await world.fetch("SELECT * FROM service_records WHERE account_id = $1", world.member.account_id)
        assert (record["recorded_by"], record["approved_by"]) == (
            world.points_clerk.account_id,
            world.community_admin.account_id,
        )

    async def test_keeps_the_activity_it_was_proposed_for(self, guarded: Books) -> None:
        world = guarded.world
        body = certification(
            world, [participant(world.member)], activity={"name": "清洁日", "service_kind": "environment"}
        )
        proposal_id = await propose(world, {"certification": body})
        proposed = (await world.community_admin.get(f"{PROPOSALS}/{proposal_id}")).json()
        answer = await approve(world, proposal_id)
        assert answer.json()["certified"]["activity_id"] == proposed["certification"]["activity"]["id"]

    async def test_that_is_refused_stays_undecided(self, guarded: Books) -> None:
        world = guarded.world
        body = certification(world, [participant(world.member)])
        proposal_id = await propose(world, {"certification": body})
        assert (await world.points_clerk.post("/v1/points/certifications", body)).status_code == 201
        assert code(await approve(world, proposal_id)) == (409, "certification_refused")
        assert (await world.points_clerk.get(f"{PROPOSALS}/{proposal_id}")).json()["state"] == "pending"
        assert (await reject(world, proposal_id)).status_code == 200

    async def test_in_parts_certifies_whom_it_can(self, guarded: Books) -> None:
        world = guarded.world
        body = certification(world, [participant(world.member), participant(world.zhang)], mode="each")
        proposal_id = await propose(world, {"certification": body})
        await certify(world, participant(world.member), activity=body["activity"])
        answer = await approve(world, proposal_id)
        assert [line["code"] for line in answer.json()["certified"]["results"]] == ["already_certified", None]


class TestDeciding:
    async def test_is_not_for_who_proposed_it(self, guarded: Books) -> None:
        proposal_id = await propose(guarded.world)
        assert code(await approve(guarded.world, proposal_id, "points_clerk")) == (403, "own_proposal")

    async def test_two_persons_are_kept_by_the_database_too(self, guarded: Books) -> None:
        await propose(guarded.world)
        with pytest.raises(asyncpg.CheckViolationError, match="second_person"):
            await guarded.world.connection.execute(
                "UPDATE credit_proposals SET state = 'approved', decided_by = proposed_by, decided_at = now(),"
                " result = '{}'"
            )

    async def test_is_not_for_who_would_get_it(self, guarded: Books) -> None:
        world = guarded.world
        proposal_id = await propose(world, award(world, account_id=str(world.community_admin.account_id)))
        assert code(await approve(world, proposal_id)) == (403, "own_points")
        body = certification(world, [participant(world.member), participant(world.community_admin)])
        proposal_id = await propose(world, {"certification": body})
        assert code(await approve(world, proposal_id)) == (403, "own_points")

    async def test_another_clerk_may(self, guarded: Books) -> None:
        await guarded.world.add_person("second_clerk", "谢小梅", roles={Role.POINTS_CLERK: "subdistrict"})
        proposal_id = await propose(guarded.world)
        assert (await approve(guarded.world, proposal_id, "second_clerk")).status_code == 200

    @pytest.mark.parametrize("person", ["zhang", "member", "dispatcher", "grid_worker", "district_admin"])
    async def test_others_do_not_even_see_it(self, guarded: Books, person: str) -> None:
        proposal_id = await propose(guarded.world)
        for answer in (
            await approve(guarded.world, proposal_id, person),
            await reject(guarded.world, proposal_id, person),
            await guarded.world.people[person].get(f"{PROPOSALS}/{proposal_id}"),
        ):
            assert code(answer) == (404, "not_found")

    async def test_nor_does_the_next_community(self, guarded: Books, other_world: World) -> None:
        world = guarded.world
        await world.add_person("north_clerk", "蓝小芸", roles={Role.POINTS_CLERK: "other_community"})
        proposal_id = await propose(world)
        assert code(await approve(world, proposal_id, "north_clerk")) == (404, "not_found")
        answer = await other_world.community_admin.post(f"{PROPOSALS}/{proposal_id}/approve")
        assert code(answer) == (404, "not_found")

    async def test_happens_once(self, guarded: Books) -> None:
        world = guarded.world
        for first, second in [(approve, approve), (approve, reject), (reject, approve), (reject, reject)]:
            proposal_id = await propose(world)
            assert (await first(world, proposal_id)).status_code == 200
            assert code(await second(world, proposal_id)) == (409, "proposal_is_over")

    async def test_happens_once_when_twenty_approve(self, guarded: Books) -> None:
        world = guarded.world
        proposal_id = await propose(world)
        answers = await asyncio.gather(*(approve(world, proposal_id) for _ in range(20)))
        assert sorted(answer.status_code for answer in answers) == [200] + [409] * 19
        assert await guarded.balance(world.member.account_id) == 300
        assert await guarded.count("ledger_transactions") == 1

    async def test_rejects_with_a_reason(self, guarded: Books) -> None:
        proposal_id = await propose(guarded.world)
        answer = await guarded.world.community_admin.post(f"{PROPOSALS}/{proposal_id}/reject", {"reason": " "})
        assert code(answer) == (422, "invalid_request")
        answer = await reject(guarded.world, proposal_id)
        assert (answer.json()["state"], answer.json()["reason"]) == ("rejected", "名单有误")
        assert await guarded.balance(guarded.world.member.account_id) == 0

    async def test_who_proposed_it_may_take_it_back(self, guarded: Books) -> None:
        assert (await reject(guarded.world, await propose(guarded.world), "points_clerk")).status_code == 200

    async def test_is_over_after_thirty_days(self, guarded: Books) -> None:
        world = guarded.world
        in_time, late = await propose(world), await propose(world)
        with clock.shifted(timedelta(days=30, seconds=-5)):
            world.people["admin_then"] = await world.new_session(world.community_admin)
            assert (await approve(world, in_time, "admin_then")).status_code == 200
        with clock.shifted(timedelta(days=30)):
            world.people["admin_then"] = await world.new_session(world.community_admin)
            assert (await world.admin_then.get(f"{PROPOSALS}/{late}")).json()["state"] == "expired"
            for answer in (await approve(world, late, "admin_then"), await reject(world, late, "admin_then")):
                assert code(answer) == (409, "proposal_is_over")
        assert await guarded.balance(world.member.account_id) == 300

    @pytest.mark.parametrize("change", ["UPDATE credit_proposals SET reason = 'x'", "DELETE FROM credit_proposals"])
    async def test_is_for_good(self, guarded: Books, change: str) -> None:
        await approve(guarded.world, await propose(guarded.world))
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="once they are decided"):
            await guarded.world.connection.execute(change)


class TestProposing:
    @pytest.mark.parametrize("person", ["zhang", "member", "community_admin", "district_admin"])
    async def test_is_for_clerks(self, guarded: Books, person: str) -> None:
        answer = await guarded.world.people[person].post(PROPOSALS, award(guarded.world))
        assert code(answer) == (403, "forbidden")

    async def test_is_for_communities_of_the_clerks_area(self, guarded: Books) -> None:
        body = award(guarded.world, community_id=str(guarded.world.areas["other_community"]))
        assert code(await guarded.world.points_clerk.post(PROPOSALS, body)) == (404, "community_not_found")

    async def test_is_not_for_oneself(self, guarded: Books) -> None:
        body = award(guarded.world, account_id=str(guarded.world.points_clerk.account_id))
        assert code(await guarded.world.points_clerk.post(PROPOSALS, body)) == (403, "own_points")

    async def test_is_of_one_thing(self, guarded: Books) -> None:
        world = guarded.world
        both = award(world) | {"certification": certification(world, [participant(world.member)])}
        for body in ({}, both, award(world) | transaction(world)):
            assert code(await world.points_clerk.post(PROPOSALS, body)) == (422, "invalid_request")

    async def test_is_listed_for_both(self, guarded: Books) -> None:
        world = guarded.world
        ids = [await propose(world) for _ in range(3)]
        await reject(world, ids[0])
        for person in ("points_clerk", "community_admin"):
            pending = (await world.people[person].get(PROPOSALS, state="pending")).json()["items"]
            assert [item["id"] for item in pending] == [ids[2], ids[1]]
            page = (await world.people[person].get(PROPOSALS, limit=2)).json()
            rest = (await world.people[person].get(PROPOSALS, limit=2, cursor=page["next_cursor"])).json()
            assert [item["id"] for item in page["items"] + rest["items"]] == ids[::-1]
        assert (await world.member.get(PROPOSALS)).json()["items"] == []
