"""Who is asked: the kept helper, and who covers when that one cannot come."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from models.identity import Role
from services.chassis import clock
from services.chassis.database import driver_url
from services.chassis.schemas import new_id
from services.chassis.settings import Settings
from tests.orders.clocks.conftest import moment
from tests.orders.recurring.conftest import Keep, anew, arrange, at, change, last_step, orders_of
from tests.world import ARRANGER, World

FRIDAY = "2026-03-06T09:00"


Away = Callable[[str, str, str], Awaitable[None]]


@pytest.fixture
async def away(world: World, settings: Settings) -> Away:
    """Says that somebody is not there from one moment to another."""
    await _make_sure_of_absences(settings)

    async def recorded(key: str, since: str, until: str) -> None:
        person = world.people[key].account_id
        await world.insert(
            "helper_absences", id=new_id(), account_id=person, starts_at=moment(since), ends_at=moment(until),
            kind="leave", recorded_by=person, recorded_at=clock.now(),
        )  # fmt: skip

    return recorded


async def _make_sure_of_absences(settings: Settings) -> None:
    """Absences belong to matching; where its table is not there yet, one of its shape will do."""
    owner = await asyncpg.connect(driver_url(settings.database_url))
    try:
        if not await owner.fetchval("SELECT to_regclass('helper_absences') IS NOT NULL"):
            await owner.execute(_ABSENCES)
    finally:
        await owner.close()


_ABSENCES = f"""
CREATE TABLE helper_absences (
    tenant_id uuid, id uuid, account_id uuid, starts_at timestamptz, ends_at timestamptz, kind text, recorded_by uuid,
    recorded_at timestamptz, PRIMARY KEY (tenant_id, id)
);
GRANT SELECT ON helper_absences TO linli_orders;
GRANT ALL ON helper_absences TO {ARRANGER};
"""


async def with_helper(world: World, **body: Any) -> dict[str, Any]:
    return await arrange(
        world,
        by="dispatcher",
        on_behalf_of=str(world.zhang.resident_id),
        helper_id=str(world.member.account_id),
        **body,
    )


async def done_before(world: World, by: str, times: int = 1) -> None:
    """Somebody has helped Mr Zhang's household."""
    for _ in range(times):
        order = await world.order()
        await world.act(order["id"], "dispatcher", "dispatch", {"assignee_id": str(world.people[by].account_id)})
        await world.act(order["id"], by, "accept")
        await world.act(order["id"], by, "complete", {"note": "已送达"})


async def why(world: World, order_id: str) -> dict[str, Any]:
    return dict(json.loads((await last_step(world, order_id))["details"])["why"])


async def test_whose_term_is_over_is_covered_by_who_knows_the_household(world: World, keep: Keep) -> None:
    with at(FRIDAY):
        await anew(world)
        await done_before(world, "second_member")
        recurring = await with_helper(world)
        await world.connection.execute(
            "UPDATE grants SET valid_to = $2 WHERE account_id = $1", world.member.account_id, clock.now()
        )
        await keep()
        made = await orders_of(world, recurring["id"])
        assert {order["assignee_id"] for order in made} == {world.second_member.account_id}
        reasons = await why(world, made[0]["id"])
        assert (reasons["reason"], reasons["kept_helper_cannot"], reasons["orders_done"]) == (
        "familiar_helper", "does_not_serve", 1,
    )  # fmt: skip


async def test_a_term_that_ends_before_the_day_is_no_help_on_that_day(world: World, keep: Keep) -> None:
    """The second order lies after the end of the term, the first does not."""
    with at(FRIDAY):
        await anew(world)
        recurring = await with_helper(world)
        await world.connection.execute(
            "UPDATE grants SET valid_to = $2 WHERE account_id = $1",
            world.member.account_id,
            moment("2026-03-12T00:00"),
        )
        await keep()
        made = await orders_of(world, recurring["id"])
        assert [order["assignee_id"] for order in made] == [world.member.account_id, None]
        assert made[1]["is_in_pool"]


async def test_the_most_familiar_covers_first_and_never_the_requester(world: World, keep: Keep) -> None:
    with at(FRIDAY):
        await world.add_person("third", "刘文静", roles={Role.MEMBER: "community"})
        await anew(world)
        await done_before(world, "third")
        await done_before(world, "second_member", times=2)
        recurring = await arrange(world)
        await keep()
        made = await orders_of(world, recurring["id"])
        assert {order["assignee_id"] for order in made} == {world.second_member.account_id}


async def test_with_the_pool_for_cover_nobody_familiar_is_asked(world: World, keep: Keep) -> None:
    with at(FRIDAY):
        await anew(world)
        await done_before(world, "second_member")
        recurring = await arrange(world, cover_policy="pool")
        await keep()
        made = await orders_of(world, recurring["id"])
        assert {(order["assignee_id"], order["is_in_pool"]) for order in made} == {(None, True)}


