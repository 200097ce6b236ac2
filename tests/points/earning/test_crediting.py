"""Crediting rated orders: the record, the limits, what does not fit, and never twice."""

import asyncio
import json
from datetime import datetime, timedelta

import pytest

from services.chassis import clock
from services.chassis.schemas import new_id
from services.points.earning.crediting import credit_order
from tests.points.books import Books
from tests.points.earning.services import balance, credit, deliver, rated, records_of

HOURLY = {"rate": {"points": 1}, "credits_minutes": True}


async def set_cap(books: Books, asset: str, member_cap: int) -> None:
    await books.world.insert(
        "ledger_settings", asset=asset, version=1, expiry_unit="none", expiry_count=0, expired_return_days=0,
        spent_earning="refuse", hold_days=7, member_cap=member_cap, may_transfer=False, recorded_at=clock.now(),
        recorded_by=books.world.district_admin.account_id,
    )  # fmt: skip


async def close(books: Books, asset: str) -> None:
    """The member's empty account."""
    await books.world.insert(
        "ledger_accounts", id=new_id(), asset=asset, kind="member", owner_id=books.world.member.account_id,
        status="closed",
    )  # fmt: skip


class TestRecord:
    async def test_says_what_was_done_and_what_it_earned(self, books: Books) -> None:
        ended = clock.now() - timedelta(hours=3)
        record = await credit(books, began_at=ended - timedelta(minutes=95), ended_at=ended, minutes=90)
        transaction = await books.world.fetch_value("SELECT id FROM ledger_transactions")
        assert {name: record[name] for name in ("sequence", "points", "minutes_credited", "minutes", "stars")} == {
            "sequence": 1,
            "points": 7,
            "minutes_credited": 0,
            "minutes": 90,
            "stars": 5,
        }
        assert (record["transaction_id"], record["rule_version"], record["recorded_by"]) == (transaction, 1, None)
        assert json.loads(record["details"]) == {"sum": "5，+2（5星）= 7"}

    async def test_is_written_of_what_earns_nothing_too(self, books: Books) -> None:
        """By another rule it might have earned something."""
        record = await credit(books, stars=1)
        assert (record["points"], record["transaction_id"]) == (0, None)
        assert json.loads(record["details"])["nothing_because"] == "rated_too_low"
        assert await books.count("ledger_transactions") == 0

    async def test_is_written_where_no_rule_was_in_force(self, books: Books) -> None:
        record = await credit(books, rated_at=clock.now() - timedelta(days=300))
        assert (record["points"], record["rule_version"]) == (0, None)

    async def test_an_event_from_before_times_were_told_is_read(self, books: Books) -> None:
        record = await credit(books)
        assert (record["began_at"], record["ended_at"], record["minutes"]) == (None, None, None)

    async def test_clocks_that_differ_do_not_block_the_event(self, books: Books) -> None:
        ended = clock.now()
        record = await credit(books, began_at=ended + timedelta(seconds=2), ended_at=ended)
        assert record["began_at"] == record["ended_at"]


class TestMinutes:
    async def test_go_to_the_time_account_in_the_same_transaction(self, books: Books) -> None:
        member = books.world.member.account_id
        await books.world.add_rules({"orders": {"general": HOURLY}}, active_from=clock.now() - timedelta(hours=1))
        record = await credit(books, minutes=90)
        assert (await balance(books, member, "points"), await balance(books, member, "minutes")) == (1, 90)
        assert (record["points"], record["minutes_credited"]) == (1, 90)
        assert await books.count("ledger_transactions") == 1

    async def test_alone_when_there_are_no_whole_points(self, books: Books) -> None:
        member = books.world.member.account_id
        await books.world.add_rules({"orders": {"general": HOURLY}}, active_from=clock.now() - timedelta(hours=1))
        await credit(books, minutes=59)
        assert (await balance(books, member, "points"), await balance(books, member, "minutes")) == (0, 59)


