"""Delivering facts: each listener's row is taken under lock, its effect and "delivered" commit together."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg

from services.chassis import clock
from services.chassis.database import LOCK_NOT_AVAILABLE, RETRIED_SQLSTATES, Database, tenant_statement
from services.events import EVENTS, Event

logger = logging.getLogger(__name__)

Effect = Callable[[Any, UUID, Any], Awaitable[None]]
"""`effect(connection, tenant_id, event)`: runs in a savepoint of the delivery's transaction and commits nothing."""

CHANNEL = "linli_outbox"
LONGEST_PAUSE_SECONDS = 3600.0
CONTENTION_PAUSE_SECONDS = 0.05


class DeliveryWorker:
    """Delivers what is due to one listener. Any number of workers may run; a row is held by one at a time.

    NOTIFY wakes it; polling every `poll_seconds` is the truth.
    """

    def __init__(
        self, database: Database, *, listener: str, effects: Mapping[type[Event], Effect], poll_seconds: float
    ) -> None:
        self._database = database
        self._listener = listener
        self._effects = {event.kind: effect for event, effect in effects.items()}
        self._poll_seconds = poll_seconds
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled. Survives a restart of the database, and works without an ear."""
        async with _Ear(self._database, self._wake) as ear:
            while True:
                self._wake.clear()
                await self._attempt(ear.listen)
                await self._attempt(self.deliver_due)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), self._poll_seconds)

    async def _attempt(self, step: Callable[[], Awaitable[object]]) -> None:
        """Whatever went wrong, the next turn comes: a worker that died would stop every later delivery."""
        try:
            await step()
        except Exception as error:
            logger.warning("delivery to %s paused: %s", self._listener, type(error).__name__)

    async def deliver_due(self) -> int:
        """Delivers everything due now, in all tenants; the number of deliveries that took effect."""
        tenants = await self._database.pool.fetch(
            "SELECT tenant_id FROM outbox_due_tenants($1, $2)", self._listener, clock.now()
        )
        delivered = 0
        for row in tenants:
            while (outcome := await self._deliver_next(row["tenant_id"])) is not None:
                delivered += outcome
        return delivered

    async def _deliver_next(self, tenant_id: UUID) -> int | None:
        """1 = delivered, 0 = failed and put off, None = nothing due."""
        async with self._database.pool.acquire() as connection, connection.transaction():
            await connection.execute(tenant_statement(tenant_id))
            due = await connection.fetchrow(_NEXT, tenant_id, self._listener, clock.now())
            if due is None:
                return None
            try:
                async with connection.transaction():
                    await self._take_effect(connection, tenant_id, due)
            except asyncpg.PostgresConnectionError:
                raise
            except Exception as error:
                await self._put_off(connection, tenant_id, due, error)
                return 0
            await connection.execute(_DELIVERED, tenant_id, due["event_id"], self._listener, clock.now())
            return 1

    async def _take_effect(self, connection: Any, tenant_id: UUID, due: asyncpg.Record) -> None:
        event = EVENTS[due["kind"]].model_validate_json(due["payload"])
        await self._effects[due["kind"]](connection, tenant_id, event)

    async def _put_off(self, connection: Any, tenant_id: UUID, due: asyncpg.Record, error: Exception) -> None:
        """A failing effect keeps its row: attempts, last error and next time. Nothing is ever dropped."""
        attempts = due["attempts"] + 1
        pause = CONTENTION_PAUSE_SECONDS if _is_contention(error) else _pause_after(attempts)
        logger.error("effect of %s on %s failed (attempt %d)", due["kind"], self._listener, attempts, exc_info=error)
        next_time = clock.now() + timedelta(seconds=pause)
        await connection.execute(
            _PUT_OFF,
            tenant_id,
            due["event_id"],
            self._listener,
            min(attempts, 32_000),
            type(error).__qualname__,
            next_time,
        )


class _Ear:
    """A connection that LISTENs and sets an event; opened again when lost."""

    def __init__(self, database: Database, wake: asyncio.Event) -> None:
        self._database = database
        self._wake = wake
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None

    async def __aenter__(self) -> "_Ear":
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._connection is not None:
            self._connection.terminate()

    async def listen(self) -> None:
        if self._connection is not None and not self._connection.is_closed():
            return
        self._connection = await self._database.connect()
        await self._connection.add_listener(CHANNEL, lambda *_: self._wake.set())


def _pause_after(attempts: int) -> float:
    return min(2.0 ** min(attempts, 20), LONGEST_PAUSE_SECONDS)  # 2.0**1024 overflows, some forty days on


def _is_contention(error: Exception) -> bool:
    return getattr(error, "sqlstate", None) in {*RETRIED_SQLSTATES, LOCK_NOT_AVAILABLE}


_NEXT = """
SELECT d.event_id, d.attempts, e.kind, e.payload
FROM outbox_deliveries d
JOIN outbox_events e ON e.tenant_id = d.tenant_id AND e.id = d.event_id
WHERE d.tenant_id = $1 AND d.listener = $2 AND d.delivered_at IS NULL AND d.due_at <= $3
ORDER BY d.due_at
LIMIT 1
FOR UPDATE OF d SKIP LOCKED
"""
_DELIVERED = """
UPDATE outbox_deliveries SET delivered_at = $4, attempts = attempts + 1, last_error = NULL
WHERE tenant_id = $1 AND event_id = $2 AND listener = $3
"""
_PUT_OFF = """
UPDATE outbox_deliveries SET attempts = $4, last_error = $5, due_at = $6
WHERE tenant_id = $1 AND event_id = $2 AND listener = $3
"""
