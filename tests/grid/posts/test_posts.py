"""Posts: filled for a term, ended once, public to everybody of the tenant."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from services.grid.posts.terms import today
from tests.grid.places import items_of
from tests.world import World


async def fill(world: World, by: str = "community_admin", *, key: str | None = None, **body: Any) -> httpx2.Response:
    draft = {"area_id": str(world.areas["building"]), "kind": "building_leader", "holder_name": "王秀英", **body}
    return await world.people[by].post("/v1/posts", draft, key=key)


async def end(world: World, post_id: str, by: str = "community_admin", **body: Any) -> httpx2.Response:
    return await world.people[by].post(f"/v1/posts/{post_id}/end", body)


def days(number: int) -> str:
    return (today() + timedelta(days=number)).isoformat()


class TestFill:
    async def test_somebody_takes_up_a_post_today(self, world: World) -> None:
        answer = await fill(world, duty_phone="0762-3388001", account_id=str(world.member.account_id))
        assert answer.status_code == 201
        post = answer.json()
        assert (post["kind"], post["holder_name"], post["duty_phone"]) == ("building_leader", "王秀英", "0762-3388001")
        assert (post["valid_from"], post["valid_to"]) == (days(0), None)
        assert post["account_id"] == str(world.member.account_id)

    async def test_a_term_may_be_named(self, world: World) -> None:
        post = (await fill(world, valid_from=days(-30), valid_to=days(700))).json()
        assert (post["valid_from"], post["valid_to"]) == (days(-30), days(700))
        assert (await fill(world, valid_to=days(-1))).json()["code"] == "term_order_wrong"
        assert (await fill(world, valid_from=days(2), valid_to=days(1))).status_code == 422

    @pytest.mark.parametrize(
        ("by", "area", "status"),
        [
            ("district_admin", "district", 201),
            ("community_admin", "community", 201),
            ("community_admin", "other_community", 403),
            ("community_admin", "subdistrict", 403),
            ("dispatcher", "building", 403),
            ("grid_worker", "building", 403),
            ("zhang", "building", 403),
        ],
    )
    async def test_who_may(self, world: World, by: str, area: str, status: int) -> None:
        assert (await fill(world, by, area_id=str(world.areas[area]))).status_code == status

    async def test_another_tenants_area_and_people_do_not_exist(self, world: World, other_world: World) -> None:
        answer = await fill(world, "district_admin", area_id=str(other_world.areas["building"]))
        assert (answer.status_code, answer.json()["code"]) == (404, "area_not_found")
        for account_id in (other_world.member.account_id, uuid4()):
            answer = await fill(world, account_id=str(account_id))
            assert (answer.status_code, answer.json()["code"]) == (422, "holder_unknown")

    async def test_who_has_left_the_tenant_takes_up_nothing(self, world: World) -> None:
        await world.fetch("UPDATE memberships SET ended_at = now() WHERE account_id = $1", world.member.account_id)
        answer = await fill(world, account_id=str(world.member.account_id))
        assert answer.json()["code"] == "holder_unknown"

    async def test_a_closed_area_has_no_posts_to_fill(self, world: World) -> None:
        await world.fetch("UPDATE areas SET valid_to = valid_from + 1 WHERE id = $1", world.areas["building"])
        assert (await fill(world)).json()["code"] == "area_closed"

    async def test_once(self, world: World) -> None:
        posts = [(await fill(world, key="leader")).json() for _ in range(2)]
        assert posts[0] == posts[1]
        assert await world.fetch_value("SELECT count(*) FROM posts") == 1

    @pytest.mark.parametrize(
        "change",
        [
            {"kind": "king"},
            {"holder_name": ""},
            {"holder_name": "长" * 61},
            {"duty_phone": "call me"},
            {"valid_from": "2026-02-29"},
            {"valid_from": "2038-13-01"},
            {"valid_from": "9999-12-31"},
            {"valid_to": "0001-01-01"},
            {"tenant_id": str(uuid4())},
        ],
    )
    async def test_bodies_that_do_not_fit(self, world: World, change: dict[str, Any]) -> None:
        answer = await fill(world, **change)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


class TestEnd:
    async def test_a_term_ends_today_or_on_a_day_named(self, world: World) -> None:
        first, second = [(await fill(world, valid_from=days(-3))).json() for _ in range(2)]
        assert (await end(world, first["id"])).json()["valid_to"] == days(0)
        assert (await end(world, second["id"], valid_to=days(10))).json()["valid_to"] == days(10)

    async def test_it_ends_once(self, world: World) -> None:
        post = (await fill(world, valid_from=days(-3))).json()
        await end(world, post["id"])
        answer = await end(world, post["id"], valid_to=days(5))
        assert (answer.status_code, answer.json()["code"]) == (409, "post_already_ended")
        assert answer.json()["valid_to"] == days(0)

    async def test_of_many_at_once_one_ends_it(self, world: World) -> None:
        post = (await fill(world, valid_from=days(-9))).json()
        answers = await asyncio.gather(*(end(world, post["id"], valid_to=days(-number)) for number in range(8)))
        assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7
        (winner,) = [answer.json() for answer in answers if answer.status_code == 200]
        assert str(await world.fetch_value("SELECT valid_to FROM posts")) == winner["valid_to"]

    async def test_not_before_it_began(self, world: World) -> None:
        post = (await fill(world)).json()
        answer = await end(world, post["id"], valid_to=days(-1))
        assert (answer.status_code, answer.json()["code"]) == (422, "term_order_wrong")

    async def test_one_that_has_not_begun_never_does(self, world: World) -> None:
        post = (await fill(world, valid_from=days(5))).json()
        assert (await end(world, post["id"])).json()["valid_to"] == days(5)

    @pytest.mark.parametrize(
        ("by", "status"),
        [("district_admin", 200), ("dispatcher", 403), ("zhang", 403), ("other_dispatcher", 403)],
    )
    async def test_who_may(self, world: World, by: str, status: int) -> None:
        post = (await fill(world)).json()
        assert (await end(world, post["id"], by)).status_code == status

    async def test_another_tenants_post_does_not_exist(self, world: World, other_world: World) -> None:
        foreign = (await fill(other_world)).json()
        for post_id in (foreign["id"], uuid4()):
            answer = await end(world, str(post_id), "district_admin")
            assert (answer.status_code, answer.json()["code"]) == (404, "post_not_found")
        assert await other_world.fetch_value("SELECT valid_to FROM posts") is None


class TestList:
    async def test_everybody_of_the_tenant_sees_who_holds_a_post(self, world: World) -> None:
        await fill(world, holder_name="甲")
        await fill(world, holder_name="乙", kind="party_group_leader")
        await fill(world, holder_name="elsewhere", area_id=str(world.areas["compound"]))
        for by in ("zhang", "other_member", "dispatcher"):
            posts = await items_of(world, "/v1/posts", by, area_id=str(world.areas["building"]), limit=1)
            assert [post["holder_name"] for post in posts] == ["甲", "乙"]

    async def test_terms_that_are_over_only_on_request(self, world: World) -> None:
        post = (await fill(world, valid_from=days(-9))).json()
        await end(world, post["id"])
        query = {"area_id": str(world.areas["building"])}
        assert await items_of(world, "/v1/posts", **query) == []
        assert len(await items_of(world, "/v1/posts", **query, with_past="true")) == 1

    async def test_another_tenants_area_does_not_exist(self, world: World, other_world: World) -> None:
        answer = await world.zhang.get("/v1/posts", area_id=str(other_world.areas["building"]))
        assert (answer.status_code, answer.json()["code"]) == (404, "area_not_found")
        assert (await world.zhang.get("/v1/posts")).status_code == 422
