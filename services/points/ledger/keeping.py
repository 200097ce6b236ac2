"""Bookkeeping in the background: what falls due in the books of every district, done by whichever worker gets there."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from uuid import UUID

from services.chassis.database import Database

logger = logging.getLogger(__name__)

Job = Callable[[Database, UUID], Awaitable[int]]
"""Does all that is due in one tenant, in transactions of its own, and says how much that was. Any number of workers
may do it at once, and twice."""

BATCH = 200


class BookKeeper:
    """Does what `ledger_due_work` names. Any number of workers may run, in any number of processes."""

    def __init__(self, database: Database, *, poll_seconds: float, jobs: Mapping[str, Job]) -> None:
        """`jobs` by their names in `ledger_due_work`; they are done in the order of the mapping."""
        self._database = database
        self._poll_seconds = poll_seconds
        self._jobs = jobs

    async def run(self) -> None:
        """Until cancelled. Survives a restart of the database."""
        while True:
            try:
                await self.keep()
            except Exception as error:
                logger.warning("bookkeeping paused: %s", type(error).__name__)
            await asyncio.sleep(self._poll_seconds)

    async def keep(self) -> int:
        """Does everything that is due now, in all tenants; how much that was."""
        due = await self._database.pool.fetch("SELECT tenant_id, work FROM ledger_due_work()")
        done = 0
        for row in due:
            for name, job in self._jobs.items():
                if name in row["work"]:
                    done += await self._attempt(name, job, row["tenant_id"])
        return done

    async def _attempt(self, name: str, job: Job, tenant_id: UUID) -> int:
        """What goes wrong in one district does not stop the others; the next turn tries again."""
        try:
            return await job(self._database, tenant_id)
        except Exception as error:
            logger.warning("%s put off: %s", name, type(error).__name__)
            return 0


async def expire_holds(database: Database, tenant_id: UUID) -> int:
    """Ends the tenant's holds that are over."""
    return await _until_none(database, tenant_id, "SELECT ledger_expire_holds($1, $2)")


async def expire_lots(database: Database, tenant_id: UUID) -> int:
    """Posts the tenant's lots that are over to the expiry account."""
    return await _until_none(database, tenant_id, "SELECT ledger_expire_lots($1, $2)")


async def _until_none(database: Database, tenant_id: UUID, statement: str) -> int:
    done = 0
    while True:
        async with database.hot_transaction(tenant_id) as connection:
            some: int = await connection.fetchval(statement, tenant_id, BATCH)
        if not some:
            return done
        done += some
