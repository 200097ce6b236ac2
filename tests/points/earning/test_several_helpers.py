"""An order several people did together: everybody who helped is credited by the same rule, and nobody twice."""

import asyncio
import json
import random
from datetime import timedelta
from typing import Any
from uuid import UUID

from services.chassis import clock
from services.chassis.schemas import new_id
from services.events import HelperShare, OrderRated
from tests.points.books import Books
from tests.points.earning.services import balance, deliver, rated, records_of
from tests.points.earning.test_crediting import CAPPED, HOURLY, close, set_cap


def share(books: Books, key: str, minutes: int | None = None) -> HelperShare:
    return HelperShare(account_id=books.world.people[key].account_id, minutes=minutes)


def cleared_snow(books: Books, *helpers: HelperShare, **changes: Any) -> OrderRated:
    """The member leads, others assist."""
    return rated(books, order_kind="snow_clearing", order_kind_name="铲雪除冰", helpers=helpers, **changes)


async def points_of(books: Books, *keys: str) -> list[int]:
    return [await books.balance(books.world.people[key].account_id) for key in keys]


async def test_everybody_earns_by_their_own_minutes(books: Books) -> None:
    await books.world.add_rules({"orders": {"general": HOURLY}}, active_from=clock.now() - timedelta(hours=1))
    event = cleared_snow(books, share(books, "second_member", 125), share(books, "grid_worker", 59), minutes=180)
    await deliver(books, event)
    assert await points_of(books, "member", "second_member", "grid_worker") == [3, 2, 0]
    minutes = [
        await balance(books, books.world.people[key].account_id, "minutes")
        for key in ("member", "second_member", "grid_worker")
    ]
    assert minutes == [180, 125, 59]
    (record,) = await records_of(books.world, books.world.second_member.account_id)
    assert (record["source_id"], record["minutes"], record["stars"]) == (event.order_id, 125, 5)


async def test_each_has_a_transaction_with_a_source_of_its_own(books: Books) -> None:
    """The lead's is the one a clerk would have booked by hand."""
    event = cleared_snow(books, share(books, "second_member"))
    await deliver(books, event)
    sources = await books.world.fetch("SELECT source_kind, source_id FROM ledger_transactions")
    assert {tuple(row) for row in sources} == {
        ("order_rated", str(event.order_id)),
        ("order_rated", f"{event.order_id}:{books.world.second_member.account_id}"),
    }
    assert await books.broken() == []


async def test_who_leads_and_is_named_as_assisting_too_earns_once(books: Books) -> None:
    event = cleared_snow(books, share(books, "member", 600), share(books, "second_member"), minutes=30)
    await deliver(books, event)
    (record,) = await records_of(books.world, books.world.member.account_id)
    assert (record["minutes"], record["points"]) == (30, 7)


async def test_one_with_a_closed_account_takes_nothing_from_the_others(books: Books) -> None:
    await close(books, "points")
    await deliver(books, cleared_snow(books, share(books, "second_member")))
    assert await points_of(books, "member", "second_member") == [0, 7]
    (record,) = await records_of(books.world, books.world.member.account_id)
    assert (record["transaction_id"], json.loads(record["details"])["cut_by"]) == (None, "account_closed")


async def test_one_with_a_full_account_gets_what_fits(books: Books) -> None:
    await set_cap(books, "points", 10)
    await books.give(books.world.second_member.account_id, 8)
    await deliver(books, cleared_snow(books, share(books, "second_member")))
    assert await points_of(books, "member", "second_member") == [7, 10]


async def test_limits_are_each_persons_own(books: Books) -> None:
    await books.world.add_rules(CAPPED, active_from=clock.now() - timedelta(hours=1))
    await deliver(books, rated(books))
    await deliver(books, cleared_snow(books, share(books, "second_member")))
    assert await points_of(books, "member", "second_member") == [8, 5]


class TestRatedAgain:
    """After it was opened again, or was done again."""

    async def test_pays_nobody_twice(self, books: Books) -> None:
        order_id = new_id()
        await deliver(books, cleared_snow(books, share(books, "second_member"), order_id=order_id, stars=4))
        await deliver(books, cleared_snow(books, share(books, "second_member"), order_id=order_id, stars=5))
        assert await points_of(books, "member", "second_member") == [5, 5]
        assert await books.count("service_records") == 2

    async def test_pays_who_came_to_it_later(self, books: Books) -> None:
        """The one who leads now is paid, though the order's own source was booked for who led before."""
        order_id = new_id()
        await deliver(books, cleared_snow(books, order_id=order_id))
        later = cleared_snow(
            books,
            share(books, "member"),
            share(books, "grid_worker"),
            order_id=order_id,
            assignee_id=books.world.second_member.account_id,
        )
        await deliver(books, later)
        await deliver(books, later)
        assert await points_of(books, "member", "second_member", "grid_worker") == [7, 7, 7]

    async def test_at_the_same_moment_pays_both_who_led_it(self, books: Books) -> None:
        """Without the order's lock both would book its own source, and one would be told it was booked before."""
        order_id = new_id()
        leads = [books.world.member.account_id, books.world.second_member.account_id]
        await asyncio.gather(*(deliver(books, rated(books, order_id=order_id, assignee_id=who)) for who in leads * 4))
        assert await points_of(books, "member", "second_member") == [7, 7]


async def test_an_event_told_many_times_at_once_pays_everybody_once(books: Books) -> None:
    event = cleared_snow(books, share(books, "second_member"), share(books, "grid_worker"))
    await asyncio.gather(*(deliver(books, event) for _ in range(12)))
    assert await points_of(books, "member", "second_member", "grid_worker") == [7, 7, 7]
    assert await books.count("service_records") == 3
    assert await books.broken() == []


async def test_many_orders_with_the_same_people_in_any_order_never_stand_in_each_others_way(books: Books) -> None:
    """Everybody's locks are taken in one order, and the ledger's in one call."""
    keys = ["member", "second_member", "grid_worker", "other_member"]
    chance = random.Random(20261122)
    events = []
    for _ in range(24):
        lead, *assisting = chance.sample(keys, chance.randint(2, 4))
        shares = [share(books, key) for key in assisting]
        events.append(cleared_snow(books, *shares, assignee_id=books.world.people[lead].account_id))
    await asyncio.gather(*(deliver(books, event) for event in events))
    expected: dict[UUID, int] = {}
    for event in events:
        for who in (event.assignee_id, *(helper.account_id for helper in event.helpers)):
            expected[who] = expected.get(who, 0) + 7
    found = [await books.balance(books.world.people[key].account_id) for key in keys]
    assert found == [expected[books.world.people[key].account_id] for key in keys]
    assert await books.broken() == []


async def test_an_event_from_before_there_were_helpers_is_read(books: Books) -> None:
    event = rated(books)
    old = event.model_dump(mode="json", exclude={"helpers"})
    assert OrderRated.model_validate(old) == event
