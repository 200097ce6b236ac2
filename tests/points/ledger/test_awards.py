"""POST /v1/points/postings: a clerk books points of a community of hers."""

import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from models.identity import Role
from services.chassis import clock
from tests.points.books import NOTHING, Books
from tests.world import World

PATH = "/v1/points/postings"


def award(world: World, to: str = "member", community: str = "community", **changes: Any) -> dict[str, Any]:
    return {
        "account_id": str(world.people[to].account_id),
        "community_id": str(world.areas[community]),
        "amount": 20,
        "reason": "重阳节敬老志愿服务",
        **changes,
    }


class TestAwarding:
    async def test_answers_the_posting(self, world: World, books: Books) -> None:
        answer = await world.points_clerk.post(PATH, award(world))
        assert answer.status_code == 201, answer.text
        body = answer.json()
        assert (body["kind"], body["reason"]) == ("award", "重阳节敬老志愿服务")
        assert body["recorded_by"] == str(world.points_clerk.account_id)
        assert (body["source_kind"], body["source_id"]) == ("award", body["id"])
        assert [(leg["owner_name"], leg["amount"]) for leg in body["legs"]] == [("康乐路南社区", -20), ("陈志强", 20)]
        assert await books.balance(world.member.account_id) == 20

    @pytest.mark.parametrize("amount", [1, 1000])
    async def test_takes_the_smallest_and_the_largest_amount(self, world: World, books: Books, amount: int) -> None:
        assert (await world.points_clerk.post(PATH, award(world, amount=amount))).status_code == 201
        assert await books.balance(world.member.account_id) == amount

    async def test_goes_to_any_member_of_the_district(self, world: World) -> None:
        for person in ("zhang", "other_member", "district_admin"):
            assert (await world.points_clerk.post(PATH, award(world, person))).status_code == 201

    async def test_a_clerk_of_a_wider_area_chooses_the_community(self, world: World, books: Books) -> None:
        clerk = await world.add_person("clerk", "何敏", roles={Role.POINTS_CLERK: "subdistrict"})
        assert (await clerk.post(PATH, award(world, community="other_community"))).status_code == 201
        assert await books.balance(world.areas["other_community"]) == -20


