"""A district makes a kind of order its own: its form, its life with a state of its own, its picture; in both models."""

from copy import deepcopy
from typing import Any
from xml.etree import ElementTree as ET

import httpx2

from demo.photo import take_photo
from services.orders.kinds.standard import STANDARD_KIND
from services.orders.lifecycles.standard import STANDARD
from tests.world import Person, World

BOUGHT = {
    "id": "bought", "name": "已购药", "name_en": "bought", "stage": "handle", "clocks": ["finish"],
    "meets": ["dispatch", "accept", "arrive"],
}  # fmt: skip
BUY = {
    "action": "buy", "name": "购药", "name_en": "buy", "from_states": ["accepted", "in_progress"],
    "to_state": "bought", "who": ["is_helper"], "needs": ["evidence"],
}  # fmt: skip
COLD_CHAIN: dict[str, Any] = {
    "id": "buy_cold_medicine", "name": "代购冷藏药品", "category": "便民服务", "evidence_required": 1,
    "questions": [
        {"id": "medicine", "label": "药品名称", "type": "text", "required": True, "max": 60},
        {"id": "boxes", "label": "盒数", "type": "number", "required": True, "min": 1, "max": 12},
        {"id": "payment", "label": "付款方式", "type": "choice", "required": True, "choices": [
            {"id": "cash", "label": "现金"}, {"id": "insurance_card", "label": "医保卡"},
        ]},
    ],
}  # fmt: skip
GOOD = {"medicine": "门冬胰岛素注射液", "boxes": 2, "payment": "insurance_card"}


def with_bought() -> dict[str, Any]:
    """The standard life, but that medicine is bought, with the receipt, before it is brought."""
    life = STANDARD.model_dump(mode="json")
    life["states"].insert(6, deepcopy(BOUGHT))
    life["transitions"].append(deepcopy(BUY))
    for step in life["transitions"]:
        if step["action"] == "complete":
            step["from_states"] = ["bought"]
        if step["action"] in {"hand_back", "take_over", "amend", "shelve"}:
            step["from_states"].append("bought")
    return life


def faulty() -> dict[str, Any]:
    """Nobody leaves 已购药, nobody is a pharmacist, and nothing leads to a state that was forgotten."""
    life = with_bought()
    for step in life["transitions"]:
        step["from_states"] = [name for name in step["from_states"] if name != "bought"] or ["in_progress"]
    life["transitions"][-1]["who"] = ["is_pharmacist"]
    life["states"].append({**BOUGHT, "id": "on_the_way", "name": "配送中", "name_en": "on the way"})
    return life


async def test_a_kind_with_a_form_and_a_life_of_its_own(district: World) -> None:
    admin, zhang = district.district_admin, district.zhang
    assert (await district.dispatcher.post("/v1/order-kinds", COLD_CHAIN)).status_code == 403
    await _created(admin, "/v1/order-kinds", COLD_CHAIN)
    running = await district.order(kind="buy_cold_medicine", answers=GOOD)
    await _bad_answers_are_named(zhang)

    path = "/v1/order-kinds/buy_cold_medicine"
    await _a_faulty_life_is_refused(admin)
    draft = {"order_kind": "buy_cold_medicine", "definition": with_bought(), "note": "凭小票确认已购药"}
    loaded = await _created(admin, "/v1/lifecycles", draft)
    assert (loaded["order_kinds"], loaded["orders_moved"]) == (["buy_cold_medicine"], 0)
    graph = (await zhang.get(f"{path}/lifecycle")).json()
    assert "已购药" in {state["name"] for state in graph["states"]}
    assert "已购药" in graph["mermaid"]
    picture = await zhang.get(f"{path}/lifecycle.svg")
    assert picture.headers["content-type"].startswith("image/svg+xml")
    assert "已购药" in "".join(ET.fromstring(picture.text).itertext())

    await _through_its_own_step(district)
    await _as_it_was_placed(district, running)
    kinds = {kind["id"]: kind for kind in (await zhang.get("/v1/order-kinds")).json()["items"]}
    assert kinds["buy_cold_medicine"]["form"]["questions"][1]["max"] == 12


async def test_another_form_is_for_new_orders_alone(district: World) -> None:
    """Mr Zhang's order keeps the questions he was asked; whoever orders next is asked more."""
    kind = await _created(district.district_admin, "/v1/order-kinds", COLD_CHAIN)
    before = await district.order(kind="buy_cold_medicine", answers=GOOD)
    bag = {"id": "has_bag", "label": "是否有冷藏包", "type": "boolean", "required": True}
    edit = {"expected_version": kind["version"], "questions": [*COLD_CHAIN["questions"], bag]}
    form = "/v1/order-kinds/buy_cold_medicine/form"
    assert (await district.district_admin.client.put(form, json=edit)).status_code == 200
    stale = await district.district_admin.client.put(form, json={**edit, "questions": []})
    assert (stale.status_code, stale.json()["code"]) == (409, "order_kind_changed")
    refused = await _place(district.neighbour, GOOD)
    assert refused.json()["faults"] == [{"question": "has_bag", "fault": "missing"}]
    after = await _place(district.neighbour, {**GOOD, "has_bag": True})
    versions = [order["details"]["form_version"] for order in (before, after.json())]
    assert versions == [1, 2]
    asked = (await district.zhang.get("/v1/order-kinds/buy_cold_medicine/forms/1")).json()["questions"]
    assert [question["id"] for question in asked] == ["medicine", "boxes", "payment"]


