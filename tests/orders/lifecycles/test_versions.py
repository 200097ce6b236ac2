"""Loading lives of orders: who may, by which version orders live, and when running ones come along."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from services.chassis import clock
from services.chassis.database import Database
from services.chassis.settings import Settings
from services.orders.lifecycles import queries
from services.orders.lifecycles.actions import lock_lives
from services.orders.lifecycles.definition import Lifecycle
from services.orders.lifecycles.queries import standard_row
from services.orders.lifecycles.standard import STANDARD
from tests.world import World

Definition = dict[str, Any]


@pytest.fixture
async def orders_database(settings: Settings) -> AsyncIterator[Database]:
    database = Database(settings.database_url, service="orders", pool_size=2)
    await database.open()
    yield database
    await database.close()


def standard(change: Callable[[Definition], Any] = lambda _: None) -> Definition:
    changed = STANDARD.model_dump(mode="json")
    change(changed)
    return changed


def without(*states: str) -> Definition:
    """Wherever they are named."""

    def forget(changed: Definition) -> None:
        changed["states"] = [one for one in changed["states"] if one["id"] not in states]
        for one in changed["transitions"]:
            one["from_states"] = [name for name in one["from_states"] if name not in states]
        changed["transitions"] = [
            one for one in changed["transitions"] if one["from_states"] and one["to_state"] not in states
        ]

    return standard(forget)


def unshelvable() -> Definition:
    return without("shelved")


async def load(world: World, definition: Definition | None = None, by: str = "district_admin", **body: Any) -> Any:
    answer = await world.people[by].post(
        "/v1/lifecycles", {"definition": definition or standard(), "note": "试行", **body}
    )
    return {"status": answer.status_code, **answer.json()}


async def versions_of_kinds(world: World) -> dict[str, int]:
    rows = await world.fetch("SELECT id, lifecycle_version FROM order_kinds WHERE tenant_id = $1", world.tenant_id)
    return {row["id"]: row["lifecycle_version"] for row in rows}


async def version_of(world: World, order: dict[str, Any]) -> int:
    return int(await world.fetch_value("SELECT lifecycle_version FROM orders WHERE id = $1", order["id"]))


async def test_a_version_for_all_kinds_and_one_for_one(world: World) -> None:
    first = await load(world, order_kind="snow_clearing", definition=unshelvable())
    assert (first["status"], first["version"], first["order_kinds"]) == (201, 2, ["snow_clearing"])
    second = await load(world)
    assert (second["version"], second["order_kinds"], second["orders_moved"]) == (3, ["buy_medicine"], 0)
    assert await versions_of_kinds(world) == {"snow_clearing": 2, "buy_medicine": 3}


async def test_a_kind_goes_back_to_the_life_of_the_district(world: World) -> None:
    await load(world, order_kind="snow_clearing", definition=unshelvable())
    await load(world)
    answer = await world.district_admin.post("/v1/order-kinds/snow_clearing/lifecycle/follow-district")
    assert (answer.status_code, answer.json()["version"]) == (200, 3)
    assert (await load(world))["order_kinds"] == ["buy_medicine", "snow_clearing"]
    answer = await world.district_admin.post("/v1/order-kinds/no_such/lifecycle/follow-district")
    assert answer.json()["code"] == "order_kind_not_found"
    answer = await world.community_admin.post("/v1/order-kinds/snow_clearing/lifecycle/follow-district")
    assert answer.json()["code"] == "forbidden"


async def test_running_orders_keep_their_version_and_new_ones_have_the_new(world: World) -> None:
    old = await world.order()
    await load(world, unshelvable())
    new = await world.order()
    assert (await version_of(world, old), await version_of(world, new)) == (1, 2)
    offered = {
        order["id"]: (await world.dispatcher.get(f"/v1/orders/{order['id']}")).json()["available_actions"]
        for order in [await world.act(one["id"], "dispatcher", "triage") for one in (old, new)]
    }
    assert ("shelve" in offered[old["id"]], "shelve" in offered[new["id"]]) == (True, False)


async def test_running_orders_come_along_when_that_is_asked_for(world: World) -> None:
    running, over = await world.order(), await world.order()
    await world.act(over["id"], "dispatcher", "reject", {"reason": "重复"})
    other_kind = await world.order(kind="snow_clearing")
    loaded = await load(world, unshelvable(), order_kind="buy_medicine", applies_to_running=True)
    assert loaded["orders_moved"] == 1
    assert [await version_of(world, one) for one in (running, over, other_kind)] == [2, 1, 1]


async def test_orders_that_would_be_stuck_are_named_and_nothing_is_loaded(world: World) -> None:
    stuck = [await world.order(), await world.order()]
    for order in stuck:
        await world.act(order["id"], "dispatcher", "triage")
        await world.act(order["id"], "dispatcher", "shelve", {"reason": "等待配件"})
    await world.order()
    refused = await load(world, unshelvable(), applies_to_running=True)
    assert (refused["status"], refused["code"], refused["count"]) == (409, "orders_stuck", 2)
    assert [(one["state"], one["reason"], one["count"]) for one in refused["states"]] == [
        ("shelved", "state_missing", 2)
    ]
    assert refused["states"][0]["numbers"] == sorted(order["number"] for order in stuck)
    assert await versions_of_kinds(world) == {"snow_clearing": 1, "buy_medicine": 1}
    assert (await world.zhang.get("/v1/lifecycles/2")).json()["code"] == "lifecycle_not_found"
    assert (await load(world))["version"] == 2
    graph = (await world.zhang.get("/v1/order-kinds/buy_medicine/lifecycle")).json()
    assert "shelved" in {state["id"] for state in graph["states"]}, "what was taken back is not remembered"


async def test_no_more_than_twenty_orders_are_named(world: World) -> None:
    for _ in range(22):
        await world.order()
    await world.connection.execute("UPDATE orders SET state = 'returned' WHERE tenant_id = $1", world.tenant_id)
    refused = await load(world, without("returned"), applies_to_running=True)
    assert (refused["states"][0]["count"], len(refused["states"][0]["numbers"])) == (22, 20)


def _another_stage(changed: Definition) -> None:
    changed["states"][2]["stage"] = "receive"
    for one in changed["transitions"]:
        if one["action"] == "triage":
            one["action"] = one["name_en"] = "look_at"


def _people_close(changed: Definition) -> None:
    for one in changed["transitions"]:
        if one["action"] == "close":
            one.update(who=["is_dispatcher"], after_minutes=None)


def _shelved_after_dispatching(changed: Definition) -> None:
    """An order cannot be resumed to where it was shelved."""
    text = Lifecycle.model_validate(changed).model_dump_json()
    changed.update(Lifecycle.model_validate_json(text.replace('"triaged"', '"sorted"')).model_dump(mode="json"))


@pytest.mark.parametrize(
    ("change", "reason"),
    [(_another_stage, "stage_differs"), (_people_close, "timer_lost"), (_shelved_after_dispatching, "return_lost")],
)
async def test_other_ways_to_be_stuck(world: World, change: Callable[[Definition], Any], reason: str) -> None:
    order = await world.order()
    await world.act(order["id"], "dispatcher", "triage")
    if reason == "timer_lost":
        await world.completed_order()
    if reason == "return_lost":
        await world.act(order["id"], "dispatcher", "shelve", {"reason": "等待配件"})
    refused = await load(world, standard(change), applies_to_running=True)
    assert (refused["code"], reason in {one["reason"] for one in refused["states"]}) == ("orders_stuck", True), refused


async def test_a_running_timer_goes_on_and_a_new_one_begins(world: World) -> None:
    waiting, done = await world.order(), await world.completed_order()
    before = await world.fetch_value("SELECT timer_at FROM orders WHERE id = $1", done["id"])

    def hurry(changed: Definition) -> None:
        changed["transitions"].append(
            {"action": "give_up", "name": "超时撤销", "name_en": "give up", "from_states": ["placed"],
             "to_state": "cancelled", "who": ["is_system"], "after_minutes": 60}
        )  # fmt: skip

    assert (await load(world, standard(hurry), applies_to_running=True))["orders_moved"] == 2
    assert await world.fetch_value("SELECT timer_at FROM orders WHERE id = $1", done["id"]) == before
    row = (await world.fetch("SELECT timer_action, timer_at FROM orders WHERE id = $1", waiting["id"]))[0]
    assert row["timer_action"] == "give_up"
    assert 3500 < (row["timer_at"] - clock.now()).total_seconds() <= 3600


async def test_a_life_with_faults_is_refused_with_all_of_them(world: World) -> None:
    def break_twice(changed: Definition) -> None:
        changed["transitions"][0]["to_state"] = "nowhere"
        changed["transitions"][1]["who"] = ["is_mayor"]

    refused = await load(world, standard(break_twice))
    assert (refused["status"], refused["code"]) == (422, "lifecycle_faulty")
    places = {(one["place"], one["fault"]) for one in refused["faults"]}
    assert {("transitions[0].to_state", "unknown_state"), ("transitions[1].who[0]", "unknown_predicate")} <= places
    assert all(one["zh"] and one["en"] for one in refused["faults"])
    checked = await world.district_admin.post("/v1/lifecycles/check", {"definition": standard(break_twice)})
    assert (checked.json()["faults"], checked.json()["svg"]) == (refused["faults"], None)
    assert (
        await world.fetch_value("SELECT max(version) FROM order_lifecycles WHERE tenant_id = $1", world.tenant_id) == 1
    )


async def test_a_definition_of_no_form_names_the_field(world: World) -> None:
    refused = await load(world, standard(lambda d: d["states"][3].update(stage="heaven")))
    assert (refused["code"], refused["fields"]) == ("invalid_request", "body.definition.states.3.stage")


async def test_a_check_loads_nothing_and_shows_the_picture(world: World) -> None:
    checked = (await world.district_admin.post("/v1/lifecycles/check", {"definition": unshelvable()})).json()
    assert checked["faults"] == []
    assert ET.fromstring(checked["svg"]).tag.endswith("svg")
    assert "s_shelved" not in checked["mermaid"]
    assert await versions_of_kinds(world) == {"snow_clearing": 1, "buy_medicine": 1}


@pytest.mark.parametrize("by", ["zhang", "dispatcher", "community_admin", "member"])
async def test_district_administrators_load(world: World, by: str) -> None:
    assert (await load(world, by=by))["code"] == "forbidden"


async def test_an_unknown_kind_has_no_life(world: World) -> None:
    assert (await load(world, order_kind="no_such_kind"))["code"] == "unknown_order_kind"
    answer = await world.zhang.get("/v1/order-kinds/no_such_kind/lifecycle")
    assert (answer.status_code, answer.json()["code"]) == (404, "order_kind_not_found")


async def test_versions_stay_and_are_read_by_everybody(world: World) -> None:
    await load(world, unshelvable())
    await load(world)
    first = (await world.zhang.get("/v1/lifecycles", limit=2)).json()
    rest = (await world.zhang.get("/v1/lifecycles", cursor=first["next_cursor"])).json()
    assert [one["version"] for one in (*first["items"], *rest["items"])] == [3, 2, 1]
    assert (rest["next_cursor"], rest["items"][0]["recorded_by"]) == (None, None)
    read = (await world.zhang.get("/v1/lifecycles/2")).json()
    assert Lifecycle.model_validate(read["definition"]) == Lifecycle.model_validate(unshelvable())
    assert (await world.zhang.get("/v1/lifecycles/99")).json()["code"] == "lifecycle_not_found"


async def test_the_graph_of_a_kind_names_everything_in_both_languages(world: World) -> None:
    graph = (await world.zhang.get("/v1/order-kinds/buy_medicine/lifecycle")).json()
    assert (graph["version"], graph["limits"]["hops"]) == (1, 3)
    states = {one["id"]: one for one in graph["states"]}
    assert states.keys() == {state.id for state in STANDARD.states}
    assert (states["placed"]["is_initial"], states["closed"]["is_final"], states["shelved"]["pauses"]) == (True,) * 3
    assert (states["completed"]["name"], states["completed"]["stage_name"]) == ("已办结", "待核查")
    steps = {one["action"]: one for one in graph["transitions"]}
    assert steps["resume"]["to_states"] == ["triaged", "dispatched", "accepted", "in_progress"]
    assert steps["triage"]["who"] == [{"id": "is_dispatcher", "name": "派单员", "name_en": "dispatcher"}]
    assert (steps["triage"]["is_usual"], steps["cancel"]["is_usual"]) == (True, False)
    assert graph["mermaid"].startswith("stateDiagram-v2")


async def test_the_picture_of_a_kind_now_and_before(world: World) -> None:
    await load(world, unshelvable())
    now = await world.zhang.get("/v1/order-kinds/buy_medicine/lifecycle.svg")
    before = await world.zhang.get("/v1/order-kinds/buy_medicine/lifecycle.svg", version=1)
    assert now.headers["content-type"] == "image/svg+xml"
    assert ("已挂账" in now.text, "已挂账" in before.text) == (False, True)
    answer = await world.zhang.get("/v1/order-kinds/buy_medicine/lifecycle.svg", version=9)
    assert answer.json()["code"] == "lifecycle_not_found"


async def test_another_district_has_lives_of_its_own(world: World, other_world: World) -> None:
    await load(world, unshelvable())
    assert [one["version"] for one in (await other_world.zhang.get("/v1/lifecycles")).json()["items"]] == [1]
    assert (await load(other_world))["version"] == 2
    graph = (await other_world.zhang.get("/v1/order-kinds/buy_medicine/lifecycle", version=2)).json()
    assert "shelved" in {one["id"] for one in graph["states"]}


async def test_a_process_remembers_so_many_lives_and_no_more(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "MOST_REMEMBERED", 2)
    monkeypatch.setattr(queries, "_remembered", type(queries._remembered)())
    for _ in range(3):
        await load(world)
    for version in (1, 2, 1, 3):
        assert await queries.lifecycle_of(world.connection, world.tenant_id, version) == STANDARD
    assert list(queries._remembered) == [(world.tenant_id, 1), (world.tenant_id, 3)]


def test_the_first_version_of_a_district_is_the_standard() -> None:
    row = standard_row(clock.now())
    assert Lifecycle.model_validate(row["definition"]) == STANDARD
    assert (row["version"], row["compiled"]["initial"]) == (1, "placed")


@pytest.mark.parametrize("by", ["zhang", "dispatcher", "community_admin", "member"])
async def test_who_could_not_load_it_has_nothing_checked(world: World, by: str) -> None:
    answer = await world.people[by].post("/v1/lifecycles/check", {"definition": standard()})
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


def _done_first(changed: Definition) -> None:
    """`triaged` is the name of what is done and waits to be checked; what was called so waits."""
    swapped = {"triaged": "waiting", "completed": "triaged"}
    for one in changed["states"]:
        one["id"] = swapped.get(one["id"], one["id"])
    for one in changed["transitions"]:
        one["from_states"] = [swapped.get(name, name) for name in one["from_states"]]
        one["to_state"] = swapped.get(one["to_state"], one["to_state"])


def _shelved_only_in_work(changed: Definition) -> None:
    """Nothing that waits to be dispatched is shelved any more."""
    for one in changed["transitions"]:
        if one["action"] == "shelve":
            one["from_states"] = [name for name in one["from_states"] if name != "triaged"]


@pytest.mark.parametrize("change", [_done_first, _shelved_only_in_work])
async def test_a_shelved_order_comes_along_only_where_it_can_return_as_it_left(
    world: World, change: Callable[[Definition], Any]
) -> None:
    order = await world.order()
    await world.act(order["id"], "dispatcher", "triage")
    await world.act(order["id"], "dispatcher", "shelve", {"reason": "等待配件"})
    refused = await load(world, standard(change), applies_to_running=True)
    assert (refused.get("code"), [(one["state"], one["reason"]) for one in refused["states"]]) == (
        "orders_stuck", [("shelved", "return_lost")]
    )  # fmt: skip


async def test_a_shelved_order_comes_along_where_it_can_return(world: World) -> None:
    order = await world.order()
    await world.act(order["id"], "dispatcher", "triage")
    await world.act(order["id"], "dispatcher", "shelve", {"reason": "等待配件"})
    assert (await load(world, applies_to_running=True))["orders_moved"] == 1
    assert (await world.act(order["id"], "dispatcher", "resume"))["state"] == "triaged"


async def test_a_kind_added_while_a_life_is_loaded_lives_by_the_new_one(
    world: World, orders_database: Database
) -> None:
    async with orders_database.hot_transaction(world.tenant_id) as connection:
        await lock_lives(connection, world.tenant_id)
        adding = asyncio.create_task(
            world.district_admin.post(
                "/v1/order-kinds", {"id": "corridor_light", "name": "楼道照明", "category": "公共设施", "questions": []}
            )
        )
        done, _ = await asyncio.wait([adding], timeout=0.3)
        assert not done, "it waits"
        await connection.execute(
            "INSERT INTO order_lifecycles (tenant_id, version, definition, compiled, note, recorded_at)"
            " SELECT tenant_id, 2, definition, compiled, '', now() FROM order_lifecycles WHERE tenant_id = $1",
            world.tenant_id,
        )
    assert (await adding).status_code == 201
    assert (await versions_of_kinds(world))["corridor_light"] == 2
