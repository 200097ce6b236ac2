"""What residents answer is kept by round of work, whoever rates and however often."""

from typing import Any

from services.chassis import clock
from tests.world import World


async def answers(world: World, order_id: str, by: str = "dispatcher") -> list[dict[str, Any]]:
    answer = await world.people[by].get(f"/v1/orders/{order_id}/answers")
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


async def done_again(world: World, order_id: str) -> None:
    await world.act(order_id, "member", "complete", {"note": "重新送到"})


async def test_a_rating_is_an_answer_to_its_round(world: World) -> None:
    order = await world.rated_order(4)
    (answer,) = await answers(world, order["id"])
    assert {name: answer[name] for name in ("sequence", "round", "counts", "source", "solved", "stars")} == {
        "sequence": 1, "round": 1, "counts": True, "source": "resident", "solved": True, "stars": 4,
    }  # fmt: skip
    assert answer["account_id"] == str(world.zhang.account_id)


async def test_what_is_not_solved_and_done_again_is_answered_again(world: World) -> None:
    """The first answer stays, and counts no more once the work is done again."""
    order = await world.completed_order()
    await world.act(order["id"], "zhang", "rate", {"stars": 1, "solved": False, "comment": "药不对"})
    (first,) = await answers(world, order["id"])
    assert (first["counts"], first["words"]) == (False, "药不对")  # it is being done again already
    await done_again(world, order["id"])
    await world.act(order["id"], "zhang", "rate", {"stars": 5, "solved": True})
    found = await answers(world, order["id"])
    assert [(one["round"], one["stars"], one["counts"]) for one in found] == [(1, 1, False), (2, 5, True)]


async def test_opened_again_it_is_another_round(world: World) -> None:
    order = await world.rated_order(5)
    await world.act(order["id"], "zhang", "reopen", {"reason": "药又送错了"})
    assert [one["counts"] for one in await answers(world, order["id"])] == [False]
    await world.act(order["id"], "dispatcher", "dispatch", {"assignee_id": str(world.member.account_id)})
    await world.act(order["id"], "member", "accept")
    await done_again(world, order["id"])
    await world.act(order["id"], "zhang", "rate", {"stars": 2, "solved": True})
    assert [(one["round"], one["counts"]) for one in await answers(world, order["id"])] == [(1, False), (2, True)]


async def test_are_for_who_sees_the_orders_details(world: World) -> None:
    order = await world.rated_order()
    found = {
        by: (await world.people[by].get(f"/v1/orders/{order['id']}/answers")).status_code
        for by in ("zhang", "grid_worker", "member", "neighbour", "other_dispatcher")
    }
    assert found == {"zhang": 200, "grid_worker": 200, "member": 403, "neighbour": 404, "other_dispatcher": 404}


async def test_do_not_name_who_asked_without_a_name(world: World) -> None:
    order = await world.rated_order()
    await world.connection.execute("UPDATE orders SET is_anonymous = true WHERE tenant_id = $1", world.tenant_id)
    (answer,) = await answers(world, order["id"])
    assert (answer["account_id"], answer["account_name"], answer["stars"]) == (None, None, 5)


async def test_nobody_writes_an_answer_but_for_an_order(world: World) -> None:
    before = clock.now()
    order = await world.rated_order()
    rows = await world.fetch("SELECT order_id::text, at >= $1 AS is_new FROM order_answers", before)
    assert [tuple(row) for row in rows] == [(order["id"], True)]
