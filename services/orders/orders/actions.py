"""Everything that changes an order, one function per verb. Each is one transaction: one call of a SQL command.

Which action leads where, who may take it and what it needs is the order's lifecycle (services/orders/lifecycles); here
stands what an action brings with it.
"""

from typing import Any
from uuid import UUID

from models.orders import OrderAction
from services.chassis import clock
from services.chassis.commands import Command, CommandAnswer
from services.chassis.database import Database
from services.chassis.errors import NotFound, Problem
from services.chassis.idempotency import RequestKey
from services.chassis.identity import Identity
from services.chassis.schemas import new_id
from services.events import OrderRated
from services.orders.lifecycles.standard import STANDARD
from services.orders.orders import policy
from services.orders.orders.schemas import (
    OrderAmendment,
    OrderCompletion,
    OrderDispatch,
    OrderJoining,
    OrderMerge,
    OrderPlacement,
    OrderRating,
    OrderReason,
    OrderResubmission,
    OrderShelving,
    OrderStep,
    OrderTransfer,
    OrderWork,
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
        **_who(caller),
        **_key(once),
        "proxy_areas": caller.areas_as(policy.OVERSEEING_ROLES),
        "id": body.id or new_id(),
        "for_resident": body.on_behalf_of or caller.resident_id,
    }
    return await commands.place(caller.tenant_id, command)


class OrderSteps:
    """The steps one person takes on one order, each once by the key of its request."""

    def __init__(self, commands: OrderCommands, caller: Identity, once: RequestKey, order_id: UUID) -> None:
        self._commands = commands
        self._caller = caller
        self._once = once
        self._order_id = order_id

    async def triage(self, body: OrderAmendment) -> CommandAnswer:
        """Accepted for handling, and put into its place: kind, priority, visibility, how many it takes."""
        return await self._advance(OrderAction.TRIAGE, body, **_carried(body))

    async def amend(self, body: OrderAmendment) -> CommandAnswer:
        """The same, later."""
        return await self._advance(OrderAction.AMEND, body, **_carried(body))

    async def resubmit(self, body: OrderResubmission) -> CommandAnswer:
        """What was asked for is added; the dispatcher looks at it again."""
        carried = body.model_dump(exclude={"expected_version", "note"})
        return await self._advance(OrderAction.RESUBMIT, body, note=body.note, **carried)

    async def dispatch(self, body: OrderDispatch) -> CommandAnswer:
        """To a person or unit that serves the order's area, or into the open pool. Also takes it from who has it."""
        return await self._advance(OrderAction.DISPATCH, body, **_carried(body))

    async def transfer(self, body: OrderTransfer) -> CommandAnswer:
        """From the helper to another. Counts as a hop."""
        return await self._advance(OrderAction.TRANSFER, body, **_carried(body))

    async def join(self, body: OrderJoining) -> CommandAnswer:
        """Of many who join at once as many get in as are wanted, the others OrderFull."""
        return await self._advance(OrderAction.JOIN, body, task=body.task)

    async def shelve(self, body: OrderShelving) -> CommandAnswer:
        """Its clocks stand still until it is resumed; with `until` the system resumes it then."""
        return await self._advance(OrderAction.SHELVE, body, note=body.reason, until=body.until)

    async def complete(self, body: OrderCompletion) -> CommandAnswer:
        """With the evidence the order's kind asks for, and the service time if the helper states it."""
        return await self._advance(
            OrderAction.COMPLETE, body,
            note=body.note, file_ids=body.file_ids, minutes=body.minutes,
            helpers=[helper.model_dump() for helper in body.helpers] or None,
        )  # fmt: skip

    async def rate(self, body: OrderRating) -> CommandAnswer:
        """Records OrderRated in the same transaction, once per order; not solved, the order is done again."""
        return await self._advance(
            OrderAction.RATE, body, stars=body.stars, solved=body.solved, note=body.comment,
            event_id=new_id(), listeners=OrderRated.listeners,
        )  # fmt: skip

    async def merge(self, body: OrderMerge) -> CommandAnswer:
        """Into another order that means the same: it shares that one's way, and keeps its own reporter and answer."""
        return await self._advance(OrderAction.MERGE, body, note=body.note, into_id=body.into_id)

    async def with_reason(self, action: OrderAction, body: OrderReason) -> CommandAnswer:
        """Any action that needs no more than a reason."""
        return await self._advance(action, body, note=body.reason)

    async def plainly(self, action: str, body: OrderStep) -> CommandAnswer:
        """Any action that needs nothing."""
        return await self._advance(action, body)

    async def work(self, action: str, body: OrderWork) -> CommandAnswer:
        """A step of the district's own. Raises NotFound for an action with a route of its own."""
        if action in _KNOWN:
            raise NotFound
        return await self._advance(action, body, note=body.note, file_ids=body.file_ids)

    async def _advance(self, action: str, body: OrderStep, **carried: Any) -> CommandAnswer:
        command = {
            **step_command(self._caller, self._order_id, action, **carried),
            **_key(self._once),
            "expected_version": body.expected_version,
        }
        return await self._commands.advance(self._caller.tenant_id, command, locks=self._order_id)


_KNOWN = frozenset(action.value for action in OrderAction)