async def test_who_declines_is_covered_without_waiting_for_the_dispatcher(world: World, keep: Keep) -> None:
    with at(FRIDAY):
        await anew(world)
        await done_before(world, "second_member")
        recurring = await with_helper(world)
        await keep()
        first = (await orders_of(world, recurring["id"]))[0]["id"]
        await world.act(first, "member", "decline", {"reason": "当天值班"})
        await keep()
        made = await orders_of(world, recurring["id"])
        assert [order["assignee_id"] for order in made] == [world.second_member.account_id, world.member.account_id]
        assert (await why(world, first))["kept_helper_cannot"] == "declined"
        await world.act(first, "second_member", "decline", {"reason": "出差"})
        await keep()
        assert (await orders_of(world, recurring["id"]))[0]["is_in_pool"]
        assert (await why(world, first))["reason"] == "pool"


async def test_what_is_given_back_is_covered_too(world: World, keep: Keep) -> None:
    with at(FRIDAY):
        await anew(world)
        recurring = await with_helper(world)
        await keep()
        first = (await orders_of(world, recurring["id"]))[0]["id"]
        await world.act(first, "member", "accept")
        await world.act(first, "member", "hand-back", {"reason": "摔伤了"})
        await keep()
        assert (await orders_of(world, recurring["id"]))[0]["is_in_pool"]


async def test_where_the_dispatcher_decides_what_is_declined_waits(world: World, keep: Keep) -> None:
    with at(FRIDAY):
        await anew(world)
        recurring = await with_helper(world, cover_policy="dispatcher")
        await keep()
        first = (await orders_of(world, recurring["id"]))[0]["id"]
        await world.act(first, "member", "decline", {"reason": "当天值班"})
        await keep()
        assert (await orders_of(world, recurring["id"]))[0]["state"] == "triaged"


async def test_another_helper_gets_what_nobody_has_begun_with(world: World, keep: Keep) -> None:
    with at(FRIDAY):
        await anew(world)
        recurring = await with_helper(world)
        await keep()
        accepted, open_one = await orders_of(world, recurring["id"])
        await world.act(accepted["id"], "member", "accept")
        answer = await change(
            world, "dispatcher", recurring["id"], "helper",
            helper_id=str(world.second_member.account_id), reason="原帮手调岗",
        )  # fmt: skip
        assert answer["recurring_order"]["helper"]["name"] == "黄秀芳"
        assert (answer["withdrawn"], answer["kept"]) == ([], [])
        made = {order["id"]: order["assignee_id"] for order in await orders_of(world, recurring["id"])}
        assert made == {accepted["id"]: world.member.account_id, open_one["id"]: world.second_member.account_id}


async def test_who_does_not_serve_there_or_needs_it_himself_is_not_kept(world: World) -> None:
    recurring = await arrange(world)
    path = f"/v1/recurring-orders/{recurring['id']}/helper"
    for key, code in (("other_member", "assignee_cannot_serve"), ("zhang", "own_need")):
        answer = await world.dispatcher.post(path, {"helper_id": str(world.people[key].account_id), "reason": "安排"})
        assert answer.json()["code"] == code
    answer = await world.dispatcher.post(path, {"helper_id": str(world.member.account_id)})
    assert (answer.status_code, answer.json()["code"]) == (422, "reason_needed")


async def test_a_helper_sees_the_weeks_that_are_theirs(world: World, keep: Keep) -> None:
    with at(FRIDAY):
        await anew(world)
        recurring = await with_helper(world)
        await keep()
        first = (await orders_of(world, recurring["id"]))[0]["id"]
        await world.act(first, "member", "decline", {"reason": "当天值班"})
        await keep()
        weeks = (await world.member.get("/v1/recurring-orders/coming", view="helper", weeks=3)).json()["items"]
        listed = (await world.member.get("/v1/recurring-orders", view="helper")).json()["items"]
        others = (await world.second_member.get("/v1/recurring-orders/coming", view="helper")).json()["items"]
        assert [one["occurrence_on"] for one in weeks] == ["2026-03-16", "2026-03-23"]
        assert [one["id"] for one in listed] == [recurring["id"]]
        assert others == []


# Absence ----------------------------------------------------------------------------------------------------------


async def test_who_is_absent_on_the_day_is_covered(world: World, keep: Keep, away: Away) -> None:
    with at(FRIDAY):
        await anew(world)
        await away("member", "2026-03-14T00:00", "2026-03-21T00:00")
        recurring = await with_helper(world)
        await keep()
        made = await orders_of(world, recurring["id"])
        assert [order["assignee_id"] for order in made] == [world.member.account_id, None]
        assert (await why(world, made[1]["id"]))["kept_helper_cannot"] == "absent"


async def test_who_falls_ill_after_it_was_made_is_covered(world: World, keep: Keep, away: Away) -> None:
    with at(FRIDAY):
        await anew(world)
        recurring = await with_helper(world)
        await keep()
    with at("2026-03-08T22:00"):
        await away("member", "2026-03-08T20:00", "2026-03-10T00:00")
    with at("2026-03-08T23:30"):
        await keep()
        made = await orders_of(world, recurring["id"])
        assert [order["assignee_id"] for order in made] == [None, world.member.account_id]