class TestVersions:
    async def test_the_one_in_force_when_it_was_rated_counts(self, books: Books) -> None:
        moment = clock.now() - timedelta(days=2)
        await books.world.add_rules({"orders": {"general": {"fixed_points": 50}}}, active_from=moment)
        before = await credit(books, rated_at=moment - timedelta(microseconds=1))
        after = await credit(books, rated_at=moment)
        assert [(r["rule_version"], r["points"]) for r in (before, after)] == [(1, 7), (2, 50)]

    async def test_the_latest_to_come_into_force_counts_not_the_last_written(self, books: Books) -> None:
        now = clock.now()
        await books.world.add_rules({"orders": {"general": {"fixed_points": 50}}}, active_from=now - timedelta(days=1))
        await books.world.add_rules({"orders": {"general": {"fixed_points": 60}}}, active_from=now - timedelta(days=3))
        await books.world.add_rules({"orders": {"general": {"fixed_points": 70}}}, active_from=now + timedelta(days=3))
        assert (await credit(books))["points"] == 50
        assert (await credit(books, rated_at=now - timedelta(days=2)))["points"] == 60

    async def test_another_district_has_its_own(self, books: Books, other_books: Books) -> None:
        await books.world.add_rules({}, active_from=clock.now() - timedelta(hours=1))
        assert [(await credit(ledger))["points"] for ledger in (books, other_books)] == [0, 7]


CAPPED = {"orders": {"general": {"fixed_points": 5}}, "caps": {"per_day": 8, "per_month": 12}}


class TestLimits:
    @pytest.mark.parametrize(
        ("ends", "points"),
        [
            # 23:59:59 belongs to the day, midnight to the next: in Shanghai, sixteen o'clock in UTC.
            (["2026-03-16T04:00:00Z", "2026-03-16T15:59:59Z"], [5, 3]),
            (["2026-03-16T15:59:59Z", "2026-03-16T16:00:00Z"], [5, 5]),
            (["2026-03-15T16:00:00Z", "2026-03-16T15:59:59.999999Z"], [5, 3]),
            # A month lasts until its last day is over; February has 29 in 2028.
            (["2026-03-01T04:00:00Z", "2026-03-15T04:00:00Z", "2026-03-31T15:59:59Z"], [5, 5, 2]),
            (["2026-03-01T04:00:00Z", "2026-03-15T04:00:00Z", "2026-03-31T16:00:00Z"], [5, 5, 5]),
            (["2028-02-01T04:00:00Z", "2028-02-28T16:00:00Z", "2028-02-29T15:59:59Z"], [5, 5, 2]),
            (["2028-02-01T04:00:00Z", "2028-02-28T16:00:00Z", "2028-02-29T16:00:00Z"], [5, 5, 5]),
            (["2026-12-01T04:00:00Z", "2026-12-31T15:59:59Z", "2026-12-31T16:00:00Z"], [5, 5, 5]),
            # What happened earlier and is told later counts on its own day.
            (["2026-03-17T04:00:00Z", "2026-03-16T04:00:00Z", "2026-03-16T05:00:00Z"], [5, 5, 2]),
        ],
    )
    async def test_of_day_and_month_are_those_of_shanghai(
        self, books: Books, ends: list[str], points: list[int]
    ) -> None:
        await books.world.add_rules(CAPPED, active_from=clock.now() - timedelta(hours=1))
        moments = [datetime.fromisoformat(end) for end in ends]
        assert [(await credit(books, ended_at=moment))["points"] for moment in moments] == points

    async def test_the_posting_says_what_was_cut_off(self, books: Books) -> None:
        await books.world.add_rules(CAPPED, active_from=clock.now() - timedelta(hours=1))
        await credit(books)
        record = await credit(books)
        details = await books.world.fetch_value(
            "SELECT details FROM ledger_transactions WHERE id = $1", record["transaction_id"]
        )
        assert json.loads(details) == {
            "rule_version": 2,
            "sum": "5；每日上限，计 3",
            "cut": 2,
            "cut_by": "per_day",
        }

    async def test_do_not_count_what_was_taken_back(self, books: Books) -> None:
        await books.world.add_rules(
            {"orders": {"general": {"fixed_points": 5}}, "caps": {"per_day": 8, "per_month": 10}},
            active_from=clock.now() - timedelta(minutes=1),
        )
        first = await credit(books)
        assert (await books.call("ledger_reverse", books.reversal(first["transaction_id"]))).status == 201
        assert [(await credit(books))["points"] for _ in range(3)] == [5, 3, 0]

    async def test_are_each_persons_own(self, books: Books) -> None:
        await books.world.add_rules(CAPPED, active_from=clock.now() - timedelta(hours=1))
        people = [books.world.member, books.world.second_member] * 2
        assert [(await credit(books, assignee_id=p.account_id))["points"] for p in people] == [5, 5, 3, 3]

    async def test_hold_when_many_credit_one_person_at_once(self, books: Books) -> None:
        """Without the person's lock each would see the day as it was before all of them."""
        await books.world.add_rules(CAPPED, active_from=clock.now() - timedelta(hours=1))
        await asyncio.gather(*(deliver(books, rated(books)) for _ in range(12)))
        assert await books.balance(books.world.member.account_id) == 8
        records = await records_of(books.world, books.world.member.account_id)
        assert [record["sequence"] for record in records] == list(range(1, 13))


