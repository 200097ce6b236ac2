"""The district the benchmarks work in, in a database of their own."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg

from benchmarks import district_sql as sql
from benchmarks.numbering import (
    COMMUNITIES,
    DISTRICT,
    FIRST_CLERK,
    FIRST_DISPATCHER,
    PEOPLE,
    Family,
    numbered_id,
)
from services.chassis import clock
from services.chassis.database import driver_url, tenant_statement
from services.chassis.tokens import Claims, sign_token

TOKEN_HOURS = 12
ORDERS = ("orders", "order_history", "order_clocks")
LEDGER = (
    "ledger_accounts",
    "ledger_transactions",
    "ledger_entries",
    "ledger_lots",
    "ledger_allocations",
    "ledger_holds",
    "ledger_hold_lots",
    "ledger_hold_ends",
    "ledger_open_holds",
    "ledger_unsealed",
    "ledger_chain",
)


@dataclass(frozen=True)
class Caller:
    """Somebody who is signed in."""

    account_id: UUID
    session_id: UUID
    token: str


class District:
    """Areas, people, past orders and postings; and the way back to them after a measurement.

    Its connection is one of whoever owns the database, and checks no references: the rows refer rightly by
    construction, and checking each would take most of the time.
    """

    def __init__(self, connection: Any, signing_key: dict[str, Any]) -> None:
        self.connection = connection
        self._signing_key = signing_key
        self.people = [self.caller(number) for number in range(PEOPLE)]
        self.dispatchers = [self.caller(FIRST_DISPATCHER + number) for number in range(COMMUNITIES)]
        self.clerks = [self.caller(FIRST_CLERK + number) for number in range(COMMUNITIES)]
        self.orders = 0
        self._last_number = 0

    @classmethod
    async def found(cls, url: str, signing_key: dict[str, Any]) -> "District":
        """Without orders yet. The database is migrated and empty."""
        connection = await asyncpg.connect(driver_url(url), command_timeout=600)
        await connection.execute(tenant_statement(DISTRICT).replace("LOCAL ", ""))
        await connection.execute("SET session_replication_role = replica")
        for statement in sql.FOUNDATION:
            await connection.execute(statement)
        await connection.execute("VACUUM (ANALYZE)")
        return cls(connection, signing_key)

    async def close(self) -> None:
        await self.connection.close()

    def caller(self, number: int, *, tenant_id: UUID = DISTRICT) -> Caller:
        """The person of this number, with a token."""
        account_id, session_id = numbered_id(Family.ACCOUNT, number), numbered_id(Family.SESSION, number)
        moment = clock.now()
        claims = Claims(account_id, tenant_id, session_id, (moment + timedelta(hours=TOKEN_HOURS)).timestamp())
        return Caller(account_id, session_id, sign_token(self._signing_key, claims, moment))

    async def grow_to(self, orders: int) -> None:
        """As many past orders, with their history, clocks and words: eight months of a million, newest last.

        Made anew, because those that are open are always the newest.
        """
        await self.connection.execute(sql.REMOVE_ORDERS)
        indexes = await self.connection.fetch(sql.SECONDARY_INDEXES)
        for index in indexes:
            await self.connection.execute(f"DROP INDEX {index['name']}")
        await self.connection.execute(sql.PAST_ORDERS.format(last=orders))
        for statement in (sql.PAST_HISTORY, sql.CLOCKS, sql.WORDS):
            await self.connection.execute(statement)
        for index in indexes:
            await self.connection.execute(index["definition"])
        await self._tidy_up(*ORDERS, "order_words", "order_word_blocks")
        self.orders = orders
        self._last_number = await self.connection.fetchval("SELECT max(number) FROM orders")

    async def forget_new_orders(self) -> None:
        """Back to the past orders, and to tables without the dead rows of what came after."""
        await self.connection.execute(sql.FORGET_ORDERS.format(last=self._last_number))
        await self._tidy_up(*ORDERS, "order_words", "order_word_work", "idempotency_keys")

    async def add_waiting_orders(self, count: int, state: str, *, is_sent: bool = False) -> None:
        """Orders 0 to `count` - 1 of their family, in this state: in the pool, or sent to somebody each."""
        await self.connection.execute(sql.waiting_orders(count, state, is_sent=is_sent))
        await self._tidy_up(*ORDERS)

    async def new_orders(self) -> int:
        """How many there are beside the past ones, each with its history."""
        return await self.count(sql.NEW_ORDERS, DISTRICT, self._last_number)

    async def new_postings(self) -> int:
        """How many there are beside the past ones, each with its two entries."""
        return await self.count(sql.NEW_POSTINGS, DISTRICT)

    async def forget_new_postings(self) -> None:
        """Back to the past postings."""
        await self.connection.execute(sql.FORGET_POSTINGS)
        await self._tidy_up(*LEDGER, "idempotency_keys")

    async def add_holds(self, count: int) -> None:
        """Holds 0 to `count` - 1 of their family, of one point each; at most sql.MOST_HOLDS."""
        await self.connection.execute(sql.HOLDS.format(count=min(count, sql.MOST_HOLDS)))
        await self._tidy_up(*LEDGER)

    async def open_holds(self) -> int:
        return await self.count(sql.NEW_HOLDS, DISTRICT)

    async def count(self, query: str, *arguments: Any) -> int:
        return int(await self.connection.fetchval(query, *arguments))

    async def _tidy_up(self, *tables: str) -> None:
        for table in tables:
            await self.connection.execute(f"VACUUM (ANALYZE) {table}")
