"""Placing an order: for oneself, for family, by a worker of the area; and what is refused."""

from typing import Any
from uuid import uuid4

import pytest

from models.identity import Role
from tests.world import World

MEDICINE = {"kind": "buy_medicine", "description": "代购一周降压药"}


async def test_a_resident_needs_to_say_only_what_and_the_register_knows_the_rest(world: World) -> None:
    order = await world.order()
    assert order["state"] == "placed"
    assert order["area_id"] == str(world.areas["building"])
    assert order["community_id"] == str(world.areas["community"])
    assert order["details"]["address"] == "康乐路南社区万隆一品小区3栋2单元502"
    assert order["details"]["contact_name"] == "张德明"
    assert order["details"]["contact_phone"] == "13800138000"


async def test_placing_writes_the_order_and_its_first_history_row(world: World) -> None:
    order = await world.order()
    full = (await world.zhang.get(f"/v1/orders/{order['id']}")).json()
    assert [(entry["sequence"], entry["action"], entry["actor_name"]) for entry in full["history"]] == [
        (1, "place", "张德明")
    ]


@pytest.mark.parametrize("proxy", ["daughter", "grid_worker", "dispatcher"])
async def test_family_and_workers_of_the_area_may_place_for_him(world: World, proxy: str) -> None:
    order = await world.order(proxy, on_behalf_of=str(world.zhang.resident_id))
    assert order["details"]["resident_id"] == str(world.zhang.resident_id)
    assert order["details"]["placed_by"] == str(world.people[proxy].account_id)
    mine = (await world.zhang.get("/v1/orders")).json()["items"]
    assert [o["id"] for o in mine] == [order["id"]]


@pytest.mark.parametrize("stranger", ["neighbour", "member", "other_dispatcher"])
async def test_others_may_not_and_do_not_learn_that_he_exists(world: World, stranger: str) -> None:
    for resident_id in (world.zhang.resident_id, uuid4()):
        answer = await world.people[stranger].post("/v1/orders", {**MEDICINE, "on_behalf_of": str(resident_id)})
        assert (answer.status_code, answer.json()["code"]) == (404, "resident_not_found")


async def test_an_account_without_a_resident_is_told_whom_to_ask(world: World) -> None:
    answer = await world.member.post("/v1/orders", MEDICINE)
    assert (answer.status_code, answer.json()["code"]) == (409, "not_a_resident")


async def test_a_resident_without_a_home_says_where(world: World) -> None:
    await world.add_person("newcomer", "温秀珍", home="1单元101")
    await world.connection.execute("DELETE FROM household_members WHERE resident_id = $1", world.newcomer.resident_id)
    answer = await world.newcomer.post("/v1/orders", MEDICINE)
    assert (answer.status_code, answer.json()["code"]) == (422, "place_needed")
    answer = await world.newcomer.post("/v1/orders", {**MEDICINE, "area_id": str(world.areas["compound"])})
    assert answer.status_code == 201
    assert answer.json()["details"]["address"] == "康乐路南社区万隆一品小区"


async def test_an_order_belongs_to_a_community_or_below(world: World) -> None:
    for area in ("district", "subdistrict"):
        answer = await world.zhang.post("/v1/orders", {**MEDICINE, "area_id": str(world.areas[area])})
        assert (answer.status_code, answer.json()["code"]) == (422, "place_needed")


async def test_a_foreign_household_is_refused(world: World) -> None:
    answer = await world.zhang.post("/v1/orders", {**MEDICINE, "household_id": str(world.households["2单元501"])})
    assert (answer.status_code, answer.json()["code"]) == (422, "not_in_household")


async def test_an_unknown_or_withdrawn_kind_is_refused(world: World) -> None:
    await world.insert("order_kinds", id="withdrawn", name="已停办", category="care", is_active=False)
    for kind in ("no_such_kind", "withdrawn"):
        answer = await world.zhang.post("/v1/orders", {**MEDICINE, "kind": kind})
        assert (answer.status_code, answer.json()["code"]) == (422, "unknown_order_kind")


async def test_the_client_may_bring_its_own_id_once(world: World) -> None:
    order_id = str(uuid4())
    assert (await world.order(id=order_id))["id"] == order_id
    answer = await world.zhang.post("/v1/orders", {**MEDICINE, "id": order_id})
    assert (answer.status_code, answer.json()["code"]) == (409, "order_id_taken")


async def test_the_same_id_in_another_district_is_another_order(world: World, other_world: World) -> None:
    order_id = str(uuid4())
    await world.order(id=order_id)
    await other_world.order(id=order_id)
    assert await world.fetch_value("SELECT count(*) FROM orders WHERE id = $1", order_id) == 1