class TestRefusing:
    @pytest.mark.parametrize(
        "person", ["zhang", "dispatcher", "member", "grid_worker", "community_admin", "district_admin"]
    )
    async def test_whoever_is_no_clerk(self, world: World, person: str) -> None:
        answer = await world.people[person].post(PATH, award(world, "second_member"))
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")

    async def test_a_clerk_whose_term_is_over(self, world: World) -> None:
        clerk = await world.add_person("clerk", "何敏", roles={Role.POINTS_CLERK: "community"})
        with clock.shifted(timedelta(hours=1)):
            await world.connection.execute(
                "UPDATE grants SET valid_to = $2 WHERE account_id = $1", clerk.account_id, clock.now()
            )
        assert (await clerk.post(PATH, award(world))).status_code == 201
        with clock.shifted(timedelta(hours=1, minutes=1)):
            assert (await clerk.post(PATH, award(world))).status_code == 403

    async def test_ones_own_account(self, world: World, books: Books) -> None:
        answer = await world.points_clerk.post(PATH, award(world, "points_clerk"))
        assert (answer.status_code, answer.json()["code"]) == (403, "own_points")
        assert await books.state() == NOTHING

    @pytest.mark.parametrize("community", ["other_community", "subdistrict", "district", "compound", "building"])
    async def test_what_is_no_community_of_hers(self, world: World, community: str) -> None:
        answer = await world.points_clerk.post(PATH, award(world, community=community))
        assert (answer.status_code, answer.json()["code"]) == (404, "community_not_found")

    async def test_a_community_that_is_no_more(self, world: World) -> None:
        await world.connection.execute(
            "UPDATE areas SET valid_to = CURRENT_DATE + 1 WHERE id = $1", world.areas["community"]
        )
        assert (await world.points_clerk.post(PATH, award(world))).status_code == 404

    async def test_another_district(self, world: World, other_world: World, books: Books, other_books: Books) -> None:
        theirs = award(world, account_id=str(other_world.member.account_id))
        answer = await world.points_clerk.post(PATH, theirs)
        assert (answer.status_code, answer.json()["code"]) == (422, "recipient_not_a_member")
        theirs = award(world, community_id=str(other_world.areas["community"]))
        assert (await world.points_clerk.post(PATH, theirs)).status_code == 404
        assert await books.state() == await other_books.state() == NOTHING

    async def test_without_a_token(self, world: World) -> None:
        async with world.stranger() as client:
            answer = await client.post(PATH, json=award(world), headers={"Idempotency-Key": "k"})
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")

    @pytest.mark.parametrize(
        "amount",
        [0, -1, 1001, 2**63, 1e309, float("nan"), 1.5, 10.0, "10", "１０", "", None, True, [10], {"points": 10}],
    )
    async def test_what_is_no_amount(self, world: World, books: Books, amount: Any) -> None:
        answer = await world.points_clerk.client.post(
            PATH,
            content=json.dumps(award(world, amount=amount)),
            headers={"Idempotency-Key": "k", "Content-Type": "application/json"},
        )
        assert answer.status_code in {400, 422}
        assert answer.json()["code"] in {"invalid_request", "unreadable_body"}
        assert await books.state() == NOTHING

    @pytest.mark.parametrize(
        "change",
        [{"reason": ""}, {"reason": "   "}, {"reason": "长" * 201}, {"reason": "a\x00b"}, {"reason": 7},
         {"account_id": "me"}, {"community_id": None}, {"kind": "reward"}, {"tenant_id": str(uuid4())},
         {"source_kind": "order_rated"}],
    )  # fmt: skip
    async def test_what_does_not_fit(self, world: World, change: dict[str, Any]) -> None:
        answer = await world.points_clerk.post(PATH, award(world, **change))
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")

    async def test_a_reason_in_any_script(self, world: World) -> None:
        reason = "𠮷野家门口清雪 3 公里 👍 “谢谢”"
        answer = await world.points_clerk.post(PATH, award(world, reason=reason))
        assert answer.json()["reason"] == reason


class TestRepeating:
    async def test_answers_as_before(self, world: World, books: Books) -> None:
        first = await world.points_clerk.post(PATH, award(world), key="monday")
        again = await world.points_clerk.post(PATH, award(world), key="monday")
        assert (first.status_code, first.content) == (again.status_code, again.content)
        assert "Idempotency-Replayed" not in first.headers
        assert again.headers["Idempotency-Replayed"] == "true"
        assert await books.balance(world.member.account_id) == 20

    async def test_two_keys_are_two_awards(self, world: World, books: Books) -> None:
        for key in ("monday", "tuesday"):
            await world.points_clerk.post(PATH, award(world), key=key)
        assert await books.balance(world.member.account_id) == 40

    async def test_another_body_is_refused(self, world: World, books: Books) -> None:
        await world.points_clerk.post(PATH, award(world), key="monday")
        answer = await world.points_clerk.post(PATH, award(world, amount=21), key="monday")
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
        assert await books.balance(world.member.account_id) == 20

    async def test_a_refusal_stays_a_refusal(self, world: World, books: Books) -> None:
        """Also when the reason for it is gone."""
        newcomer = await world.add_person("newcomer", "钟国强")
        await world.connection.execute(
            "UPDATE memberships SET ended_at = now() WHERE account_id = $1", newcomer.account_id
        )
        first = await world.points_clerk.post(PATH, award(world, "newcomer"), key="monday")
        await world.connection.execute(
            "UPDATE memberships SET ended_at = NULL WHERE account_id = $1", newcomer.account_id
        )
        again = await world.points_clerk.post(PATH, award(world, "newcomer"), key="monday")
        assert {answer.json()["code"] for answer in (first, again)} == {"recipient_not_a_member"}
        assert (first.headers.get("Idempotency-Replayed"), again.headers["Idempotency-Replayed"]) == (None, "true")
        assert (await world.points_clerk.post(PATH, award(world, "newcomer"), key="tuesday")).status_code == 201

    async def test_a_key_is_needed(self, world: World) -> None:
        answer = await world.points_clerk.client.post(PATH, json=award(world))
        assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_missing")
