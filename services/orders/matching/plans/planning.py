"""Making a plan: what waits and who there is are read, the best whole is reckoned in a thread, and written down."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from models.matching import MatchingMode
from services.chassis.errors import Problem
from services.orders.matching.assignment import Assignment, LeftOver, assign
from services.orders.matching.candidates import WaitingOrder, load_candidates, load_waiting
from services.orders.matching.plans.schemas import MOST_ORDERS, PlanDraft, PlanLeftOver
from services.orders.matching.policies.queries import PolicyBook, load_book
from services.orders.matching.scoring import Ranked, score
from services.orders.matching.suggestions.schemas import LeftOutRead, as_why


@dataclass(frozen=True)
class PlannedItem:
    order: WaitingOrder
    helper_id: UUID
    points: int
    why: dict[str, Any]


@dataclass(frozen=True)
class Planned:
    items: list[PlannedItem]
    left_over: list[PlanLeftOver]
    helpers: int


async def reckon(connection: Any, tenant_id: UUID, asked: PlanDraft, now: datetime) -> Planned:
    """The best plan there is now. Raises OrdersNotWaiting for orders that are asked for by name and do not wait here.

    Nothing is locked, nothing written.
    """
    waiting = await _waiting(connection, tenant_id, asked, now)
    book = await load_book(connection, tenant_id, now)
    by_people = [order for order in waiting if book.of(order.need.kind).mode == MatchingMode.MANUAL]
    planned = [order for order in waiting if book.of(order.need.kind).mode != MatchingMode.MANUAL]
    helpers = await load_candidates(connection, tenant_id, planned, now) if planned else []
    scales = [book.scale_of(order.need.kind) for order in planned]
    assignment = await asyncio.to_thread(assign, [order.need for order in planned], helpers, scales)
    orders = {order.id: order for order in planned}
    return Planned(
        items=_items(assignment, orders, book),
        left_over=[
            *(_left(orders[one.need.order_id], one) for one in assignment.left_over),
            *(left_over(order, "该类订单由人工派单") for order in by_people),
        ],
        helpers=len(helpers),
    )


def left_over(order: WaitingOrder, text: str, left_out: Sequence[LeftOutRead] = ()) -> PlanLeftOver:
    return PlanLeftOver(
        order_id=order.id, number=order.number, kind=order.need.kind, text=text, left_out=list(left_out)
    )


async def _waiting(connection: Any, tenant_id: UUID, asked: PlanDraft, now: datetime) -> list[WaitingOrder]:
    stages = ["dispatch", "receive"] if asked.includes_received else ["dispatch"]
    rows = await connection.fetch(_WAITING, tenant_id, asked.area_id, stages, asked.kinds, asked.order_ids, MOST_ORDERS)
    found = [row["id"] for row in rows]
    if asked.order_ids is not None and len(found) != len(set(asked.order_ids)):
        raise OrdersNotWaiting(order_ids=sorted(set(asked.order_ids) - set(found)))
    return await load_waiting(connection, tenant_id, found, now)


def _items(assignment: Assignment, orders: dict[UUID, WaitingOrder], book: PolicyBook) -> list[PlannedItem]:
    items = []
    for need, helper, points in assignment.pairs:
        best = Ranked(helper, score(need, helper, book.scale_of(need.kind)))
        why = as_why(best, book.of(need.kind).version)
        items.append(PlannedItem(orders[need.order_id], helper.account_id, points, why))
    return items


def _left(order: WaitingOrder, one: LeftOver) -> PlanLeftOver:
    text = "符合条件的人员都已安排给其他订单" if one.is_crowded_out else "没有符合条件的人员"
    return left_over(order, text, LeftOutRead.all_of(one.unfit))


_WAITING = """
SELECT o.id
FROM areas asked
JOIN areas a ON a.tenant_id = $1 AND asked.id = ANY (a.ancestor_ids)
JOIN orders o ON o.tenant_id = $1 AND o.community_id = a.community_id AND o.area_id = a.id AND o.stage = ANY ($3)
    AND (o.stage IN ('receive', 'dispatch') OR o.is_in_pool)
WHERE asked.tenant_id = $1 AND asked.id = $2 AND NOT o.is_escalated
    AND ($4::text[] IS NULL OR o.kind = ANY ($4)) AND ($5::uuid[] IS NULL OR o.id = ANY ($5))
ORDER BY array_position(ARRAY['urgent', 'high', 'normal', 'low'], o.priority::text), o.number
LIMIT $6
"""


class OrdersNotWaiting(Problem):
    """`order_ids` names them."""

    status = 422
    code = "orders_not_waiting"
    zh = "所选订单中有的不在此区域，或不在待派遣状态。"
    en = "Some of the orders do not wait to be dispatched in this area."
