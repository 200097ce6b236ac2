"""A rated order is rewarded exactly once, however often and by how many it is delivered, and whoever dies meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import pytest

from services.chassis import clock
from services.chassis.outbox import DeliveryWorker
from services.chassis.schemas import new_id
from services.events import OrderRated
from services.points.ledger.posting import InsufficientPoints, post_within
from services.points.subscriptions import SUBSCRIPTIONS, reward_rated_order
from tests.points.books import Books

Effect = Callable[[Any, UUID, Any], Awaitable[None]]


def rated(books: Books, **changes: Any) -> OrderRated:
    """Mr Zhang gives the member five stars."""
    values: dict[str, Any] = {
        "order_id": new_id(),
        "number": 10_000_001,
        "order_kind": "buy_medicine",
        "order_kind_name": "代购药品",
        "community_id": books.community_id,
        "assignee_id": books.world.member.account_id,
        "stars": 5,
        "solved": True,
        "rated_at": clock.now(),
        **changes,
    }
    return OrderRated(**values)


async def record(books: Books, event: OrderRated) -> None:
    """As the transaction that rated the order did."""
    await books.world.connection.execute(
        "SELECT outbox_record($1, $2, 'order_rated', $3, '{points}', $4)",
        books.world.tenant_id, new_id(), event.model_dump_json(), clock.now(),
    )  # fmt: skip


def deliverer(books: Books, effect: Effect = reward_rated_order) -> DeliveryWorker:
    return DeliveryWorker(books.database, listener="points", effects={OrderRated: effect}, poll_seconds=1)


async def open_deliveries(books: Books) -> int:
    return int(await books.world.fetch_value("SELECT count(*) FROM outbox_deliveries WHERE delivered_at IS NULL"))


class TestReward:
    async def test_credits_who_did_it(self, quiet_books: Books) -> None:
        books, event = quiet_books, rated(quiet_books)
        async with books.database.hot_transaction(books.world.tenant_id) as connection:
            await reward_rated_order(connection, books.world.tenant_id, event)
        (posted,) = await books.world.fetch("SELECT * FROM ledger_transactions")
        assert (posted["kind"], posted["source_kind"], posted["source_id"]) == (
            "reward",
            "order_rated",
            str(event.order_id),
        )
        assert msgspec.json.decode(posted["details"]) == {"rule_version": 1, "sum": "5，+2（5星）= 7"}
        assert posted["recorded_by"] is None
        assert posted["reason"] == "代购药品 服务获5星好评"
        assert await books.balance(books.world.member.account_id) == 7
        assert await books.balance(books.community_id) == -7

    @pytest.mark.parametrize(("stars", "words"), [(3, "服务获3星评价"), (4, "服务获4星好评"), (5, "服务获5星好评")])
    async def test_says_what_for(self, quiet_books: Books, stars: int, words: str) -> None:
        await record(quiet_books, rated(quiet_books, stars=stars))
        await deliverer(quiet_books).deliver_due()
        assert words in await quiet_books.world.fetch_value("SELECT reason FROM ledger_transactions")

    @pytest.mark.parametrize("changes", [{"stars": 2}, {"stars": 1}, {"solved": False}])
    async def test_nothing_earned_is_delivered_too(self, quiet_books: Books, changes: dict[str, Any]) -> None:
        await record(quiet_books, rated(quiet_books, **changes))
        assert await deliverer(quiet_books).deliver_due() == 1
        assert await open_deliveries(quiet_books) == 0
        assert await quiet_books.count("ledger_transactions") == 0

    async def test_counts_by_the_rule_of_the_day_it_was_rated(self, quiet_books: Books) -> None:
        """A rule that was raised since does not reach back."""
        world, yesterday = quiet_books.world, clock.now() - timedelta(days=1)
        await world.add_rules({"orders": {"general": {"fixed_points": 50}}}, active_from=clock.now())
        await record(quiet_books, rated(quiet_books, rated_at=yesterday))
        await record(quiet_books, rated(quiet_books, assignee_id=world.second_member.account_id))
        await deliverer(quiet_books).deliver_due()
        assert await quiet_books.balance(world.member.account_id) == 7
        assert await quiet_books.balance(world.second_member.account_id) == 50

    async def test_a_refusal_is_raised(self, quiet_books: Books) -> None:
        """So that the delivery keeps its row and says why, instead of counting as done."""
        books, overdraft = quiet_books, quiet_books.transfer(quiet_books.world.zhang.account_id, new_id(), 5)
        async with books.database.hot_transaction(books.world.tenant_id) as connection:
            with pytest.raises(InsufficientPoints) as raised:
                await post_within(connection, books.world.tenant_id, overdraft)
        assert raised.value.members == {"balance": 0, "available": 0}

    async def test_no_rule_no_points(self, quiet_books: Books) -> None:
        await record(quiet_books, rated(quiet_books, rated_at=clock.now() - timedelta(days=300)))
        assert await deliverer(quiet_books).deliver_due() == 1
        assert await quiet_books.count("ledger_transactions") == 0


class TestOnce:
    async def test_ten_deliverers_one_credit(self, quiet_books: Books) -> None:
        await record(quiet_books, rated(quiet_books))
        counts = await asyncio.gather(*(deliverer(quiet_books).deliver_due() for _ in range(10)))
        assert sum(counts) == 1
        assert await quiet_books.balance(quiet_books.world.member.account_id) == 7

    async def test_ten_deliverers_of_one_fact_told_ten_times(self, quiet_books: Books) -> None:
        """Nobody holds the others' rows: only the ledger keeps it at one."""
        event = rated(quiet_books)
        for _ in range(10):
            await record(quiet_books, event)
        counts = await asyncio.gather(*(deliverer(quiet_books).deliver_due() for _ in range(10)))
        assert sum(counts) == 10
        assert await open_deliveries(quiet_books) == 0
        assert await quiet_books.count("ledger_transactions") == 1
        assert await quiet_books.balance(quiet_books.world.member.account_id) == 7

    async def test_ten_deliverers_of_forty_orders(self, quiet_books: Books) -> None:
        for _ in range(40):
            await record(quiet_books, rated(quiet_books))
        await asyncio.gather(*(deliverer(quiet_books).deliver_due() for _ in range(10)))
        assert await open_deliveries(quiet_books) == 0
        assert await quiet_books.balance(quiet_books.world.member.account_id) == 40 * 7


