"""Automatic dispatch: within its limits, once each whoever is at it, and what it leaves to people and why."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from services.chassis import clock
from services.chassis.clock import SHANGHAI
from services.chassis.database import Database
from services.chassis.settings import Settings
from services.orders.lifecycles.standard import STANDARD
from services.orders.matching.automatic import LEFT_TEXTS, LeftBecause, choose
from services.orders.matching.dispatching import DispatchKeeper
from services.orders.matching.policies.schemas import AutomaticLimits
from services.orders.matching.scoring import Ranked, Scale, best_first
from tests.orders.matching.conftest import decide, done_before, history, offers, put, suggested, triaged
from tests.orders.matching.test_scoring import HOME, helper, need
from tests.world import World

EASY = {"min_score": 0, "known_residents_only": False}


@pytest.fixture
def keeper(orders_database: Database) -> DispatchKeeper:
    return DispatchKeeper(orders_database, poll_seconds=60)


async def settled(world: World, keeper: DispatchKeeper, orders: int) -> None:
    """The product's own keeper may be at it, too: until everything that waits was decided on."""
    for _ in range(100):
        await keeper.keep()
        if await world.fetch_value("SELECT count(*) FROM automatic_dispatches") >= orders:
            return
        await asyncio.sleep(0.02)
    raise AssertionError("the keeper does not come to an end")


async def outcomes(world: World) -> Counter[str]:
    rows = await world.fetch("SELECT outcome FROM automatic_dispatches WHERE tenant_id = $1", world.tenant_id)
    return Counter(row["outcome"] for row in rows)


async def left_because(world: World, order_id: str) -> list[str]:
    found = (await suggested(world, order_id))["automatic"]
    assert found["is_left"]
    return [one["reason"] for one in found["reasons"]]


async def test_the_best_one_is_sent_and_the_history_says_why(world: World, keeper: DispatchKeeper) -> None:
    await done_before(world)
    policy = await decide(world, "automatic", limits={"min_score": 60})
    order = await triaged(world)
    await settled(world, keeper, 1)
    last = (await history(world, order["id"]))[-1]
    assert (last["action"], last["to_state"], last["actor_id"]) == ("dispatch", "dispatched", None)
    assert (last["details"]["mode"], last["details"]["assignee_id"]) == ("automatic", str(world.member.account_id))
    why = last["details"]["why"]
    assert (why["policy_version"], len(why["reasons"])) == (policy["version"], 5)
    assert why["score"] >= 60
    assert await outcomes(world) == {"dispatched": 1}


async def test_nothing_happens_in_other_modes(world: World, keeper: DispatchKeeper) -> None:
    await decide(world, "automatic", limits=EASY, order_kind="snow_clearing")
    await decide(world, "suggest")
    await triaged(world)
    await world.order()
    await keeper.keep()
    assert await outcomes(world) == {}
    assert (await suggested(world, (await triaged(world))["id"]))["automatic"] is None


async def test_not_before_it_is_accepted_for_handling(world: World, keeper: DispatchKeeper) -> None:
    await decide(world, "automatic", limits=EASY)
    await world.order()
    await keeper.keep()
    assert await outcomes(world) == {}


@pytest.mark.parametrize(
    ("limits", "order", "reason"),
    [
        ({"known_residents_only": True}, {}, "new_resident"),
        ({}, {"priority": "urgent"}, "priority"),
        ({"min_score": 100}, {}, "score_too_low"),
        ({"max_distance_metres": 500}, {}, "too_far"),
    ],
)
async def test_what_does_not_qualify_is_left_to_people(
    world: World, keeper: DispatchKeeper, limits: dict[str, Any], order: dict[str, Any], reason: str
) -> None:
    await decide(world, "automatic", limits={**EASY, **limits})
    waiting = await triaged(world, **order)
    await settled(world, keeper, 1)
    assert await outcomes(world) == {"left": 1}
    found = await suggested(world, waiting["id"])
    assert found["automatic"]["is_left"]
    assert found["automatic"]["decided_at"] is not None
    assert found["automatic"]["reasons"] == [{"reason": reason, "text": LEFT_TEXTS[LeftBecause(reason)]}]
    assert len(found["items"]) == 3, "who decides is helped all the same"


async def test_an_order_for_many_is_left_to_people(world: World, keeper: DispatchKeeper) -> None:
    await decide(world, "automatic", limits=EASY)
    order = await world.order(kind="snow_clearing")
    await world.act(order["id"], "dispatcher", "triage", {"helpers_wanted": 8})
    await settled(world, keeper, 1)
    assert await left_because(world, order["id"]) == ["several_wanted"]


async def test_what_came_back_is_left_to_people_unless_told_otherwise(world: World, keeper: DispatchKeeper) -> None:
    await decide(world, "automatic", limits=EASY)
    order = await triaged(world)
    await settled(world, keeper, 1)
    sent = (await history(world, order["id"]))[-1]["details"]["assignee_id"]
    who = next(key for key, one in world.people.items() if str(one.account_id) == sent)
    await world.act(order["id"], who, "decline", {"reason": "出差"})
    await settled(world, keeper, 2)
    assert await left_because(world, order["id"]) == ["came_back"]
    await decide(world, "automatic", limits={**EASY, "after_returns": True})
    await world.act(order["id"], "dispatcher", "amend", {"priority": "low"})
    await settled(world, keeper, 3)
    again = (await history(world, order["id"]))[-1]["details"]
    assert (again["mode"], again["assignee_id"] != sent) == ("automatic", True)


