"""Lists and single orders: who sees what, page by page; and the same answer as a naive filter gives."""

import itertools
import random
from typing import Any
from uuid import uuid4

import pytest

from models.identity import Role
from models.orders import OrderState
from services.orders.orders import policy
from tests.orders.orders.test_lifecycle import put_order
from tests.world import World


async def ids_of(world: World, person: str, **query: Any) -> list[str]:
    """All ids of a list, read in pages of three."""
    found: list[str] = []
    cursor: str | None = None
    while True:
        page = (
            await world.people[person].get("/v1/orders", limit=3, **query, **({"cursor": cursor} if cursor else {}))
        ).json()
        assert len(page["items"]) <= 3
        found += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


async def test_pages_show_every_order_once_newest_first(world: World) -> None:
    placed = [(await world.order())["id"] for _ in range(8)]
    assert await ids_of(world, "zhang") == placed[::-1]
    assert await ids_of(world, "dispatcher", view="area") == placed[::-1]


async def test_a_page_that_is_exactly_full_is_the_last(world: World) -> None:
    for _ in range(3):
        await world.order()
    page = (await world.zhang.get("/v1/orders", limit=3)).json()
    assert len(page["items"]) == 3
    assert page["next_cursor"] is None


async def test_an_order_placed_for_oneself_is_listed_once(world: World) -> None:
    order = await world.order()
    assert await ids_of(world, "zhang", view="mine") == [order["id"]]


async def test_why_it_was_this_helper_only_those_read_who_answer_for_the_area(world: World) -> None:
    order, member = await world.order(), str(world.member.account_id)
    why = {"score": 87.5, "reasons": [], "text": "离得近；黄秀芳手上已有五单"}
    await world.act(order["id"], "dispatcher", "dispatch", {"assignee_id": member, "why": why})
    told = {
        by: (await world.people[by].get(f"/v1/orders/{order['id']}")).json()["history"][-1]["details"]
        for by in ("dispatcher", "grid_worker", "zhang", "member")
    }
    assert {by: details.get("why") for by, details in told.items()} == {
        "dispatcher": why, "grid_worker": why, "zhang": None, "member": None,
    }  # fmt: skip
    assert {details["assignee_id"] for details in told.values()} == {member}


async def test_views_by_state_and_area(world: World) -> None:
    main = await put_order(world, OrderState.RETURNED)
    by_state = {state: str(await put_order(world, state, main=main)) for state in OrderState}
    wanted = [by_state[OrderState.COMPLETED], by_state[OrderState.PLACED]]
    for area in (None, "district", "subdistrict", "community", "compound", "building"):
        area_id = {"area_id": str(world.areas[area])} if area else {}
        assert await ids_of(world, "district_admin", view="area", state=["placed", "completed"], **area_id) == wanted
        assert len(await ids_of(world, "district_admin", view="area", **area_id)) == len(by_state) + 1
    assert await ids_of(world, "district_admin", view="area", area_id=str(world.areas["other_community"])) == []
    assert await ids_of(world, "member", view="tasks", state=["accepted"]) == [by_state[OrderState.ACCEPTED]]


async def test_the_pool_shows_that_there_is_work_but_not_whose(world: World) -> None:
    order = await world.order()
    await world.act(order["id"], "dispatcher", "dispatch", {})
    for person in ("member", "grid_worker"):
        items = (await world.people[person].get("/v1/orders", view="pool")).json()["items"]
        assert [(item["id"], item["details"]) for item in items] == [(order["id"], None)], person
    text = (await world.member.get(f"/v1/orders/{order['id']}")).text
    assert not [secret for secret in ("张德明", "13800138000", "2单元502", "代购一周药品") if secret in text]
    await world.act(order["id"], "member", "accept")
    assert "13800138000" in (await world.member.get(f"/v1/orders/{order['id']}")).text
    assert (await world.second_member.get("/v1/orders", view="pool")).json()["items"] == []


async def test_after_the_rating_the_helper_sees_the_work_but_not_the_home(world: World) -> None:
    order = await world.rated_order()
    read = (await world.member.get(f"/v1/orders/{order['id']}")).json()
    assert (read["stars"], read["details"], read["history"]) == (5, None, [])
    listed = (await world.member.get("/v1/orders", view="tasks")).json()["items"]
    assert [(item["id"], item["details"]) for item in listed] == [(order["id"], None)]