class TestCrash:
    async def test_of_the_deliverer_between_effect_and_commit(self, quiet_books: Books) -> None:
        """Its connection breaks after the points were posted and before they were committed."""

        async def dies(connection: Any, tenant_id: UUID, event: OrderRated) -> None:
            await reward_rated_order(connection, tenant_id, event)
            connection.terminate()
            raise asyncpg.ConnectionDoesNotExistError("killed")

        await self._dies_and_another_delivers(quiet_books, dies)

    async def test_of_its_session_in_the_database(self, quiet_books: Books) -> None:
        async def is_terminated(connection: Any, tenant_id: UUID, event: OrderRated) -> None:
            await reward_rated_order(connection, tenant_id, event)
            await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")

        await self._dies_and_another_delivers(quiet_books, is_terminated)

    async def _dies_and_another_delivers(self, books: Books, effect: Effect) -> None:
        await record(books, rated(books))
        with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            await deliverer(books, effect).deliver_due()
        assert await books.count("ledger_transactions") == 0
        async with asyncio.timeout(10):
            while await open_deliveries(books):
                await deliverer(books).deliver_due()
                await asyncio.sleep(0.02)
        assert await books.count("ledger_transactions") == 1
        assert await books.balance(books.world.member.account_id) == 7

    async def test_of_the_effect_itself(self, quiet_books: Books) -> None:
        """What it posted before it failed is undone; it is tried again later, and nothing is forgotten."""

        async def fails(connection: Any, tenant_id: UUID, event: OrderRated) -> None:
            await reward_rated_order(connection, tenant_id, event)
            raise RuntimeError("out of luck")

        await record(quiet_books, rated(quiet_books))
        assert await deliverer(quiet_books, fails).deliver_due() == 0
        assert await quiet_books.count("ledger_transactions") == 0
        assert await quiet_books.world.fetch_value("SELECT last_error FROM outbox_deliveries") == "RuntimeError"
        with clock.shifted(timedelta(minutes=1)):
            assert await deliverer(quiet_books).deliver_due() == 1
        assert await quiet_books.balance(quiet_books.world.member.account_id) == 7


async def test_the_service_listens_to_what_it_has_an_effect_for() -> None:
    assert set(SUBSCRIPTIONS) == {OrderRated}
    assert "points" in OrderRated.listeners