class TestWhatDoesNotFit:
    """The ledger's refusals never keep the delivery from coming to an end."""

    async def test_a_full_account_gets_what_fits(self, books: Books) -> None:
        await set_cap(books, "points", 10)
        records = [await credit(books) for _ in range(3)]
        assert [record["points"] for record in records] == [7, 3, 0]
        assert [json.loads(record["details"]).get("cut_by") for record in records] == [
            None,
            "balance_cap",
            "balance_cap",
        ]
        assert await books.balance(books.world.member.account_id) == 10

    async def test_a_full_time_account_does_not_cost_points(self, books: Books) -> None:
        member = books.world.member.account_id
        await books.world.add_rules({"orders": {"general": HOURLY}}, active_from=clock.now() - timedelta(hours=1))
        await set_cap(books, "minutes", 100)
        records = [await credit(books, minutes=90) for _ in range(2)]
        assert [(record["points"], record["minutes_credited"]) for record in records] == [(1, 90), (1, 10)]
        assert (await balance(books, member, "points"), await balance(books, member, "minutes")) == (2, 100)

    async def test_a_closed_account_gets_nothing_and_says_so(self, books: Books) -> None:
        await close(books, "points")
        record = await credit(books)
        assert (record["points"], record["transaction_id"]) == (0, None)
        assert json.loads(record["details"]) == {
            "sum": "5，+2（5星）= 7；账户已关闭，计 0",
            "cut": 7,
            "cut_by": "account_closed",
        }

    async def test_a_closed_time_account_does_not_cost_points(self, books: Books) -> None:
        await books.world.add_rules({"orders": {"general": HOURLY}}, active_from=clock.now() - timedelta(hours=1))
        await close(books, "minutes")
        record = await credit(books, minutes=90)
        assert (record["points"], record["minutes_credited"]) == (1, 0)

    async def test_a_frozen_account_earns(self, books: Books) -> None:
        await books.give(books.world.member.account_id, 1)
        await books.world.connection.execute("UPDATE ledger_accounts SET status = 'frozen' WHERE kind = 'member'")
        assert (await credit(books))["points"] == 7

    async def test_what_a_clerk_has_booked_by_hand_is_not_credited_again(self, books: Books) -> None:
        order_id = new_id()
        await books.post(books.gift(books.world.member.account_id, 3, source=("order_rated", str(order_id))))
        record = await credit(books, order_id=order_id)
        assert (record["points"], json.loads(record["details"])["cut_by"]) == (0, "booked_before")
        assert await books.balance(books.world.member.account_id) == 3


async def test_one_order_is_credited_once_however_often_it_is_told(books: Books) -> None:
    event = rated(books)

    async def tell() -> None:
        async with books.database.hot_transaction(books.world.tenant_id) as connection:
            await credit_order(connection, books.world.tenant_id, event)

    await asyncio.gather(*(tell() for _ in range(12)))
    assert await books.balance(books.world.member.account_id) == 7
    assert await books.count("service_records") == 1
