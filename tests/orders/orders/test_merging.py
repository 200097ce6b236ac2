"""Two neighbours report one lamp: it is mended once, and each keeps status, answer and the way back."""

import asyncio

from services.chassis.schemas import new_id
from tests.orders.orders.conftest import actions_of
from tests.world import World


async def two(world: World) -> tuple[str, str]:
    """Mr Zhang's order, and his neighbour's of the same."""
    first = await world.order(description="楼道灯不亮")
    second = await world.order(by="neighbour", description="2单元五楼灯坏了")
    return first["id"], second["id"]


async def merged(world: World) -> tuple[str, str]:
    main, duplicate = await two(world)
    answer = await world.act(duplicate, "dispatcher", "merge", {"into_id": main, "note": "同一盏灯"})
    assert (answer["state"], answer["stage"], answer["merged_into"]) == ("merged", "follow", main)
    return main, duplicate


async def mended(world: World, main: str) -> None:
    await world.act(main, "dispatcher", "dispatch", {"assignee_id": str(world.member.account_id)})
    await world.act(main, "member", "accept")
    await world.act(main, "member", "complete", {"note": "灯泡已换"})


async def state_of(world: World, order_id: str) -> str:
    return str(await world.fetch_value("SELECT state FROM orders WHERE id = $1", order_id))


async def test_both_reporters_are_answered_and_both_judge(world: World) -> None:
    main, duplicate = await merged(world)
    await mended(world, main)
    assert await state_of(world, duplicate) == "merged"
    await world.act(main, "dispatcher", "verify")
    seen = (await world.neighbour.get(f"/v1/orders/{duplicate}")).json()
    assert (seen["state"], seen["main"]) == ("verified", {"state": "verified", "stage": "close"})
    assert seen["details"]["completion_note"] is None, "what was written about the other home stays there"
    assert seen["available_actions"] == ["rate"]
    await world.act(duplicate, "neighbour", "rate", {"stars": 3, "solved": True})
    await world.act(main, "zhang", "rate", {"stars": 5, "solved": True})
    stars = {
        str(row["id"]): row["stars"]
        for row in await world.fetch("SELECT id, stars FROM orders WHERE stars IS NOT NULL")
    }
    assert stars == {main: 5, duplicate: 3}
    assert await world.fetch_value("SELECT count(*) FROM outbox_events") == 1, "one work is rewarded once"


async def test_without_verification_the_first_answer_brings_the_other_along(world: World) -> None:
    main, duplicate = await merged(world)
    await mended(world, main)
    await world.act(main, "zhang", "rate", {"stars": 5, "solved": True})
    assert await state_of(world, duplicate) == "verified"


async def test_the_second_reporter_can_have_it_done_again_alone(world: World) -> None:
    main, duplicate = await merged(world)
    await mended(world, main)
    await world.act(main, "dispatcher", "verify")
    again = await world.act(duplicate, "neighbour", "rate", {"stars": 1, "solved": False, "comment": "五楼的还是不亮"})
    assert (again["state"], again["redos"], again["assignee_id"]) == ("accepted", 1, str(world.member.account_id))
    assert await state_of(world, main) == "verified"
    await world.act(duplicate, "member", "complete", {"note": "五楼也换了"})


async def test_when_the_main_order_is_given_up_the_other_is_not_lost(world: World) -> None:
    main, duplicate = await merged(world)
    await world.act(main, "zhang", "cancel", {"reason": "自己换了"})
    row = (await world.fetch("SELECT state, merged_into FROM orders WHERE id = $1", duplicate))[0]
    assert (row["state"], row["merged_into"]) == ("triaged", None)
    assert await actions_of(world, duplicate) == ["place", "merge", "unmerge"]


async def test_taken_apart_again(world: World) -> None:
    main, duplicate = await merged(world)
    back = await world.act(duplicate, "dispatcher", "unmerge", {"reason": "是另一盏灯"})
    assert (back["state"], back["merged_into"]) == ("triaged", None)
    await mended(world, main)
    await world.act(main, "dispatcher", "verify")
    assert await state_of(world, duplicate) == "triaged"


async def test_what_was_merged_into_a_duplicate_follows_the_main_order(world: World) -> None:
    main, duplicate = await two(world)
    third = (await world.order(by="neighbour", description="灯不亮"))["id"]
    await world.act(third, "dispatcher", "merge", {"into_id": duplicate})
    await world.act(duplicate, "dispatcher", "merge", {"into_id": main})
    rows = await world.fetch("SELECT merged_into FROM orders WHERE id = ANY ($1::uuid[])", [duplicate, third])
    assert {str(row["merged_into"]) for row in rows} == {main}
    await mended(world, main)
    await world.act(main, "dispatcher", "verify")
    assert {await state_of(world, one) for one in (duplicate, third)} == {"verified"}


