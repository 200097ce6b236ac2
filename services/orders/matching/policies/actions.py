"""Deciding how orders find their helper. Every version stays."""

from typing import Any

import msgspec

from services.chassis import clock
from services.chassis.errors import Forbidden, Problem
from services.chassis.identity import Identity
from services.orders.clocks.policy import rules_district
from services.orders.matching.policies import queries
from services.orders.matching.policies.schemas import DispatchPolicyDraft, DispatchPolicyRead
from services.orders.orders.actions import UnknownOrderKind


async def decide_policy(connection: Any, caller: Identity, body: DispatchPolicyDraft) -> DispatchPolicyRead:
    """A new version, which counts from `active_from` on. The route commits.

    Raises Forbidden, UnknownOrderKind, DispatchPolicyFromPast.
    """
    if not await rules_district(connection, caller):
        raise Forbidden
    if body.order_kind is not None and not await connection.fetchval(_KIND, caller.tenant_id, body.order_kind):
        raise UnknownOrderKind
    await connection.execute(_LOCK, str(caller.tenant_id))
    now = clock.now()
    active_from = body.active_from or now
    if active_from < now:
        raise DispatchPolicyFromPast
    limits = None if body.limits is None else body.limits.model_dump_json()
    version: int = await connection.fetchval(
        _DECIDE,
        caller.tenant_id, body.order_kind, body.mode, msgspec.json.encode(body.weights).decode(), body.reach_metres,
        limits, body.note, active_from, caller.account_id, now,
    )  # fmt: skip
    return await queries.policy_version(connection, caller.tenant_id, version)


_KIND = "SELECT EXISTS (SELECT FROM order_kinds WHERE tenant_id = $1 AND id = $2)"
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('dispatch policies of ' || $1::text, 0))"
_DECIDE = """
INSERT INTO dispatch_policies (
    tenant_id, version, order_kind, mode, weights, reach_metres, limits, note, active_from, recorded_by, recorded_at
)
SELECT $1, COALESCE(max(version), 0) + 1, $2, $3, $4, $5, $6, $7, $8, $9, $10
FROM dispatch_policies WHERE tenant_id = $1
RETURNING version
"""


class DispatchPolicyFromPast(Problem):
    status = 422
    code = "dispatch_policy_from_past"
    zh = "派单规则不能从过去的时间起生效。"
    en = "A dispatch policy cannot count for the past."
