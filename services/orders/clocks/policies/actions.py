"""Deciding what is promised. Every version stays."""

from typing import Any

import msgspec

from services.chassis import clock
from services.chassis.errors import Forbidden, Problem
from services.chassis.identity import Identity
from services.orders.clocks.policies import queries
from services.orders.clocks.policies.schemas import ClockPolicyDraft, ClockPolicyRead
from services.orders.clocks.policy import rules_district
from services.orders.clocks.recounts import ask_for_recount, lock_rules
from services.orders.orders.actions import UnknownOrderKind


async def decide_policy(connection: Any, caller: Identity, body: ClockPolicyDraft) -> ClockPolicyRead:
    """A new version, which counts from `active_from` on. The route commits.

    Raises Forbidden, UnknownOrderKind, UnknownLevel, PolicyFromPast.
    """
    if not await rules_district(connection, caller):
        raise Forbidden
    await _check_names(connection, caller, body)
    await lock_rules(connection, caller.tenant_id)
    now = clock.now()
    active_from = body.active_from or now
    if active_from < now:
        raise PolicyFromPast
    targets = {target: promised.model_dump(mode="json") for target, promised in body.targets.items()}
    version: int = await connection.fetchval(
        _DECIDE,
        caller.tenant_id, body.order_kind, msgspec.json.encode(targets).decode(), body.note, active_from,
        caller.account_id, now,
    )  # fmt: skip
    await ask_for_recount(connection, caller.tenant_id, active_from)
    return await queries.policy_version(connection, caller.tenant_id, version)


async def _check_names(connection: Any, caller: Identity, body: ClockPolicyDraft) -> None:
    if body.order_kind is not None and not await connection.fetchval(_KIND, caller.tenant_id, body.order_kind):
        raise UnknownOrderKind
    levels = {promised.escalate_to.level for promised in body.targets.values()} - {None}
    known = {row["level"] for row in await connection.fetch(_LEVELS, caller.tenant_id)}
    if not levels <= known:
        raise UnknownLevel


_KIND = "SELECT EXISTS (SELECT FROM order_kinds WHERE tenant_id = $1 AND id = $2)"
_LEVELS = "SELECT level FROM area_levels WHERE tenant_id = $1"
_DECIDE = """
INSERT INTO clock_policies (
    tenant_id, version, order_kind, targets, note, active_from, recorded_by, recorded_at
)
SELECT $1, COALESCE(max(version), 0) + 1, $2, $3, $4, $5, $6, $7 FROM clock_policies WHERE tenant_id = $1
RETURNING version
"""


class UnknownLevel(Problem):
    status = 422
    code = "unknown_area_level"
    zh = "没有此层级。"
    en = "The district's area tree has no such level."


class PolicyFromPast(Problem):
    status = 422
    code = "clock_policy_from_past"
    zh = "时限规则不能从过去的时间起生效。"
    en = "A clock policy cannot count for the past."
