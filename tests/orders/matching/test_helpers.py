"""What people who serve offer, when they are away, and how dispatchers see them."""

from datetime import timedelta
from typing import Any

import pytest

from models.identity import Role
from services.chassis import clock
from tests.orders.matching.conftest import away, delete, offers, put, said, this_hour, triaged
from tests.world import World

PROFILE = {"skills": ["电工", "理发"], "hours": [[6, "14:00", "18:00"]], "max_open": 3, "lng": 114.69, "lat": 23.74}


async def listed(world: World, by: str = "dispatcher", **query: Any) -> dict[str, dict[str, Any]]:
    answer = await world.people[by].get("/v1/helpers", **query)
    assert answer.status_code == 200, answer.text
    return {one["name"]: one for one in answer.json()["items"]}


async def test_who_has_said_nothing_takes_five_at_any_time(world: World) -> None:
    mine = (await world.member.get("/v1/helpers/me")).json()
    assert mine == {"skills": [], "hours": None, "max_open": 5, "lng": None, "lat": None, "updated_at": None}


async def test_a_profile_is_stated_as_a_whole(world: World) -> None:
    answer = await put(world.member, "/v1/helpers/me", PROFILE)
    assert answer.status_code == 200
    assert {**answer.json(), "updated_at": None} == {**PROFILE, "updated_at": None}
    await offers(world, "member", skills=["理发"])
    again = (await world.member.get("/v1/helpers/me")).json()
    assert (again["skills"], again["hours"], again["max_open"], again["lng"]) == (["理发"], None, 5, None)


@pytest.mark.parametrize("who", ["zhang", "dispatcher", "points_clerk"])
async def test_who_serves_nowhere_has_nothing_to_offer(world: World, who: str) -> None:
    assert said(await put(world.people[who], "/v1/helpers/me", PROFILE)) == (403, "forbidden")


@pytest.mark.parametrize(
    "odd",
    [
        {"hours": [[8, "09:00", "10:00"]]},
        {"hours": [[0, "09:00", "10:00"]]},
        {"hours": [[1, "10:00", "09:00"]]},
        {"hours": [[1, "09:00", "09:00"]]},
        {"hours": [[1, "09:00", "11:00"], [1, "10:00", "12:00"]]},
        {"hours": [[1, "9:00", "11:00"]]},
        {"hours": [[1, "09:00", "24:01"]]},
        {"hours": [["1", "09:00", "10:00"]]},
        {"max_open": -1},
        {"max_open": 51},
        {"max_open": "３"},
        {"skills": ["电工", "电工"]},
        {"skills": [""]},
        {"skills": ["长" * 31]},
        {"lng": 114.69},
        {"lng": 181, "lat": 0},
        {"surplus": 1},
    ],
)
async def test_odd_profiles_are_refused(world: World, odd: dict[str, Any]) -> None:
    assert said(await put(world.member, "/v1/helpers/me", odd)) == (422, "invalid_request")


async def test_dispatchers_see_who_serves_their_area_by_name(world: World) -> None:
    await offers(world, "member", skills=["电工"], hours=this_hour())
    await away(world, "second_member")
    found = await listed(world)
    assert list(found) == sorted(["刘伟民", "陈志强", "黄秀芳"])
    assert found["陈志强"]["skills"] == ["电工"]
    assert found["陈志强"]["hours_today"] == [["00:00", "24:00"]]
    assert found["刘伟民"]["hours_today"] is None
    assert {name: one["is_absent"] for name, one in found.items()} == {"刘伟民": False, "陈志强": False, "黄秀芳": True}


async def test_nobody_sees_where_a_helper_lives(world: World) -> None:
    await offers(world, "member", **PROFILE)
    full = (await world.dispatcher.get(f"/v1/helpers/{world.member.account_id}")).json()
    assert "lng" not in full
    assert "lat" not in full
    assert "lng" not in (await listed(world))["陈志强"]


async def test_load_is_what_is_in_hand_led_or_assisted(world: World) -> None:
    order = await triaged(world)
    await world.act(
        order["id"], "dispatcher", "dispatch", {"assignee_id": str(world.member.account_id), "helpers_wanted": 2}
    )
    await world.act(order["id"], "second_member", "join")
    found = await listed(world)
    assert {name: one["open_orders"] for name, one in found.items()} == {"陈志强": 1, "黄秀芳": 1, "刘伟民": 0}
    await world.act(order["id"], "member", "accept")
    await world.act(order["id"], "member", "complete", {"note": "好了"})
    assert {one["open_orders"] for one in (await listed(world)).values()} == {0}


async def test_pages_go_on_where_they_ended(world: World) -> None:
    first = (await world.dispatcher.get("/v1/helpers", limit=2)).json()
    rest = (await world.dispatcher.get("/v1/helpers", limit=2, cursor=first["next_cursor"])).json()
    assert len({one["account_id"] for one in (*first["items"], *rest["items"])}) == 3
    assert rest["next_cursor"] is None
    assert said(await world.dispatcher.get("/v1/helpers", cursor="x")) == (422, "invalid_cursor")


async def test_a_smaller_area_has_who_serves_all_around_it_too(world: World) -> None:
    assert set(await listed(world, area_id=str(world.areas["building"]))) == {"刘伟民", "陈志强", "黄秀芳"}
    assert set(await listed(world, "other_dispatcher")) == {"丘建华"}


