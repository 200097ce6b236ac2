"""A Monday at the desk of a community: what is needed, who can help, a plan for all of it, and what became of it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from models.identity import Role
from services.orders.kinds.standard import STANDARD_KIND
from tests.journeys.conftest import Almanac
from tests.orders.clocks.conftest import PROMISED
from tests.orders.matching.conftest import decide, history, offers, plan, put
from tests.points.reports.sheets import has_formulas, rows_of
from tests.world import Person, World

MONDAY = "2026-03-16T08:30"
HERE: dict[str, Any] = {"lng": 114.6904, "lat": 23.7412}
BOX = "114.6,23.7,114.8,23.8"
HELPERS: dict[str, tuple[str, dict[str, Any]]] = {
    "wen": ("温志强", {"skills": ["电工"], "max_open": 4, **HERE}),
    "zhu": ("朱永明", {"skills": ["电工", "水管"], "max_open": 4, "lng": 114.6934, "lat": 23.7432}),
    "he": ("何翠兰", {"skills": ["护理"], "hours": [[1, "08:00", "18:00"]], "max_open": 3, **HERE}),
    "ou": ("欧阳俊", {"skills": ["水管"], "max_open": 3}),
    "pan": ("潘玉珍", {"max_open": 2}),
    "lai": ("赖国栋", {"max_open": 0}),
}
"""Name and what they offer. 赖国栋 offers nothing just now."""
LIGHT = {"kind": "corridor_light", "answers": {"place": "3栋2单元三楼楼道", "fault": "dark"}, **HERE}
WATER = {"kind": "water_pressure", "answers": {"floor": 5, "when": "morning"}, **HERE}


async def test_a_morning_at_the_desk(almanac: Almanac, district_in_time: World) -> None:
    district = district_in_time
    almanac.go_to(MONDAY)
    await open_the_desk(district)
    orders = await twelve_orders(district)
    await the_lists_tell_of_it(district)
    await plans_are_reviewed_and_confirmed(district, orders)
    lamp = await a_lamp_finds_its_electrician(district)
    waiting = await district.order("neighbour", description="代购降糖药", **HERE)
    almanac.go_to("2026-03-16T16:00")
    await what_is_late_is_told_once(district, waiting, given=[*orders, lamp])
    await everything_is_found(district)
    await everybody_has_a_first_screen(district, waiting)
    await many_become_clusters(district, waiting)


async def open_the_desk(district: World) -> None:
    """The kinds, what they need, what is promised, and the people."""
    for name in ("corridor_light", "water_pressure"):
        kind = STANDARD_KIND[name]
        columns = {key: value for key, value in kind.columns().items() if key != "form_version"}
        await _created(district.district_admin, "/v1/order-kinds", {**columns, "questions": kind.form()})
    await _created(district.district_admin, "/v1/clock-policies", {"targets": PROMISED, "note": "试行"})
    needed = {"items": [{"skill": "电工", "is_needed": True}]}
    assert (await put(district.district_admin, "/v1/order-kinds/corridor_light/skills", needed)).status_code == 200
    for key, (name, offer) in HELPERS.items():
        await district.add_person(key, name, roles={Role.MEMBER: "community"})
        await offers(district, key, **offer)
    hall = {
        "kind": "venue", "name": "康乐路南社区多功能厅", "quantity": 1, "measure": "间",
        "hours": [[1, "09:00", "17:00"]], "area_id": str(district.areas["community"]), "valid_from": "2026-01-01",
    }  # fmt: skip
    await _created(district.member, "/v1/resources", hall)


async def twelve_orders(district: World) -> list[dict[str, Any]]:
    """Of three households' lives, all accepted for handling."""
    wishes: list[tuple[str, dict[str, Any]]] = [
        *(("zhang", {"description": f"代购第{week}周降压药", **HERE}) for week in range(1, 6)),
        *(("daughter", {"description": "代购老人护膝和止痛膏"}) for _ in range(2)),
        *(("neighbour", {"description": "三楼楼道灯不亮，老人下楼看不见", **LIGHT}) for _ in range(3)),
        *(("neighbour", {"description": "五楼早上水压很小", **WATER}) for _ in range(2)),
    ]
    orders = [await district.order(by, **body) for by, body in wishes]
    return [await district.act(order["id"], "dispatcher", "triage") for order in orders]


