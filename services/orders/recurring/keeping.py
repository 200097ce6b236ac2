"""Makes the orders of recurring orders in the background, a horizon ahead, each once."""

import asyncio
import logging
from typing import Any
from uuid import UUID

import asyncpg

from services.chassis import clock
from services.chassis.database import CONNECTION_LOST, Database
from services.orders.clocks.national import load_national_calendars
from services.orders.recurring.making import RETRIED_AFTER, Turn, keep_one
from services.orders.recurring.records import load_calendar, lock_row_if_free

logger = logging.getLogger(__name__)

BATCH = 100


class RecurringKeeper:
    """Keeps the recurring orders of every district. Any number of workers may run, in any number of processes.

    One recurring order is one transaction, under the lock of its row: orders, occurrences and whom they are given to
    come together or not at all.
    """

    def __init__(self, database: Database, *, poll_seconds: float) -> None:
        self._database = database
        self._poll_seconds = poll_seconds
        self._knows_calendars = False

    async def run(self) -> None:
        """Until cancelled. Survives a restart of the database."""
        while True:
            try:
                await self.keep()
            except Exception as error:
                logger.warning("keeping recurring orders paused: %s", type(error).__name__)
            await asyncio.sleep(self._poll_seconds)

    async def keep(self) -> int:
        """Does everything that is due now, in all tenants; how many orders were made."""
        if not self._knows_calendars:
            await load_national_calendars(self._database)
            self._knows_calendars = True
        due = await self._database.pool.fetch("SELECT tenant_id FROM recurring_due_tenants($1)", clock.now())
        return sum([await self._keep_tenant(row["tenant_id"]) for row in due])

    async def _keep_tenant(self, tenant_id: UUID) -> int:
        """What goes wrong in one district does not stop the others; the next turn tries again."""
        made = 0
        try:
            while ids := await self._due_ids(tenant_id):
                made += sum([await self._keep_one(tenant_id, one) for one in ids])
                if len(ids) < BATCH:
                    break
        except Exception as error:
            logger.warning("recurring orders put off: %s", type(error).__name__)
        return made

    async def _due_ids(self, tenant_id: UUID) -> list[UUID]:
        async with self._database.hot_transaction(tenant_id) as connection:
            rows = await connection.fetch(_DUE, tenant_id, clock.now(), BATCH)
        return [row["id"] for row in rows]

    async def _keep_one(self, tenant_id: UUID, recurring_order_id: UUID) -> int:
        """What goes wrong with one does not stop the others: it is looked at again a little later."""
        try:
            async with self._database.hot_transaction(tenant_id) as connection:
                return await _keep_if_due(connection, tenant_id, recurring_order_id)
        except CONNECTION_LOST:
            raise
        except (asyncpg.PostgresError, ValueError, LookupError) as error:
            logger.warning("recurring order put off: %s", type(error).__name__)
        async with self._database.hot_transaction(tenant_id) as connection:
            await connection.execute(_PUT_OFF, tenant_id, recurring_order_id, clock.now() + RETRIED_AFTER)
        return 0


async def _keep_if_due(connection: Any, tenant_id: UUID, recurring_order_id: UUID) -> int:
    """Commits nothing. 0 where somebody else is at it, or has just been."""
    row = await lock_row_if_free(connection, tenant_id, recurring_order_id)
    now = clock.now()
    if row is None or not await connection.fetchval(_IS_DUE, tenant_id, recurring_order_id, now):
        return 0
    calendar = await load_calendar(connection, tenant_id, now)
    return await keep_one(Turn(connection, tenant_id, calendar, now), row)


_DUE = """
SELECT id FROM (
    (SELECT r.id FROM recurring_orders r WHERE r.tenant_id = $1 AND r.next_at <= $2 ORDER BY r.next_at LIMIT $3)
    UNION
    (SELECT w.recurring_order_id FROM recurring_order_work w WHERE w.tenant_id = $1 LIMIT $3)
) AS due
LIMIT $3
"""
_IS_DUE = """
SELECT EXISTS (SELECT FROM recurring_orders r WHERE r.tenant_id = $1 AND r.id = $2 AND r.next_at <= $3)
    OR EXISTS (SELECT FROM recurring_order_work w WHERE w.tenant_id = $1 AND w.recurring_order_id = $2)
"""
_PUT_OFF = """
WITH taken AS (DELETE FROM recurring_order_work WHERE tenant_id = $1 AND recurring_order_id = $2)
UPDATE recurring_orders SET next_at = $3 WHERE tenant_id = $1 AND id = $2 AND next_at < $3
"""