async def test_nobody_fits(world: World, keeper: DispatchKeeper) -> None:
    await put(
        world.district_admin, "/v1/order-kinds/buy_medicine/skills", {"items": [{"skill": "药师", "is_needed": True}]}
    )
    await decide(world, "automatic", limits=EASY)
    order = await triaged(world)
    await settled(world, keeper, 1)
    assert await left_because(world, order["id"]) == ["nobody_fits"]


async def test_so_many_a_day_and_no_more(world: World, keeper: DispatchKeeper) -> None:
    for who in ("second_member", "grid_worker"):
        await offers(world, who, max_open=0)
    await decide(world, "automatic", limits={**EASY, "max_per_day": 2})
    orders = [await triaged(world) for _ in range(3)]
    await settled(world, keeper, 3)
    assert await outcomes(world) == {"dispatched": 2, "left": 1}
    assert await left_because(world, orders[2]["id"]) == ["daily_limit"]


async def test_only_at_its_hours(world: World, keeper: DispatchKeeper) -> None:
    today = clock.now().astimezone(SHANGHAI).isoweekday()
    days_off = [[day, "00:00", "24:00"] for day in range(1, 8) if day not in {today, today % 7 + 1}]
    await decide(world, "automatic", limits={**EASY, "only_hours": days_off})
    order = await triaged(world)
    await keeper.keep()
    assert await outcomes(world) == {}
    found = (await suggested(world, order["id"]))["automatic"]
    assert (found["is_left"], found["waits_for_hours"], found["reasons"]) == (False, True, [])


async def test_a_person_may_always_be_faster(world: World, keeper: DispatchKeeper) -> None:
    await decide(world, "automatic", limits={**EASY, "known_residents_only": True})
    order = await triaged(world)
    await settled(world, keeper, 1)
    body = {"assignee_id": str(world.second_member.account_id), "expected_version": 2}
    await world.act(order["id"], "dispatcher", "dispatch", body)


@pytest.fixture
async def keepers(settings: Settings) -> AsyncIterator[list[DispatchKeeper]]:
    """As many as in so many processes."""
    databases = [Database(settings.database_url, service="orders", pool_size=2) for _ in range(4)]
    for database in databases:
        await database.open()
    yield [DispatchKeeper(database, poll_seconds=60) for database in databases]
    for database in databases:
        await database.close()


async def test_many_keepers_send_each_order_once(world: World, keepers: list[DispatchKeeper]) -> None:
    for who in ("member", "second_member"):
        await offers(world, who, max_open=4)
    await offers(world, "grid_worker", max_open=0)
    orders = [await triaged(world) for _ in range(10)]
    await decide(world, "automatic", limits={**EASY, "max_per_day": 50})
    for _ in range(6):
        await asyncio.gather(*(keeper.keep() for keeper in keepers))
    await settled(world, keepers[0], len(orders))
    assert await outcomes(world) == {"dispatched": 8, "left": 2}, "nobody got more than four, nothing went twice"
    taken = await world.fetch(
        "SELECT assignee_id, count(*) FROM orders WHERE tenant_id = $1 AND stage = 'handle' GROUP BY 1", world.tenant_id
    )
    assert {row["assignee_id"]: row["count"] for row in taken} == {
        world.member.account_id: 4, world.second_member.account_id: 4
    }  # fmt: skip
    steps = await world.fetch_value("SELECT count(*) FROM order_history WHERE action = 'dispatch'")
    assert steps == 8


async def test_a_life_that_does_not_allow_it_leaves_it_to_people(world: World, keeper: DispatchKeeper) -> None:
    """A district's own lifecycle may lead from `triaged` to somewhere else first."""
    steps = [
        step.model_copy(update={"from_states": tuple(state for state in step.from_states if state != "triaged")})
        if step.action == "dispatch"
        else step
        for step in STANDARD.transitions
    ]
    version = await world.add_lifecycle(STANDARD.model_copy(update={"transitions": tuple(steps)}))
    await world.connection.execute(
        "UPDATE order_kinds SET lifecycle_version = $1 WHERE tenant_id = $2", version, world.tenant_id
    )
    await decide(world, "automatic", limits=EASY)
    order = await triaged(world)
    await settled(world, keeper, 1)
    assert await left_because(world, order["id"]) == ["not_possible"]


# The choice itself ------------------------------------------------------------------------------------------------


def ranked(*distances: float) -> list[Ranked]:
    here = need(place=HOME)
    people = [helper(home=HOME._replace(lat=HOME.lat + metres / 111_195)) for metres in distances]
    return best_first(here, people, Scale())[0]


def test_the_best_within_the_limits_is_chosen() -> None:
    near, far = ranked(100, 2000)
    assert choose([near, far], AutomaticLimits(), {}) == near
    assert choose([near, far], AutomaticLimits(min_score=0), {near.helper.account_id: 3}) == far
    within = AutomaticLimits(min_score=0, max_distance_metres=500)
    assert choose([near, far], within, {near.helper.account_id: 3}) == LeftBecause.DAILY_LIMIT


def test_what_stopped_the_one_who_came_farthest_is_told() -> None:
    [far] = ranked(2000)
    assert choose([], AutomaticLimits(), {}) == LeftBecause.NOBODY_FITS
    assert choose([far], AutomaticLimits(max_distance_metres=500), {}) == LeftBecause.TOO_FAR
    assert choose([far], AutomaticLimits(min_score=90), {}) == LeftBecause.SCORE_TOO_LOW
    unknown = replace(far.helper, home=None, account_id=UUID(int=1))
    [nowhere] = best_first(need(place=HOME), [unknown], Scale())[0]
    assert choose([nowhere], AutomaticLimits(max_distance_metres=50_000, min_score=0), {}) == LeftBecause.TOO_FAR
