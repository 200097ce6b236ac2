"""The keeper: many at once, each occurrence once, whatever dies or goes wrong in between."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from models.recurring import HolidayPolicy
from services.chassis import clock
from services.chassis.clock import SHANGHAI
from services.chassis.database import Database
from services.chassis.settings import Settings
from services.orders.recurring import making
from services.orders.recurring.arithmetic import plan
from services.orders.recurring.keeping import RecurringKeeper
from services.orders.recurring.making import Turn, keep_one
from services.orders.recurring.records import load_arrangement, load_calendar, lock_row
from tests.orders.clocks.conftest import moment
from tests.orders.recurring.conftest import (
    MONDAYS,
    Keep,
    anew,
    arrange,
    at,
    coming,
    orders_of,
    put,
    standing,
)
from tests.orders.recurring.test_arithmetic import MOVED
from tests.world import World

WORKERS = 3
FRIDAY = "2026-03-06T09:00"


@pytest.fixture
async def keepers(settings: Settings) -> AsyncIterator[list[RecurringKeeper]]:
    """As many as in so many processes: each with connections of its own."""
    databases = [Database(settings.database_url, service="orders", pool_size=2) for _ in range(WORKERS)]
    for database in databases:
        await database.open()
    yield [RecurringKeeper(database, poll_seconds=60) for database in databases]
    for database in databases:
        await database.close()


async def failures(world: World) -> list[tuple[date, str]]:
    rows = await world.fetch(
        "SELECT occurrence_on, reason FROM recurring_order_occurrences WHERE tenant_id = $1 AND outcome = 'failed'"
        " ORDER BY occurrence_on",
        world.tenant_id,
    )
    return [(row["occurrence_on"], row["reason"]) for row in rows]


@pytest.mark.parametrize("policy", [HolidayPolicy.BEFORE, HolidayPolicy.AFTER, HolidayPolicy.SKIP])
async def test_a_year_of_mondays_on_three_keepers(
    world: World, keepers: list[RecurringKeeper], keep: Keep, policy: HolidayPolicy
) -> None:
    """Day by day through 春节 and 国庆: one order for every week that is to have one, on the right day."""
    with at("2025-12-20T09:00"):
        await anew(world, "zhang")
        recurring = await arrange(world, holiday_policy=policy)
    day = moment("2025-12-20T12:00")
    while day < moment("2026-12-31T12:00"):
        with clock.shifted(day - clock.now()):
            await asyncio.gather(*(keeper.keep() for keeper in keepers))
            await keep()  # the product's own may hold it still: no day passes before it is kept
        day += timedelta(days=5)
    with at("2026-12-20T12:00"):
        await keep()
    first, last = date(2026, 1, 5), date(2026, 12, 28)
    mondays = [(first + timedelta(weeks=n)).isoformat() for n in range((last - first).days // 7 + 1)]
    expected = [moved for on in mondays if (moved := MOVED[policy].get(on, on)) is not None]
    orders = [order for order in await orders_of(world, recurring["id"]) if order["day"] <= "2026-12-31"]
    assert [order["day"] for order in orders] == sorted(expected)
    assert {(order["hour"], order["lasts"]) for order in orders} == {("08:30", timedelta(hours=2))}
    assert len({order["occurrence_on"] for order in orders}) == len(orders)


async def test_a_clock_that_goes_back_makes_nothing_twice(world: World, keep: Keep) -> None:
    with at(FRIDAY):
        await anew(world)
        recurring = await arrange(world)
        await keep()
    with at("2026-03-20T09:00"):
        await keep()
    with at(FRIDAY):
        await world.connection.execute("UPDATE recurring_orders SET next_at = $1", clock.now())
        await keep()
        assert standing(await orders_of(world, recurring["id"])) == [
            "2026-03-09", "2026-03-16", "2026-03-23", "2026-03-30",
        ]  # fmt: skip


async def test_what_fell_due_while_nobody_kept_is_told_not_made_up_for(world: World, keep: Keep) -> None:
    """Three weeks off the air with a horizon of one day: the dispatcher sees which visits never were."""
    with at(FRIDAY):
        await anew(world)
        recurring = await arrange(world, horizon_days=1)
        await keep()
        await world.connection.execute("UPDATE recurring_orders SET next_at = '2026-03-25T09:00+08' WHERE id = $1",
                                       UUID(recurring["id"]))  # fmt: skip
    with at("2026-03-25T09:01"):
        await keep()
        assert await failures(world) == [
        (date(2026, 3, 9), "too_late"), (date(2026, 3, 16), "too_late"), (date(2026, 3, 23), "too_late"),
    ]  # fmt: skip
        assert await orders_of(world, recurring["id"]) == []


async def test_many_made_at_once_are_made_once(world: World, keepers: list[RecurringKeeper], keep: Keep) -> None:
    with at(FRIDAY):
        await anew(world, "zhang")
        recurring = [await arrange(world, rule="FREQ=DAILY") for _ in range(4)]
        await asyncio.gather(*(keeper.keep() for keeper in keepers for _ in range(3)))
        await keep()
        for one in recurring:
            days = standing(await orders_of(world, one["id"]))
            assert len(days) == len(set(days)) == 15


async def test_the_key_lets_one_pass_where_the_lock_failed(world: World, keep: Keep, orders_database: Database) -> None:
    """Somebody else has made the occurrence since the plan was read: nothing stays of the second order."""
    with at(FRIDAY):
        await anew(world, "zhang")
        recurring = await arrange(world)
        await keep()
        before = await orders_of(world, recurring["id"])
        async with orders_database.hot_transaction(world.tenant_id) as connection:
            row = await lock_row(connection, world.tenant_id, UUID(recurring["id"]))
            turn = Turn(connection, world.tenant_id, await load_calendar(connection, world.tenant_id, clock.now()),
                        clock.now())  # fmt: skip
            blind = replace(await load_arrangement(connection, world.tenant_id, row, turn.now), occurrences={})
            for one in plan(blind.series, turn.calendar, turn.today, turn.today + timedelta(days=14)):
                assert await making._decide(turn, blind, one) == 0
        assert await orders_of(world, recurring["id"]) == before


_KILLED = """
import asyncio, os, sys
from datetime import datetime
from services.chassis import clock
from services.chassis.database import Database
from services.orders.recurring import making
from services.orders.recurring.arithmetic import plan
from services.orders.recurring.keeping import RecurringKeeper

