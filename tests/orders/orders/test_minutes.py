"""How long the work took: as the helper states it, else from start to completion; told with the rating."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from services.chassis import clock
from tests.world import World


async def done_order(
    world: World, *, is_started: bool, takes: timedelta = timedelta(), completion: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Accepted by the member, perhaps started, and completed so much later."""
    order = await world.order()
    await world.act(order["id"], "dispatcher", "dispatch", {"assignee_id": str(world.member.account_id)})
    await world.act(order["id"], "member", "accept")
    if is_started:
        await world.act(order["id"], "member", "start")
    with clock.shifted(takes):
        world.people["member_then"] = await world.new_session(world.member)
        return await world.act(order["id"], "member_then", "complete", {"note": "已送到", **(completion or {})})


async def told(world: World, order: dict[str, Any], *, after: timedelta = timedelta()) -> dict[str, Any]:
    """What the rating tells of it."""
    with clock.shifted(after):
        world.people["zhang_then"] = await world.new_session(world.zhang)
        await world.act(order["id"], "zhang_then", "rate", {"stars": 5, "solved": True})
    return dict(json.loads(await world.fetch_value("SELECT payload FROM outbox_events")))


async def test_from_start_to_completion(world: World) -> None:
    took = timedelta(minutes=95, seconds=59)
    order = await done_order(world, is_started=True, takes=took)
    event = await told(world, order, after=took)
    assert event["minutes"] == 95
    assert datetime.fromisoformat(event["began_at"]) == datetime.fromisoformat(order["started_at"])
    assert datetime.fromisoformat(event["ended_at"]) == datetime.fromisoformat(order["completed_at"])


async def test_as_the_helper_states_it(world: World) -> None:
    order = await done_order(world, is_started=True, takes=timedelta(hours=3), completion={"minutes": 40})
    assert (await told(world, order, after=timedelta(hours=3)))["minutes"] == 40


async def test_unknown_when_nobody_started_it_or_said(world: World) -> None:
    order = await done_order(world, is_started=False, takes=timedelta(hours=1))
    event = await told(world, order, after=timedelta(hours=1))
    assert event["minutes"] is None
    assert datetime.fromisoformat(event["began_at"]) == datetime.fromisoformat(order["accepted_at"])


@pytest.mark.parametrize(("takes", "minutes"), [(timedelta(hours=23, minutes=59), 1439), (timedelta(hours=25), None)])
async def test_who_leaves_it_open_for_longer_than_a_day_forgot_it(
    world: World, takes: timedelta, minutes: int | None
) -> None:
    order = await done_order(world, is_started=True, takes=takes)
    assert (await told(world, order, after=takes))["minutes"] == minutes


@pytest.mark.parametrize("minutes", [0, 1441, -1, 1.5, "40", True])
async def test_odd_times_are_refused(world: World, minutes: Any) -> None:
    order = await world.order()
    await world.act(order["id"], "dispatcher", "dispatch", {"assignee_id": str(world.member.account_id)})
    await world.act(order["id"], "member", "accept")
    answer = await world.member.post(f"/v1/orders/{order['id']}/complete", {"note": "已送到", "minutes": minutes})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
