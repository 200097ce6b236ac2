"""Administrators give and end roles within their areas."""

import asyncio
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx2
import pytest
from fastapi import FastAPI

from models.identity import Role
from services.chassis import clock
from services.chassis import identity as chassis_identity
from services.chassis.schemas import new_id
from tests.world import Person, World

PATH = "/v1/grants"


def gift(
    world: World, to: str = "zhang", role: str = "volunteer", area: str = "compound", **more: Any
) -> dict[str, Any]:
    return {
        "account_id": str(world.people[to].account_id),
        "role": role,
        "area_id": str(world.areas[area]),
        **more,
    }


async def given(world: World, by: str = "community_admin", **what: Any) -> dict[str, Any]:
    answer = await world.people[by].post(PATH, gift(world, **what))
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def grant_id_of(world: World, whose: str) -> UUID:
    query = "SELECT id FROM grants WHERE account_id = $1"
    return UUID(str(await world.fetch_value(query, world.people[whose].account_id)))


async def roles(person: Person) -> list[str]:
    return [role["role"] for role in (await person.get("/v1/me")).json()["roles"]]


class TestGive:
    async def test_gives_a_role_in_an_area_for_a_term(self, world: World) -> None:
        until = clock.now() + timedelta(days=365)

        grant = await given(world, valid_to=until.isoformat())

        assert grant["account"] == {"id": str(world.zhang.account_id), "name": "张德明"}
        assert (grant["role"], grant["area"]["name"]) == ("volunteer", "万隆一品小区")
        assert datetime.fromisoformat(grant["valid_to"]) == until
        assert await roles(world.zhang) == ["volunteer"]

    async def test_a_term_may_begin_later(self, world: World) -> None:
        begins = clock.now() + timedelta(hours=1)
        await given(world, by="district_admin", role="community_admin", valid_from=begins.isoformat())

        assert (await world.zhang.get(PATH)).status_code == 403
        with clock.shifted(timedelta(minutes=61)):
            assert (await world.zhang.get(PATH)).status_code == 200
            assert await roles(world.zhang) == ["community_admin"]

    @pytest.mark.parametrize(
        ("begins", "ends"), [(-timedelta(days=1), None), (timedelta(days=2), timedelta(days=1)), (None, -timedelta(1))]
    )
    async def test_a_term_lies_ahead_and_ends_after_it_begins(
        self, world: World, begins: timedelta | None, ends: timedelta | None
    ) -> None:
        now = clock.now()
        term = {"valid_from": begins and (now + begins).isoformat(), "valid_to": ends and (now + ends).isoformat()}

        answer = await world.community_admin.post(PATH, gift(world) | term)

        assert (answer.status_code, answer.json()["code"]) == (422, "term_invalid")

    @pytest.mark.parametrize(
        "spoil",
        [
            {"role": "mayor"},
            {"area_id": "441602004010"},
            {"account_id": None},
            {"valid_from": "2026-11-22T00:00:00"},
            {"valid_to": "9999-12-31T00:00:00Z"},
            {"tenant_id": str(UUID(int=0))},
        ],
    )
    async def test_refuses_what_does_not_fit(self, world: World, spoil: dict[str, Any]) -> None:
        answer = await world.district_admin.post(PATH, {**gift(world), **spoil})

        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")

    async def test_the_same_role_twice_at_a_time_is_refused(self, world: World) -> None:
        until = clock.now() + timedelta(days=30)
        await given(world, valid_to=until.isoformat())

        again = await world.district_admin.post(PATH, gift(world))
        assert (again.status_code, again.json()["code"]) == (409, "already_granted")
        await given(world, valid_from=until.isoformat())
        await given(world, area="building")
        await given(world, role="member")

    async def test_of_ten_equal_gifts_at_once_one_is_given(self, world: World) -> None:
        answers = await asyncio.gather(*(world.community_admin.post(PATH, gift(world)) for _ in range(10)))

        assert sorted(answer.status_code for answer in answers) == [201] + [409] * 9
        query = "SELECT count(*) FROM grants WHERE account_id = $1"
        assert await world.fetch_value(query, world.zhang.account_id) == 1

    async def test_repeated_with_its_key_it_is_given_once(self, world: World) -> None:
        answers = [await world.community_admin.post(PATH, gift(world), key="one") for _ in range(2)]

        assert answers[0].json() == answers[1].json()
        assert answers[1].headers["Idempotency-Replayed"] == "true"

    async def test_only_members_of_the_tenant_can_hold_a_role(self, world: World, other_world: World) -> None:
        ended = await world.add_person("ended", "周已离", home="1单元101")
        await world.fetch("UPDATE memberships SET ended_at = now() WHERE account_id = $1", ended.account_id)

        for stranger in (str(other_world.zhang.account_id), str(new_id()), str(ended.account_id)):
            answer = await world.district_admin.post(PATH, {**gift(world), "account_id": stranger})
            assert (answer.status_code, answer.json()["code"]) == (404, "account_not_found")