async def the_lists_tell_of_it(district: World) -> None:
    """需求清单, 资源清单, 服务清单."""
    needs = await _read(district.dispatcher, "/v1/needs")
    assert {one["kind"]: one["dispatch"] for one in needs["counts"]} == {
        "buy_medicine": 7, "corridor_light": 3, "water_pressure": 2,
    }  # fmt: skip
    assert "张德明" not in str(needs)
    services = {one["kind"]: one for one in (await _read(district.dispatcher, "/v1/services"))["items"]}
    assert services["corridor_light"]["helpers"] == 2
    assert [one["name"] for one in (await _read(district.dispatcher, "/v1/resources"))["items"]] == [
        "康乐路南社区多功能厅"
    ]
    helpers = {one["name"]: one for one in (await _read(district.dispatcher, "/v1/helpers"))["items"]}
    assert set(helpers) >= {name for name, _ in HELPERS.values()}
    assert helpers["何翠兰"]["hours_today"] == [["08:00", "18:00"]]


async def plans_are_reviewed_and_confirmed(district: World, orders: list[dict[str, Any]]) -> None:
    """One is changed by hand and confirmed; the other, made of the same orders, is out of date and reckoned anew."""
    made, other = await plan(district), await plan(district, "community_admin")
    assert (made["orders"], made["left_over"]) == (12, [])
    electricians = {item["helper_name"] for item in made["items"] if item["kind"] == "corridor_light"}
    assert electricians <= {"温志强", "朱永明"}
    assert "赖国栋" not in {item["helper_name"] for item in made["items"]}
    assert all(item["reasons"] and item["score"] > 0 for item in made["items"])

    by_hand, dropped = orders[0]["id"], orders[-1]["id"]
    items = [
        {
            "order_id": item["order_id"],
            "helper_id": str(district.second_member.account_id) if item["order_id"] == by_hand else item["helper_id"],
        }
        for item in made["items"]
        if item["order_id"] != dropped
    ]
    changed = await put(district.dispatcher, f"/v1/dispatch-plans/{made['id']}/items", {"items": items})
    assert changed.status_code == 200, changed.text
    assert [(one["order_id"], one["text"]) for one in changed.json()["left_over"]] == [(dropped, "已从方案中移除")]
    confirmed = await _done(district.dispatcher, f"/v1/dispatch-plans/{made['id']}/confirm")
    assert (confirmed["state"], confirmed["orders"]) == ("confirmed", 11)

    refused = await district.community_admin.post(f"/v1/dispatch-plans/{other['id']}/confirm")
    assert (refused.status_code, refused.json()["code"]) == (409, "plan_outdated")
    changed_orders = {one["order_id"] for one in refused.json()["orders"] if one["reason"] == "order_changed"}
    assert changed_orders == {order["id"] for order in orders} - {dropped}
    anew = await _done(district.community_admin, f"/v1/dispatch-plans/{other['id']}/reckon")
    assert [item["order_id"] for item in anew["items"]] == [dropped]
    await _done(district.community_admin, f"/v1/dispatch-plans/{other['id']}/confirm")

    decisions = {order["id"]: await history(district, order["id"]) for order in orders}
    assert all([step["action"] for step in steps] == ["place", "triage", "dispatch"] for steps in decisions.values())
    assert decisions[by_hand][-1]["details"]["mode"] == "manual"
    assert decisions[orders[1]["id"]][-1]["details"]["mode"] == "suggested"
    assert decisions[orders[1]["id"]][-1]["details"]["why"]["plan_id"] == made["id"]


async def a_lamp_finds_its_electrician(district: World) -> dict[str, Any]:
    """Lamps are dispatched by the system itself; medicine is not."""
    limits = {"min_score": 0, "known_residents_only": False}
    await decide(district, "automatic", order_kind="corridor_light", limits=limits)
    lamp = await district.order("neighbour", description="一楼门口灯一直闪", **LIGHT)
    await district.act(lamp["id"], "dispatcher", "triage")

    async def is_dispatched() -> bool:
        return bool((await _read(district.dispatcher, f"/v1/orders/{lamp['id']}"))["state"] == "dispatched")

    await _eventually(is_dispatched)
    last = (await history(district, lamp["id"]))[-1]
    assert (last["action"], last["actor_id"], last["details"]["mode"]) == ("dispatch", None, "automatic")
    electricians = {str(district.people[key].account_id) for key in ("wen", "zhu")}
    assert last["details"]["assignee_id"] in electricians
    assert last["details"]["why"]["reasons"]
    return lamp


