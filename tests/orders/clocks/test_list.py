"""The list of open clocks: the next one due first, for whom it concerns, flat."""

import json
from datetime import timedelta
from typing import Any

import pytest

from models.identity import Role
from services.chassis import clock
from services.chassis.database import Database
from services.chassis.schemas import new_id
from tests.orders.clocks.conftest import Keep, anew, at, promise, when
from tests.world import World

MONDAY = "2026-03-16T09:00"


async def page(world: World, by: str = "dispatcher", **query: Any) -> dict[str, Any]:
    answer = await world.people[by].get("/v1/clocks", **query)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def shown(body: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["target"], one["state"]) for one in body["items"]]


async def several(world: World, keep: Keep) -> list[str]:
    """Three orders of one morning: one waits, one is paused, one is the member's."""
    await anew(world)
    await promise(world)
    waiting, paused, taken = [(await world.order())["id"] for _ in range(3)]
    await world.dispatcher.post(f"/v1/orders/{paused}/clocks/pause", {"reason": "停水"})
    await world.act(taken, "dispatcher", "dispatch", {"assignee_id": str(world.member.account_id)})
    await keep()
    return [waiting, paused, taken]


async def test_the_next_one_due_comes_first_page_by_page(world: World, keep: Keep) -> None:
    with at(MONDAY):
        orders = await several(world, keep)
        found: list[dict[str, Any]] = []
        cursor: dict[str, str] = {}
        while True:
            body = await page(world, limit=2, **cursor)
            found += body["items"]
            if body["next_cursor"] is None:
                break
            cursor = {"cursor": body["next_cursor"]}
        assert found == (await page(world, limit=100))["items"]
    assert [(one["target"], one["state"]) for one in found[:3]] == [
        ("dispatch", "running"), ("dispatch", "paused"), ("accept", "running"),
    ]  # fmt: skip
    assert [one["order_id"] for one in found[:3]] == orders
    assert len({(one["order_id"], one["target"]) for one in found}) == len(found) == 6
    assert found[1]["due_at"] is None
    assert found[1]["left"]["count"] in (119, 120)
    assert when(found[2]["due_at"]) == "2026-03-16 13:00"
    assert found[2]["assignee_name"] == "陈志强"
    assert len(found[0]["number"]) == 10


async def test_by_state(world: World, keep: Keep) -> None:
    with at(MONDAY):
        await several(world, keep)
        assert {state for _, state in shown(await page(world, state="paused"))} == {"paused"}
        assert len((await page(world, state=["running", "paused"]))["items"]) == 6
        assert shown(await page(world, state="missed")) == []
        assert shown(await page(world, state="met")) == []


async def test_what_is_missed_stays_until_it_is_done(world: World, keep: Keep) -> None:
    with at(MONDAY):
        waiting = (await several(world, keep))[0]
    with at("2026-03-16T11:30"):
        await anew(world)
        await keep()
        assert shown(await page(world, state="missed")) == [("dispatch", "missed")]
        await world.act(waiting, "dispatcher", "dispatch", {})
        await keep()
        assert shown(await page(world, state="missed")) == []


async def test_those_of_an_area_for_its_dispatchers(world: World, keep: Keep) -> None:
    with at(MONDAY):
        await several(world, keep)
        for area in ("community", "compound", "building"):
            assert len((await page(world, area_id=str(world.areas[area])))["items"]) == 6
        assert len((await page(world, "district_admin"))["items"]) == 6
        assert len((await page(world, "community_admin"))["items"]) == 6
        await world.add_person("building_dispatcher", "温小明", roles={Role.DISPATCHER: "building"})
        await anew(world, "building_dispatcher")
        assert len((await page(world, "building_dispatcher"))["items"]) == 6
        await anew(world, "other_dispatcher")
        assert (await page(world, "other_dispatcher"))["items"] == []
        foreign = await world.other_dispatcher.get("/v1/clocks", area_id=str(world.areas["community"]))
        assert foreign.status_code == 404
        for by in ("zhang", "member"):
            assert (await world.people[by].get("/v1/clocks")).status_code == 403


async def test_mine_to_do(world: World, keep: Keep) -> None:
    with at(MONDAY):
        taken = (await several(world, keep))[2]
        body = await page(world, "member", view="tasks")
        assert [(one["order_id"], one["target"]) for one in body["items"]] == [(taken, "accept"), (taken, "finish")]
        assert (await page(world, "second_member", view="tasks"))["items"] == []


@pytest.mark.parametrize("cursor", ["x", "WzFd", "bnVsbA"])
async def test_odd_cursors_are_refused(world: World, cursor: str) -> None:
    answer = await world.dispatcher.get("/v1/clocks", cursor=cursor)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_cursor")


async def test_a_page_costs_the_same_however_many_there_are(world: World, orders_database: Database) -> None:
    await promise(world)
    order = (await world.order())["id"]
    costs = []
    for clocks in (200, 4000):
        await fill(world, order, clocks)
        costs.append([await cost(world, orders_database, query) for query in queries(world)])
    assert all(later <= before + 40 for before, later in zip(*costs, strict=True)), costs


async def fill(world: World, order: str, clocks: int) -> None:
    """As many open clocks of other orders, half of them at one building."""
    await world.connection.execute(
        "INSERT INTO order_clocks (tenant_id, order_id, target, round, community_id, area_id, assignee_id, state, unit,"
        " started_at, due_at, sorts_at, segments, why, computed_at)"
        " SELECT $1, $2, 'accept', n, $3, $4, $5, (ARRAY['running', 'missed'])[1 + mod(n, 2)], 'work_hours',"
        " $6::timestamptz, $6 + n * interval '1 minute', $6 + n * interval '1 minute', '[]', '{}', $6"
        " FROM generate_series(1, $7::int) AS n ON CONFLICT DO NOTHING",
        world.tenant_id, order, world.areas["community"], world.areas["building"], world.member.account_id,
        clock.now() + timedelta(hours=1), clocks,
    )  # fmt: skip


def queries(world: World) -> list[dict[str, Any]]:
    """Of a community, of a building and of a person: in the middle of the list."""
    after = {
        "after_at": clock.now() + timedelta(hours=2),
        "after_order": new_id(),
        "after_target": "",
        "after_round": 0,
    }
    common = {**after, "states": ["running", "paused", "missed"], "page_size": 21}
    return [
        {**common, "areas": [world.areas["community"]]},
        {**common, "areas": [world.areas["building"]]},
        {**common, "assignee": world.member.account_id, "areas": []},
    ]


async def cost(world: World, database: Database, query: dict[str, Any]) -> int:
    """Blocks of the database a page touches."""
    async with database.hot_transaction(world.tenant_id) as connection:
        text = json.dumps(query, default=str)
        await connection.fetch("SELECT * FROM clock_list($1, $2)", world.tenant_id, text)
        plan = await connection.fetchval(
            f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT * FROM clock_list('{world.tenant_id}', '{text}')"
        )
    node = json.loads(plan)[0]["Plan"]
    return int(node["Shared Hit Blocks"] + node["Shared Read Blocks"])