class TestWho:
    @pytest.mark.parametrize("role", list(Role))
    @pytest.mark.parametrize("by", ["district_admin", "community_admin"])
    async def test_administrators_give_what_the_table_says(self, world: World, by: str, role: Role) -> None:
        is_allowed = by == "district_admin" or role not in {Role.DISTRICT_ADMIN, Role.COMMUNITY_ADMIN}

        answer = await world.people[by].post(PATH, gift(world, role=role))

        assert answer.status_code == (201 if is_allowed else 403)

    @pytest.mark.parametrize("area", ["district", "subdistrict", "other_community"])
    async def test_beyond_their_area_there_is_nothing(self, world: World, area: str) -> None:
        answer = await world.community_admin.post(PATH, gift(world, area=area))

        assert (answer.status_code, answer.json()["code"]) == (404, "area_not_found")

    @pytest.mark.parametrize("by", ["zhang", "dispatcher", "grid_worker", "member", "points_clerk"])
    async def test_nobody_else_gives_lists_or_ends(self, world: World, by: str) -> None:
        person = world.people[by]
        grant_id = await grant_id_of(world, "second_member")

        assert (await person.post(PATH, gift(world, to=by))).status_code == 404
        assert (await person.get(PATH)).status_code == 403
        assert (await person.post(f"{PATH}/{grant_id}/end")).status_code == 404

    async def test_nobody_reaches_into_another_tenant(self, world: World, other_world: World) -> None:
        there = await grant_id_of(other_world, "member")

        assert (await world.district_admin.post(f"{PATH}/{there}/end")).status_code == 404
        assert (await world.district_admin.post(PATH, {**gift(world), "area_id": str(other_world.areas["compound"])})
                ).status_code == 404  # fmt: skip
        listed = await world.district_admin.get(PATH, account_id=other_world.member.account_id)
        assert listed.json()["items"] == []

    @pytest.mark.parametrize(("path", "method"), [(PATH, "GET"), (PATH, "POST"), (f"{PATH}/{UUID(int=0)}/end", "POST")])
    async def test_needs_a_sign_in(self, stranger: httpx2.AsyncClient, path: str, method: str) -> None:
        assert (await stranger.request(method, path)).status_code == 401


