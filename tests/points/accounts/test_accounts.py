"""Accounts themselves: opened for merchants and purposes, frozen, closed and reopened, and every step on record."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from models.identity import Role
from tests.points.books import as_json
from tests.points.desk import Desk, done, refused
from tests.world import World

PATH = "/v1/points/accounts"


async def events(desk: Desk, owner_id: str, *, by: str = "points_clerk") -> list[tuple[str, str]]:
    answer = await desk.world.people[by].get(f"{PATH}/{owner_id}/events")
    assert answer.status_code == 200, answer.text
    return [(event["action"], event["reason"]) for event in answer.json()]


class TestOpening:
    @pytest.mark.parametrize("kind", ["merchant", "escrow"])
    async def test_an_account_for_somebody_else(self, desk: Desk, kind: str) -> None:
        answer = await desk.open(kind, "惠民生活超市")
        assert answer.status_code == 201
        body = done(answer)
        assert body.pop("owner_id")
        assert body == {
            "name": "惠民生活超市",
            "kind": kind,
            "asset": "points",
            "normal_side": "credit",
            "status": "open",
            "balance": 0,
            "held": 0,
            "community_id": desk.community_id,
        }

    async def test_is_on_record(self, desk: Desk) -> None:
        shop = done(await desk.open())["owner_id"]
        assert await events(desk, shop) == [("open", "惠民生活超市")]

    async def test_is_done_once_per_key(self, desk: Desk) -> None:
        body = {"kind": "merchant", "name": "惠民生活超市", "community_id": desk.community_id}
        answers = [await desk.world.points_clerk.post(PATH, body, key="monday") for _ in range(2)]
        assert done(answers[0]) == done(answers[1])
        assert await desk.books.count("ledger_accounts") == 1

    @pytest.mark.parametrize("by", ["zhang", "member", "dispatcher", "community_admin", "district_admin"])
    async def test_only_by_a_clerk(self, desk: Desk, by: str) -> None:
        body = {"kind": "merchant", "name": "惠民生活超市", "community_id": desk.community_id}
        assert refused(await desk.world.people[by].post(PATH, body)) == (404, "community_not_found")

    @pytest.mark.parametrize("area", ["other_community", "subdistrict", "building"])
    async def test_only_for_a_community_of_hers(self, desk: Desk, area: str) -> None:
        answer = await desk.open(community_id=str(desk.world.areas[area]))
        assert refused(answer) == (404, "community_not_found")

    @pytest.mark.parametrize(
        "change",
        [{"kind": "member"}, {"kind": "issuing_community"}, {"kind": "expiry"}, {"kind": "debt"}, {"name": ""},
         {"name": "长" * 61}, {"asset": "yuan"}, {"balance": 5}],
    )  # fmt: skip
    async def test_only_what_can_be_opened(self, desk: Desk, change: dict[str, Any]) -> None:
        assert refused(await desk.open(**change)) == (422, "invalid_request")


class TestChanging:
    async def test_goes_its_way(self, desk: Desk) -> None:
        shop = done(await desk.open())["owner_id"]
        for action, status in [
            ("freeze", "frozen"), ("unfreeze", "open"), ("close", "closed"), ("reopen", "open"),
        ]:  # fmt: skip
            assert done(await desk.change(shop, action, reason=f"因为{action}"))["status"] == status
        assert await events(desk, shop) == [
            ("open", "惠民生活超市"), ("freeze", "因为freeze"), ("unfreeze", "因为unfreeze"),
            ("close", "因为close"), ("reopen", "因为reopen"),
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("status", "before", "allowed"),
        [("open", [], {"freeze", "close"}), ("frozen", ["freeze"], {"unfreeze"}), ("closed", ["close"], {"reopen"})],
    )
    async def test_goes_no_other_way(self, desk: Desk, status: str, before: list[str], allowed: set[str]) -> None:
        for action in ("freeze", "unfreeze", "close", "reopen"):
            shop = done(await desk.open())["owner_id"]
            for step in before:
                done(await desk.change(shop, step))
            answer = await desk.change(shop, action)
            if action in allowed:
                done(answer)
            else:
                assert refused(answer) == (409, "account_state_conflict")
                assert answer.json()["account_status"] == status

    async def test_with_one_key_answers_as_before(self, desk: Desk) -> None:
        shop = done(await desk.open())["owner_id"]
        for _ in range(2):
            answer = await desk.world.points_clerk.post(f"{PATH}/{shop}/freeze", {"reason": "x"}, key="monday")
            assert done(answer)["status"] == "frozen"
        assert len(await events(desk, shop)) == 2

    async def test_needs_a_reason(self, desk: Desk) -> None:
        shop = done(await desk.open())["owner_id"]
        assert refused(await desk.change(shop, "freeze", reason=" ")) == (422, "invalid_request")

    async def test_of_one_asset_leaves_the_other(self, desk: Desk) -> None:
        for asset in ("points", "minutes"):
            done(await desk.award(amount=10, asset=asset))
        done(await desk.change(desk.id_of("member"), "freeze", asset="minutes"))
        assert (await desk.account("member"))["status"] == "open"
        assert (await desk.account("member", "minutes"))["status"] == "frozen"
        done(await desk.spend("member", 1))


class TestClosing:
    async def test_takes_an_empty_account(self, desk: Desk) -> None:
        done(await desk.award(amount=10))
        answer = await desk.change(desk.id_of("member"), "close")
        assert refused(answer) == (409, "account_not_empty")
        assert (answer.json()["balance"], answer.json()["held"], answer.json()["debt"]) == (10, 0, 0)
        done(await desk.spend("member", 10))
        assert done(await desk.change(desk.id_of("member"), "close"))["status"] == "closed"
        assert (await desk.account("member"))["status"] == "closed"

    async def test_says_what_is_held(self, desk: Desk) -> None:
        done(await desk.award(amount=10))
        done(await desk.hold("member", 4))
        answer = await desk.change(desk.id_of("member"), "close")
        assert (answer.json()["balance"], answer.json()["held"]) == (10, 4)

    async def test_waits_until_what_is_over_is_booked(self, desk: Desk) -> None:
        await desk.books.decide(expiry_unit="days", expiry_count=1)
        await desk.books.at("2026-03-16 09:00")
        done(await desk.award(amount=10))
        await desk.books.at("2026-03-17 09:00")
        assert refused(await desk.change(desk.id_of("member"), "close")) == (409, "account_not_empty")
        await desk.books.keep()
        done(await desk.change(desk.id_of("member"), "close"))

    async def test_while_points_come_in_is_one_or_the_other(self, desk: Desk) -> None:
        """Closed and empty, or open with what came."""
        done(await desk.award(amount=10))
        done(await desk.spend("member", 10))
        async with desk.books.database.pool.acquire() as connection, connection.transaction():
            await connection.fetch(
                "SELECT * FROM ledger_post($1, $2)",
                desk.world.tenant_id,
                as_json(desk.books.gift(desk.world.member.account_id, 5)),
            )
            closing = asyncio.create_task(desk.change(desk.id_of("member"), "close"))
            await asyncio.sleep(0.1)
            assert not closing.done()
        assert refused(await closing) == (409, "account_not_empty")


class TestScope:
    @pytest.mark.parametrize("by", ["points_clerk", "community_admin", "district_admin"])
    async def test_who_may_change_a_members_account(self, desk: Desk, by: str) -> None:
        done(await desk.award(amount=10))
        assert done(await desk.change(desk.id_of("member"), "freeze", by=by))["name"] == "陈志强"

    @pytest.mark.parametrize("by", ["zhang", "second_member", "dispatcher", "grid_worker", "other_dispatcher"])
    async def test_who_may_not(self, desk: Desk, by: str) -> None:
        done(await desk.award(amount=10))
        for owner_id in (desk.id_of("member"), done(await desk.open())["owner_id"]):
            assert refused(await desk.change(owner_id, "freeze", by=by)) == (404, "points_account_not_found")
            for what in ("events", "statement"):
                assert refused(await desk.world.people[by].get(f"{PATH}/{owner_id}/{what}")) == (404, "not_found")

    async def test_nobody_changes_their_own(self, desk: Desk) -> None:
        await desk.world.add_person("clerk", "何敏", roles={Role.POINTS_CLERK: "community"})
        done(await desk.award("clerk", amount=10))
        assert refused(await desk.change(desk.id_of("clerk"), "freeze", by="clerk")) == (403, "own_points")
        done(await desk.change(desk.id_of("clerk"), "freeze"))
        assert refused(await desk.change(desk.id_of("clerk"), "unfreeze", by="clerk")) == (403, "own_points")

    async def test_the_clerk_of_another_community(self, desk: Desk) -> None:
        await desk.world.add_person("north_clerk", "何敏", roles={Role.POINTS_CLERK: "other_community"})
        done(await desk.award(amount=10))
        for owner_id in (desk.id_of("member"), done(await desk.open())["owner_id"]):
            assert refused(await desk.change(owner_id, "freeze", by="north_clerk")) == (404, "points_account_not_found")

    async def test_another_district(self, desk: Desk, neighbour_district: World) -> None:
        done(await desk.award(amount=10))
        for owner_id in (desk.id_of("member"), done(await desk.open())["owner_id"]):
            for by in (neighbour_district.points_clerk, neighbour_district.district_admin):
                answer = await by.post(f"{PATH}/{owner_id}/freeze", {"reason": "x"})
                assert refused(answer) == (404, "points_account_not_found")
                assert refused(await by.get(f"{PATH}/{owner_id}/events")) == (404, "not_found")

    async def test_what_is_not_there(self, desk: Desk) -> None:
        """Nor who has earned nothing yet, nor a community, whose account belongs to nobody."""
        for owner_id in (str(uuid4()), desk.id_of("member"), desk.community_id):
            assert refused(await desk.change(owner_id, "freeze")) == (404, "points_account_not_found")


class TestReading:
    async def test_the_accounts_of_my_communities(self, desk: Desk) -> None:
        shop = done(await desk.open())["owner_id"]
        done(await desk.award(amount=10))
        done(await desk.post("redemption", desk.leg("member", -4), desk.leg(shop, 4, kind="merchant")))
        for by in ("points_clerk", "community_admin", "district_admin"):
            items = done(await desk.world.people[by].get(PATH))["items"]
            assert [(item["kind"], item["name"], item["normal_side"], item["balance"]) for item in items] == [
                ("issuing_community", "康乐路南社区", "debit", -10),
                ("merchant", "惠民生活超市", "credit", 4),
            ]

    async def test_a_community_is_one_line_over_all_its_stripes(self, desk: Desk) -> None:
        for _ in range(12):
            done(await desk.award(amount=1))
        items = done(await desk.world.points_clerk.get(PATH, kind="issuing_community"))["items"]
        assert [item["balance"] for item in items] == [-12]
        assert await desk.world.fetch_value("SELECT count(*) FROM ledger_accounts WHERE stripe > 0") > 0

    async def test_of_one_asset_at_a_time(self, desk: Desk) -> None:
        done(await desk.award(amount=90, asset="minutes"))
        assert done(await desk.world.points_clerk.get(PATH))["items"] == []
        items = done(await desk.world.points_clerk.get(PATH, asset="minutes"))["items"]
        assert [item["balance"] for item in items] == [-90]

    async def test_none_of_other_communities(self, desk: Desk) -> None:
        await desk.world.add_person("north_clerk", "何敏", roles={Role.POINTS_CLERK: "other_community"})
        done(await desk.open())
        assert done(await desk.world.north_clerk.get(PATH))["items"] == []
        assert done(await desk.world.zhang.get(PATH))["items"] == []

    async def test_in_pages_without_gap_or_overlap(self, desk: Desk) -> None:
        for name in "甲乙丙丁戊":
            done(await desk.open(name=name))
        done(await desk.award(amount=1))
        seen: list[str] = []
        query: dict[str, Any] = {"limit": 2}
        while True:
            page = done(await desk.world.points_clerk.get(PATH, **query))
            seen += [item["name"] for item in page["items"]]
            if page["next_cursor"] is None:
                break
            query["cursor"] = page["next_cursor"]
        assert seen[0] == "康乐路南社区"
        assert sorted(seen[1:]) == sorted("甲乙丙丁戊")

    @pytest.mark.parametrize("cursor", ["", "x", "WzEsMl0", "1"])
    async def test_refuses_a_cursor_that_is_not_ours(self, desk: Desk, cursor: str) -> None:
        assert refused(await desk.world.points_clerk.get(PATH, cursor=cursor)) == (422, "invalid_cursor")

    async def test_the_statement_of_a_merchant(self, desk: Desk) -> None:
        shop = done(await desk.open())["owner_id"]
        done(await desk.award(amount=10))
        for amount in (1, 2, 3):
            done(await desk.post("redemption", desk.leg("member", -amount), desk.leg(shop, amount, kind="merchant")))
        path = f"{PATH}/{shop}/statement"
        first = done(await desk.world.points_clerk.get(path, limit=2))
        rest = done(await desk.world.points_clerk.get(path, limit=2, cursor=first["next_cursor"]))
        lines = [(line["amount"], line["balance_after"]) for line in [*first["items"], *rest["items"]]]
        assert (lines, rest["next_cursor"]) == ([(3, 6), (2, 3), (1, 1)], None)