async def test_the_kinds_a_district_starts_with(district: World) -> None:
    """Each can be added as it is, with its form, and drawn."""
    for kind in STANDARD_KIND.values():
        if kind.id in {"buy_medicine", "snow_clearing"}:
            continue
        columns = {name: value for name, value in kind.columns().items() if name != "form_version"}
        added = await _created(district.district_admin, "/v1/order-kinds", {**columns, "questions": kind.form()})
        assert [question["id"] for question in added["form"]["questions"]] == [one.id for one in kind.questions]
        assert (await district.zhang.get(f"/v1/order-kinds/{kind.id}/lifecycle.svg")).status_code == 200
    assert len((await district.zhang.get("/v1/order-kinds")).json()["items"]) == len(STANDARD_KIND)
    needed = await district.zhang.post("/v1/orders", {"kind": "corridor_light", "description": "三楼楼道灯不亮"})
    assert {one["fault"] for one in needed.json()["faults"]} == {"missing"}


async def _bad_answers_are_named(zhang: Person) -> None:
    refused = await _place(zhang, {"boxes": 40, "payment": "credit", "colour": "红"})
    assert (refused.status_code, refused.json()["code"]) == (422, "form_incomplete")
    assert {(one["question"], one["fault"]) for one in refused.json()["faults"]} == {
        ("medicine", "missing"), ("boxes", "range"), ("payment", "choice"), ("colour", "unknown"),
    }  # fmt: skip


async def _a_faulty_life_is_refused(admin: Person) -> None:
    """With every fault and its place; a check says the same and loads nothing."""
    draft = {"order_kind": "buy_cold_medicine", "definition": faulty(), "note": "试行"}
    refused = await admin.post("/v1/lifecycles", draft)
    assert (refused.status_code, refused.json()["code"]) == (422, "lifecycle_faulty")
    faults = refused.json()["faults"]
    last = len(faulty()["transitions"]) - 1
    assert {(one["place"], one["fault"]) for one in faults} >= {
        (f"transitions[{last}].who[0]", "unknown_predicate"), ("states[6]", "dead_end"),
        (f"states[{len(faulty()['states']) - 1}]", "unreachable_state"),
    }  # fmt: skip
    checked = (await admin.post("/v1/lifecycles/check", {"definition": faulty()})).json()
    assert (checked["faults"], checked["svg"]) == (faults, None)


async def _through_its_own_step(district: World) -> None:
    """Not done before it is bought; bought with the receipt; the resident sees where it stands."""
    member = district.member
    order = (await _place(district.zhang, GOOD)).json()
    path = f"/v1/orders/{order['id']}"
    await district.act(order["id"], "dispatcher", "dispatch", {"assignee_id": str(member.account_id)})
    await district.act(order["id"], "member", "accept")
    early = await member.post(f"{path}/complete", {"note": "已送到"})
    assert (early.status_code, early.json()["code"]) == (409, "order_state_conflict")
    assert "buy" in early.json()["available_actions"]
    assert (await member.post(f"{path}/steps/buy")).json()["code"] == "evidence_missing"
    receipt = (await member.upload(take_photo())).json()["id"]
    assert (await district.second_member.post(f"{path}/steps/buy", {"file_ids": [receipt]})).status_code == 404
    bought = await member.post(f"{path}/steps/buy", {"note": "仁济药房，小票见照片", "file_ids": [receipt]})
    assert (bought.status_code, bought.json()["state"]) == (200, "bought"), bought.text
    seen = (await district.zhang.get(path)).json()
    assert (seen["state"], seen["stage"]) == ("bought", "handle")
    await district.act(order["id"], "member", "complete", {"note": "冷藏包送到家中"})
    await district.act(order["id"], "dispatcher", "verify")
    rated = await district.act(order["id"], "zhang", "rate", {"stars": 5, "solved": True})
    assert rated["state"] == "rated"
    actions = [entry["action"] for entry in (await district.zhang.get(path)).json()["history"]]
    assert actions == ["place", "dispatch", "accept", "buy", "complete", "verify", "rate"]


async def _as_it_was_placed(district: World, running: dict[str, Any]) -> None:
    """The order that was running when the life changed goes by the old one."""
    path = f"/v1/orders/{running['id']}"
    await district.act(running["id"], "dispatcher", "dispatch", {"assignee_id": str(district.member.account_id)})
    await district.act(running["id"], "member", "accept")
    assert "buy" not in (await district.member.get(path)).json()["available_actions"]
    refused = await district.member.post(f"{path}/steps/buy", {"note": "小票"})
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    done = await district.act(running["id"], "member", "complete", {"note": "已送到家中"})
    assert done["state"] == "completed"


async def _place(person: Person, answers: dict[str, Any]) -> httpx2.Response:
    body = {"kind": "buy_cold_medicine", "description": "代购胰岛素，需冷藏", "answers": answers}
    return await person.post("/v1/orders", body)


async def _created(person: Person, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = await person.post(path, body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())
