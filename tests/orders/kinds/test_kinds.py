"""What can be ordered."""

from tests.world import World


async def test_kinds_in_use_are_listed_for_everyone_of_the_district(world: World, other_world: World) -> None:
    await world.insert("order_kinds", id="withdrawn", name="已停办", category="care", is_active=False)
    await other_world.insert("order_kinds", id="only_there", name="他区业务", category="care")
    answer = await world.zhang.get("/v1/order-kinds")
    assert [kind["id"] for kind in answer.json()["items"]] == ["buy_medicine", "snow_clearing"]
