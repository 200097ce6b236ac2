"""Hot commands: one SQL function each, called alone when it is quiet and in batches when requests queue up.

A command function has the signature `name(p_tenant uuid, p_command jsonb) RETURNS TABLE (status smallint, body text,
replayed boolean)`.
It sets the tenant itself, honours the idempotency key in the command, answers a business refusal as a status
with a body `{"code": …, …}`, and never raises for one, so that no item spoils its batch.
"""

import asyncio
import logging
import sys
from collections import deque
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
import msgspec

from services.chassis.database import CONNECTION_LOST, RETRIED_SQLSTATES, Database
from services.chassis.errors import Busy, ServiceUnavailable
from services.chassis.idempotency import refusal

logger = logging.getLogger(__name__)

ALONE = 8
"""Up to so many calls in flight go one by one: a batch only pays when there is a queue."""
BATCH = 256
ATTEMPTS = 5
PAUSE_SECONDS = 0.05


class CommandAnswer(NamedTuple):
    status: int
    body: str
    replayed: bool


@dataclass(slots=True)
class _Call:
    tenant_id: UUID
    command: str
    locks: str
    answer: "asyncio.Future[CommandAnswer]"


class Command:
    """One SQL command function, batched adaptively: what arrives while a batch is in flight is the next batch.

    Calls are answered only after their transaction has committed.
    """

    def __init__(
        self, database: Database, function: str, *, batch_function: str | None = None, batched: bool = True
    ) -> None:
        """With `batch_function(p_tenants uuid[], p_commands jsonb[])` a batch is one call, answered in its order.

        A function that locks several rows, in an order `locks` cannot tell, is not to be batched: others would wait
        for it in a circle.
        """
        self._database = database
        self._function = function
        self._alone = f"SELECT status, body, replayed FROM {function}($1, $2)"
        self._batch = (
            f"SELECT status, body, replayed FROM {batch_function}($1::uuid[], $2::jsonb[])"
            if batch_function
            else "SELECT r.status, r.body, r.replayed FROM unnest($1::uuid[], $2::jsonb[]) WITH ORDINALITY"
            f" AS c (t, j, n), LATERAL {function}(c.t, c.j) AS r ORDER BY c.n"
        )
        self._alone_limit = ALONE if batched else sys.maxsize
        self._in_flight = 0
        self._waiting: deque[_Call] = deque()
        self._lane: asyncio.Task[None] | None = None
        self._settling: set[asyncio.Task[None]] = set()

    async def __call__(
        self, tenant_id: UUID, command: msgspec.Struct | dict[str, Any], *, locks: UUID | None = None
    ) -> CommandAnswer:
        """The function's answer, or the Problem it names.

        `locks` is the row it takes: a batch goes in the order of these, so that two processes do not wait in a circle.
        Retried inside on deadlock, serialization failure and a lost connection; ServiceUnavailable if that goes on.
        """
        payload = msgspec.json.encode(command, enc_hook=str).decode()
        if self._in_flight < self._alone_limit and (self._lane is None or self._lane.done()):
            answer = await self._call_alone(tenant_id, payload)
        else:
            answer = await self._call_in_batch(tenant_id, payload, str(locks or ""))
        if answer.status >= 400:
            raise refusal(answer.body, is_replayed=answer.replayed)
        return answer

    async def _call_alone(self, tenant_id: UUID, command: str) -> CommandAnswer:
        self._in_flight += 1
        try:
            for attempt in range(ATTEMPTS):
                try:
                    row = await self._database.pool.fetchrow(self._alone, tenant_id, command)
                    assert row is not None, "a command answers one row"
                    return CommandAnswer(*row)
                except CONNECTION_LOST:
                    await asyncio.sleep(PAUSE_SECONDS * 2**attempt)  # its idempotency key makes it safe to repeat
                except asyncpg.LockNotAvailableError:
                    raise Busy from None
                except asyncpg.PostgresError as error:
                    if error.sqlstate not in RETRIED_SQLSTATES:
                        raise
                    await asyncio.sleep(0.01 * attempt)
            raise ServiceUnavailable
        finally:
            self._in_flight -= 1

    async def _call_in_batch(self, tenant_id: UUID, command: str, locks: str) -> CommandAnswer:
        call = _Call(tenant_id, command, locks, asyncio.get_running_loop().create_future())
        self._waiting.append(call)
        if self._lane is None or self._lane.done():
            self._lane = asyncio.create_task(self._run_lane(), name=f"{self._function}-batches")
        return await call.answer

    async def _run_lane(self) -> None:
        while self._waiting:
            calls = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            calls.sort(key=attrgetter("locks"))
            try:
                rows = await self._database.pool.fetch(
                    self._batch, [call.tenant_id for call in calls], [call.command for call in calls]
                )
                assert len(rows) == len(calls), "a command answers one row"
            except Exception:
                logger.warning("a batch of %d failed and is run one by one", len(calls))
                self._settle(calls)  # beside the lane: one that waits for a lock does not hold up the next batch
                continue
            for call, row in zip(calls, rows, strict=True):
                if not call.answer.done():
                    call.answer.set_result(CommandAnswer(*row))

    def _settle(self, calls: list[_Call]) -> None:
        for call in calls:
            task = asyncio.create_task(self._settle_alone(call), name=f"{self._function}-alone")
            self._settling.add(task)
            task.add_done_callback(self._settling.discard)

    async def _settle_alone(self, call: _Call) -> None:
        """After a failed batch nothing was committed, or, if the connection died, the idempotency keys know."""
        try:
            answer = await self._call_alone(call.tenant_id, call.command)
        except Exception as error:
            if not call.answer.done():
                call.answer.set_exception(error)
        else:
            if not call.answer.done():
                call.answer.set_result(answer)
