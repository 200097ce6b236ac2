"""Which account is whose: how somebody who signed in for the first time becomes a resident who can order."""

import asyncio
from uuid import uuid4

from tests.world import World

MEDICINE = {"kind": "buy_medicine", "description": "代购一周药品"}


async def test_a_newcomer_orders_once_the_grid_worker_has_linked_the_account(world: World) -> None:
    newcomer = await world.add_person("newcomer", "温秀珍")
    assert (await newcomer.post("/v1/orders", MEDICINE)).json()["code"] == "not_a_resident"
    resident_id = await world.add_resident("温秀珍", "1单元101")
    for _ in range(2):
        answer = await world.grid_worker.post(
            f"/v1/residents/{resident_id}/account", {"account_id": str(newcomer.account_id)}
        )
        assert answer.status_code == 200, answer.text
    again = await world.new_session(newcomer)
    assert (await again.post("/v1/orders", MEDICINE)).status_code == 201


async def test_only_who_keeps_the_register_of_the_home_may_link(world: World) -> None:
    newcomer = await world.add_person("newcomer", "温秀珍")
    resident_id = await world.add_resident("温秀珍", "1单元101")
    body = {"account_id": str(newcomer.account_id)}
    statuses = {
        person: (await world.people[person].post(f"/v1/residents/{resident_id}/account", body)).status_code
        for person in ("newcomer", "neighbour", "member", "dispatcher", "other_dispatcher", "points_clerk")
    }
    assert statuses.pop("dispatcher") == 403, "reads the register, but does not keep it"
    assert set(statuses.values()) == {404}


async def test_an_account_is_one_resident_and_a_resident_has_one_account(world: World) -> None:
    first, second = await world.add_resident("温秀珍", "1单元101"), await world.add_resident("温小平", "1单元102")
    newcomer = await world.add_person("newcomer", "温秀珍")
    body = {"account_id": str(newcomer.account_id)}
    answers = await asyncio.gather(
        *(world.grid_worker.post(f"/v1/residents/{resident_id}/account", body) for resident_id in (first, second))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    taken = await world.grid_worker.post(f"/v1/residents/{world.zhang.resident_id}/account", body)
    assert (taken.status_code, taken.json()["code"]) == (409, "account_already_linked")


async def test_an_account_of_nobody_or_of_another_district_is_refused(world: World, other_world: World) -> None:
    resident_id = await world.add_resident("温秀珍", "1单元101")
    for account_id in (uuid4(), other_world.zhang.account_id):
        answer = await world.grid_worker.post(f"/v1/residents/{resident_id}/account", {"account_id": str(account_id)})
        assert (answer.status_code, answer.json()["code"]) == (422, "account_not_a_member")
