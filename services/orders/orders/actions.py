"""Everything that changes an order, one function per verb. Each is one transaction: one call of a SQL command."""

from typing import Any
from uuid import UUID

from models.orders import OrderAction, OrderState
from services.chassis import clock
from services.chassis.commands import Command, CommandAnswer
from services.chassis.database import Database
from services.chassis.errors import Problem
from services.chassis.idempotency import RequestKey
from services.chassis.identity import Identity
from services.chassis.schemas import new_id
from services.events import OrderRated
from services.orders.orders import policy
from services.orders.orders.lifecycle import TRANSITIONS
from services.orders.orders.schemas import (
    OrderCompletion,
    OrderDispatch,
    OrderPlacement,
    OrderRating,
    OrderReason,
    OrderStart,
    OrderStep,
)


class OrderCommands:
    """The two SQL commands that write orders."""

    def __init__(self, database: Database) -> None:
        self.place = Command(database, "order_place")
        self.advance = Command(database, "order_advance")


async def place_order(
    commands: OrderCommands, caller: Identity, once: RequestKey, body: OrderPlacement
) -> CommandAnswer:
    """Placed for the caller, or on behalf of family or of a resident of the caller's areas. The order as JSON."""
    values = body.model_dump(exclude={"id", "on_behalf_of"})
    command = {
        **values,
        **_who(caller, once),
        "proxy_areas": caller.areas_as(policy.OVERSEEING_ROLES),
        "id": body.id or new_id(),
        "for_resident": body.on_behalf_of or caller.resident_id,
    }
    return await commands.place(caller.tenant_id, command)


async def dispatch_order(
    commands: OrderCommands, caller: Identity, once: RequestKey, order_id: UUID, body: OrderDispatch
) -> CommandAnswer:
    """To a person who serves the order's area, or into the open pool. Also takes it from whoever has it."""
    return await _advance(
        commands, caller, once, order_id, OrderAction.DISPATCH, body, assignee_id=body.assignee_id, note=body.note
    )


async def accept_order(
    commands: OrderCommands, caller: Identity, once: RequestKey, order_id: UUID, body: OrderStep
) -> CommandAnswer:
    """Of many who accept at once from the pool one gets it, the others OrderStateConflict."""
    return await _advance(commands, caller, once, order_id, OrderAction.ACCEPT, body)


async def decline_order(
    commands: OrderCommands, caller: Identity, once: RequestKey, order_id: UUID, body: OrderReason
) -> CommandAnswer:
    """Back to the dispatcher, with the reason."""
    return await _advance(commands, caller, once, order_id, OrderAction.DECLINE, body, note=body.reason)


async def start_order(
    commands: OrderCommands, caller: Identity, once: RequestKey, order_id: UUID, body: OrderStart
) -> CommandAnswer:
    return await _advance(commands, caller, once, order_id, OrderAction.START, body)


async def complete_order(
    commands: OrderCommands, caller: Identity, once: RequestKey, order_id: UUID, body: OrderCompletion
) -> CommandAnswer:
    """With the evidence the order's kind asks for, and the service time if the helper states it."""
    return await _advance(
        commands, caller, once, order_id, OrderAction.COMPLETE, body,
        note=body.note, file_ids=body.file_ids, minutes=body.minutes,
    )  # fmt: skip


async def rate_order(
    commands: OrderCommands, caller: Identity, once: RequestKey, order_id: UUID, body: OrderRating
) -> CommandAnswer:
    """Once. Records OrderRated in the same transaction."""
    return await _advance(
        commands, caller, once, order_id, OrderAction.RATE, body,
        stars=body.stars, solved=body.solved, note=body.comment,
        event_id=new_id(), event_kind=OrderRated.kind, listeners=OrderRated.listeners,
    )  # fmt: skip


async def cancel_order(
    commands: OrderCommands, caller: Identity, once: RequestKey, order_id: UUID, body: OrderReason
) -> CommandAnswer:
    return await _advance(commands, caller, once, order_id, OrderAction.CANCEL, body, note=body.reason)


