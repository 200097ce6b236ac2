"""What orders do by themselves when their time has come: a lease runs out, silence closes, shelving ends."""

import asyncio
import logging
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from services.chassis import clock
from services.chassis.database import CONNECTION_LOST, Database
from services.orders.orders.actions import system_step

logger = logging.getLogger(__name__)

BATCH = 50
RETRIED_AFTER = timedelta(minutes=15)
"""How soon a step that failed is tried again."""


class TimerKeeper:
    """Takes the steps that are due in all districts. Any number of workers may run, in any number of processes."""

    def __init__(self, database: Database, *, poll_seconds: float) -> None:
        self._database = database
        self._poll_seconds = poll_seconds

    async def run(self) -> None:
        """Until cancelled. Survives a restart of the database."""
        while True:
            try:
                await self.keep()
            except Exception as error:
                logger.warning("timers paused: %s", type(error).__name__)
            await asyncio.sleep(self._poll_seconds)

    async def keep(self) -> int:
        """Does everything that is due now; how many steps were taken."""
        due = await self._database.pool.fetch("SELECT tenant_id FROM order_timers_due($1)", clock.now())
        return sum([await self._keep_tenant(row["tenant_id"]) for row in due])

    async def _keep_tenant(self, tenant_id: UUID) -> int:
        """What goes wrong in one district does not stop the others; the next turn tries again."""
        done = 0
        try:
            while (some := await self._keep_batch(tenant_id)) == BATCH:
                done += some
        except Exception as error:
            logger.warning("timers put off: %s", type(error).__name__)
            return done
        return done + some

    async def _keep_batch(self, tenant_id: UUID) -> int:
        """The lock and the moved timer let each step be taken once, whoever tries."""
        async with self._database.hot_transaction(tenant_id) as connection:
            due = await connection.fetch(_DUE, tenant_id, clock.now(), BATCH)
            for order in due:
                await _take_step(connection, tenant_id, order["id"], order["timer_action"])
        return len(due)


async def _take_step(connection: Any, tenant_id: UUID, order_id: UUID, action: str) -> None:
    """What fails leaves nothing behind and does not stop the others: it is tried again a little later."""
    command = msgspec.json.encode(system_step(order_id, action), enc_hook=str).decode()
    await connection.execute("SAVEPOINT timer")
    try:
        status = await connection.fetchval("SELECT status FROM order_step($1, $2)", tenant_id, command)
    except CONNECTION_LOST:
        raise
    except asyncpg.PostgresError as error:
        logger.warning("timer of an order put off: %s", type(error).__name__)
        await connection.execute("ROLLBACK TO SAVEPOINT timer")
        await connection.execute(_PUT_OFF, tenant_id, order_id, clock.now() + RETRIED_AFTER)
    else:
        if status != 200:  # a newer lifecycle does not know the step any more
            await connection.execute(_STOP, tenant_id, order_id)
    await connection.execute("RELEASE SAVEPOINT timer")


_DUE = """
SELECT id, timer_action FROM orders WHERE tenant_id = $1 AND timer_at <= $2
ORDER BY timer_at LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED
"""
_PUT_OFF = "UPDATE orders SET timer_at = $3 WHERE tenant_id = $1 AND id = $2"
_STOP = "UPDATE orders SET timer_at = NULL, timer_action = NULL WHERE tenant_id = $1 AND id = $2"
