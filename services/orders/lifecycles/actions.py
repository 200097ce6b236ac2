"""Loading a life of orders. Every version stays; running orders change to it only when that is asked for."""

from typing import Any
from uuid import UUID

import msgspec

from services.chassis import clock
from services.chassis.errors import Forbidden, Problem
from services.chassis.identity import Identity
from services.orders.clocks.policy import rules_district
from services.orders.clocks.recounts import ask_for_recount
from services.orders.kinds.queries import OrderKindNotFound
from services.orders.lifecycles import queries
from services.orders.lifecycles.checking import faults_of
from services.orders.lifecycles.definition import Lifecycle
from services.orders.lifecycles.drawing import mermaid, svg
from services.orders.lifecycles.moving import move_running
from services.orders.lifecycles.schemas import FollowDistrict, LifecycleChecked, LifecycleDraft, LifecycleLoaded
from services.orders.orders.actions import UnknownOrderKind


async def check(connection: Any, caller: Identity, lifecycle: Lifecycle) -> LifecycleChecked:
    """What loading it would say. Raises Forbidden for who could not load it."""
    if not await rules_district(connection, caller):
        raise Forbidden
    if faults := faults_of(lifecycle):
        return LifecycleChecked(faults=faults, mermaid=None, svg=None)
    return LifecycleChecked(faults=[], mermaid=mermaid(lifecycle), svg=svg(lifecycle))


async def load_lifecycle(connection: Any, caller: Identity, body: LifecycleDraft) -> LifecycleLoaded:
    """The next version, by which new orders live from now on. The route commits.

    Raises Forbidden, UnknownOrderKind, LifecycleFaulty, OrdersStuck. Locks the kinds it is for: an order that is being
    placed meanwhile is placed under one version or the other.
    """
    if not await rules_district(connection, caller):
        raise Forbidden
    if faults := faults_of(body.definition):
        raise LifecycleFaulty(faults=[fault.model_dump() for fault in faults], count=len(faults))
    await lock_lives(connection, caller.tenant_id)
    kinds = [row["id"] for row in await connection.fetch(_KINDS_FOR, caller.tenant_id, body.order_kind)]
    if body.order_kind is not None and not kinds:
        raise UnknownOrderKind
    version: int = await connection.fetchval(
        _RECORD,
        caller.tenant_id, body.order_kind, body.definition.model_dump_json(), _json(body.definition.compiled()),
        body.note, caller.account_id, clock.now(),
    )  # fmt: skip
    return await _point(connection, caller.tenant_id, kinds, version, moves=body.applies_to_running)


async def follow_district(connection: Any, caller: Identity, kind: str, body: FollowDistrict) -> LifecycleLoaded:
    """The kind has no life of its own any more: it has the district's, now and when that changes. The route commits.

    Raises Forbidden, OrderKindNotFound, OrdersStuck.
    """
    if not await rules_district(connection, caller):
        raise Forbidden
    await lock_lives(connection, caller.tenant_id)
    if not await connection.fetch(_KINDS_FOR, caller.tenant_id, kind):
        raise OrderKindNotFound
    version = await queries.version_of_district(connection, caller.tenant_id)
    return await _point(connection, caller.tenant_id, [kind], version, moves=body.applies_to_running)


async def lock_lives(connection: Any, tenant_id: UUID) -> None:
    """One at a time decides by what orders live, until the end of the transaction.

    Versions are numbered in the order of their time, and a kind that is added meanwhile gets the latest one.
    """
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('lives of orders of ' || $1::text, 0))", str(tenant_id)
    )


async def _point(connection: Any, tenant_id: UUID, kinds: list[str], version: int, *, moves: bool) -> LifecycleLoaded:
    await connection.execute(_POINT, tenant_id, kinds, version)
    read = await queries.read_version(connection, tenant_id, version)
    moved = 0
    if moves:
        moved = await move_running(connection, tenant_id, kinds, version, read.definition)
        await ask_for_recount(connection, tenant_id, clock.now())
    return LifecycleLoaded(**dict(read), orders_moved=moved)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


_KINDS_FOR = """
SELECT k.id FROM order_kinds k
JOIN order_lifecycles l ON l.tenant_id = k.tenant_id AND l.version = k.lifecycle_version
WHERE k.tenant_id = $1 AND CASE WHEN $2::text IS NULL THEN l.order_kind IS NULL ELSE k.id = $2 END
ORDER BY k.id FOR UPDATE OF k
"""
_RECORD = """
INSERT INTO order_lifecycles (
    tenant_id, version, order_kind, definition, compiled, note, recorded_by, recorded_at
)
SELECT $1, COALESCE(max(version), 0) + 1, $2, $3::text::jsonb, $4::text::jsonb, $5, $6, $7
FROM order_lifecycles WHERE tenant_id = $1
RETURNING version
"""
_POINT = "UPDATE order_kinds SET lifecycle_version = $3 WHERE tenant_id = $1 AND id = ANY ($2)"


class LifecycleFaulty(Problem):
    """`faults`: all of them, each with its place in the definition, a stable code and a sentence in both languages."""

    status = 422
    code = "lifecycle_faulty"
    zh = "该流程有 {count} 处错误，不能启用。"
    en = "The lifecycle has {count} faults and cannot be loaded."
