"""The life of an order as a district starts with it. One literal table; docs/lifecycle.md draws it.

Source of the stages: the case loop of GB/T 30428 and the board of the trade (待接收 待派遣 待处理 待核查 待结案).
"""

from models.clocks import ClockTarget as C
from models.orders import OrderStage
from services.orders.lifecycles.definition import BEFORE, Lifecycle, Limits, Need, State, Transition

DAY = 24 * 60

_OPEN = (C.FINISH,)
_AGREED = (C.DISPATCH,)
_TAKEN = (C.DISPATCH, C.ACCEPT)
_BEGUN = (C.DISPATCH, C.ACCEPT, C.ARRIVE)
_DONE = (C.DISPATCH, C.ACCEPT, C.ARRIVE, C.FINISH)


def _state(
    id: str,
    name: str,
    name_en: str,
    stage: OrderStage,
    clocks: tuple[C, ...] = (),
    meets: tuple[C, ...] = (),
    *,
    pauses: bool = False,
) -> State:
    return State(id=id, name=name, name_en=name_en, stage=stage, clocks=clocks, meets=meets, pauses=pauses)


def _step(
    action: str,
    name: str,
    from_states: str,
    to_state: str | None,
    who: str,
    needs: str = "",
    *,
    after_minutes: int | None = None,
) -> Transition:
    return Transition(
        action=action, name=name, name_en=action.replace("_", " "), from_states=tuple(from_states.split()),
        to_state=to_state, who=tuple(who.split()), needs=tuple(Need(need) for need in needs.split()),
        after_minutes=after_minutes,
    )  # fmt: skip


_STATES = (
    #      state          Chinese      English               stage                 runs                   keeps
    _state("placed",      "待受理",    "placed",             OrderStage.RECEIVE,  (*_OPEN, C.DISPATCH)),
    _state("returned",    "退回补充",  "returned",           OrderStage.RECEIVE,  pauses=True),
    _state("triaged",     "待派单",    "accepted for handling", OrderStage.DISPATCH, (*_OPEN, C.DISPATCH)),
    _state("dispatched",  "已派单",    "dispatched",         OrderStage.HANDLE,   (*_OPEN, C.ACCEPT),    _AGREED),
    _state("accepted",    "已接单",    "accepted",           OrderStage.HANDLE,   (*_OPEN, C.ARRIVE),    _TAKEN),
    _state("in_progress", "办理中",    "under way",          OrderStage.HANDLE,   _OPEN,                 _BEGUN),
    _state("shelved",     "已挂账",    "shelved",            OrderStage.HANDLE,   pauses=True),
    _state("completed",   "已办结",    "completed",          OrderStage.VERIFY,   (),                    _DONE),
    _state("verified",    "已核查",    "verified",           OrderStage.CLOSE,    (),                    _DONE),
    _state("rated",       "已评价",    "rated",              OrderStage.CLOSE,    (),                    _DONE),
    _state("closed",      "已结案",    "closed",             OrderStage.DONE,     (),                    _DONE),
    _state("rejected",    "不予受理",  "rejected",           OrderStage.DONE),
    _state("cancelled",   "已取消",    "cancelled",          OrderStage.DONE),
    _state("merged",      "已合并",    "merged",             OrderStage.FOLLOW),
)  # fmt: skip

_ASKER = "is_requester is_family_placer stands_in"
_DESK = "is_dispatcher"
_HOLDER = "is_assignee is_unit_leader"
_HELPERS = "is_server is_unit_member is_assisting_unit_member"
_UNDER_WAY = "accepted in_progress"
_HANDLED = f"dispatched {_UNDER_WAY}"
_WHY = "reason"

_TRANSITIONS = (
    #     action              Chinese       from                           to             who            needs
    _step("triage",           "受理",       "placed",                      "triaged",     _DESK),
    _step("return",           "退回补充",   "placed triaged",              "returned",    _DESK,         _WHY),
    _step("resubmit",         "补充后重提", "returned",                    "placed",      f"{_ASKER} is_proxy"),
    _step("reject",           "不予受理",   "placed returned triaged",     "rejected",    _DESK,         _WHY),
    _step("amend",            "修改分类",   f"placed triaged {_HANDLED}",  None,          _DESK),
    _step("dispatch",         "派单",       f"placed triaged {_HANDLED}",  "dispatched",  _DESK),
    _step("accept",           "接单",       "dispatched",                  "accepted",
          "is_server is_assignee is_unit_member"),
    _step("decline",          "拒单",       "dispatched",                  "triaged",     _HOLDER,       _WHY),
    _step("hand_back",        "退单",       _UNDER_WAY,                    "triaged",     _HOLDER,       _WHY),
    _step("transfer",         "转派",       _HANDLED,                      "dispatched",  _HOLDER,       _WHY),
    _step("take_over",        "接管",       _HANDLED,                      "accepted",    "is_senior",   _WHY),
    _step("join",             "加入协办",   _HANDLED,                      None,          _HELPERS),
    _step("leave",            "退出协办",   f"{_HANDLED} shelved",         None,          "is_assisting"),
    _step("start",            "开始办理",   "accepted",                    "in_progress", "is_helper"),
    _step("lapse",            "认领超时",   "accepted",                    "dispatched",  "is_system"),
    _step("ask_extension",    "申请延期",   _HANDLED,                      None,          "is_helper",   _WHY),
    _step("grant_extension",  "同意延期",   _HANDLED,                      None,
          _DESK,         "second_person"),
    _step("refuse_extension", "驳回延期",   _HANDLED,                      None,
          _DESK,         f"second_person {_WHY}"),
    _step("shelve",           "挂账",       f"triaged {_HANDLED}",         "shelved",     _DESK,         _WHY),
    _step("resume",           "恢复办理",   "shelved",                     BEFORE,        _DESK),
    _step("complete",         "办结",       _UNDER_WAY,                    "completed",   "is_helper",   "evidence"),
    _step("verify",           "核查",       "completed",                   "verified",
          _DESK,         "second_person"),
    _step("redo",             "退回重办",   "completed verified rated",    "accepted",    _DESK,         _WHY),
    _step("rate",             "评价",       "completed verified",          "rated",
          _ASKER,        "second_person"),
    _step("close",            "结案",       "completed",                   "closed",
          "is_system",   after_minutes=15 * DAY),
    _step("close",            "结案",       "verified",                    "closed",
          "is_system",   after_minutes=7 * DAY),
    _step("close",            "结案",       "rated",                       "closed",
          f"{_DESK} is_system", after_minutes=3 * DAY),
    _step("reopen",           "重新打开",   "rated closed",                "triaged",     f"{_ASKER} {_DESK}", _WHY),
    _step("cancel",           "取消",       "placed returned triaged dispatched accepted", "cancelled",
          f"{_ASKER} is_proxy {_DESK}", _WHY),
    _step("cancel",           "取消",       "shelved merged",              "cancelled",   _ASKER,        _WHY),
    _step("merge",            "合并",       "placed triaged dispatched",   "merged",      _DESK),
    _step("unmerge",          "取消合并",   "merged",                      "triaged",     _DESK,         _WHY),
    _step("follow",           "随主单办结", "merged",                      "verified",    "is_system"),
)  # fmt: skip

STANDARD = Lifecycle(limits=Limits(), states=_STATES, transitions=_TRANSITIONS)
