"""Who could be sent to one order: best first, with reasons, in four statements however many there are."""

from typing import Any
from uuid import UUID

import msgspec

from models.matching import AutomaticOutcome, MatchingMode
from models.orders import OrderStage
from services.chassis import clock
from services.chassis.errors import Forbidden, Problem
from services.chassis.identity import Identity
from services.orders.matching.automatic import LeftBecause, left_because, may_act
from services.orders.matching.candidates import WaitingOrder, load_candidates, load_waiting
from services.orders.matching.policies.queries import load_book
from services.orders.matching.policies.schemas import DispatchPolicyRead
from services.orders.matching.scoring import Ranked, Unfit, best_first
from services.orders.matching.suggestions.schemas import (
    AutomaticRead,
    LeftOutRead,
    LeftReasonRead,
    SuggestionRead,
    SuggestionsRead,
)
from services.orders.orders import policy
from services.orders.orders.queries import find_order

DISPATCHED_FROM = frozenset({OrderStage.RECEIVE, OrderStage.DISPATCH, OrderStage.HANDLE})


class OrderNotWaiting(Problem):
    status = 409
    code = "order_not_waiting"
    zh = "订单已办结或不再办理，无需派单。"
    en = "The order is done, or follows another one: nobody is to be sent."


async def suggestions(connection: Any, caller: Identity, order_id: UUID, *, limit: int) -> SuggestionsRead:
    """For who dispatches the order. Raises OrderNotFound, Forbidden, OrderNotWaiting."""
    found = await find_order(connection, caller, order_id=order_id)
    if not policy.is_dispatcher(found.facts):
        raise Forbidden
    now = clock.now()
    order = (await load_waiting(connection, caller.tenant_id, [found.id], now))[0]
    if order.stage not in DISPATCHED_FROM:
        raise OrderNotWaiting
    book = await load_book(connection, caller.tenant_id, now)
    counts = book.of(order.need.kind)
    helpers: int = 0
    ranked: list[Ranked] = []
    left_out: dict[Unfit, int] = {}
    if counts.mode != MatchingMode.MANUAL:
        candidates = [
            one
            for one in await load_candidates(connection, caller.tenant_id, [order], now)
            if one.account_id != order.assignee_id
        ]
        helpers = len(candidates)
        ranked, left_out = best_first(order.need, candidates, book.scale_of(order.need.kind))
    return SuggestionsRead(
        order_id=order.id,
        order_version=order.version,
        mode=counts.mode,
        policy_version=counts.version,
        automatic=await _automatic(connection, caller.tenant_id, order, counts),
        helpers=helpers,
        items=[SuggestionRead.about(one) for one in ranked[:limit]],
        left_out=LeftOutRead.all_of(left_out),
    )


async def _automatic(
    connection: Any, tenant_id: UUID, order: WaitingOrder, counts: DispatchPolicyRead
) -> AutomaticRead | None:
    """As it was decided; before that, what stands in the way already."""
    if counts.limits is None or order.stage != OrderStage.DISPATCH:
        return None
    decided = await connection.fetchrow(_DECIDED, tenant_id, order.id, order.version)
    if decided is not None and decided["outcome"] == AutomaticOutcome.LEFT:
        reasons = [LeftBecause(reason) for reason in msgspec.json.decode(decided["why"])["left_because"]]
    else:
        reasons = left_because(order, counts.limits)
    return AutomaticRead(
        is_left=bool(reasons),
        reasons=[LeftReasonRead.of(reason) for reason in reasons],
        waits_for_hours=not reasons and not may_act(counts.limits, clock.now()),
        decided_at=decided and decided["decided_at"],
    )


_DECIDED = """
SELECT outcome, why::text AS why, decided_at FROM automatic_dispatches
WHERE tenant_id = $1 AND order_id = $2 AND order_version = $3
"""
