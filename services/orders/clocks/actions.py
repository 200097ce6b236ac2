"""Everything people do to the clocks of an order. Each under the order's lock, and counted in the same transaction."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from models.clocks import ClockTarget, PauseAction
from models.orders import OrderStage
from services.chassis import clock
from services.chassis.errors import Forbidden, Problem
from services.chassis.identity import Identity
from services.chassis.schemas import new_id
from services.orders.clocks import policy
from services.orders.clocks.keeping import lock_order, recount_orders
from services.orders.clocks.queries import clocks_answer, read_clocks
from services.orders.clocks.schemas import (
    MOST,
    ClockPause,
    ExtensionDecision,
    ExtensionRequest,
    OrderClocksRead,
)
from services.orders.orders.policy import OrderFacts
from services.orders.orders.queries import ReadableOrder, find_order

NOT_PAUSED = frozenset({OrderStage.VERIFY, OrderStage.CLOSE, OrderStage.DONE, OrderStage.FOLLOW})
"""Nothing runs any more."""


async def pause_clocks(connection: Any, caller: Identity, order_id: UUID, body: ClockPause) -> OrderClocksRead:
    """From now on no time of the order counts (挂账). Raises OrderNotFound, Forbidden, NothingRuns, ClocksPaused."""
    order = await _locked_order(connection, caller, order_id, policy.may_pause)
    if order.facts.stage in NOT_PAUSED:
        raise NothingRuns
    return await _turn(connection, caller, order, PauseAction.PAUSE, body.reason)


async def resume_clocks(connection: Any, caller: Identity, order_id: UUID, body: ClockPause) -> OrderClocksRead:
    """Time counts again, whatever has become of the order. Raises OrderNotFound, Forbidden, ClocksNotPaused."""
    order = await _locked_order(connection, caller, order_id, policy.may_pause)
    return await _turn(connection, caller, order, PauseAction.RESUME, body.reason)


async def ask_for_time(
    connection: Any, caller: Identity, order_id: UUID, target: ClockTarget, body: ExtensionRequest
) -> OrderClocksRead:
    """By who has the order, before the limit.

    Raises OrderNotFound, Forbidden, NotInTime, ExtensionPending, TooMuchTime.
    """
    order = await _locked_order(connection, caller, order_id, policy.may_ask_for_time)
    one = (await read_clocks(connection, caller.tenant_id, order.id)).running_or_paused(target)
    if one is None:
        raise NotInTime
    if body.amount > MOST[one.unit]:
        raise TooMuchTime(most=MOST[one.unit])
    if await connection.fetchval(_IS_PENDING, caller.tenant_id, order.id, target, one.round.number):
        raise ExtensionPending
    await connection.execute(
        _ASK,
        caller.tenant_id, new_id(), order.id, target, one.round.number, body.amount, one.unit, body.reason,
        caller.account_id, clock.now(),
    )  # fmt: skip
    return await clocks_answer(connection, caller, order)


async def decide_on_time(
    connection: Any, caller: Identity, order_id: UUID, extension_id: UUID, body: ExtensionDecision
) -> OrderClocksRead:
    """Once, by another than who asked, and granted before the limit only.

    Raises OrderNotFound, Forbidden, ExtensionNotFound, ExtensionDecided, OwnExtension, NotInTime.
    """
    order = await _locked_order(connection, caller, order_id, policy.may_decide_on_time)
    asked = await connection.fetchrow(_ASKED, caller.tenant_id, order.id, extension_id)
    if asked is None:
        raise ExtensionNotFound
    if asked["is_decided"]:
        raise ExtensionDecided
    if asked["asked_by"] == caller.account_id:
        raise OwnExtension
    if body.is_granted:
        one = (await read_clocks(connection, caller.tenant_id, order.id)).running_or_paused(
            ClockTarget(asked["target"])
        )
        if one is None or one.round.number != asked["round"]:
            raise NotInTime
    await connection.execute(
        _DECIDE, caller.tenant_id, extension_id, body.is_granted, body.reason, caller.account_id, clock.now()
    )
    return await _counted(connection, caller, order)


async def _locked_order(
    connection: Any, caller: Identity, order_id: UUID, may: Callable[[OrderFacts], bool]
) -> ReadableOrder:
    """The order with its clocks' lock. Raises OrderNotFound, or Forbidden for who may know of it, but not do this."""
    await lock_order(connection, order_id)
    order = await find_order(connection, caller, order_id=order_id)
    if not may(order.facts):
        raise Forbidden
    return order


