"""My tasks mean one thing: in the list, in the search and on the first screen, and their details by who one is."""

from datetime import timedelta
from uuid import UUID

from services.chassis import clock
from tests.orders.orders.conftest import add_unit
from tests.world import World

Shown = list[tuple[str, bool]]


async def tasks(world: World, by: str) -> Shown:
    """Ids and whether the details are shown: in the list, and the same on the first screen and by search."""
    person = world.people[by]
    items = (await person.get("/v1/orders", view="tasks", stage="handle")).json()["items"]
    listed = [(item["id"], item["details"] is not None) for item in items]
    helper = (await person.get("/v1/home/orders")).json()["helper"]
    home = helper["tasks"]["items"] if helper else []
    assert [(item["id"], item["details"] is not None) for item in home] == listed
    found = (await person.get("/v1/orders/search", q="药品", view="tasks")).json()["items"]
    assert [item["id"] for item in found] == [order for order, is_read in listed if is_read]
    for order, is_read in listed:
        assert ((await person.get(f"/v1/orders/{order}")).json()["details"] is not None) == is_read
    return listed


async def placed(world: World) -> str:
    return str((await world.order(description="代购药品一周"))["id"])


async def test_who_took_over_has_it_with_its_details(world: World) -> None:
    order = await placed(world)
    await world.act(order, "dispatcher", "dispatch", {"assignee_id": str(world.member.account_id)})
    await world.act(order, "community_admin", "take-over", {"reason": "情况紧急"})
    assert await tasks(world, "community_admin") == [(order, True)]
    assert await tasks(world, "member") == []


async def test_members_of_the_units_that_lead_and_assist(world: World) -> None:
    """Without any role: belonging is enough, as long as it lasts and the unit is there."""
    for name in ("plumber", "electrician"):
        await world.add_person(name, "师傅")
    lead = await add_unit(world, "物业维修班", world.plumber)
    assisting = await add_unit(world, "电工班", world.electrician)
    order = await placed(world)
    body = {"unit_id": str(lead), "assisting_unit_ids": [str(assisting)]}
    await world.act(order, "dispatcher", "dispatch", body)
    for person in ("plumber", "electrician"):
        assert await tasks(world, person) == [(order, True)]
    await world.connection.execute("UPDATE units SET is_active = false WHERE id = $1", lead)
    await _ends(world, assisting)
    for person in ("plumber", "electrician"):
        assert await tasks(world, person) == []
        assert (await world.people[person].get("/v1/home/orders")).json()["helper"] is None


async def test_a_unit_that_is_dissolved_assists_nobody(world: World) -> None:
    await world.add_person("electrician", "师傅")
    lead, assisting = await add_unit(world, "物业维修班"), await add_unit(world, "电工班", world.electrician)
    order = await placed(world)
    body = {"unit_id": str(lead), "assisting_unit_ids": [str(assisting)]}
    await world.act(order, "dispatcher", "dispatch", body)
    await world.connection.execute("UPDATE units SET is_active = false WHERE id = $1", assisting)
    assert await tasks(world, "electrician") == []
    assert (await world.electrician.get(f"/v1/orders/{order}")).status_code == 404


async def _ends(world: World, unit: UUID) -> None:
    ago = clock.now() - timedelta(minutes=1)
    await world.connection.execute("UPDATE unit_members SET until = $2 WHERE unit_id = $1", unit, ago)


async def test_who_assists_until_they_leave(world: World) -> None:
    order = await placed(world)
    await world.act(order, "dispatcher", "dispatch", {"helpers_wanted": 2})
    await world.act(order, "member", "accept")
    await world.act(order, "second_member", "join", {})
    assert await tasks(world, "member") == await tasks(world, "second_member") == [(order, True)]
    await world.act(order, "second_member", "leave")
    assert await tasks(world, "second_member") == []


async def test_whose_term_has_ended_sees_the_task_and_not_the_home(world: World) -> None:
    order = await placed(world)
    await world.act(order, "dispatcher", "dispatch", {"assignee_id": str(world.member.account_id)})
    await world.connection.execute(
        "DELETE FROM grants WHERE account_id = $1 AND tenant_id = $2", world.member.account_id, world.tenant_id
    )
    world.people["member"] = await world.new_session(world.member)
    assert await tasks(world, "member") == [(order, False)]