async def _advance(
    commands: OrderCommands,
    caller: Identity,
    once: RequestKey,
    order_id: UUID,
    action: OrderAction,
    body: OrderStep,
    **carried: Any,
) -> CommandAnswer:
    """The only writer of an order's state: the row of TRANSITIONS goes to `order_advance`, which runs under lock."""
    transition = TRANSITIONS[action]
    command = {
        **_who(caller, once),
        "dispatch_areas": caller.areas_as(policy.DISPATCHING_ROLES),
        "oversee_areas": caller.areas_as(policy.OVERSEEING_ROLES),
        "serve_areas": caller.areas_as(policy.SERVING_ROLES),
        "serving_roles": policy.SERVING_ROLES,
        "order_id": order_id,
        "expected_version": body.expected_version,
        "action": action,
        "from_states": transition.from_states,
        "to_state": transition.to_state,
        "who": [fact.__name__ for fact in transition.who],
        "needs_evidence": transition.needs_evidence,
        "file_ids": (),
        **carried,
    }
    return await commands.advance(caller.tenant_id, command, locks=order_id)


def _who(caller: Identity, once: RequestKey) -> dict[str, Any]:
    return {
        "account": caller.account_id,
        "resident": caller.resident_id,
        "idempotency_key": once.key,
        "request_hash": once.request_hash.hex(),
        "now": clock.now(),
    }


class OrderNotFound(Problem):
    status = 404
    code = "order_not_found"
    zh = "未找到该订单。"
    en = "There is no such order."


class ResidentNotFound(Problem):
    status = 404
    code = "resident_not_found"
    zh = "未找到该居民。"
    en = "There is no such resident."


class OrderStateConflict(Problem):
    """Somebody else was faster, or the action does not fit the order's state."""

    status = 409
    code = "order_state_conflict"
    zh = "订单当前{state}，不能{action}。"
    en = "The order is {state} now; {action} is not possible."

    def detail(self, *, english: bool) -> str:
        if english:
            return super().detail(english=True)
        words = {"state": STATE_NAMES[self.members["state"]], "action": ACTION_NAMES[self.members["action"]]}
        return self.zh.format_map(words)


STATE_NAMES = {
    OrderState.PLACED: "待派单",
    OrderState.DISPATCHED: "已派单",
    OrderState.ACCEPTED: "已接单",
    OrderState.IN_PROGRESS: "办理中",
    OrderState.COMPLETED: "已办结",
    OrderState.RATED: "已评价",
    OrderState.CANCELLED: "已取消",
}
ACTION_NAMES = {
    OrderAction.PLACE: "下单",
    OrderAction.DISPATCH: "派单",
    OrderAction.ACCEPT: "接单",
    OrderAction.DECLINE: "退单",
    OrderAction.START: "开始办理",
    OrderAction.COMPLETE: "办结",
    OrderAction.RATE: "评价",
    OrderAction.CANCEL: "取消",
}


class OrderChanged(Problem):
    status = 409
    code = "order_changed"
    zh = "订单已被他人更新（当前版本 {version}），请刷新后重试。"
    en = "The order has changed (version {version} now); read it again."


class OwnNeed(Problem):
    status = 409
    code = "own_need"
    zh = "不能承接本人的订单。"
    en = "Nobody takes on their own order."


class OwnWork(Problem):
    status = 409
    code = "own_work"
    zh = "不能评价自己完成的订单。"
    en = "Nobody rates their own work."


class OrderIdTaken(Problem):
    status = 409
    code = "order_id_taken"
    zh = "该订单编号已被使用。"
    en = "An order with this id exists already."


class NotAResident(Problem):
    status = 409
    code = "not_a_resident"
    zh = "您的账号尚未关联居民信息，请联系社区登记后再下单。"
    en = "Your account is not linked to a resident yet; please ask your community to register you."


class NotInHousehold(Problem):
    status = 422
    code = "not_in_household"
    zh = "该居民不属于此户。"
    en = "The resident does not belong to this household."


class PlaceNeeded(Problem):
    status = 422
    code = "place_needed"
    zh = "请指明服务地点（社区或其下级区域）。"
    en = "Say where it is to be done: an area of a community or below."


class UnknownOrderKind(Problem):
    status = 422
    code = "unknown_order_kind"
    zh = "没有此类订单。"
    en = "There is no such kind of order."


class UnknownFile(Problem):
    status = 422
    code = "unknown_file"
    zh = "文件不存在、不是您上传的，或已用于其他订单。"
    en = "A file does not exist, is not yours, or belongs to another order."


class AssigneeCannotServe(Problem):
    status = 422
    code = "assignee_cannot_serve"
    zh = "该人员目前不在此区域服务。"
    en = "This person does not serve the order's area now."


class EvidenceMissing(Problem):
    status = 422
    code = "evidence_missing"
    zh = "请上传完成照片或填写说明。"
    en = "Completing this kind of order needs more evidence: photos or a note."
