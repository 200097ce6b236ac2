"""Dispatching by the system: what automatic policies allow, once each, on any number of workers."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime, time
from typing import Any
from uuid import UUID

import msgspec

from models.matching import AutomaticOutcome, MatchingMode
from services.chassis import clock
from services.chassis.clock import SHANGHAI
from services.chassis.database import Database
from services.orders.clocks.work_time import day_of
from services.orders.matching.automatic import LeftBecause, choose, left_because, may_act
from services.orders.matching.candidates import WaitingOrder, load_candidates, load_waiting
from services.orders.matching.policies.queries import PolicyBook, load_book
from services.orders.matching.scoring import Ranked, best_first
from services.orders.matching.suggestions.schemas import as_why
from services.orders.orders.actions import system_step

logger = logging.getLogger(__name__)

BATCH = 100


class DispatchKeeper:
    """Dispatches in every district. Any number of workers may run, in any number of processes."""

    def __init__(self, database: Database, *, poll_seconds: float) -> None:
        self._database = database
        self._poll_seconds = poll_seconds

    async def run(self) -> None:
        """Until cancelled. Survives a restart of the database."""
        while True:
            try:
                await self.keep()
            except Exception as error:
                logger.warning("automatic dispatch paused: %s", type(error).__name__)
            await asyncio.sleep(self._poll_seconds)

    async def keep(self) -> int:
        """Looks at every order that waits under an automatic policy; how many were decided on."""
        due = await self._database.pool.fetch("SELECT tenant_id FROM dispatch_due_tenants($1)", clock.now())
        return sum([await self._keep_tenant(row["tenant_id"]) for row in due])

    async def _keep_tenant(self, tenant_id: UUID) -> int:
        """What goes wrong with one order does not stop the others; the next turn tries again."""
        return sum([await self._decide(tenant_id, order_id) for order_id in await self._waiting(tenant_id)])

    async def _decide(self, tenant_id: UUID, order_id: UUID) -> bool:
        try:
            async with self._database.hot_transaction(tenant_id) as connection:
                return await decide_on(connection, tenant_id, order_id)
        except Exception as error:
            logger.warning("automatic dispatch put off: %s", type(error).__name__)
            return False

    async def _waiting(self, tenant_id: UUID) -> list[UUID]:
        async with self._database.hot_transaction(tenant_id) as connection:
            now = clock.now()
            book = await load_book(connection, tenant_id, now)
            acting = {kind for kind, one in book.by_kind.items() if one.limits and may_act(one.limits, now)}
            rows = await connection.fetch(
                _WAITING, tenant_id, list(acting - {None}), None in acting, list(book.by_kind.keys() - {None}), BATCH
            )
        return [row["id"] for row in rows]


async def decide_on(connection: Any, tenant_id: UUID, order_id: UUID) -> bool:
    """Dispatches an order or leaves it to people, once per version of it. Commits nothing.

    False where another worker is at it, it does not wait any more, or who was to be sent is being sent elsewhere.
    """
    if not await connection.fetchval(_TRY_LOCK, tenant_id, order_id):
        return False
    now = clock.now()
    book = await load_book(connection, tenant_id, now)
    order = next(iter(await load_waiting(connection, tenant_id, [order_id], now)), None)
    if order is None or not await connection.fetchval(_IS_UNDECIDED, tenant_id, order.id, order.version):
        return False
    limits = book.of(order.need.kind).limits
    if limits is None or not may_act(limits, now):
        return False
    if reasons := left_because(order, limits):
        return await _leave(connection, tenant_id, order, book, reasons)
    chosen = await _choose(connection, tenant_id, order, book)
    if isinstance(chosen, LeftBecause):
        return await _leave(connection, tenant_id, order, book, [chosen])
    await lock_helpers(connection, tenant_id, [chosen.helper.account_id])
    if await _choose(connection, tenant_id, order, book, only=chosen.helper.account_id) != chosen:
        return False  # busier than a moment ago: the next turn looks at everybody again
    return await _send(connection, tenant_id, order, book, chosen)


async def lock_helpers(connection: Any, tenant_id: UUID, account_ids: Sequence[UUID]) -> None:
    """Until the end of the transaction no plan and no automatic dispatch gives them anything else."""
    await connection.execute(_LOCK_HELPERS, str(tenant_id), list(account_ids))


async def dispatch_by(connection: Any, tenant_id: UUID, commands: Sequence[dict[str, Any]]) -> list[Any]:
    """`order_step` with each command, in their sequence; status and body of each. Commits nothing."""
    encoded = [msgspec.json.encode(command, enc_hook=str).decode() for command in commands]
    return list(await connection.fetch(_STEPS, tenant_id, encoded))


async def _choose(
    connection: Any, tenant_id: UUID, order: WaitingOrder, book: PolicyBook, *, only: UUID | None = None
) -> Ranked | LeftBecause:
    now, kind = clock.now(), order.need.kind
    limits = book.of(kind).limits
    assert limits is not None, "only automatic policies get here"
    helpers = await load_candidates(connection, tenant_id, [order], now, account_ids=None if only is None else [only])
    ranked, _ = best_first(order.need, helpers, book.scale_of(kind))
    accounts = [one.helper.account_id for one in ranked]
    sent = await connection.fetch(_SENT_TODAY, tenant_id, accounts, _midnight(now))
    return choose(ranked, limits, {row["helper_id"]: row["times"] for row in sent})


async def _send(connection: Any, tenant_id: UUID, order: WaitingOrder, book: PolicyBook, chosen: Ranked) -> bool:
    version = book.of(order.need.kind).version
    why = as_why(chosen, version)
    helper_id = chosen.helper.account_id
    step = system_step(
        order.id, "dispatch", expected_version=order.version, assignee_id=helper_id, assisting_unit_ids=(),
        mode=MatchingMode.AUTOMATIC, why=why,
    )  # fmt: skip
    [answer] = await dispatch_by(connection, tenant_id, [step])
    if answer["status"] == 200:
        await _record(connection, tenant_id, order, version, AutomaticOutcome.DISPATCHED, why, helper_id)
        return True
    code = msgspec.json.decode(answer["body"])["code"]
    if code == "order_changed":
        return False
    return await _leave(connection, tenant_id, order, book, [LeftBecause.NOT_POSSIBLE], refused=code)


async def _leave(
    connection: Any,
    tenant_id: UUID,
    order: WaitingOrder,
    book: PolicyBook,
    reasons: Sequence[LeftBecause],
    **more: Any,
) -> bool:
    version = book.of(order.need.kind).version
    await _record(connection, tenant_id, order, version, AutomaticOutcome.LEFT, {"left_because": reasons, **more})
    return True


async def _record(
    connection: Any,
    tenant_id: UUID,
    order: WaitingOrder,
    policy_version: int,
    outcome: AutomaticOutcome,
    why: dict[str, Any],
    helper_id: UUID | None = None,
) -> None:
    await connection.execute(
        _RECORD,
        tenant_id, order.id, order.version, outcome, helper_id, msgspec.json.encode(why, enc_hook=str).decode(),
        policy_version, clock.now(),
    )  # fmt: skip


def _midnight(now: datetime) -> datetime:
    return datetime.combine(day_of(now), time(), SHANGHAI)


_WAITING = """
SELECT o.id FROM orders o
WHERE o.tenant_id = $1 AND o.stage = 'dispatch'
    AND (o.kind = ANY ($2) OR $3 AND NOT o.kind = ANY ($4))
    AND NOT EXISTS (
        SELECT FROM automatic_dispatches d
        WHERE d.tenant_id = $1 AND d.order_id = o.id AND d.order_version = o.version
    )