async def main(url, moment, dies_at):
    given = making._give
    count = 0

    async def give(*arguments, **named):
        nonlocal count
        await given(*arguments, **named)
        count += 1
        if count == dies_at:
            os.kill(os.getpid(), 9)

    making._give = give
    database = Database(url, service="orders", pool_size=2)
    await database.open()
    with clock.shifted(datetime.fromisoformat(moment) - clock.now()):
        await RecurringKeeper(database, poll_seconds=60).keep()

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
"""


@pytest.mark.parametrize("dies_at", [1, 9])
async def test_a_keeper_killed_in_the_middle_leaves_nothing_half_done(
    world: World, settings: Settings, keep: Keep, dies_at: int
) -> None:
    """kill -9 after some orders of a fortnight are placed and given out, before anything is committed."""
    with at(FRIDAY):
        await anew(world, "zhang")
        recurring = await arrange(world, rule="FREQ=DAILY")
        await keep()
        then = moment("2026-03-16T09:00").isoformat()  # nothing is due before it for the product's own keeper
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _KILLED, settings.database_url, then, str(dies_at), cwd=Path(__file__).parents[3]
        )
        assert await process.wait() == -signal.SIGKILL
    with at("2026-03-16T09:00"):
        await keep()
        days = standing(await orders_of(world, recurring["id"]))
        assert days == [(date(2026, 3, 6) + timedelta(days=n)).isoformat() for n in range(25)]
        assert await world.fetch_value(
        "SELECT count(*) FROM orders o WHERE o.tenant_id = $1 AND NOT EXISTS ("
        " SELECT FROM recurring_order_occurrences x WHERE x.order_id = o.id)",
        world.tenant_id,
    ) == 0  # fmt: skip


# What goes wrong ---------------------------------------------------------------------------------------------------


async def test_a_kind_that_is_withdrawn_fails_is_shown_and_mended(world: World, keep: Keep) -> None:
    with at(FRIDAY):
        await anew(world)
        recurring = await arrange(world)
        other = await arrange(world, by="neighbour", kind="snow_clearing")
        await world.connection.execute("UPDATE order_kinds SET is_active = false WHERE id = 'buy_medicine'")
        await keep()
        assert await failures(world) == [
            (date(2026, 3, 9), "unknown_order_kind"),
            (date(2026, 3, 16), "unknown_order_kind"),
        ]
        assert len(await orders_of(world, other["id"])) == 2
        failing = (await world.dispatcher.get("/v1/recurring-orders", view="area", failing=True)).json()["items"]
        assert [(one["id"], one["failures"]) for one in failing] == [(recurring["id"], 2)]
        assert (await coming(world, recurring["id"]))[0]["failure"] == "unknown_order_kind"
    with at("2026-03-06T09:16"):
        await world.connection.execute("UPDATE order_kinds SET is_active = true WHERE id = 'buy_medicine'")
        assert await keep() == 2
        await anew(world)
        assert await failures(world) == []
        assert (await coming(world, recurring["id"]))[0]["outcome"] == "made"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("DELETE FROM household_members WHERE resident_id = $1", "not_in_household"),
        ("UPDATE household_members SET household_id = $2 WHERE resident_id = $1", "not_in_household"),
    ],
)
async def test_who_has_moved_away_gets_no_orders_at_the_old_place(
    world: World, keep: Keep, change: str, reason: str
) -> None:
    with at(FRIDAY):
        await anew(world)
        await arrange(world)
        arguments: list[Any] = [world.zhang.resident_id, world.households["2单元501"]]
        await world.connection.execute(change, *arguments[: change.count("$")])
        assert await keep() == 0
        assert {reason for _, reason in await failures(world)} == {reason}


async def test_the_worker_who_arranged_it_may_be_gone(world: World, keep: Keep) -> None:
    """Who arranged it was entitled to then; Mr Zhang's medicine does not hang on a term in office."""
    with at(FRIDAY):
        await anew(world)
        await arrange(world, by="grid_worker", on_behalf_of=str(world.zhang.resident_id))
        await world.connection.execute(
            "UPDATE grants SET valid_to = $2 WHERE account_id = $1", world.grid_worker.account_id, clock.now()
        )
        assert await keep() == 2


