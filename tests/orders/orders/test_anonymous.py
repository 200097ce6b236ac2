"""Of an order that was placed without a name nobody who works on it learns whose need it is."""

from typing import Any

import pytest

from models.identity import Role
from services.chassis.schemas import new_id
from tests.world import World

UNTOLD = (None, None)


@pytest.fixture(autouse=True)
async def without_a_name(world: World) -> None:
    await world.connection.execute(
        "UPDATE order_kinds SET allows_anonymous = true WHERE tenant_id = $1", world.tenant_id
    )


async def read(world: World, order_id: str, by: str = "community_admin") -> dict[str, Any]:
    answer = await world.people[by].get(f"/v1/orders/{order_id}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def actors(world: World, order_id: str) -> dict[str, tuple[str | None, str | None]]:
    return {one["action"]: (one["actor_id"], one["actor_name"]) for one in (await read(world, order_id))["history"]}


async def test_the_address_ends_at_the_building(world: World) -> None:
    named, unnamed = await world.order(), await world.order(is_anonymous=True)
    assert named["details"]["address"].endswith("3栋2单元502")
    assert unnamed["details"]["address"].endswith("3栋")
    assert unnamed["details"]["household_id"] is None


async def test_an_address_that_was_typed_is_shown(world: World) -> None:
    order = await world.order(is_anonymous=True, address="小区东门")
    assert (await read(world, order["id"]))["details"]["address"] == "小区东门"


async def test_the_resident_is_named_in_no_step_even_of_what_family_placed(world: World) -> None:
    order = await world.order(by="daughter", is_anonymous=True, on_behalf_of=str(world.zhang.resident_id))
    await world.act(order["id"], "zhang", "cancel", {"reason": "不需要了"})
    assert await actors(world, order["id"]) == {"place": UNTOLD, "cancel": UNTOLD}


async def test_who_was_family_when_placing_is_not_named_after_moving_out(world: World) -> None:
    order = await world.order(by="daughter", is_anonymous=True, on_behalf_of=str(world.zhang.resident_id))
    await world.connection.execute("DELETE FROM household_members WHERE resident_id = $1", world.daughter.resident_id)
    assert await actors(world, order["id"]) == {"place": UNTOLD}


async def test_staff_who_placed_it_for_a_resident_are_named(world: World) -> None:
    order = await world.order(by="dispatcher", is_anonymous=True, on_behalf_of=str(world.zhang.resident_id))
    await world.act(order["id"], "dispatcher", "reject", {"reason": "不属于办理范围"})
    staff = (str(world.dispatcher.account_id), "李晓燕")
    assert await actors(world, order["id"]) == {"place": staff, "reject": staff}


async def test_answers_name_staff_but_not_the_resident(world: World) -> None:
    await world.connection.execute("UPDATE residents SET account_id = NULL WHERE id = $1", world.zhang.resident_id)
    order = await world.order(by="dispatcher", is_anonymous=True, on_behalf_of=str(world.zhang.resident_id))
    await world.act(order["id"], "dispatcher", "dispatch", {"assignee_id": str(world.member.account_id)})
    await world.act(order["id"], "member", "accept")
    await world.act(order["id"], "member", "complete", {"note": "已处理"})
    await world.act(order["id"], "dispatcher", "rate", {"stars": 4, "solved": True})
    (answer,) = (await world.community_admin.get(f"/v1/orders/{order['id']}/answers")).json()["items"]
    assert answer["account_id"] == str(world.dispatcher.account_id)


async def test_a_refusal_to_give_it_to_the_resident_does_not_say_why(world: World) -> None:
    neighbour = await world.add_person("helping", "邓志愿", roles={Role.VOLUNTEER: "community"}, home="1单元101")
    body = {"assignee_id": str(neighbour.account_id)}
    codes = []
    for is_anonymous in (False, True):
        order = await world.order(by="helping", is_anonymous=is_anonymous)
        refused = await world.dispatcher.post(f"/v1/orders/{order['id']}/dispatch", body)
        codes.append((refused.status_code, refused.json()["code"]))
    stranger = await world.dispatcher.post(f"/v1/orders/{order['id']}/dispatch", {"assignee_id": str(new_id())})
    assert codes == [(409, "own_need"), (422, "assignee_cannot_serve")]
    assert stranger.json()["code"] == "assignee_cannot_serve"
