"""Service clocks of orders that are made ahead: nobody is late a fortnight early, nor told too late."""

from tests.orders.clocks.conftest import after_grace, clocks, promise, when
from tests.orders.clocks.conftest import keep as keep_clocks
from tests.orders.recurring.conftest import Keep, anew, arrange, at, orders_of
from tests.world import World

__all__ = ["keep_clocks"]


async def test_they_run_from_the_day_before(world: World, keep: Keep, keep_clocks: Keep) -> None:
    """Four hours to accept, three working days to finish: counted from Sunday and Monday, not from when it was made."""
    with at("2026-03-06T09:00"):
        await anew(world)
        await promise(world)
        recurring = await arrange(
            world, by="dispatcher", on_behalf_of=str(world.zhang.resident_id), helper_id=str(world.member.account_id)
        )
        await keep()
        await keep_clocks()
        order_id = (await orders_of(world, recurring["id"]))[1]["id"]
        read = await clocks(world, order_id)
        assert (read["accept1"]["state"], when(read["accept1"]["due_at"])) == ("running", "2026-03-15 12:30")
        assert when(read["finish1"]["due_at"]) == "2026-03-18 17:30"
        assert read["accept1"]["told"] == []
    with after_grace("2026-03-15T11:30"):
        await keep_clocks()
        await anew(world, "dispatcher")
        assert (await clocks(world, order_id))["accept1"]["told"] == ["warned"]


async def test_what_is_done_early_was_in_time(world: World, keep: Keep, keep_clocks: Keep) -> None:
    with at("2026-03-06T09:00"):
        await anew(world)
        await promise(world)
        recurring = await arrange(world)
        await keep()
        order_id = (await orders_of(world, recurring["id"]))[1]["id"]
        await world.act(order_id, "member", "accept")
        await world.act(order_id, "member", "complete", {"note": "提前送达"})
        await keep_clocks()
        read = await clocks(world, order_id)
        states = {name: one["state"] for name, one in read.items()}
    assert (states["accept1"], states["finish1"]) == ("met", "met")
    assert not {"missed", "running", "paused"} & set(states.values())
