"""Takes new orders into the index of words in the background: placing an order does not wait for it."""

import asyncio
import logging
from uuid import UUID

from services.chassis.database import Database

logger = logging.getLogger(__name__)

BATCH = 200
"""Orders at a time, about a tenth of a second. In a rush placing comes first: one batch of a tenant per turn."""
BLOCK_ORDERS = 16_384
"""So many orders of a tenant a search looks through at once."""


class WordKeeper:
    """Keeps the index of words of every district. Any number of workers may run, in any number of processes."""

    def __init__(self, database: Database, *, poll_seconds: float) -> None:
        self._database = database
        self._poll_seconds = poll_seconds

    async def run(self) -> None:
        """Until cancelled. Survives a restart of the database."""
        while True:
            try:
                await self.keep()
            except Exception as error:
                logger.warning("keeping words paused: %s", type(error).__name__)
            await asyncio.sleep(self._poll_seconds)

    async def keep(self) -> int:
        """One batch of every tenant that has something to do; how many orders."""
        due = await self._database.pool.fetch("SELECT tenant_id FROM order_words_due()")
        return sum([await self._keep_tenant(row["tenant_id"]) for row in due])

    async def _keep_tenant(self, tenant_id: UUID) -> int:
        """What goes wrong in one district does not stop the others; the next turn tries again."""
        try:
            done: int = await self._database.pool.fetchval(
                "SELECT order_words_keep($1, $2, $3)", tenant_id, BATCH, BLOCK_ORDERS
            )
        except Exception as error:
            logger.warning("words put off: %s", type(error).__name__)
            return 0
        return done