def step_command(caller: Identity, order_id: UUID, action: str, **carried: Any) -> dict[str, Any]:
    """What `order_step` asks for, for a step of a person."""
    return {
        "file_ids": (),
        **carried,
        **_who(caller),
        "dispatch_areas": caller.areas_as(policy.DISPATCHING_ROLES),
        "oversee_areas": caller.areas_as(policy.OVERSEEING_ROLES),
        "serve_areas": caller.areas_as(policy.SERVING_ROLES),
        "senior_areas": caller.areas_as(policy.SENIOR_ROLES),
        "serving_roles": policy.SERVING_ROLES,
        "order_id": order_id,
        "action": action,
    }


def system_step(order_id: UUID, action: str, **carried: Any) -> dict[str, Any]:
    """What `order_step` asks for, for a step that nobody takes but the lifecycle or another rule of the district."""
    return {
        "file_ids": (),
        **carried,
        "is_system": True,
        "serving_roles": policy.SERVING_ROLES,
        "order_id": order_id,
        "action": action,
        "now": clock.now(),
    }


def _carried(body: OrderAmendment | OrderDispatch | OrderTransfer) -> dict[str, Any]:
    return body.model_dump(exclude={"expected_version"})


def _who(caller: Identity) -> dict[str, Any]:
    return {"account": caller.account_id, "resident": caller.resident_id, "now": clock.now()}


def _key(once: RequestKey) -> dict[str, Any]:
    return {"idempotency_key": once.key, "request_hash": once.request_hash.hex()}


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
    """Somebody else was faster, or the action does not lead anywhere from the order's state.

    The members `order` and `available_actions` tell how it stands and what the caller may do now.
    """

    status = 409
    code = "order_state_conflict"
    zh = "订单当前{state}，不能{action}。"
    en = "The order is {state} now; {action} is not possible."

    def detail(self, *, english: bool) -> str:
        text = self.en if english else self.zh
        state, action = self.members["state"], self.members["action"]
        return text.format(
            state=_WORDS[english].get(f"state {state}", state), action=_WORDS[english].get(f"action {action}", action)
        )


_WORDS: dict[bool, dict[str, str]] = {
    english: {
        **{f"state {one.id}": one.name_en if english else one.name for one in STANDARD.states},
        **{f"action {one.action}": one.name_en if english else one.name for one in STANDARD.transitions},
    }
    for english in (False, True)
}
"""The standard's names; a district's own states and actions are called by their identifiers here."""


class OrderChanged(Problem):
    """With the members of OrderStateConflict."""

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
    zh = "不能核查、评价或审批自己经办的订单。"
    en = "Nobody checks, rates or decides on their own work."


class OrderFull(Problem):
    status = 409
    code = "order_full"
    zh = "协办人员已满。"
    en = "There are as many helpers as are wanted."


class HelpersHaveJoined(Problem):
    status = 409
    code = "helpers_have_joined"
    zh = "已有协办人员加入，人数不能少于已加入的人数。"
    en = "More people have joined than that."


class ClaimLapsed(Problem):
    status = 409
    code = "claim_lapsed"
    zh = "您认领后未按时开始，请由他人认领或由社区派给您。"
    en = "You claimed it and did not begin in time; leave it to others, or ask to be given it."


class SeniorNeeded(Problem):
    status = 409
    code = "senior_needed"
    zh = "该订单多次退回，须由社区负责人决定。"
    en = "It has come back too often: a senior has to decide."


class ReopeningOver(Problem):
    status = 409
    code = "reopening_over"
    zh = "已超过可重新打开的期限，请重新下单。"
    en = "It is too late to open it again; please place a new order."


class KindDoesNotFit(Problem):
    status = 409
    code = "kind_does_not_fit"
    zh = "订单当前状态不在该类订单的流程中，不能改为此类。"
    en = "Orders of that kind have no such state."


class MainOrderIsOver(Problem):
    status = 409
    code = "main_order_is_over"
    zh = "主单已办结或已合并，不能再并入。"
    en = "The other order is over, or merged itself."


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


class NotAnonymously(Problem):
    status = 422
    code = "not_anonymously"
    zh = "此类订单不能匿名。"
    en = "Orders of this kind are not anonymous."


class UnknownMainOrder(Problem):
    status = 422
    code = "unknown_main_order"
    zh = "未找到要并入的主单。"
    en = "There is no such order to merge into."


class UnknownFile(Problem):
    status = 422
    code = "unknown_file"
    zh = "文件不存在、不是您上传的，或已用于其他订单。"
    en = "A file does not exist, is not yours, or belongs to another order."


class AssigneeNeeded(Problem):
    status = 422
    code = "assignee_needed"
    zh = "请指明转派给谁。"
    en = "Say to whom it is passed on."


class AssigneeCannotServe(Problem):
    status = 422
    code = "assignee_cannot_serve"
    zh = "该人员目前不在此区域服务。"
    en = "This person does not serve the order's area now."


class UnitCannotServe(Problem):
    status = 422
    code = "unit_cannot_serve"
    zh = "该单位不存在、已停用或不在此区域服务。"
    en = "A unit does not exist, is not active, or does not serve the order's area."


class EvidenceMissing(Problem):
    status = 422
    code = "evidence_missing"
    zh = "请上传完成照片或填写说明。"
    en = "Completing this kind of order needs more evidence: photos or a note."


class UnknownHelper(Problem):
    status = 422
    code = "unknown_helper"
    zh = "所列人员中有人未参与协办。"
    en = "Somebody named there does not assist with this order."


class TimeIsOver(Problem):
    status = 422
    code = "time_is_over"
    zh = "该时间已过。"
    en = "That time is over."


class ReasonNeeded(Problem):
    status = 422
    code = "reason_needed"
    zh = "请填写原因。"
    en = "Say why."