async def test_one_that_breaks_stops_none_of_the_others(
    world: World, keep: Keep, monkeypatch: pytest.MonkeyPatch
) -> None:
    with at(FRIDAY):
        await anew(world, "zhang")
        broken, well = await arrange(world), await arrange(world)

        async def keep_or_break(turn: Turn, row: Any) -> int:
            if str(row["id"]) == broken["id"]:
                raise ValueError("nobody thought of this")
            return await keep_one(turn, row)

        monkeypatch.setattr("services.orders.recurring.keeping.keep_one", keep_or_break)
        await keep()
        assert len(await orders_of(world, well["id"])) == 2
        assert await orders_of(world, broken["id"]) == []
        monkeypatch.undo()
    with at("2026-03-06T09:20"):
        assert await keep() == 2


async def test_an_edit_mends_at_once(world: World, keep: Keep) -> None:
    with at(FRIDAY):
        await anew(world)
        recurring = await arrange(world)
        await world.connection.execute("UPDATE order_kinds SET is_active = false WHERE id = 'buy_medicine'")
        await keep()
        body = {**MONDAYS, "kind": "snow_clearing", "expected_version": recurring["version"]}
        assert (await put(world, "zhang", recurring["id"], body)).status_code == 200
        assert await keep() == 2


async def test_people_and_keepers_at_once_leave_one_order_a_day(
    world: World, keepers: list[RecurringKeeper], keep: Keep
) -> None:
    """The household pauses, resumes, skips and edits while three keepers make: in the end the plan stands, once."""
    with at(FRIDAY):
        await anew(world)
        recurring = await arrange(world, rule="FREQ=DAILY")
        path = f"/v1/recurring-orders/{recurring['id']}"

        async def household() -> None:
            for n in range(4):
                await world.zhang.post(f"{path}/pause", {"paused_from": "2026-03-08", "paused_until": "2026-03-12"})
                await world.daughter.post(f"{path}/skip", {"occurrence_on": f"2026-03-{14 + n}"})
                await world.zhang.post(f"{path}/resume", {})

        async def work() -> None:
            for _ in range(6):
                await asyncio.gather(*(keeper.keep() for keeper in keepers))
                await asyncio.sleep(0.01)

        await asyncio.gather(household(), work())
        await keep()
        orders = await orders_of(world, recurring["id"])
    skipped = {f"2026-03-{14 + n}" for n in range(4)}
    wanted = [(date(2026, 3, 6) + timedelta(days=n)).isoformat() for n in range(15)]
    assert standing(orders) == [day for day in wanted if day not in skipped]


def test_shanghai_has_no_summer_time_to_think_of() -> None:
    assert {moment(f"2026-{month:02}-01T00:00").astimezone(SHANGHAI).utcoffset() for month in range(1, 13)} == {
        timedelta(hours=8)
    }