async def what_is_late_is_told_once(district: World, waiting: dict[str, Any], given: list[dict[str, Any]]) -> None:
    """Two processes keep the clocks; every warning and every escalation comes once."""

    async def is_counted() -> bool:
        return len(await _missed(district)) == len(given) + 1

    await _eventually(is_counted)
    assert {(one["order_id"], one["target"]) for one in await _missed(district)} == {
        (waiting["id"], "dispatch"), *((order["id"], "accept") for order in given),
    }  # fmt: skip
    board = {one["stage"]: one for one in (await _read(district.dispatcher, "/v1/orders/board"))["columns"]}
    assert (board["receive"]["count"], board["receive"]["overdue"]) == (1, 1)
    assert (board["handle"]["count"], board["handle"]["overdue"]) == (13, 13)
    fired = await district.fetch_value("SELECT count(*) FROM order_clock_firings WHERE kind = 'missed'")
    told = await district.fetch_value("SELECT count(*) FROM outbox_events WHERE kind = 'order_clock_missed'")
    assert (fired, told) == (14, 14)


async def _missed(district: World) -> list[dict[str, Any]]:
    page = await _read(district.dispatcher, "/v1/clocks", state="missed", limit=50)
    return [one for one in page["items"] if one["told"]]


async def everything_is_found(district: World) -> None:
    """By words, on the map, in the sheet."""
    found = (await _read(district.dispatcher, "/v1/orders/search", q="水压"))["items"]
    assert {one["kind"] for one in found} == {"water_pressure"}
    assert len(found) == 2
    assert len((await _read(district.dispatcher, "/v1/orders/search", q="灯 楼道"))["items"]) == 3
    assert len((await _read(district.zhang, "/v1/orders/search", q="降压药"))["items"]) == 5
    assert (await _read(district.other_dispatcher, "/v1/orders/search", q="水压"))["items"] == []

    points = (await _read(district.dispatcher, "/v1/orders/map", bbox=BOX))["points"]
    assert len(points) == 12
    lamps = (await _read(district.dispatcher, "/v1/orders/map", bbox=BOX, kind="corridor_light"))["points"]
    assert len(lamps) == 4

    answer = await district.dispatcher.get("/v1/orders/export.xlsx", stage="handle")
    heading, *rows = rows_of(answer.content)
    assert heading[:4] == ["订单编号", "类别", "阶段", "状态"]
    assert sorted({row[1] for row in rows}) == ["代购药品", "楼道照明", "水压不稳"]
    assert len(rows) == 13
    assert not has_formulas(answer.content)


async def everybody_has_a_first_screen(district: World, waiting: dict[str, Any]) -> None:
    """In one request each: the resident, the helper, the dispatcher, the grid worker."""
    zhang = await _home(district.zhang)
    assert len(zhang["resident"]["open"]["items"]) >= 5
    assert (zhang["helper"], zhang["overseer"]) == (None, None)
    neighbour = await _home(district.neighbour)
    assert neighbour["resident"]["open"]["items"][0]["id"] == waiting["id"]
    electrician = await _home(district.people["wen"])
    tasks = {one["id"] for one in electrician["helper"]["tasks"]["items"]}
    assert tasks
    assert {one["order_id"] for one in electrician["helper"]["due_next"]} <= tasks
    for who in (district.dispatcher, district.grid_worker):
        columns = {one["stage"]: one["count"] for one in (await _home(who))["overseer"]["board"]["columns"]}
        assert (columns["receive"], columns["handle"]) == (1, 13)
    assert (await _home(district.grid_worker))["helper"] is not None


async def _home(person: Person) -> dict[str, Any]:
    whole = await _read(person, "/v1/home")
    assert whole["unavailable"] == []
    return dict(whole["orders"])


async def many_become_clusters(district: World, waiting: dict[str, Any]) -> None:
    """After a storm three hundred people report."""
    await district.connection.execute(
        "INSERT INTO orders SELECT (jsonb_populate_record(o, jsonb_build_object("
        "'id', gen_random_uuid(), 'number', nextval('order_numbers'), 'lng', o.lng + mod(n, 2) * 0.08))).*"
        " FROM orders o, generate_series(1, 300) AS n WHERE o.id = $1",
        UUID(waiting["id"]),
    )
    body = await _read(district.dispatcher, "/v1/orders/map", bbox=BOX)
    assert body["points"] == []
    assert sorted(one["count"] for one in body["clusters"]) == [150, 162]


async def _eventually(look: Callable[[], Awaitable[bool]]) -> None:
    for _ in range(500):
        if await look():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("the keepers did not come to it")


async def _read(person: Person, path: str, **query: Any) -> dict[str, Any]:
    answer = await person.get(path, **query)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def _created(person: Person, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = await person.post(path, body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def _done(person: Person, path: str) -> dict[str, Any]:
    answer = await person.post(path)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())
