"""The first screen: a section for each thing a person is, and nothing of what they are not."""

from typing import Any

from services.chassis import clock
from tests.world import World


async def orders_home(world: World, by: str) -> dict[str, Any]:
    answer = await world.people[by].get("/v1/home/orders")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_a_resident_sees_what_is_open_and_what_waits_for_their_answer(world: World) -> None:
    done, waiting = await world.completed_order(), await world.order()
    home = await orders_home(world, "zhang")
    assert (home["helper"], home["overseer"]) == (None, None)
    assert [item["id"] for item in home["resident"]["open"]["items"]] == [waiting["id"], done["id"]]
    assert [item["id"] for item in home["resident"]["to_answer"]] == [done["id"]]
    assert home["resident"]["recurring"] == []
    await world.act(done["id"], "zhang", "rate", {"stars": 5, "solved": True})
    assert (await orders_home(world, "zhang"))["resident"]["to_answer"] == []
    assert (await orders_home(world, "neighbour"))["resident"]["open"]["items"] == []


async def test_a_helper_sees_tasks_pool_and_what_is_due_next(world: World) -> None:
    mine, pooled = await world.order(), await world.order()
    for order in (mine, pooled):
        await world.act(order["id"], "dispatcher", "triage", {})
    await world.act(mine["id"], "dispatcher", "dispatch", {"assignee_id": str(world.member.account_id)})
    await world.act(pooled["id"], "dispatcher", "dispatch", {})
    await world.insert(
        "order_clocks", order_id=mine["id"], target="arrive", round=9, community_id=world.areas["community"],
        area_id=world.areas["building"], assignee_id=world.member.account_id, state="running", unit="work_hours",
        started_at=clock.now(), due_at=clock.now(), sorts_at=clock.now(), segments="[]", why="{}",
        computed_at=clock.now(),
    )  # fmt: skip
    helper = (await orders_home(world, "member"))["helper"]
    assert [item["id"] for item in helper["tasks"]["items"]] == [mine["id"]]
    assert [(item["id"], item["details"]) for item in helper["pool"]["items"]] == [(pooled["id"], None)]
    assert helper["pool_count"] == 1
    assert {clock["order_id"] for clock in helper["due_next"]} <= {mine["id"]}


async def test_who_oversees_sees_the_board_and_what_needs_a_senior(world: World) -> None:
    order = await world.order()
    await world.connection.execute("UPDATE orders SET is_escalated = true WHERE id = $1", order["id"])
    for person in ("dispatcher", "district_admin", "grid_worker"):
        overseer = (await orders_home(world, person))["overseer"]
        assert overseer["board"]["columns"][0]["count"] == 1
        assert [item["id"] for item in overseer["needs_senior"]] == [order["id"]]
    other = (await orders_home(world, "other_dispatcher"))["overseer"]
    assert (other["board"]["columns"][0]["count"], other["needs_senior"]) == (0, [])


async def test_the_whole_home_in_one_request(world: World) -> None:
    await world.order()
    home = (await world.zhang.get("/v1/home")).json()
    assert home["unavailable"] == []
    assert home["identity"]["account"]["name"] == "张德明"
    assert home["orders"]["resident"]["open"]["items"]
    assert home["points"]["points"]["balance"] == 0
    assert home["grid"]["households"][0]["address"].endswith("2单元502")
    assert (await world.stranger().get("/v1/home")).status_code == 401


async def test_what_was_placed_for_others_waits_for_who_may_answer_it(world: World) -> None:
    """The family's answer, and the grid worker's for somebody without an account; not the dispatcher's for others."""
    done: dict[str, str] = {}
    for by, resident in (
        ("daughter", world.zhang.resident_id),
        ("grid_worker", await world.add_resident("李奶奶", "2单元301")),
        ("dispatcher", world.neighbour.resident_id),
    ):
        order = await world.order(by, on_behalf_of=str(resident))
        await world.act(order["id"], "community_admin", "dispatch", {"assignee_id": str(world.member.account_id)})
        await world.act(order["id"], "member", "accept")
        await world.act(order["id"], "member", "complete", {"note": "已送到"})
        done[by] = order["id"]
    waiting = {by: await orders_home(world, by) for by in (*done, "zhang", "neighbour")}
    told = {
        by: home["resident"] and [item["id"] for item in home["resident"]["to_answer"]] for by, home in waiting.items()
    }
    assert told == {
        "daughter": [done["daughter"]], "grid_worker": [done["grid_worker"]], "dispatcher": None,
        "zhang": [done["daughter"]], "neighbour": [done["dispatcher"]],
    }  # fmt: skip
    await world.act(done["grid_worker"], "grid_worker", "rate", {"stars": 5, "solved": True})
    assert (await orders_home(world, "grid_worker"))["resident"] is None