async def _turn(
    connection: Any, caller: Identity, order: ReadableOrder, action: PauseAction, reason: str
) -> OrderClocksRead:
    turns: int = await connection.fetchval(_TURNS, caller.tenant_id, order.id)
    is_paused = turns % 2 == 1
    if is_paused == (action == PauseAction.PAUSE):
        raise ClocksPaused if is_paused else ClocksNotPaused
    await connection.execute(
        _TURN, caller.tenant_id, order.id, turns + 1, action, reason, caller.account_id, clock.now()
    )
    return await _counted(connection, caller, order)


async def _counted(connection: Any, caller: Identity, order: ReadableOrder) -> OrderClocksRead:
    await recount_orders(connection, caller.tenant_id, [order.id])
    return await clocks_answer(connection, caller, order)


_TURNS = "SELECT count(*) FROM order_clock_pauses WHERE tenant_id = $1 AND order_id = $2"
_TURN = """
INSERT INTO order_clock_pauses (tenant_id, order_id, sequence, action, reason, actor_id, at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
_IS_PENDING = """
SELECT EXISTS (
    SELECT FROM clock_extensions e
    WHERE e.tenant_id = $1 AND e.order_id = $2 AND e.target = $3 AND e.round = $4 AND NOT EXISTS (
        SELECT FROM clock_extension_decisions d WHERE d.tenant_id = $1 AND d.extension_id = e.id
    )
)
"""
_ASK = """
INSERT INTO clock_extensions (tenant_id, id, order_id, target, round, amount, unit, reason, asked_by, asked_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""
_ASKED = """
SELECT e.target, e.round, e.asked_by, EXISTS (
    SELECT FROM clock_extension_decisions d WHERE d.tenant_id = $1 AND d.extension_id = e.id
) AS is_decided
FROM clock_extensions e WHERE e.tenant_id = $1 AND e.order_id = $2 AND e.id = $3
"""
_DECIDE = """
INSERT INTO clock_extension_decisions (tenant_id, extension_id, is_granted, reason, decided_by, decided_at)
VALUES ($1, $2, $3, $4, $5, $6)
"""


class NothingRuns(Problem):
    status = 409
    code = "nothing_runs"
    zh = "订单已办结或已取消，无需挂账。"
    en = "The order is completed or cancelled: no time of it is running."


class ClocksPaused(Problem):
    status = 409
    code = "clocks_paused"
    zh = "订单已挂账。"
    en = "The order's clocks are paused already."


class ClocksNotPaused(Problem):
    status = 409
    code = "clocks_not_paused"
    zh = "订单未挂账。"
    en = "The order's clocks are not paused."


class NotInTime(Problem):
    """No such time is promised, it is over, or it was answered."""

    status = 409
    code = "not_in_time"
    zh = "该环节没有正在计时的时限，或时限已过，不能延期。"
    en = "This time is not running any more: it cannot be extended."


class ExtensionPending(Problem):
    status = 409
    code = "extension_pending"
    zh = "已有待审批的延期申请。"
    en = "Another extension waits for its decision."


class ExtensionNotFound(Problem):
    status = 404
    code = "extension_not_found"
    zh = "未找到该延期申请。"
    en = "There is no such extension."


class ExtensionDecided(Problem):
    status = 409
    code = "extension_decided"
    zh = "该延期申请已审批。"
    en = "This extension was decided already."


class OwnExtension(Problem):
    status = 409
    code = "own_extension"
    zh = "不能审批本人的延期申请。"
    en = "Nobody decides on their own extension."


class TooMuchTime(Problem):
    status = 422
    code = "too_much_time"
    zh = "延期时长过长，上限为 {most}。"
    en = "This is too much time; {most} of the clock's unit is the limit."
