"""GET /v1/points/account, /statement and /postings/{id}: what one may know of points."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from models.identity import Role
from models.points import TransactionKind
from services.chassis import clock
from services.chassis.schemas import new_id
from services.points.ledger.posting import issue
from tests.points.books import Books
from tests.world import World


async def account(world: World, by: str, of: str) -> Any:
    return await world.people[by].get("/v1/points/account", account_id=str(world.people[of].account_id))


class TestAccount:
    async def test_mine(self, world: World, books: Books) -> None:
        await books.give(world.member.account_id, 12)
        await books.give(world.member.account_id, 3)
        answer = await world.member.get("/v1/points/account")
        assert answer.status_code == 200
        assert answer.json() == {
            "account_id": str(world.member.account_id),
            "kind": "member",
            "asset": "points",
            "normal_side": "credit",
            "status": "open",
            "balance": 15,
            "held": 0,
            "available": 15,
            "debt": 0,
            "version": 2,
            "next_expiry": None,
        }

    async def test_of_whoever_has_earned_nothing_yet(self, world: World) -> None:
        body = (await world.zhang.get("/v1/points/account")).json()
        assert (body["balance"], body["version"]) == (0, 0)

    async def test_my_own_by_its_id(self, world: World) -> None:
        assert (await account(world, "zhang", "zhang")).status_code == 200

    @pytest.mark.parametrize("by", ["points_clerk", "community_admin", "district_admin"])
    @pytest.mark.parametrize("of", ["member", "grid_worker", "zhang"])
    async def test_of_people_of_my_area(self, world: World, books: Books, by: str, of: str) -> None:
        await books.give(world.people[of].account_id, 4)
        answer = await account(world, by, of)
        assert (answer.status_code, answer.json()["balance"]) == (200, 4)

    @pytest.mark.parametrize(
        ("by", "of"),
        [
            ("zhang", "member"),
            ("member", "zhang"),
            ("dispatcher", "member"),
            ("grid_worker", "zhang"),
            ("points_clerk", "other_member"),
            ("community_admin", "other_member"),
        ],
    )
    async def test_of_nobody_else(self, world: World, books: Books, by: str, of: str) -> None:
        await books.give(world.people[of].account_id, 4)
        answer = await account(world, by, of)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")

    async def test_of_whoever_serves_the_area_around_mine(self, world: World) -> None:
        await world.add_person("volunteer", "何敏", roles={Role.VOLUNTEER: "subdistrict"})
        assert (await account(world, "points_clerk", "volunteer")).status_code == 200

    async def test_of_anybody_for_who_runs_the_district(self, world: World) -> None:
        await world.add_person("newcomer", "钟国强")
        assert (await account(world, "district_admin", "newcomer")).status_code == 200
        assert (await account(world, "points_clerk", "newcomer")).status_code == 404

    @pytest.mark.parametrize("by", ["district_admin", "points_clerk", "zhang"])
    async def test_of_another_district(self, world: World, other_world: World, by: str) -> None:
        for account_id in (other_world.member.account_id, uuid4()):
            answer = await world.people[by].get("/v1/points/account", account_id=str(account_id))
            assert answer.status_code == 404

    async def test_without_a_token(self, world: World) -> None:
        async with world.stranger() as client:
            for path in (
                "account",
                "account/at",
                "statement",
                "lots",
                "holds",
                "accounts",
                "book-rules",
                "book-rules/in-force",
                f"balances?account_id={uuid4()}",
                f"postings/{uuid4()}",
                "postings/by-key/k",
                f"holds/{uuid4()}",
            ):
                assert (await client.get(f"/v1/points/{path}")).status_code == 401


class TestStatement:
    async def test_newest_first_with_the_balance_after_each(self, world: World, books: Books) -> None:
        order_id, moment = new_id(), clock.now() - timedelta(days=3)
        await books.give(world.member.account_id, 10)
        await books.post(
            books.gift(
                world.member.account_id,
                7,
                kind=TransactionKind.REWARD,
                source=("order_rated", str(order_id)),
                reason="代购药品 服务获5星好评",
                effective_at=moment,
            )
        )
        await books.post(books.transfer(world.member.account_id, world.zhang.account_id, 4))
        page = (await world.member.get("/v1/points/statement")).json()
        assert page["next_cursor"] is None
        lines = page["items"]
        assert [(line["sequence"], line["amount"], line["balance_after"]) for line in lines] == [
            (3, -4, 13),
            (2, 7, 17),
            (1, 10, 10),
        ]
        reward = lines[1]
        assert (reward["kind"], reward["reason"]) == ("reward", "代购药品 服务获5星好评")
        assert (reward["source_kind"], reward["source_id"]) == ("order_rated", str(order_id))
        assert datetime.fromisoformat(reward["effective_at"]) == moment
        assert (await world.member.get(f"/v1/points/postings/{reward['posting_id']}")).status_code == 200

    async def test_of_whoever_has_earned_nothing_yet(self, world: World) -> None:
        assert (await world.zhang.get("/v1/points/statement")).json() == {"items": [], "next_cursor": None}

    async def test_in_pages_without_gap_or_overlap(self, world: World, books: Books) -> None:
        """Also when something is credited while the pages are turned."""
        for amount in range(1, 8):
            await books.give(world.member.account_id, amount)
        seen, query = [], dict[str, Any](limit=3)
        while True:
            page = (await world.member.get("/v1/points/statement", **query)).json()
            seen += [line["amount"] for line in page["items"]]
            if page["next_cursor"] is None:
                break
            query["cursor"] = page["next_cursor"]
            await books.give(world.member.account_id, 100)
        assert seen == [7, 6, 5, 4, 3, 2, 1]

    async def test_shows_only_ones_own(self, world: World, books: Books) -> None:
        await books.give(world.member.account_id, 5)
        assert (await world.second_member.get("/v1/points/statement")).json()["items"] == []

    @pytest.mark.parametrize("cursor", ["", "x", "-1", "１", "1.0", "9" * 19, "9" * 401])
    async def test_refuses_a_cursor_that_is_not_ours(self, world: World, cursor: str) -> None:
        assert (await world.member.get("/v1/points/statement", cursor=cursor)).status_code == 422

    @pytest.mark.parametrize("limit", ["0", "101", "-1", "many"])
    async def test_limits_its_pages(self, world: World, limit: str) -> None:
        assert (await world.member.get("/v1/points/statement", limit=limit)).status_code == 422


class TestPosting:
    @pytest.fixture
    async def posting_id(self, world: World, books: Books) -> UUID:
        command = books.gift(world.member.account_id, 5, details={"sum": "5"})
        await books.post(command)
        return command.id

    @pytest.mark.parametrize("by", ["member", "points_clerk", "community_admin", "district_admin"])
    async def test_shows_both_sides(self, world: World, posting_id: UUID, by: str) -> None:
        answer = await world.people[by].get(f"/v1/points/postings/{posting_id}")
        assert answer.status_code == 200
        body = answer.json()
        assert body["details"] == {"sum": "5"}
        assert [(leg["account_kind"], leg["owner_name"], leg["amount"]) for leg in body["legs"]] == [
            ("issuing_community", "康乐路南社区", -5),
            ("member", "陈志强", 5),
        ]

    @pytest.mark.parametrize("by", ["second_member", "zhang", "dispatcher", "other_member", "other_dispatcher"])
    async def test_is_not_there_for_others(self, world: World, posting_id: UUID, by: str) -> None:
        answer = await world.people[by].get(f"/v1/points/postings/{posting_id}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")

    async def test_is_not_there_for_the_clerk_of_another_community(self, world: World, books: Books) -> None:
        north = issue(5, community_id=world.areas["other_community"], account_id=world.other_member.account_id)
        command = books.command(north)
        await books.post(command)
        assert (await world.points_clerk.get(f"/v1/points/postings/{command.id}")).status_code == 404
        assert (await world.district_admin.get(f"/v1/points/postings/{command.id}")).status_code == 200

    async def test_is_not_there_for_another_district(self, other_world: World, posting_id: UUID) -> None:
        assert (await other_world.district_admin.get(f"/v1/points/postings/{posting_id}")).status_code == 404

    async def test_is_answered_as_it_was_when_posted(self, world: World) -> None:
        award = {
            "account_id": str(world.zhang.account_id),
            "community_id": str(world.areas["community"]),
            "amount": 20,
            "reason": "重阳节敬老志愿服务",
        }
        posted = (await world.points_clerk.post("/v1/points/postings", award)).json()
        assert (await world.zhang.get(f"/v1/points/postings/{posted['id']}")).json() == posted

    async def test_unknown(self, world: World) -> None:
        assert (await world.member.get(f"/v1/points/postings/{uuid4()}")).status_code == 404
        assert (await world.member.get("/v1/points/postings/first")).status_code == 422
