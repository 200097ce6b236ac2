"""Leaving an order out of the rates (剔除): one asks, another decides, and nothing of it is ever rewritten.

Everything happens under the order's row lock: of two who decide at once one is told that it is decided.
"""

from typing import Any
from uuid import UUID

from models.completion import ExclusionOutcome
from services.chassis import clock
from services.chassis.errors import Forbidden, Problem
from services.chassis.identity import Identity
from services.chassis.schemas import new_id
from services.orders.follow_ups.policy import DIRECTION, refuse_parties
from services.orders.orders.queries import ReadableOrder, find_order
from services.orders.rates import policy
from services.orders.rates.exclusions.queries import exclusion_of
from services.orders.rates.exclusions.schemas import (
    ExclusionRead,
    ExclusionRequest,
    ExclusionReview,
    ExclusionWithdrawal,
)


async def ask_exclusion(connection: Any, caller: Identity, order_id: UUID, body: ExclusionRequest) -> ExclusionRead:
    """By who dispatches in the area. Raises OrderNotFound, Forbidden, ExclusionExists."""
    order = await _locked(connection, caller, order_id)
    if not policy.may_ask(order.facts):
        raise Forbidden
    if await connection.fetchval(_STANDS, caller.tenant_id, order.id):
        raise ExclusionExists
    exclusion_id = new_id()
    await connection.execute(
        _ASK,
        caller.tenant_id, exclusion_id, order.id, body.reason_code, body.words, caller.account_id, clock.now(),
    )  # fmt: skip
    return await exclusion_of(connection, caller, exclusion_id)


async def review_exclusion(
    connection: Any, caller: Identity, order_id: UUID, exclusion_id: UUID, body: ExclusionReview
) -> ExclusionRead:
    """By another administrator of the area who had no share in the order, and did not direct or judge the work.

    Raises OrderNotFound, Forbidden, ExclusionNotFound, ExclusionDecided, OwnExclusion, PartyToOrder.
    """
    order = await _locked(connection, caller, order_id)
    if not policy.may_review(order.facts):
        raise Forbidden
    standing = await _standing(connection, caller, order.id, exclusion_id)
    if standing["asked_by"] == caller.account_id:
        raise OwnExclusion
    await refuse_parties(connection, caller, order.id, *DIRECTION)
    if standing["steps"]:
        raise ExclusionDecided
    outcome = ExclusionOutcome.APPROVED if body.is_approved else ExclusionOutcome.REFUSED
    return await _step(connection, caller, exclusion_id, 1, outcome, body.reason)


async def withdraw_exclusion(
    connection: Any, caller: Identity, order_id: UUID, exclusion_id: UUID, body: ExclusionWithdrawal
) -> ExclusionRead:
    """While it is undecided by who asked; also once approved, and by the area's administrators: the order counts again.

    Raises OrderNotFound, Forbidden, ExclusionNotFound, ExclusionDecided.
    """
    order = await _locked(connection, caller, order_id)
    if not policy.may_ask(order.facts):
        raise Forbidden
    standing = await _standing(connection, caller, order.id, exclusion_id)
    if standing["asked_by"] != caller.account_id and not policy.may_review(order.facts):
        raise Forbidden
    if standing["last_outcome"] in {ExclusionOutcome.REFUSED, ExclusionOutcome.WITHDRAWN}:
        raise ExclusionDecided
    return await _step(connection, caller, exclusion_id, standing["steps"] + 1, ExclusionOutcome.WITHDRAWN, body.reason)


async def _locked(connection: Any, caller: Identity, order_id: UUID) -> ReadableOrder:
    """Raises OrderNotFound."""
    order = await find_order(connection, caller, order_id=order_id)
    await connection.execute(_LOCK, caller.tenant_id, order.id)
    return order


async def _standing(connection: Any, caller: Identity, order_id: UUID, exclusion_id: UUID) -> Any:
    row = await connection.fetchrow(_STANDING, caller.tenant_id, order_id, exclusion_id)
    if row is None:
        raise ExclusionNotFound
    return row


async def _step(
    connection: Any, caller: Identity, exclusion_id: UUID, sequence: int, outcome: ExclusionOutcome, reason: str
) -> ExclusionRead:
    await connection.execute(
        _STEP, caller.tenant_id, exclusion_id, sequence, outcome, reason, caller.account_id, clock.now()
    )
    return await exclusion_of(connection, caller, exclusion_id)


_LOCK = "SELECT FROM orders WHERE tenant_id = $1 AND id = $2 FOR NO KEY UPDATE"
_STANDS = """
SELECT EXISTS (
    SELECT FROM rate_exclusions e
    WHERE e.tenant_id = $1 AND e.order_id = $2 AND NOT EXISTS (
        SELECT FROM rate_exclusion_steps s
        WHERE s.tenant_id = $1 AND s.exclusion_id = e.id AND s.outcome IN ('refused', 'withdrawn')
    )
)
"""
_ASK = """
INSERT INTO rate_exclusions (tenant_id, id, order_id, reason_code, words, asked_by, asked_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
_STANDING = """
SELECT e.asked_by, count(s.sequence)::int AS steps, (array_agg(s.outcome ORDER BY s.sequence DESC))[1] AS last_outcome
FROM rate_exclusions e
LEFT JOIN rate_exclusion_steps s ON s.tenant_id = e.tenant_id AND s.exclusion_id = e.id
WHERE e.tenant_id = $1 AND e.order_id = $2 AND e.id = $3
GROUP BY e.asked_by
"""
_STEP = """
INSERT INTO rate_exclusion_steps (tenant_id, exclusion_id, sequence, outcome, reason, decided_by, decided_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""


class ExclusionExists(Problem):
    status = 409
    code = "exclusion_exists"
    zh = "该订单已有待审核或已通过的剔除申请。"
    en = "Leaving this order out was asked for already, and is undecided or approved."


class ExclusionNotFound(Problem):
    status = 404
    code = "exclusion_not_found"
    zh = "未找到该剔除申请。"
    en = "There is no such exclusion."


class ExclusionDecided(Problem):
    status = 409
    code = "exclusion_decided"
    zh = "该剔除申请已办结。"
    en = "This exclusion was decided or withdrawn already."


class OwnExclusion(Problem):
    status = 409
    code = "own_exclusion"
    zh = "不能审核本人提出的剔除申请。"
    en = "Nobody decides on what they asked for themselves."
