"""Everything people do to the clocks of an order. Each under the order's lock, and counted in the same transaction."""

from typing import Any
from uuid import UUID

import msgspec

from models.clocks import ClockTarget, PauseAction
from models.orders import OrderAction
from services.chassis import clock
from services.chassis.errors import Forbidden, Problem
from services.chassis.idempotency import refusal
from services.chassis.identity import Identity
from services.chassis.schemas import new_id
from services.orders.clocks import policy
from services.orders.clocks.counting import CountedOrder, load_orders
from services.orders.clocks.keeping import lock_order, recount_orders
from services.orders.clocks.queries import clocks_answer, order_clocks, read_clocks
from services.orders.clocks.schemas import (
    MOST,
    ClockPause,
    ExtensionDecision,
    ExtensionRequest,
    OrderClocksRead,
)
from services.orders.orders.actions import step_command
from services.orders.orders.queries import ReadableOrder, find_order


async def pause_clocks(connection: Any, caller: Identity, order_id: UUID, body: ClockPause) -> OrderClocksRead:
    """From now on no time of the order counts. Shelving it (挂账) is a step of its lifecycle, and longer.

    Raises OrderNotFound, Forbidden, OrderShelved, NothingRuns, ClocksPaused.
    """
    order = await _locked_order(connection, caller, order_id)
    here = (await _counted_order(connection, caller, order)).here
    if here.pauses:
        raise OrderShelved
    if not here.runs:
        raise NothingRuns
    return await _turn(connection, caller, order, PauseAction.PAUSE, body.reason)


async def resume_clocks(connection: Any, caller: Identity, order_id: UUID, body: ClockPause) -> OrderClocksRead:
    """Time counts again, whatever has become of the order.

    Raises OrderNotFound, Forbidden, OrderShelved, ClocksNotPaused.
    """
    order = await _locked_order(connection, caller, order_id)
    if (await _counted_order(connection, caller, order)).here.pauses:
        raise OrderShelved
    return await _turn(connection, caller, order, PauseAction.RESUME, body.reason)


async def ask_for_time(
    connection: Any, caller: Identity, order_id: UUID, target: ClockTarget, body: ExtensionRequest
) -> OrderClocksRead:
    """Before the limit, by whom the order's lifecycle lets ask.

    Raises what taking a step raises, and NotInTime, ExtensionPending, TooMuchTime.
    """
    await lock_order(connection, order_id)
    await _take_step(connection, caller, order_id, OrderAction.ASK_EXTENSION, body.reason)
    one = (await read_clocks(connection, caller.tenant_id, order_id)).running_or_paused(target)
    if one is None:
        raise NotInTime
    if body.amount > MOST[one.unit]:
        raise TooMuchTime(most=MOST[one.unit])
    if await connection.fetchval(_IS_PENDING, caller.tenant_id, order_id, target, one.round.number):
        raise ExtensionPending
    await connection.execute(
        _ASK,
        caller.tenant_id, new_id(), order_id, target, one.round.number, body.amount, one.unit, body.reason,
        caller.account_id, clock.now(),
    )  # fmt: skip
    return await order_clocks(connection, caller, order_id)


async def decide_on_time(
    connection: Any, caller: Identity, order_id: UUID, extension_id: UUID, body: ExtensionDecision
) -> OrderClocksRead:
    """Once, by whom the order's lifecycle lets decide but another than who asked, and granted before the limit only.

    Raises what taking a step raises, and ExtensionNotFound, ExtensionDecided, OwnExtension, NotInTime.
    """
    await lock_order(connection, order_id)
    action = OrderAction.GRANT_EXTENSION if body.is_granted else OrderAction.REFUSE_EXTENSION
    await _take_step(connection, caller, order_id, action, body.reason)
    asked = await connection.fetchrow(_ASKED, caller.tenant_id, order_id, extension_id)
    if asked is None:
        raise ExtensionNotFound
    if asked["is_decided"]:
        raise ExtensionDecided
    if asked["asked_by"] == caller.account_id:
        raise OwnExtension
    if body.is_granted:
        one = (await read_clocks(connection, caller.tenant_id, order_id)).running_or_paused(
            ClockTarget(asked["target"])
        )
        if one is None or one.round.number != asked["round"]:
            raise NotInTime
    await connection.execute(
        _DECIDE, caller.tenant_id, extension_id, body.is_granted, body.reason, caller.account_id, clock.now()
    )
    await recount_orders(connection, caller.tenant_id, [order_id])
    return await order_clocks(connection, caller, order_id)


async def _take_step(
    connection: Any, caller: Identity, order_id: UUID, action: OrderAction, reason: str | None
) -> None:
    """The order's lifecycle says who may and when, and its history tells of it; what is refused later takes it back.

    Raises OrderNotFound, Forbidden, OrderStateConflict, OwnWork, ReasonNeeded.
    """
    command = step_command(caller, order_id, action, note=reason)
    taken = await connection.fetchrow(_STEP, caller.tenant_id, msgspec.json.encode(command, enc_hook=str).decode())
    if taken["status"] >= 400:
        raise refusal(taken["body"], is_replayed=False)


async def _locked_order(connection: Any, caller: Identity, order_id: UUID) -> ReadableOrder:
    """With its clocks' lock, for who may pause them. Raises OrderNotFound; Forbidden for others who know of it."""
    await lock_order(connection, order_id)
    order = await find_order(connection, caller, order_id=order_id)
    if not policy.may_pause(order.facts):
        raise Forbidden
    return order


async def _counted_order(connection: Any, caller: Identity, order: ReadableOrder) -> CountedOrder:
    return (await load_orders(connection, caller.tenant_id, [order.id]))[0]


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
    await recount_orders(connection, caller.tenant_id, [order.id])
    return await clocks_answer(connection, caller, order)


_STEP = "SELECT status, body FROM order_step($1, $2)"
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
    zh = "订单当前没有正在计时的时限，无需暂停。"
    en = "No time of the order is running where it is now."


class OrderShelved(Problem):
    """Its clocks stand until the order itself goes on."""

    status = 409
    code = "order_shelved"
    zh = "订单已挂账或退回补充，时限已停；请先恢复办理。"
    en = "The order is shelved, or waits to be completed by who asked: its clocks go on when it does."


class ClocksPaused(Problem):
    status = 409
    code = "clocks_paused"
    zh = "订单时限已暂停。"
    en = "The order's clocks are paused already."


class ClocksNotPaused(Problem):
    status = 409
    code = "clocks_not_paused"
    zh = "订单时限未暂停。"
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