async def test_a_foreign_area_is_not_there(world: World, other_world: World) -> None:
    for area in (world.areas["other_community"], other_world.areas["community"]):
        assert said(await world.dispatcher.get("/v1/helpers", area_id=str(area))) == (404, "not_found")
    for helper in (world.other_member, other_world.member, world.zhang):
        answer = await world.dispatcher.get(f"/v1/helpers/{helper.account_id}")
        assert said(answer) == (404, "helper_not_found")


@pytest.mark.parametrize("who", ["zhang", "member", "grid_worker"])
async def test_the_list_is_for_dispatchers(world: World, who: str) -> None:
    assert said(await world.people[who].get("/v1/helpers")) == (403, "forbidden")
    assert said(await world.people[who].get(f"/v1/helpers/{world.member.account_id}")) == (403, "forbidden")


async def test_an_ended_grant_leaves_the_list(world: World) -> None:
    await world.connection.execute(
        "UPDATE grants SET valid_to = now() WHERE account_id = $1", world.second_member.account_id
    )
    assert "黄秀芳" not in await listed(world)


async def test_a_unit_is_shown_with_its_people(world: World) -> None:
    unit = await world.community_admin.post(
        "/v1/units", {"kind": "team", "name": "志愿队", "area_id": str(world.areas["community"])}
    )
    body = {"account_id": str(world.member.account_id), "is_leader": True}
    await world.community_admin.post(f"/v1/units/{unit.json()['id']}/members", body)
    [shown] = (await listed(world))["陈志强"]["units"]
    assert (shown["name"], shown["is_leader"]) == ("志愿队", True)


class TestAbsences:
    async def test_entered_and_taken_back(self, world: World) -> None:
        await away(world, "member")
        [mine] = (await world.member.get("/v1/helpers/me/absences")).json()["items"]
        assert mine["kind"] == "leave"
        assert (await listed(world))["陈志强"]["is_absent"]
        assert (await delete(world.member, f"/v1/helpers/me/absences/{mine['id']}")).status_code == 204
        assert not (await listed(world))["陈志强"]["is_absent"]
        assert await world.fetch("SELECT FROM helper_absences") == []
        again = await delete(world.member, f"/v1/helpers/me/absences/{mine['id']}")
        assert said(again) == (404, "absence_not_found")

    async def test_dispatchers_enter_them_for_others(self, world: World) -> None:
        path = f"/v1/helpers/{world.member.account_id}/absences"
        now = clock.now()
        body = {"starts_at": now.isoformat(), "ends_at": (now + timedelta(hours=4)).isoformat(), "kind": "ill"}
        entered = await world.dispatcher.post(path, body)
        assert entered.status_code == 201
        shown = (await world.community_admin.get(f"/v1/helpers/{world.member.account_id}")).json()
        assert [one["kind"] for one in shown["absences"]] == [None], "why somebody is away is not everybody's business"
        assert [one["kind"] for one in (await world.member.get("/v1/helpers/me/absences")).json()["items"]] == ["ill"]
        assert (await delete(world.dispatcher, f"{path}/{entered.json()['id']}")).status_code == 204

    async def test_not_for_whom_they_do_not_dispatch(self, world: World) -> None:
        path = f"/v1/helpers/{world.member.account_id}/absences"
        now = clock.now()
        body = {"starts_at": now.isoformat(), "ends_at": (now + timedelta(hours=4)).isoformat()}
        assert said(await world.other_dispatcher.post(path, body)) == (404, "helper_not_found")
        assert said(await world.second_member.post(path, body)) == (403, "forbidden")
        assert said(await world.zhang.post("/v1/helpers/me/absences", body)) == (403, "forbidden")

    @pytest.mark.parametrize("hours", [0, -1, 24 * 367])
    async def test_a_period_is_a_period(self, world: World, hours: int) -> None:
        now = clock.now()
        body = {"starts_at": now.isoformat(), "ends_at": (now + timedelta(hours=hours)).isoformat()}
        assert said(await world.member.post("/v1/helpers/me/absences", body)) == (422, "invalid_request")

    async def test_past_ones_are_not_listed(self, world: World) -> None:
        then = clock.now() - timedelta(days=2)
        body = {"starts_at": then.isoformat(), "ends_at": (then + timedelta(days=1)).isoformat()}
        assert (await world.member.post("/v1/helpers/me/absences", body)).status_code == 201
        assert (await world.member.get("/v1/helpers/me/absences")).json() == {"items": []}

    async def test_once_by_key(self, world: World) -> None:
        now = clock.now()
        body = {"starts_at": now.isoformat(), "ends_at": (now + timedelta(hours=1)).isoformat()}
        answers = [await world.member.post("/v1/helpers/me/absences", body, key="monday") for _ in range(2)]
        assert answers[0].json() == answers[1].json()
        assert await world.fetch_value("SELECT count(*) FROM helper_absences") == 1


async def test_a_property_company_serves_too(world: World) -> None:
    await world.add_person("company", "安居物业", roles={Role.PROPERTY_COMPANY: "compound"})
    assert "安居物业" in await listed(world)