async def test_into_what_nothing_is_merged(world: World) -> None:
    main, duplicate = await merged(world)
    other, _ = await two(world)
    path = f"/v1/orders/{other}/merge"
    for into, code in (
        (other, "unknown_main_order"),
        (str(new_id()), "unknown_main_order"),
        (duplicate, "main_order_is_over"),
    ):
        answer = await world.dispatcher.post(path, {"into_id": into})
        assert answer.json()["code"] == code, into
    await world.act(main, "zhang", "cancel", {"reason": "好了"})
    assert (await world.dispatcher.post(path, {"into_id": main})).json()["code"] == "main_order_is_over"


async def test_not_into_what_the_dispatcher_may_not_see(world: World) -> None:
    await world.add_person("stranger", "罗明", roles={})
    resident = await world.add_person("far", "温国华", home="9单元901")
    household = world.households["9单元901"]
    await world.connection.execute(
        "UPDATE households SET area_id = $2 WHERE id = $1", household, world.areas["other_community"]
    )
    far = (await world.order(by="far", description="灯坏了"))["id"]
    near = (await world.order())["id"]
    answer = await world.dispatcher.post(f"/v1/orders/{near}/merge", {"into_id": far})
    assert (answer.status_code, answer.json()["code"]) == (422, "unknown_main_order")
    assert resident.resident_id


async def test_merged_into_each_other_at_once_one_stays(world: World) -> None:
    for _ in range(8):
        first, second = await two(world)
        answers = await asyncio.gather(
            world.dispatcher.post(f"/v1/orders/{first}/merge", {"into_id": second}),
            world.community_admin.post(f"/v1/orders/{second}/merge", {"into_id": first}),
        )
        assert sorted(answer.status_code for answer in answers) == [200, 409]
        assert sorted([await state_of(world, first), await state_of(world, second)]) == ["merged", "placed"]


async def test_a_reporter_follows_the_main_order_and_may_give_up_alone(world: World) -> None:
    main, duplicate = await merged(world)
    await world.act(main, "dispatcher", "dispatch", {"assignee_id": str(world.member.account_id)})
    seen = (await world.neighbour.get(f"/v1/orders/{duplicate}")).json()
    assert (seen["main"], seen["available_actions"]) == ({"state": "dispatched", "stage": "handle"}, ["cancel"])
    await world.act(duplicate, "neighbour", "cancel", {"reason": "已经亮了"})
    assert await state_of(world, main) == "dispatched"


async def test_when_the_first_reporter_stays_silent_the_second_ones_answer_is_rewarded_once(world: World) -> None:
    main, duplicate = await merged(world)
    await mended(world, main)
    await world.act(main, "dispatcher", "verify")
    await world.act(duplicate, "neighbour", "rate", {"stars": 5, "solved": True})
    assert await world.fetch_value("SELECT payload->>'order_id' FROM outbox_events") == main
    await world.act(main, "zhang", "rate", {"stars": 5, "solved": True})
    assert await world.fetch_value("SELECT count(*) FROM outbox_events") == 1


async def test_done_again_for_the_second_reporter_it_is_another_work(world: World) -> None:
    main, duplicate = await merged(world)
    await mended(world, main)
    await world.act(main, "zhang", "rate", {"stars": 5, "solved": True})
    await world.act(duplicate, "neighbour", "rate", {"stars": 1, "solved": False})
    await world.act(duplicate, "member", "complete", {"note": "五楼也换了"})
    await world.act(duplicate, "neighbour", "rate", {"stars": 5, "solved": True})
    told = await world.fetch("SELECT payload->>'order_id' AS id FROM outbox_events ORDER BY occurred_at")
    assert [row["id"] for row in told] == [main, duplicate]


async def test_what_a_senior_has_to_decide_is_not_merged_away(world: World) -> None:
    main, duplicate = await two(world)
    for _ in range(3):
        await world.act(duplicate, "dispatcher", "dispatch", {"assignee_id": str(world.member.account_id)})
        await world.act(duplicate, "member", "decline", {"reason": "没有梯子"})
    refused = await world.dispatcher.post(f"/v1/orders/{duplicate}/merge", {"into_id": main})
    assert (refused.status_code, refused.json()["code"]) == (409, "senior_needed")
    await world.act(duplicate, "community_admin", "merge", {"into_id": main})
