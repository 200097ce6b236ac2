"""Who sees and changes a recurring order: as with placing one; for everybody else it is not there."""

from typing import Any

import pytest

from tests.orders.recurring.conftest import MONDAYS, arrange, put
from tests.world import World

STEPS: dict[str, dict[str, Any]] = {
    "skip": {"occurrence_on": "2027-03-01", "reason": "出门"},
    "move": {"occurrence_on": "2027-03-01", "moved_on": "2027-03-02", "reason": "出门"},
    "pause": {"paused_from": "2027-03-01", "reason": "住院"},
    "resume": {"reason": "出院"},
    "end": {"ends_on": "2027-03-01", "reason": "搬走"},
}
FIRST = {"first_on": "2026-11-02", "rule": "FREQ=WEEKLY;BYDAY=MO"}
CHANGING = ["zhang", "daughter", "dispatcher", "grid_worker", "community_admin", "district_admin"]
STRANGERS = ["neighbour", "member", "second_member", "points_clerk", "other_dispatcher", "other_member"]


async def test_the_resident_the_household_and_workers_of_the_area_arrange(world: World) -> None:
    for by in CHANGING:
        answer = await world.people[by].post(
            "/v1/recurring-orders", {**MONDAYS, **FIRST, "on_behalf_of": str(world.zhang.resident_id)}
        )
        assert answer.status_code == 201, (by, answer.text)


async def test_nobody_arranges_for_a_stranger(world: World) -> None:
    for by in STRANGERS:
        answer = await world.people[by].post(
            "/v1/recurring-orders", {**MONDAYS, **FIRST, "on_behalf_of": str(world.zhang.resident_id)}
        )
        assert (answer.status_code, answer.json()["code"]) == (404, "resident_not_found"), by


async def test_who_is_no_resident_has_nothing_to_arrange_for_themselves(world: World) -> None:
    answer = await world.member.post("/v1/recurring-orders", MONDAYS)
    assert (answer.status_code, answer.json()["code"]) == (409, "not_a_resident")


async def test_only_dispatchers_say_who_helps(world: World) -> None:
    body = {**MONDAYS, **FIRST, "on_behalf_of": str(world.zhang.resident_id)}
    body["helper_id"] = str(world.member.account_id)
    assert (await world.grid_worker.post("/v1/recurring-orders", body)).status_code == 403
    assert not await world.fetch("SELECT FROM recurring_orders WHERE tenant_id = $1", world.tenant_id)
    assert (await world.dispatcher.post("/v1/recurring-orders", body)).status_code == 201


@pytest.mark.parametrize("by", STRANGERS)
async def test_for_strangers_it_is_not_there(world: World, by: str) -> None:
    recurring = await arrange(world, **FIRST)
    path = f"/v1/recurring-orders/{recurring['id']}"
    person = world.people[by]
    answers = [await person.get(path), await person.get(f"{path}/coming")]
    answers += [await person.post(f"{path}/{step}", body) for step, body in STEPS.items()]
    answers.append(await person.post(f"{path}/helper", {"helper_id": None, "reason": "安排"}))
    answers.append(await put(world, by, recurring["id"], {**MONDAYS, "expected_version": 1}))
    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(404, "recurring_order_not_found")}
    assert (await person.get("/v1/recurring-orders")).json()["items"] == []
    assert (await person.get("/v1/recurring-orders/coming")).json()["items"] == []


async def test_another_district_does_not_see_it(world: World, other_world: World) -> None:
    recurring = await arrange(world, **FIRST)
    for by in ("zhang", "district_admin"):
        answer = await other_world.people[by].get(f"/v1/recurring-orders/{recurring['id']}")
        assert answer.status_code == 404


