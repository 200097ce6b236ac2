"""Clearing what nobody needs any more: hourly, a little at a time, district by district."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from services.chassis import clock
from services.chassis.database import Database
from services.chassis.settings import Settings

logger = logging.getLogger(__name__)

BATCH = 500
"""Rows of one transaction: nobody waits for a clearing longer than that takes."""
FIRST_PAUSE_SECONDS = 60.0
"""A process that has just started has better things to do."""

ANSWERS_KEPT_FOR_EVER = frozenset({"points"})
"""Services whose stored answers stay: a posting has one answer for ever, however late its request is repeated."""


@dataclass(frozen=True, slots=True)
class Clearing:
    """One kind of row, and how long it is kept.

    The statement deletes rows of tenant `$1` that were done with before `$2`, at most `$3` of them. Two processes may
    run it at once.
    """

    name: str
    kept: timedelta
    statement: str


def clearings_of(service: str, settings: Settings) -> list[Clearing]:
    """What every service clears: deliveries made to it, events that everybody has, answers nobody will ask for."""
    facts = timedelta(days=settings.outbox_kept_days)
    clearings = [
        Clearing("deliveries", facts, _DELIVERIES),
        Clearing("events", facts, _EVENTS),
    ]
    if service not in ANSWERS_KEPT_FOR_EVER:
        clearings.append(Clearing("answers", timedelta(days=settings.answers_kept_days), _ANSWERS))
    return clearings


class RetentionWorker:
    """Clears in all tenants. Any number of workers may run, in any number of processes."""

    def __init__(self, database: Database, clearings: Sequence[Clearing], *, poll_seconds: float) -> None:
        self._database = database
        self._clearings = clearings
        self._poll_seconds = poll_seconds

    async def run(self) -> None:
        """Until cancelled. Survives a restart of the database."""
        await asyncio.sleep(min(FIRST_PAUSE_SECONDS, self._poll_seconds))
        while True:
            try:
                await self.clear()
            except Exception as error:
                logger.warning("clearing paused: %s", type(error).__name__)
            await asyncio.sleep(self._poll_seconds)

    async def clear(self) -> dict[str, int]:
        """Clears everything that is due now; how many rows of each kind that were."""
        tenants = await self._database.pool.fetch("SELECT id FROM tenants")
        cleared: dict[str, int] = {}
        for clearing in self._clearings:
            counts = [await self._attempt(clearing, row["id"]) for row in tenants]
            cleared[clearing.name] = sum(counts)
        return cleared

    async def _attempt(self, clearing: Clearing, tenant_id: UUID) -> int:
        """What goes wrong in one district does not stop the others; the next turn tries again."""
        try:
            return await self._clear(clearing, tenant_id)
        except Exception as error:
            logger.warning("clearing of %s put off: %s", clearing.name, type(error).__name__)
            return 0

    async def _clear(self, clearing: Clearing, tenant_id: UUID) -> int:
        moment = clock.now() - clearing.kept
        cleared = 0
        while True:
            async with self._database.hot_transaction(tenant_id) as connection:
                done = await connection.execute(clearing.statement, tenant_id, moment, BATCH)
            some = int(done.rpartition(" ")[2])
            cleared += some
            if some < BATCH:
                return cleared


# Rows are found by their place (ctid), which costs no index on tables that are written with every request. A row that
# moves meanwhile is left for the next turn; these do not change once they are done with.
_DELIVERIES = """
DELETE FROM outbox_deliveries WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM outbox_deliveries
    WHERE tenant_id = $1 AND 'linli_' || listener = CURRENT_USER AND delivered_at < $2
    LIMIT $3
    FOR UPDATE SKIP LOCKED
))
"""
_EVENTS = """
DELETE FROM outbox_events WHERE ctid = ANY (ARRAY(
    SELECT e.ctid FROM outbox_events e
    WHERE e.tenant_id = $1 AND e.occurred_at < $2 AND NOT EXISTS (
        SELECT FROM outbox_deliveries d WHERE d.tenant_id = e.tenant_id AND d.event_id = e.id
    )
    LIMIT $3
))
"""
_ANSWERS = """
DELETE FROM idempotency_keys WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM idempotency_keys WHERE tenant_id = $1 AND service = CURRENT_USER AND created_at < $2 LIMIT $3
))
"""
