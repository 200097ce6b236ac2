"""What stages, people and needs are called, in pictures and in the words of a fault."""

from typing import NamedTuple

from models.orders import OrderStage
from services.orders.lifecycles.definition import Need


class Wording(NamedTuple):
    zh: str
    en: str


STAGES = {
    OrderStage.RECEIVE: Wording("待接收", "to receive"),
    OrderStage.DISPATCH: Wording("待派遣", "to dispatch"),
    OrderStage.HANDLE: Wording("待处理", "to handle"),
    OrderStage.VERIFY: Wording("待核查", "to verify"),
    OrderStage.CLOSE: Wording("待结案", "to close"),
    OrderStage.DONE: Wording("已了结", "done"),
    OrderStage.FOLLOW: Wording("随主单", "follows another"),
}
"""In the order in which an order comes through them; what is merged waits beside."""

PEOPLE = {
    "is_requester": Wording("需求人", "who needs it"),
    "is_family_placer": Wording("家属", "family that placed it"),
    "stands_in": Wording("代办人", "worker standing in"),
    "is_proxy": Wording("代下单人", "worker that placed it"),
    "is_assignee": Wording("承办人", "who has it"),
    "is_helper": Wording("承办人", "who does it"),
    "is_assisting": Wording("协办人", "who assists"),
    "is_unit_member": Wording("单位成员", "unit member"),
    "is_unit_leader": Wording("单位负责人", "unit leader"),
    "is_assisting_unit_member": Wording("协办单位成员", "assisting unit's member"),
    "is_server": Wording("服务人员", "who serves the area"),
    "is_dispatcher": Wording("派单员", "dispatcher"),
    "is_senior": Wording("上级", "senior"),
    "is_overseer": Wording("社区人员", "community staff"),
    "is_system": Wording("系统", "the system"),
}

NEEDS = {
    Need.REASON: Wording("说明理由", "a reason"),
    Need.EVIDENCE: Wording("办理凭证", "evidence"),
    Need.SECOND_PERSON: Wording("非经办人", "a second person"),
}


def stage_names(stages: frozenset[OrderStage]) -> Wording:
    """Several stages, as one says them in a sentence."""
    named = [wording for stage, wording in STAGES.items() if stage in stages]
    return Wording("、".join(one.zh for one in named), ", ".join(one.en for one in named))
