"""Orders are placed by what their kind says: its form, its defaults, whether without a name."""

import json
from typing import Any

import httpx2
import pytest

from tests.orders.kinds.test_kinds import FLOOR, PLACE, add, put
from tests.world import World


async def place(world: World, by: str = "zhang", **body: Any) -> httpx2.Response:
    return await world.people[by].post("/v1/orders", {"kind": "corridor_light", "description": "三楼灯不亮", **body})


async def placed_orders(world: World) -> int:
    return int(await world.fetch_value("SELECT count(*) FROM orders WHERE tenant_id = $1", world.tenant_id))


async def test_what_the_form_asks_is_kept_with_the_order(world: World) -> None:
    await add(world, questions=[FLOOR, PLACE])
    answer = await place(world, answers={"floor": 3, "place": "hall"})
    assert answer.status_code == 201, answer.text
    details = answer.json()["details"]
    assert (details["answers"], details["form_version"]) == ({"floor": 3, "place": "hall"}, 1)


async def test_what_is_wrong_is_told_for_every_question_and_nothing_is_placed(world: World) -> None:
    await add(world, questions=[FLOOR, PLACE])
    answer = await place(world, answers={"place": "roof", "colour": "red"})
    assert (answer.status_code, answer.json()["code"]) == (422, "form_incomplete")
    assert answer.json()["faults"] == [
        {"question": "floor", "fault": "missing"},
        {"question": "place", "fault": "choice"},
        {"question": "colour", "fault": "unknown"},
    ]
    assert await placed_orders(world) == 0


async def test_a_refusal_is_repeated_and_the_corrected_order_has_another_key(world: World) -> None:
    await add(world)
    body = {"kind": "corridor_light", "description": "灯不亮"}
    refused = [await world.zhang.post("/v1/orders", body, key="first") for _ in range(2)]
    assert [answer.json()["code"] for answer in refused] == ["form_incomplete"] * 2
    assert refused[1].headers["Idempotency-Replayed"] == "true"
    assert (await world.zhang.post("/v1/orders", {**body, "answers": {"floor": 3}}, key="second")).status_code == 201


async def test_orders_keep_the_form_they_were_placed_with(world: World) -> None:
    await add(world)
    order = (await place(world, answers={"floor": 3})).json()
    await put(world, "corridor_light/form", {"expected_version": 1, "questions": [PLACE]})
    assert (await place(world, answers={"floor": 3})).json()["code"] == "form_incomplete"
    assert (await place(world, answers={"place": "yard"})).json()["details"]["form_version"] == 2
    await world.act(order["id"], "dispatcher", "return", {"reason": "几楼？"})
    path = f"/v1/orders/{order['id']}/resubmit"
    refused = await world.zhang.post(path, {"answers": {"place": "yard"}})
    assert [fault["fault"] for fault in refused.json()["faults"]] == ["missing", "unknown"]
    answered = await world.zhang.post(path, {"answers": {"floor": 4}})
    assert answered.json()["details"]["answers"] == {"floor": 4}


async def test_a_kind_that_asks_nothing_takes_no_answers(world: World) -> None:
    assert (await place(world, kind="buy_medicine")).status_code == 201
    answer = await place(world, kind="buy_medicine", answers={"floor": 3})
    assert answer.json()["faults"] == [{"question": "floor", "fault": "unknown"}]


async def test_priority_visibility_and_helpers_are_as_the_kind_says(world: World) -> None:
    await add(world)
    order = (await place(world, answers={"floor": 3})).json()
    assert (order["priority"], order["visibility"], order["helpers_wanted"]) == ("high", "community", 2)


async def test_only_where_the_kind_allows_it_nobody_learns_who_asked(world: World) -> None:
    await add(world, allows_anonymous=True, questions=[])
    assert (await place(world, is_anonymous=True)).json()["is_anonymous"] is True
    refused = await place(world, kind="buy_medicine", is_anonymous=True)
    assert (refused.status_code, refused.json()["code"]) == (422, "not_anonymously")


@pytest.mark.parametrize(
    "answers",
    [
        "NaN", "[]", '"floor"', "null", "5",
        '{"floor": NaN}', '{"floor": Infinity}', '{"floor": 1e309}', '{"floor": 9223372036854775808}',
        '{"floor": 1' + "0" * 400 + "}", '{"floor": "\\u0000"}', '{"floor": "\\ud800"}', '{"\\u0000": 1}',
        '{"floor": [[[[[1]]]]]}', '{"floor": "' + "长" * 2001 + '"}',
        "{" + ",".join(f'"q{n}": 1' for n in range(41)) + "}",
        '{"floor": [' + ",".join("1" * 300) + "]}",
        '{"floor": "３"}', '{"floor": true}', '{"floor": {"floor": 3}}', '{"floor": [3]}', '{"floor": 3, "😀": "😀"}',
        '{"floor": 9007199254740992}', '{"floor": -0.0}',
    ],
)  # fmt: skip
async def test_odd_answers_are_refused_and_nothing_is_placed(world: World, answers: str) -> None:
    await add(world)
    body = json.dumps({"kind": "corridor_light", "description": "灯不亮", "answers": 0}).replace("0}", f"{answers}}}")
    headers = {"Idempotency-Key": "odd", "Content-Type": "application/json"}
    answer = await world.zhang.client.post("/v1/orders", content=body.encode(), headers=headers)
    assert (answer.status_code, answer.json()["code"]) in {
        (422, "invalid_request"), (422, "form_incomplete"), (400, "unreadable_body"),
    }, answer.text  # fmt: skip
    assert await placed_orders(world) == 0