@pytest.mark.parametrize("by", CHANGING)
async def test_those_who_may_change_it(world: World, by: str) -> None:
    recurring = await arrange(world, **FIRST)
    path = f"/v1/recurring-orders/{recurring['id']}"
    for step, body in STEPS.items():
        answer = await world.people[by].post(f"{path}/{step}", body)
        assert answer.status_code == 200, (step, answer.text)
    changes = (await world.people[by].get(path)).json()["changes"]
    assert [one["action"] for one in changes] == ["arrange", *STEPS]
    assert {one["actor_name"] for one in changes[1:]} == {world.people[by].name}


async def test_staff_say_why_and_the_household_need_not(world: World) -> None:
    recurring = await arrange(world, **FIRST)
    path = f"/v1/recurring-orders/{recurring['id']}"
    for step in ("pause", "end"):
        body = {name: value for name, value in STEPS[step].items() if name != "reason"}
        answer = await world.dispatcher.post(f"{path}/{step}", body)
        assert (answer.status_code, answer.json()["code"]) == (422, "reason_needed")
        assert (await world.daughter.post(f"{path}/{step}", body)).status_code == 200


async def test_the_kept_helper_reads_it_but_changes_nothing(world: World) -> None:
    recurring = await arrange(
        world,
        by="dispatcher",
        on_behalf_of=str(world.zhang.resident_id),
        helper_id=str(world.member.account_id),
        **FIRST,
    )
    path = f"/v1/recurring-orders/{recurring['id']}"
    read = await world.member.get(path)
    assert read.status_code == 200
    assert read.json()["changes"] == []
    for step, body in STEPS.items():
        assert (await world.member.post(f"{path}/{step}", body)).status_code == 403
    await world.connection.execute(
        "UPDATE grants SET valid_to = now() WHERE account_id = $1 AND valid_from < now()", world.member.account_id
    )
    await anew_signed_in(world, "member")
    assert (await world.member.get(path)).status_code == 404


async def anew_signed_in(world: World, key: str) -> None:
    world.people[key] = await world.new_session(world.people[key])


async def test_lists_show_what_is_mine_and_what_is_of_my_area(world: World) -> None:
    mine = (await arrange(world, **FIRST))["id"]
    of_neighbour = (await arrange(world, by="grid_worker", on_behalf_of=str(world.neighbour.resident_id), **FIRST))[
        "id"
    ]

    async def listed(by: str, **query: Any) -> list[str]:
        answer = await world.people[by].get("/v1/recurring-orders", **query)
        assert answer.status_code == 200, answer.text
        return [one["id"] for one in answer.json()["items"]]

    assert await listed("zhang") == [mine] == await listed("daughter")
    assert await listed("neighbour") == [of_neighbour] == await listed("grid_worker")
    assert await listed("dispatcher", view="area") == [of_neighbour, mine]
    assert await listed("district_admin", view="area", area_id=str(world.areas["building"])) == [of_neighbour, mine]
    assert await listed("dispatcher", view="area", ended=True) == []
    assert await listed("other_dispatcher", view="area") == []
    assert (await world.zhang.get("/v1/recurring-orders", view="area")).status_code == 403
    foreign = {"view": "area", "area_id": str(world.areas["community"])}
    assert (await world.other_dispatcher.get("/v1/recurring-orders", **foreign)).status_code == 404
    page = (await world.dispatcher.get("/v1/recurring-orders", view="area", limit=1)).json()
    second = await world.dispatcher.get("/v1/recurring-orders", view="area", limit=1, cursor=page["next_cursor"])
    assert [one["id"] for one in (*page["items"], *second.json()["items"])] == [of_neighbour, mine]
    assert second.json()["next_cursor"] is None


async def test_a_repeated_request_arranges_once(world: World) -> None:
    first, second = [
        await world.zhang.post("/v1/recurring-orders", {**MONDAYS, **FIRST}, key="mondays-1") for _ in range(2)
    ]
    assert first.json() == second.json()
    assert second.headers["Idempotency-Replayed"] == "true"
    body = {**MONDAYS, **FIRST, "id": first.json()["id"]}
    taken = await world.zhang.post("/v1/recurring-orders", body)
    assert (taken.status_code, taken.json()["code"]) == (409, "recurring_order_id_taken")