async def test_the_number_has_check_digits_and_is_found_by_reading_it_out(world: World) -> None:
    order = await world.order()
    number = order["number"]
    spoken = f"{number[:4]}-{number[4:8]} {number[8:]}"
    assert (await world.dispatcher.get(f"/v1/orders/by-number/{spoken}")).json()["id"] == order["id"]
    swapped = number[:-4] + number[-3] + number[-4] + number[-2:]
    misheard = [str((int(number[:4]) + 1) % 10_000).zfill(4) + number[4:], "", "12", "x" * 10, "１" * 10]
    misheard += [swapped] if swapped != number else []
    for wrong in misheard:
        assert (await world.dispatcher.get(f"/v1/orders/by-number/{wrong}")).status_code == 404, wrong
    assert (await world.neighbour.get(f"/v1/orders/by-number/{number}")).status_code == 404


BAD: list[dict[str, Any]] = [
    {"description": ""}, {"description": "   "}, {"description": "x" * 2001}, {"description": None},
    {"description": "药\u0000品"}, {"description": ["药"]}, {"kind": ""}, {"kind": "Buy Medicine"}, {"kind": 7},
    {"state": "rated"}, {"tenant_id": str(uuid4())}, {"stars": 5}, {"placed_by": str(uuid4())}, {"number": 1},
    {"lng": 114.7}, {"lng": 181, "lat": 0}, {"lng": "１１４", "lat": 23}, {"lng": 114.7, "lat": None},
    {"wanted_from": "2026-02-30T09:00:00+08:00"}, {"wanted_from": "2026-03-16T09:00:00"},
    {"wanted_from": "9999-01-01T00:00:00Z"},
    {"wanted_from": "2026-03-16T09:00:00+08:00", "wanted_until": "2026-03-15T09:00:00+08:00"},
    {"contact_phone": "电话"}, {"contact_phone": "1" * 21}, {"file_ids": [str(uuid4())] * 10}, {"file_ids": "x"},
    {"id": "not-a-uuid"}, {"on_behalf_of": 5}, {"wanted_from": 1700000000}, {"wanted_from": "1700000000"},
    {"wanted_from": "2026-01-01 08:00+0800"},
]  # fmt: skip


@pytest.mark.parametrize("bad", BAD, ids="-".join)
async def test_bad_input_is_named_and_changes_nothing(world: World, bad: dict[str, Any]) -> None:
    answer = await world.zhang.post("/v1/orders", {**MEDICINE, **bad})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request"), answer.text
    assert any(name in answer.json()["fields"] or answer.json()["fields"] == "body" for name in bad)
    assert await world.fetch_value("SELECT count(*) FROM orders") == 0


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e309"])
async def test_numbers_that_are_none_are_refused(world: World, number: str) -> None:
    body = f'{{"kind": "buy_medicine", "description": "药", "lng": {number}, "lat": 23.7}}'
    headers = {"Idempotency-Key": str(uuid4()), "Content-Type": "application/json"}
    answer = await world.zhang.client.post("/v1/orders", content=body, headers=headers)
    assert answer.status_code in {400, 422}, answer.text


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b"[" * 5000, b"{" * 100_000])
async def test_what_is_no_order_at_all_is_refused(world: World, body: bytes) -> None:
    headers = {"Idempotency-Key": str(uuid4()), "Content-Type": "application/json"}
    answer = await world.zhang.client.post("/v1/orders", content=body, headers=headers)
    assert answer.status_code in {400, 422}
    assert answer.headers["content-type"] == "application/problem+json"


async def test_four_byte_characters_and_odd_names_are_kept(world: World) -> None:
    order = await world.order(
        description="请带𠮷野家 🙏 谢谢", contact_name="𠮷·O'Neil", wanted_from="2038-01-19T03:14:08Z"
    )
    assert order["details"]["description"] == "请带𠮷野家 🙏 谢谢"
    assert order["details"]["contact_name"] == "𠮷·O'Neil"


async def test_a_grant_of_another_place_does_not_make_a_proxy(world: World) -> None:
    await world.add_person("far_worker", "欧阳勇", roles={Role.GRID_WORKER: "other_community"})
    answer = await world.far_worker.post("/v1/orders", {**MEDICINE, "on_behalf_of": str(world.zhang.resident_id)})
    assert answer.status_code == 404


async def test_a_worker_places_only_in_the_worker_s_own_area(world: World) -> None:
    body = {**MEDICINE, "on_behalf_of": str(world.zhang.resident_id), "area_id": str(world.areas["other_community"])}
    assert (await world.grid_worker.post("/v1/orders", body)).status_code == 403
    body["area_id"] = str(world.areas["building"])
    assert (await world.grid_worker.post("/v1/orders", body)).status_code == 201


async def test_long_names_of_places_make_a_short_address(world: World) -> None:
    await world.connection.execute("UPDATE areas SET name = repeat('长', 90) WHERE level <> 'district'")
    order = await world.order()
    assert len(order["details"]["address"]) == 200
