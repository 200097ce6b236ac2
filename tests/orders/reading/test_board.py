"""The board: counts as a naive count has them, the first of each column, and what is late."""

import random
from typing import Any

import pytest

from models.identity import Role
from models.orders import OPEN_STAGES, OrderState
from services.chassis import clock
from tests.orders.orders.conftest import add_unit
from tests.orders.orders.test_lifecycle import put_order
from tests.world import World


async def board(world: World, by: str = "dispatcher", **query: Any) -> dict[str, dict[str, Any]]:
    answer = await world.people[by].get("/v1/orders/board", **query)
    assert answer.status_code == 200, answer.text
    return {column["stage"]: column for column in answer.json()["columns"]}


async def one_of_each(world: World) -> dict[OrderState, str]:
    main = await put_order(world, OrderState.RETURNED)
    return {state: str(await put_order(world, state, main=main)) for state in OrderState}


async def test_counts_every_open_order_in_its_column(world: World) -> None:
    await one_of_each(world)
    counted = await world.fetch("SELECT stage, count(*) AS orders FROM orders GROUP BY stage")
    expected = {row["stage"]: row["orders"] for row in counted}
    for area in (None, "district", "community", "compound", "building"):
        columns = await board(world, "district_admin", **({"area_id": str(world.areas[area])} if area else {}))
        assert list(columns) == list(OPEN_STAGES)
        assert {stage: column["count"] for stage, column in columns.items()} == {
            stage: expected.get(stage, 0) for stage in OPEN_STAGES
        }
    assert {column["count"] for column in (await board(world, "other_dispatcher")).values()} == {0}


async def test_a_column_goes_on_as_a_list(world: World) -> None:
    placed = [(await world.order())["id"] for _ in range(5)][::-1]
    first = (await board(world, limit=2))["receive"]["first"]
    assert [item["id"] for item in first["items"]] == placed[:2]
    rest = (await world.dispatcher.get("/v1/orders", view="area", stage="receive", cursor=first["next_cursor"])).json()
    assert [item["id"] for item in rest["items"]] == placed[2:]
    assert (await board(world, limit=0))["receive"]["first"] == {"items": [], "next_cursor": None}


async def test_late_orders_are_counted_once(world: World) -> None:
    order = (await world.order())["id"]
    for target in ("dispatch", "finish"):
        await world.insert(
            "order_clocks", order_id=order, target=target, round=1, community_id=world.areas["community"],
            area_id=world.areas["building"], state="missed", unit="work_hours", started_at=clock.now(),
            due_at=clock.now(), sorts_at=clock.now(), segments="[]", why="{}", computed_at=clock.now(),
        )  # fmt: skip
    assert (await board(world))["receive"]["overdue"] == 1
    assert (await board(world, area_id=str(world.areas["building"])))["receive"]["overdue"] == 1
    assert {column["overdue"] for column in (await board(world, "other_dispatcher")).values()} == {0}


async def test_who_sees_it(world: World) -> None:
    for person in ("zhang", "member", "points_clerk"):
        assert (await world.people[person].get("/v1/orders/board")).status_code == 403
    foreign = await world.dispatcher.get("/v1/orders/board", area_id=str(world.areas["other_community"]))
    assert foreign.status_code == 404


@pytest.mark.parametrize("seed", range(3))
async def test_random_filters_and_areas_answer_like_a_naive_filter(world: World, seed: int) -> None:
    """Whatever is asked for, a list shows exactly the orders below the granted areas that fit, newest first."""
    chance = random.Random(seed)
    orders = [*(await one_of_each(world)).values(), *(await one_of_each(world)).values()]
    for order in orders:
        area = world.areas[chance.choice(["community", "other_community", "compound", "building"])]
        await world.connection.execute(
            "UPDATE orders SET area_id = $2, community_id = (SELECT community_id FROM areas WHERE id = $2),"
            " kind = $3, priority = $4 WHERE id = $1",
            order, area, chance.choice(["buy_medicine", "snow_clearing"]), chance.choice(["normal", "urgent"]),
        )  # fmt: skip
    for number in range(8):
        area = world.areas[chance.choice(["district", "community", "compound", "other_community", "building"])]
        key = next(key for key, area_id in world.areas.items() if area_id == area)
        await world.add_person(f"worker{number}", "随机", roles={Role.GRID_WORKER: key})
        stages = chance.choice([None, ["handle"], ["receive", "verify"], ["done"], ["handle", "done"], ["follow"]])
        kind = chance.choice([None, "buy_medicine"])
        priority = None if stages and "done" in stages else chance.choice([None, "urgent"])
        states = chance.choice([None, ["placed", "accepted", "closed"]])
        asked = {"stage": stages, "kind": kind, "priority": priority, "state": states}
        naive = await world.fetch(
            "SELECT o.id FROM orders o JOIN areas a ON a.id = o.area_id WHERE $1 = ANY (a.ancestor_ids)"
            " AND ($2::text[] IS NULL OR o.stage = ANY ($2)) AND ($3::text IS NULL OR o.kind = $3)"
            " AND ($4::text IS NULL OR o.priority = $4 AND o.stage <> 'done')"
            " AND ($5::text[] IS NULL OR o.state = ANY ($5)) ORDER BY o.number DESC",
            area, stages, kind, priority, states,
        )  # fmt: skip
        found: list[str] = []
        cursor: dict[str, Any] = {}
        while True:
            query = {name: value for name, value in asked.items() if value is not None}
            answer = await world.people[f"worker{number}"].get("/v1/orders", view="area", limit=3, **query, **cursor)
            page = answer.json()
            found += [item["id"] for item in page["items"]]
            if page["next_cursor"] is None:
                break
            cursor = {"cursor": page["next_cursor"]}
        assert found == [str(row["id"]) for row in naive], asked


async def test_priority_of_what_is_done_is_not_asked_for(world: World) -> None:
    answer = await world.dispatcher.get("/v1/orders", view="area", stage="done", priority="urgent")
    assert (answer.status_code, answer.json()["code"]) == (422, "filter_needs_open_stage")


async def test_my_tasks_are_also_where_i_assist_and_what_my_unit_has(world: World) -> None:
    assisting, of_unit, with_unit, _ = [str(await put_order(world, OrderState.ACCEPTED)) for _ in range(4)]
    unit = await world.fetch_value("SELECT gen_random_uuid()")
    await world.insert("units", id=unit, kind="team", name="红马甲", area_id=world.areas["community"])
    await world.insert("unit_members", unit_id=unit, account_id=world.second_member.account_id)
    await world.insert(
        "order_helpers", order_id=assisting, account_id=world.second_member.account_id, joined_at=clock.now()
    )
    await world.connection.execute("UPDATE orders SET helpers_wanted = 2 WHERE id = $1", assisting)
    await world.connection.execute("UPDATE orders SET unit_id = $2 WHERE id = $1", of_unit, unit)
    leads = await add_unit(world, "物业维修班")
    await world.connection.execute("UPDATE orders SET unit_id = $2 WHERE id = $1", with_unit, leads)
    await world.insert("order_units", order_id=with_unit, unit_id=unit, added_at=clock.now())
    page = (await world.second_member.get("/v1/orders", view="tasks")).json()["items"]
    assert [item["id"] for item in page] == [with_unit, of_unit, assisting]
    assert all(item["details"] for item in page)
    await world.connection.execute("UPDATE unit_members SET until = now() WHERE unit_id = $1", unit)
    await world.connection.execute("UPDATE order_helpers SET left_at = now() WHERE order_id = $1", assisting)
    assert (await world.second_member.get("/v1/orders", view="tasks")).json()["items"] == []
