"""Orders from the first word to the last: whole stories of the seed places, in both process models."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from demo.photo import take_photo
from models.identity import Role
from services.chassis import clock
from tests.journeys.test_main_job import points_reach
from tests.orders.follow_ups.test_follow_ups import REACHED, UNREACHED, call, due
from tests.orders.matching.conftest import away, history, left_out, names, offers, suggested
from tests.orders.orders.conftest import add_unit
from tests.orders.rates.test_rates import behind, rates, total
from tests.points.reports.sheets import rows_of
from tests.world import Person, World


async def read(person: Person, order: dict[str, Any]) -> dict[str, Any]:
    answer = await person.get(f"/v1/orders/{order['id']}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_a_snow_morning(district: World) -> None:
    """Eight are needed at the gate of 万隆一品; two neighbours reported it; twenty want to help; each is thanked."""
    volunteers = [
        await district.add_person(f"v{i}", f"志愿者{i}", roles={Role.VOLUNTEER: "community"}) for i in range(20)
    ]
    first = await district.order(kind="snow_clearing", description="小区东门积雪结冰，老人出行危险")
    triage = {"priority": "urgent", "helpers_wanted": 8, "visibility": "community"}
    await district.act(first["id"], "dispatcher", "triage", triage)
    told = await _similar(
        district.neighbour, "/v1/orders/similar", kind="snow_clearing", text="小区东门口积雪结冰，路滑"
    )
    assert [(one["id"], one["reporters"], one["details"]) for one in told] == [(first["id"], 1, None)]
    second = await district.order("neighbour", kind="snow_clearing", description="小区东门口积雪结冰，路滑")
    alike = await _similar(district.dispatcher, f"/v1/orders/{second['id']}/similar")
    before = [(one["id"], one["details"]["description"]) for one in alike]
    assert before == [(first["id"], first["details"]["description"])]
    await district.act(second["id"], "dispatcher", "merge", {"into_id": first["id"], "note": "同一处积雪"})
    assert await _reporters(district, "小区东门积雪结冰") == [2]
    pooled = await district.act(first["id"], "dispatcher", "dispatch", {"note": "请带铁锹"})
    assert (pooled["is_in_pool"], pooled["helpers_wanted"], pooled["priority"]) == (True, 8, "urgent")

    claims = await asyncio.gather(*(one.post(f"/v1/orders/{first['id']}/accept") for one in volunteers))
    assert Counter(answer.status_code for answer in claims) == {200: 1, 409: 19}
    lead = volunteers[[answer.status_code for answer in claims].index(200)]
    others = [one for one in volunteers if one is not lead]
    joins = await asyncio.gather(*(one.post(f"/v1/orders/{first['id']}/join", {"task": "铲雪"}) for one in others))
    assert Counter(answer.status_code for answer in joins) == {200: 7, 409: 12}
    helpers = [one for one, answer in zip(others, joins, strict=True) if answer.status_code == 200]

    photos = [(await lead.upload(take_photo())).json()["id"] for _ in range(2)]
    await _do(lead, first, "start")
    await _do(lead, first, "complete", {
        "note": "东门至3栋已清出通道", "file_ids": photos, "minutes": 120,
        "helpers": [{"account_id": str(one.account_id), "minutes": 90} for one in helpers],
    })  # fmt: skip
    await district.act(first["id"], "dispatcher", "verify")
    assert (await read(district.neighbour, second))["state"] == "verified"
    assert await _reporters(district, "小区东门积雪结冰") == [2], "also once it is done for all of them"
    await district.act(first["id"], "zhang", "rate", {"stars": 5, "solved": True, "comment": "谢谢大家"})
    await district.act(second["id"], "neighbour", "rate", {"stars": 4, "solved": True})
    for one in (lead, *helpers):
        await points_reach(one.client, 7)
    assert (await others_points(others, helpers)) == {0}
    seen = await read(district.dispatcher, first)
    assert len([helper for helper in seen["helpers"] if helper["minutes"] == 90]) == 7


async def others_points(others: list[Person], helpers: list[Person]) -> set[int]:
    idle = [one for one in others if one not in helpers]
    return {(await one.get("/v1/points/account")).json()["balance"] for one in idle}


async def test_water_pressure(district: World) -> None:
    """Given to the property company, shelved for want of a part, extended, checked, not solved after all, reopened."""
    await district.insert("order_kinds", id="water_pressure", name="水压不稳", category="公共设施")
    plumber = await district.add_person("plumber", "贺师傅", roles={})
    unit = await add_unit(district, "万隆物业服务有限公司", plumber, leader=district.grid_worker)
    await _promise(district)
    order = await district.order(kind="water_pressure", description="3栋2单元五楼以上早晚水压不足")
    await district.act(order["id"], "dispatcher", "triage", {"visibility": "community", "priority": "high"})
    await district.act(order["id"], "dispatcher", "dispatch", {"unit_id": str(unit)})
    assert (await district.member.get(f"/v1/orders/{order['id']}")).status_code == 404
    await district.act(order["id"], "plumber", "accept")
    await district.act(order["id"], "plumber", "start")

    path = f"/v1/orders/{order['id']}/clocks"
    asked = await _post(plumber, f"{path}/finish/extensions", {"amount": 2, "reason": "增压泵配件三天后到货"})
    extension = f"{path}/extensions/{asked['extensions'][-1]['id']}/decide"
    assert (await plumber.post(extension, {"is_granted": True})).status_code == 403
    await _post(district.dispatcher, extension, {"is_granted": True})
    shelved = await district.act(order["id"], "dispatcher", "shelve", {"reason": "等待水厂停水检修"})
    assert shelved["state"] == "shelved"
    clocks = (await district.dispatcher.get(f"/v1/orders/{order['id']}/clocks")).json()
    finish = _clock(clocks, "finish")
    assert (finish["state"], finish["due_at"]) == ("paused", None)
    back = await district.act(order["id"], "dispatcher", "resume")
    assert (back["state"], back["assignee_id"]) == ("in_progress", str(plumber.account_id))
    await district.act(order["id"], "plumber", "complete", {"note": "增压泵已更换，五楼实测0.28兆帕"})
    assert (await plumber.post(f"/v1/orders/{order['id']}/verify")).status_code == 403
    await district.act(order["id"], "dispatcher", "verify")
    await district.act(order["id"], "zhang", "rate", {"stars": 4, "solved": True})
    await district.act(order["id"], "dispatcher", "close")

    opened = await district.act(order["id"], "zhang", "reopen", {"reason": "晚高峰水压又不足"})
    assert (opened["state"], opened["redos"]) == ("triaged", 1)
    await district.act(
        order["id"], "dispatcher", "dispatch", {"unit_id": str(unit), "assignee_id": str(plumber.account_id)}
    )
    await district.act(order["id"], "plumber", "accept")
    await district.act(order["id"], "plumber", "complete", {"note": "变频参数已调整"})
    await district.act(order["id"], "zhang", "rate", {"stars": 5, "solved": True})
    actions = [entry["action"] for entry in (await read(district.zhang, order))["history"]]
    assert actions == [
        "place", "triage", "dispatch", "accept", "start", "ask_extension", "grant_extension", "shelve", "resume",
        "complete", "verify", "rate", "close", "reopen", "dispatch", "accept", "complete", "rate",
    ]  # fmt: skip


async def test_a_dispute_about_a_dog(district: World) -> None:
    """The neighbour is not content, twice; it is closed unsatisfied, opened again, done once more, and asked about."""
    await district.insert("order_kinds", id="uncivil_dog_keeping", name="不文明养犬", category="文明劝导")
    order = await district.order("neighbour", kind="uncivil_dog_keeping", description="楼下遛狗不拴绳")
    unsolved = {"stars": 1, "solved": False, "comment": "今早还是没拴绳"}
    await district.act(order["id"], "dispatcher", "dispatch", {"assignee_id": str(district.grid_worker.account_id)})
    await district.act(order["id"], "grid_worker", "accept")
    for redo in (1, 2):
        await district.act(order["id"], "grid_worker", "complete", {"note": f"第{redo}次上门劝导"})
        again = await district.act(order["id"], "neighbour", "rate", unsolved)
        assert (again["state"], again["redos"]) == ("accepted", redo)
    await district.act(order["id"], "grid_worker", "complete", {"note": "第3次上门劝导，已签文明养犬承诺书"})
    third = await district.act(order["id"], "neighbour", "rate", unsolved)
    assert (third["state"], third["is_escalated"]) == ("rated", True)
    (unsolved_one,) = await due(district)
    assert (unsolved_one["order_id"], unsolved_one["cause"], unsolved_one["words"]) == (
        order["id"], "unsolved", "今早还是没拴绳",
    )  # fmt: skip
    refused = await district.dispatcher.post(f"/v1/orders/{order['id']}/close")
    assert (refused.status_code, refused.json()["code"]) == (409, "senior_needed")
    closed = await district.act(order["id"], "community_admin", "close")
    assert (closed["state"], closed["solved"], closed["stars"]) == ("closed", False, 1)

    opened = await district.act(order["id"], "neighbour", "reopen", {"reason": "承诺书签了也没用"})
    assert opened["is_escalated"]
    give = {"assignee_id": str(district.grid_worker.account_id)}
    refused = await district.dispatcher.post(f"/v1/orders/{order['id']}/dispatch", give)
    assert (refused.status_code, refused.json()["code"]) == (409, "senior_needed")
    await district.act(order["id"], "community_admin", "dispatch", {**give, "note": "会同派出所上门"})
    await district.act(order["id"], "grid_worker", "accept")
    await district.act(order["id"], "grid_worker", "complete", {"note": "已拴绳并办理犬证"})
    await _called_back(district, order)
    rated = await district.act(order["id"], "neighbour", "rate", {"stars": 4, "solved": True})
    assert (rated["state"], rated["solved"], rated["is_escalated"]) == ("rated", True, False)
    answered = (await district.dispatcher.get(f"/v1/orders/{order['id']}/answers")).json()["items"]
    assert [(one["source"], one["solved"], one["counts"]) for one in answered] == [
        *(("resident", False, False) for _ in range(3)), ("follow_up", True, False), ("resident", True, True),
    ]  # fmt: skip


async def _called_back(district: World, order: dict[str, Any]) -> None:
    """Not by who went there; nobody picks up at first, then the neighbour tells how it is."""
    (waiting,) = await due(district)
    assert (waiting["order_id"], waiting["attempts"]) == (order["id"], 0)
    refused = await district.grid_worker.post(f"/v1/orders/{order['id']}/follow-ups", REACHED)
    assert (refused.status_code, refused.json()["code"]) == (409, "party_to_order")
    tomorrow = (clock.now() + timedelta(days=1)).isoformat()
    await call(district, order["id"], {**UNREACHED, "next_call_at": tomorrow})
    assert [one["attempts"] for one in await due(district)] == [1]
    told = {"reached": True, "solved": True, "stars": 3, "words": "这两天都拴绳了"}
    await call(district, order["id"], told, by="community_admin")
    assert await due(district) == []


async def test_the_best_helper_is_asked_and_the_history_says_why(district: World) -> None:
    """One call proposes who fits, with reasons; the dispatcher follows it, and whoever asks later can read why."""
    here: dict[str, Any] = {"lng": 114.6904, "lat": 23.7412}
    await offers(district, "member", skills=["方言"], **here)
    await offers(district, "second_member", lng=114.6904, lat=23.7547)
    await away(district, "grid_worker")
    await district.rated_order()
    order = await district.order(description="代购一周降压药，客家话沟通", **here)
    await district.act(order["id"], "dispatcher", "triage")
    found = await suggested(district, order["id"])
    assert names(found) == ["陈志强", "黄秀芳"]
    assert left_out(found) == {"absent": 1}
    best = found["items"][0]
    assert best["score"] == pytest.approx(sum(reason["points"] for reason in best["reasons"]))
    why = {"score": best["score"], "reasons": best["reasons"]}
    given = {"assignee_id": best["account_id"], "mode": "suggested", "why": why}
    await district.act(order["id"], "dispatcher", "dispatch", {**given, "expected_version": found["order_version"]})
    last = (await history(district, order["id"]))[-1]
    assert (last["details"]["mode"], last["details"]["why"]) == ("suggested", why)

    await district.act(order["id"], "member", "decline", {"reason": "今天值班"})
    again = await suggested(district, order["id"])
    assert names(again) == ["黄秀芳"]
    await district.act(order["id"], "dispatcher", "dispatch", {"assignee_id": again["items"][0]["account_id"]})
    await district.act(order["id"], "second_member", "accept")


async def test_the_three_rates_and_the_orders_behind_them(district: World) -> None:
    """One content, one not, one asked on the phone, one who never answered; one is left out by two people."""
    await district.rated_order(5)
    poor = (await district.rated_order(2))["id"]
    called, silent = (await district.completed_order())["id"], (await district.completed_order())["id"]
    await call(district, called, REACHED)
    assert await total(district) == {
        "response": (4, 4, 0, 0), "resolution": (3, 3, 1, 0), "satisfaction": (2, 3, 1, 0),
    }  # fmt: skip
    assert [one["order_id"] for one in await behind(district, "satisfaction", outcome="not_met")] == [poor]
    assert [one["order_id"] for one in await behind(district, "resolution", outcome="open")] == [silent]

    asked = {"reason_code": "unreasonable", "words": "多次核实，要求代付药费"}
    exclusion = await _post(district.dispatcher, f"/v1/orders/{poor}/rate-exclusions", asked)
    review = f"/v1/orders/{poor}/rate-exclusions/{exclusion['id']}/review"
    approval = {"is_approved": True, "reason": "情况属实"}
    assert (await district.dispatcher.post(review, approval)).status_code == 403
    assert (await total(district))["satisfaction"] == (2, 3, 1, 0)
    waiting = (await district.community_admin.get("/v1/rate-exclusions")).json()["items"]
    assert [one["order_id"] for one in waiting] == [poor]
    await _post(district.community_admin, review, approval)
    assert (await total(district))["satisfaction"] == (2, 2, 1, 1)
    assert [one["order_id"] for one in await behind(district, "satisfaction", outcome="excluded")] == [poor]

    by_kind = await rates(district, group_by="kind")
    (line,) = by_kind["groups"]
    assert (line["group"], line["satisfaction"]["percent"]) == ("buy_medicine", 100.0)
    behind_line = await behind(district, "satisfaction", group_by="kind", group="buy_medicine")
    assert len(behind_line) == 4
    workbook = await district.dispatcher.get("/v1/rates.xlsx")
    assert workbook.status_code == 200
    assert len(rows_of(workbook.content, 2)) > 4


async def _reporters(district: World, text: str) -> list[int]:
    """As somebody who is about to tell of it, too, is shown."""
    told = await _similar(district.daughter, "/v1/orders/similar", kind="snow_clearing", text=text)
    return [one["reporters"] for one in told]


async def _similar(person: Person, path: str, **query: Any) -> list[dict[str, Any]]:
    answer = await person.get(path, **query)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


def _clock(clocks: dict[str, Any], target: str) -> dict[str, Any]:
    return next(one for one in clocks["clocks"] if one["target"] == target)


async def _promise(district: World) -> None:
    """Seven days for what residents report, as the hotline has it (12345)."""
    await _post(district.district_admin, "/v1/clock-policies", {
        "order_kind": "water_pressure", "note": "供水类诉求",
        "targets": {"accept": {"amount": 2, "unit": "work_hours"}, "finish": {"amount": 7, "unit": "work_days"}},
    })  # fmt: skip


async def _do(
    person: Person, order: dict[str, Any], action: str, body: dict[str, Any] | None = None
) -> httpx2.Response:
    answer = await person.post(f"/v1/orders/{order['id']}/{action}", body)
    assert answer.status_code == 200, answer.text
    return answer


async def _post(person: Person, path: str, body: dict[str, Any]) -> Any:
    answer = await person.post(path, body)
    assert answer.status_code in {200, 201}, answer.text
    return answer.json()
