"""Keeps the clocks in the background: computes what moved, warns before a limit and escalates after it, once each."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from models.clocks import ClockState, FiringKind
from models.identity import Role
from services.chassis import clock
from services.chassis.database import LOCK_TIMEOUT_SECONDS, Database
from services.chassis.schemas import new_id
from services.events import Event, OrderClockMissed, OrderClockWarned
from services.orders.clocks.counting import Clock, clocks_of, load_orders
from services.orders.clocks.national import load_national_calendars
from services.orders.clocks.rule_book import load_rule_book

logger = logging.getLogger(__name__)

BATCH = 100
GRACE = timedelta(seconds=LOCK_TIMEOUT_SECONDS + 1)
"""What was done in time may still wait for a lock: nobody is told of a limit before that can no longer be."""


class ClockKeeper:
    """Keeps the clocks of every district. Any number of workers may run, in any number of processes."""

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
                logger.warning("keeping clocks paused: %s", type(error).__name__)
            await asyncio.sleep(self._poll_seconds)

    async def keep(self) -> int:
        """Does everything that is due now, in all tenants; how many orders were computed."""
        if not self._knows_calendars:
            await load_national_calendars(self._database)
            self._knows_calendars = True
        due = await self._database.pool.fetch("SELECT tenant_id FROM clock_due_tenants($1)", clock.now() - GRACE)
        return sum([await self._keep_tenant(row["tenant_id"]) for row in due])

    async def _keep_tenant(self, tenant_id: UUID) -> int:
        """What goes wrong in one district does not stop the others; the next turn tries again."""
        done = 0
        try:
            await self._in_transaction(tenant_id, call_recounts)
            while (some := await self._in_transaction(tenant_id, keep_batch)) == BATCH:
                done += some
        except Exception as error:
            logger.warning("clocks put off: %s", type(error).__name__)
            return done
        return done + some

    async def _in_transaction(self, tenant_id: UUID, step: Callable[[Any, UUID], Awaitable[int]]) -> int:
        async with self._database.hot_transaction(tenant_id) as connection:
            return await step(connection, tenant_id)


async def call_recounts(connection: Any, tenant_id: UUID) -> int:
    """Where something new counts, all open orders are to be computed anew. Commits nothing."""
    return int(await connection.fetchval(_CALL_RECOUNTS, tenant_id, clock.now() - GRACE))


async def keep_batch(connection: Any, tenant_id: UUID) -> int:
    """Computes up to BATCH orders that wait for it and that nobody else is at; how many. Commits nothing."""
    waiting = await connection.fetch(_WAITING, tenant_id, clock.now() - GRACE, BATCH)
    order_ids = [row["order_id"] for row in await connection.fetch(_TRY_LOCK, [row["order_id"] for row in waiting])]
    if order_ids:
        await recount_orders(connection, tenant_id, order_ids)
    return len(order_ids)


async def lock_order(connection: Any, order_id: UUID) -> None:
    """Until the end of the transaction nobody else computes the order's clocks or changes what they depend on, but for
    its history."""
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('clocks of ' || $1::text, 0))", str(order_id)
    )


async def recount_orders(connection: Any, tenant_id: UUID, order_ids: Sequence[UUID]) -> None:
    """Computes the clocks of orders whose lock is held, and tells what is to be told.

    What asked for it is taken away first: whatever commits later asks again. Commits nothing.
    """
    await connection.execute(_TAKE_WORK, tenant_id, order_ids)
    book = await load_rule_book(connection, tenant_id)
    orders = await load_orders(connection, tenant_id, order_ids)
    now = clock.now()
    clocks: list[Clock] = []
    for order in orders:
        clocks += clocks_of(order, book, now)
        await asyncio.sleep(0)  # whoever calls the service meanwhile is answered
    firings = [firing for one in clocks if (firing := _firing(one, now)) is not None]
    rows = [_row(one, now) for one in clocks]
    kept = [{name: row[name] for name in ("order_id", "target", "round")} for row in rows]
    await connection.execute(_REMOVE, tenant_id, order_ids, _json(kept))
    await connection.execute(_STORE, tenant_id, _json(rows))
    if firings:
        await _fire(connection, tenant_id, firings, now)


# Telling ----------------------------------------------------------------------------------------------------------


def _untold(one: Clock) -> list[tuple[datetime, FiringKind]]:
    """What the clock has still to tell, and when. After the limit nobody is warned of it any more."""
    reading, told = one.reading, one.told
    moments: list[tuple[datetime, FiringKind]] = []
    if reading.state == ClockState.RUNNING and reading.warn_at and FiringKind.WARNED not in told:
        moments.append((reading.warn_at, FiringKind.WARNED))
    if reading.state in (ClockState.RUNNING, ClockState.MISSED) and reading.due_at and FiringKind.MISSED not in told:
        moments.append((reading.due_at, FiringKind.MISSED))
    return sorted(moments)


def _firing(one: Clock, now: datetime) -> dict[str, Any] | None:
    """What is to be told of it now, and noted as told; at most one thing."""
    untold = _untold(one)
    if not untold or untold[0][0] + GRACE > now:
        return None
    kind, order = untold[0][1], one.order
    if kind == FiringKind.MISSED and one.reading.state != ClockState.MISSED:
        return None
    one.order.told.setdefault(one.key, set()).add(kind)
    role, area_id = _whom(one, kind)
    return {
        "order_id": order.id,
        "number": order.number,
        "order_kind": order.kind,
        "community_id": order.community_id,
        "assignee_id": order.assignee_id,
        "target": one.round.target,
        "round": one.round.number,
        "kind": kind,
        "due_at": one.reading.due_at,
        "told_role": role,
        "told_area_id": area_id,
        "event_id": new_id(),
    }


def _whom(one: Clock, kind: FiringKind) -> tuple[Role, UUID]:
    order = one.order
    if kind == FiringKind.WARNED:  # the assignee is told too, by the event
        return Role.DISPATCHER, order.community_id
    escalation = one.promise.target.escalate_to
    return escalation.role, order.level_areas.get(escalation.level or "", order.community_id)


async def _fire(connection: Any, tenant_id: UUID, firings: Sequence[dict[str, Any]], now: datetime) -> None:
    """The key of the table lets each be told once, whoever tries."""
    fired = {row["event_id"] for row in await connection.fetch(_FIRE, tenant_id, _json(firings), now)}
    events = [_event(firing, now) for firing in firings if firing["event_id"] in fired]
    await connection.execute(_RECORD, tenant_id, _json(events), now)


def _event(firing: dict[str, Any], now: datetime) -> dict[str, Any]:
    of_kind: dict[FiringKind, type[Event]] = {
        FiringKind.WARNED: OrderClockWarned,
        FiringKind.MISSED: OrderClockMissed,
    }
    event = of_kind[firing["kind"]].model_validate({**firing, "told_at": now, "told_role": str(firing["told_role"])})
    return {
        "id": firing["event_id"],
        "kind": event.kind,
        "payload": event.model_dump(mode="json"),
        "listeners": event.listeners,
    }


# Storing ----------------------------------------------------------------------------------------------------------


def _row(one: Clock, now: datetime) -> dict[str, Any]:
    reading, order, untold = one.reading, one.order, _untold(one)
    return {
        "order_id": order.id,
        "target": one.round.target,
        "round": one.round.number,
        "community_id": order.community_id,
        "area_id": order.area_id,
        "assignee_id": order.assignee_id,
        "state": reading.state,
        "unit": one.unit,
        "started_at": one.round.started_at,
        "ended_at": reading.ended_at,
        "due_at": reading.due_at,
        "sorts_at": reading.would_be_due_at,
        "warn_at": reading.warn_at,
        "next_at": untold[0][0] if untold else None,
        "segments": one.segments,
        "why": one.why(),
        "computed_at": now,
    }


def _json(rows: Sequence[dict[str, Any]]) -> str:
    return msgspec.json.encode(rows, enc_hook=str).decode()


_WAITING = """
SELECT order_id FROM (
    (SELECT w.order_id FROM order_clock_work w WHERE w.tenant_id = $1 ORDER BY w.order_id, w.sequence LIMIT $3)
    UNION
    (SELECT c.order_id FROM order_clocks c WHERE c.tenant_id = $1 AND c.next_at <= $2 ORDER BY c.next_at LIMIT $3)
) AS waiting
LIMIT $3
"""
_TRY_LOCK = """
SELECT order_id FROM unnest($1::uuid[]) AS order_id
WHERE pg_try_advisory_xact_lock(hashtextextended('clocks of ' || order_id::text, 0))
"""
_TAKE_WORK = "DELETE FROM order_clock_work WHERE tenant_id = $1 AND order_id = ANY ($2)"
_CALL_RECOUNTS = """
WITH called AS (DELETE FROM clock_recounts WHERE tenant_id = $1 AND due_at <= $2 RETURNING id),
    asked AS (
        INSERT INTO order_clock_work (tenant_id, order_id, sequence)
        SELECT $1, o.id, 0
        FROM areas community
        JOIN orders o ON o.tenant_id = $1 AND o.community_id = community.id AND o.stage <> 'done'
        WHERE community.tenant_id = $1 AND community.id = community.community_id AND EXISTS (SELECT FROM called)
        ON CONFLICT DO NOTHING
        RETURNING order_id
    )