class TestEnd:
    async def test_takes_effect_once_the_service_asks_again(self, world: World, identity: FastAPI) -> None:
        """The identity of a caller is remembered for 15 seconds at most; here it is forgotten by hand."""
        assert (await world.community_admin.get(PATH)).status_code == 200
        grant_id = await grant_id_of(world, "community_admin")

        answer = await world.district_admin.post(f"{PATH}/{grant_id}/end")
        identity.state.identities.forget()

        assert answer.status_code == 200, answer.text
        assert datetime.fromisoformat(answer.json()["valid_to"]) <= clock.now()
        assert (await world.community_admin.get(PATH)).json()["code"] == "forbidden"
        assert await roles(world.community_admin) == []

    async def test_is_remembered_for_less_than_a_minute(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        assert chassis_identity.REMEMBERED_SECONDS < 60
        monkeypatch.setattr(chassis_identity, "REMEMBERED_SECONDS", 0.2)
        assert (await world.community_admin.get(PATH)).status_code == 200
        await world.district_admin.post(f"{PATH}/{await grant_id_of(world, 'community_admin')}/end")

        await asyncio.sleep(0.25)

        assert (await world.community_admin.get(PATH)).status_code == 403

    async def test_a_term_that_runs_out_needs_no_asking(self, world: World) -> None:
        query = "UPDATE grants SET valid_to = $2 WHERE account_id = $1"
        await world.fetch(query, world.community_admin.account_id, clock.now() + timedelta(minutes=30))
        assert (await world.community_admin.get(PATH)).status_code == 200

        with clock.shifted(timedelta(minutes=31)):
            assert (await world.community_admin.get(PATH)).status_code == 403

    async def test_one_not_yet_begun_never_begins(self, world: World) -> None:
        begins = clock.now() + timedelta(days=1)
        grant = await given(world, valid_from=begins.isoformat())

        ended = await world.community_admin.post(f"{PATH}/{grant['id']}/end")

        assert ended.status_code == 200, ended.text
        term = (datetime.fromisoformat(ended.json()[end]) for end in ("valid_from", "valid_to"))
        assert begins == next(term) == next(term) - timedelta(microseconds=1)
        await given(world, valid_from=(begins + timedelta(seconds=1)).isoformat())

    async def test_twice_is_refused(self, world: World) -> None:
        grant = await given(world)
        first, second = [await world.community_admin.post(f"{PATH}/{grant['id']}/end") for _ in range(2)]

        assert first.status_code == 200
        assert (second.status_code, second.json()["code"]) == (409, "grant_has_ended")

    async def test_the_same_role_can_be_given_again(self, world: World) -> None:
        grant = await given(world)
        await world.community_admin.post(f"{PATH}/{grant['id']}/end")

        assert (await given(world))["id"] != grant["id"]

    async def test_a_community_administrator_ends_no_administrator(self, world: World) -> None:
        colleague = await given(world, by="district_admin", role="community_admin", area="community")

        answer = await world.community_admin.post(f"{PATH}/{colleague['id']}/end")

        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")

    async def test_nobody_ends_their_own(self, world: World) -> None:
        grant_id = await grant_id_of(world, "district_admin")

        answer = await world.district_admin.post(f"{PATH}/{grant_id}/end")

        assert (answer.status_code, answer.json()["code"]) == (403, "own_grant")

    async def test_beyond_their_area_there_is_nothing(self, world: World) -> None:
        grant_id = await grant_id_of(world, "other_member")

        assert (await world.community_admin.post(f"{PATH}/{grant_id}/end")).status_code == 404
        assert (await world.district_admin.post(f"{PATH}/{grant_id}/end")).status_code == 200


class TestList:
    async def test_shows_what_lies_in_ones_areas(self, world: World) -> None:
        mine = (await world.community_admin.get(PATH)).json()["items"]
        all_of_them = (await world.district_admin.get(PATH)).json()["items"]

        assert {grant["area"]["name"] for grant in mine} == {"康乐路南社区", "万隆一品小区"}
        assert len(all_of_them) > len(mine)

    async def test_of_one_account(self, world: World) -> None:
        items = (await world.community_admin.get(PATH, account_id=world.member.account_id)).json()["items"]

        assert [(grant["account"]["name"], grant["role"]) for grant in items] == [("陈志强", "member")]

    async def test_pages_show_each_once(self, world: World) -> None:
        seen: list[str] = []
        query: dict[str, Any] = {"limit": 3}
        while True:
            page = (await world.district_admin.get(PATH, **query)).json()
            seen += [grant["id"] for grant in page["items"]]
            if page["next_cursor"] is None:
                break
            query["cursor"] = page["next_cursor"]

        everything = (await world.district_admin.get(PATH, limit=100)).json()
        assert seen == [grant["id"] for grant in everything["items"]]
        assert everything["next_cursor"] is None

    @pytest.mark.parametrize("query", [{"limit": 0}, {"limit": 101}, {"account_id": "x"}, {"cursor": "x"}])
    async def test_refuses_what_does_not_fit(self, world: World, query: dict[str, Any]) -> None:
        assert (await world.district_admin.get(PATH, **query)).status_code == 422