@pytest.mark.parametrize("person", ["neighbour", "other_dispatcher", "other_member", "second_member", "points_clerk"])
async def test_a_neighbours_order_does_not_exist(world: World, person: str) -> None:
    order = await world.order()
    answer = await world.people[person].get(f"/v1/orders/{order['id']}")
    assert (answer.status_code, answer.json()["code"]) == (404, "order_not_found")


async def test_another_districts_order_does_not_exist(world: World, other_world: World) -> None:
    order = await other_world.order()
    for person in world.people.values():
        assert (await person.get(f"/v1/orders/{order['id']}")).status_code == 404
    assert await ids_of(world, "district_admin", view="area") == []


async def test_a_foreign_area_is_not_found_and_a_view_without_a_role_forbidden(world: World) -> None:
    for area in (str(world.areas["other_community"]), str(world.areas["district"]), str(uuid4())):
        assert (await world.dispatcher.get("/v1/orders", view="area", area_id=area)).status_code == 404
    assert (await world.zhang.get("/v1/orders", view="area")).status_code == 403
    assert (await world.dispatcher.get("/v1/orders", view="pool")).status_code == 403


@pytest.mark.parametrize("cursor", ["x", "-1", "1e3", "１２", "9" * 19, "", "'; DROP TABLE orders; --"])
async def test_a_cursor_that_is_not_ours_is_refused(world: World, cursor: str) -> None:
    answer = await world.zhang.get("/v1/orders", cursor=cursor)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_cursor")


@pytest.mark.parametrize(
    "query", [{"limit": 0}, {"limit": 101}, {"limit": "x"}, {"view": "all"}, {"state": "Lost!"}, {"area_id": "7"}]
)
async def test_bad_queries_are_refused(world: World, query: dict[str, object]) -> None:
    assert (await world.zhang.get("/v1/orders", **query)).status_code == 422


@pytest.mark.parametrize("seed", range(4))
async def test_random_trees_and_grants_answer_like_a_naive_filter(world: World, seed: int) -> None:
    """Whatever the tree and the grants: a list shows exactly the orders lying below one of the granted areas."""
    chance = random.Random(seed)
    await _grow_tree(world, chance)
    for state, key in itertools.product((OrderState.PLACED, OrderState.CANCELLED), list(world.areas)):
        if await world.fetch_value("SELECT community_id IS NOT NULL FROM areas WHERE id = $1", world.areas[key]):
            await _put_order_in(world, state, key)
    for number in range(6):
        areas = chance.sample(list(world.areas), chance.randint(1, 3))
        role = chance.choice([Role.DISPATCHER, Role.GRID_WORKER, Role.COMMUNITY_ADMIN])
        await world.add_person(f"worker{number}", "随机", roles={role: areas[0]})
        for area in areas[1:]:
            await world.insert(
                "grants",
                id=uuid4(),
                account_id=world.people[f"worker{number}"].account_id,
                role=role,
                area_id=world.areas[area],
            )
        naive = await world.fetch(
            "SELECT o.id FROM orders o JOIN areas a ON a.id = o.area_id WHERE a.ancestor_ids && $1"
            " ORDER BY o.number DESC",
            [world.areas[area] for area in areas],
        )
        assert await ids_of(world, f"worker{number}", view="area") == [str(row["id"]) for row in naive]


async def _grow_tree(world: World, chance: random.Random) -> None:
    levels = ["district", "subdistrict", "community", "compound", "building"]
    depth_of = {"district": 0, "subdistrict": 1, "community": 2, "other_community": 2, "compound": 3, "building": 4}
    for number in range(14):
        parent = chance.choice([key for key, depth in depth_of.items() if depth < 4])
        key, depth = f"area{number}", depth_of[parent] + 1
        code = (
            str(await world.fetch_value("SELECT code FROM areas WHERE id = $1", world.areas[parent]))
            + f"{500 + number}"
        )
        await world.add_area(key, parent, levels[depth], code, f"区域{number}")
        depth_of[key] = depth


async def _put_order_in(world: World, state: OrderState, area: str) -> None:
    order_id = await put_order(world, state)
    await world.connection.execute(
        "UPDATE orders SET area_id = $2, community_id = (SELECT community_id FROM areas WHERE id = $2) WHERE id = $1",
        order_id, world.areas[area],
    )  # fmt: skip


def test_roles_are_on_one_screen() -> None:
    """Who dispatches also oversees; nobody serves by dispatching alone."""
    assert policy.DISPATCHING_ROLES <= policy.OVERSEEING_ROLES
    assert not policy.DISPATCHING_ROLES & policy.SERVING_ROLES