ORDER BY array_position(ARRAY['urgent', 'high', 'normal', 'low'], o.priority::text), o.number
LIMIT $5
"""
_IS_UNDECIDED = """
SELECT EXISTS (SELECT FROM orders WHERE tenant_id = $1 AND id = $2 AND version = $3 AND stage = 'dispatch')
    AND NOT EXISTS (SELECT FROM automatic_dispatches WHERE tenant_id = $1 AND order_id = $2 AND order_version = $3)
"""
_TRY_LOCK = """
SELECT pg_try_advisory_xact_lock(hashtextextended('automatic dispatch of ' || $1::uuid || $2::uuid, 0))
"""
_LOCK_HELPERS = """
SELECT pg_advisory_xact_lock(hashtextextended('orders of ' || $1::text || helper, 0))
FROM (SELECT DISTINCT helper::text AS helper FROM unnest($2::uuid[]) AS helper ORDER BY helper) AS helpers
"""
_STEPS = """
SELECT r.status, r.body
FROM unnest($2::jsonb[]) WITH ORDINALITY AS c (command, place), LATERAL order_step($1, c.command) AS r
ORDER BY c.place
"""
_SENT_TODAY = """
SELECT helper_id, count(*) AS times FROM automatic_dispatches
WHERE tenant_id = $1 AND helper_id = ANY ($2) AND decided_at >= $3 AND outcome = 'dispatched'
GROUP BY helper_id
"""
_RECORD = """
INSERT INTO automatic_dispatches (
    tenant_id, order_id, order_version, outcome, helper_id, why, policy_version, decided_at
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
