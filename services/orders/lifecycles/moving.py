"""Orders that are not over change to another version of their life, all of them or none."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from models.orders import OrderAction
from services.chassis import clock
from services.chassis.errors import Problem
from services.orders.lifecycles.definition import BEFORE, Lifecycle
from services.orders.lifecycles.queries import lifecycle_of
from services.orders.lifecycles.reaching import came_from

MOST_NUMBERS = 20


class OrdersStuck(Problem):
    """`states`: in which states how many orders could not go on, why, and the numbers of some of them.

    `reason` is `state_missing`, `stage_differs`, `timer_lost` (the system is to take a step there that it could not
    take any more) or `return_lost` (it is to be resumed to a state that is not there, is of another stage now, or from
    which nobody comes into the pause any more).
    """

    status = 409
    code = "orders_stuck"
    zh = "有 {count} 个办理中的订单无法转入新流程。"
    en = "{count} running orders could not go on under the new version."


async def move_running(connection: Any, tenant_id: UUID, kinds: list[str], version: int, life: Lifecycle) -> int:
    """Every order of the kinds that is not over, to `life`; how many. Raises OrdersStuck. Locks them, by their ids.

    A timer that runs goes on; where there is none and the new version has one, it begins now.
    """
    orders = await connection.fetch(_RUNNING, tenant_id, kinds, version)
    lives = {
        lived: await lifecycle_of(connection, tenant_id, lived)
        for lived in {order["lifecycle_version"] for order in orders}
    }
    stuck: dict[tuple[str, str], list[str]] = defaultdict(list)
    for order in orders:
        if reason := _reason_to_stay(order, lives[order["lifecycle_version"]], life):
            stuck[order["state"], reason].append(order["number"])
    if stuck:
        raise OrdersStuck(count=sum(map(len, stuck.values())), states=_told(stuck.items()))
    minutes = {
        state.id: step for state in life.states for step in life.steps_from(state.id) if step.after_minutes is not None
    }
    await connection.execute(
        _MOVE, tenant_id, [order["id"] for order in orders], version, clock.now(),
        list(minutes), [step.action for step in minutes.values()], [step.after_minutes for step in minutes.values()],
    )  # fmt: skip
    return len(orders)


def _reason_to_stay(order: Any, before: Lifecycle, life: Lifecycle) -> str | None:
    states = {state.id: state for state in life.states}
    if order["state"] not in states:
        return "state_missing"
    if states[order["state"]].stage != order["stage"]:
        return "stage_differs"
    if order["timer_action"] is not None and not _can_come_by_itself(order["timer_action"], order["state"], life):
        return "timer_lost"
    if _goes_back(order["state"], life) and not _can_return(order, before, life):
        return "return_lost"
    return None


def _goes_back(state: str, life: Lifecycle) -> bool:
    return any(step.to_state == BEFORE for step in life.steps_from(state))


def _can_return(order: Any, before: Lifecycle, life: Lifecycle) -> bool:
    """To a state that means what it meant: what the order has with it fits the stage it was in."""
    back = order["resumes_to"]
    stages = {state.id: state.stage for state in life.states}
    was = {state.id: state.stage for state in before.states}
    return back in came_from(life, order["state"]) and stages[back] == was.get(back)


def _can_come_by_itself(action: str, state: str, life: Lifecycle) -> bool:
    """Whoever shelves an order may say when it is resumed, so that needs no leave of the lifecycle."""
    step = life.step(action, state)
    return step is not None and ("is_system" in step.who or action == OrderAction.RESUME)


def _told(stuck: Iterable[tuple[tuple[str, str], list[str]]]) -> list[dict[str, Any]]:
    return [
        {
            "state": state,
            "reason": reason,
            "count": len(numbers),
            "numbers": numbers[:MOST_NUMBERS],
        }
        for (state, reason), numbers in sorted(stuck)
    ]


_RUNNING = """
SELECT id, order_number(number) AS number, state, stage, lifecycle_version, timer_action, resumes_to FROM orders
WHERE tenant_id = $1 AND kind = ANY ($2) AND stage <> 'done' AND lifecycle_version <> $3
ORDER BY id FOR NO KEY UPDATE
"""
_MOVE = """
UPDATE orders o SET
    lifecycle_version = $3,
    timer_action = COALESCE(o.timer_action, t.action),
    timer_at = COALESCE(o.timer_at, $4::timestamptz + make_interval(mins => t.minutes))
FROM orders s LEFT JOIN unnest($5::text[], $6::text[], $7::int[]) AS t (state, action, minutes) ON t.state = s.state
WHERE o.tenant_id = $1 AND o.id = ANY ($2) AND s.tenant_id = o.tenant_id AND s.id = o.id
"""