SELECT count(*) FROM asked
"""
_COLUMNS = """
order_id uuid, target text, round smallint, community_id uuid, area_id uuid, assignee_id uuid, state text, unit text,
started_at timestamptz, ended_at timestamptz, due_at timestamptz, sorts_at timestamptz, warn_at timestamptz,
next_at timestamptz, segments jsonb, why jsonb, computed_at timestamptz
"""
_REMOVE = """
DELETE FROM order_clocks c WHERE c.tenant_id = $1 AND c.order_id = ANY ($2) AND NOT EXISTS (
    SELECT FROM jsonb_to_recordset($3) AS kept (order_id uuid, target text, round smallint)
    WHERE kept.order_id = c.order_id AND kept.target = c.target AND kept.round = c.round
)
"""
_NAMES = ", ".join(column.split()[0] for column in _COLUMNS.replace("\n", " ").split(","))
_STORE = f"""
INSERT INTO order_clocks (tenant_id, {_NAMES})
SELECT $1, {_NAMES} FROM jsonb_to_recordset($2) AS x ({_COLUMNS})
ON CONFLICT (tenant_id, order_id, target, round) DO UPDATE
SET ({_NAMES}) = ROW ({", ".join(f"EXCLUDED.{name}" for name in _NAMES.split(", "))})
"""  # noqa: S608 (names out of this file)
_FIRE = """
INSERT INTO order_clock_firings (
    tenant_id, order_id, target, round, kind, due_at, told_role, told_area_id, event_id, fired_at
)
SELECT $1, x.order_id, x.target, x.round, x.kind, x.due_at, x.told_role, x.told_area_id, x.event_id, $3
FROM jsonb_to_recordset($2) AS x (
    order_id uuid, target text, round smallint, kind text, due_at timestamptz, told_role text, told_area_id uuid,
    event_id uuid
)
ON CONFLICT DO NOTHING
RETURNING event_id
"""
_RECORD = """
SELECT outbox_record($1, x.id, x.kind, x.payload, x.listeners, $3)
FROM jsonb_to_recordset($2) AS x (id uuid, kind text, payload jsonb, listeners text[])
"""
