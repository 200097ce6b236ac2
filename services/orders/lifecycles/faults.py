"""The faults a lifecycle can have, and what is said about each."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from services.orders.lifecycles.wording import Wording


class Fault(BaseModel):
    """Something that keeps a lifecycle from being loaded."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)
    place: str
    """Where in the definition, e.g. `transitions[3].to_state`."""
    fault: str
    """Stable, in snake_case."""
    zh: str
    en: str


def fault_at(place: str, fault: str, **said: Any) -> Fault:
    """`said` fills in the words of the fault."""
    words = WORDS[fault]
    return Fault(place=place, fault=fault, zh=words.zh.format_map(said), en=words.en.format_map(said))


WORDS = {
    "duplicate_state": Wording("状态 {name} 重复定义。", "The state {name} is there already."),
    "same_name": Wording("名称“{name}”已用于 {other}。", "The name {name} is that of {other} already."),
    "two_names": Wording(
        "动作 {action} 在别处名为“{other}”，同一动作只能有一个名称。",
        "The action {action} is called {other} elsewhere; an action has one name.",
    ),
    "unknown_state": Wording("没有名为 {name} 的状态。", "There is no state {name}."),
    "duplicate_step": Wording(
        "在状态 {state} 下，动作 {action} 已有定义（{other}）。",
        "{action} from {state} is there already ({other}).",
    ),
    "unknown_predicate": Wording("没有名为 {name} 的身份条件。", "There is no predicate {name}."),
    "reserved_action": Wording("{action} 是保留名称，不能用作动作。", "{action} is a reserved name."),
    "initial_stage": Wording(
        "第一个状态是下单后的状态，须属于“待接收”阶段，且不能是挂账状态。",
        "The first state is the one of a placed order: it belongs to the stage receive and does not pause.",
    ),
    "unreachable_state": Wording("无法从下单到达状态 {name}。", "No order ever comes to the state {name}."),
    "dead_end": Wording("订单进入 {name} 后再也无法了结。", "From the state {name} no order comes to an end."),
    "stranded": Wording(
        "进入 {name} 后，能否了结全看当事人；须有负责该区域的人员或系统能够处理。",
        "From {name} only the people concerned can bring an order to an end; let who answers for the area, or the "
        "system, be able to.",
    ),
    "no_final_state": Wording("没有“已了结”阶段的状态。", "No state has the stage done."),
    "leaves_final": Wording(
        "{state} 已了结，只有重新打开（reopen）能离开。",
        "{state} is final: only reopen leaves it.",
    ),
    "never_taken": Wording(
        "只有系统能执行 {action}，但未写明多久之后执行（after_minutes）。",
        "Only the system may take {action}, and nothing says when (after_minutes).",
    ),
    "timer_without_system": Wording(
        "写明了自动执行的时间，但 who 中没有 is_system。",
        "It has a time at which the system takes it, but is_system is not among who.",
    ),
    "needs_a_person": Wording(
        "{action} 须由人决定，系统不能执行。", "{action} is a person's decision, not the system's."
    ),
    "only_the_system": Wording("{action} 只能由系统执行。", "{action} is taken by the system alone."),
    "system_gives_no_reason": Wording(
        "系统自动执行时无法说明理由。", "The system, when it acts by itself, gives no reason."
    ),
    "second_timer": Wording(
        "状态 {state} 已有一个自动执行的动作（{other}），只能有一个。",
        "The system acts in {state} already ({other}); a state has one timer.",
    ),
    "timer_stays": Wording(
        "自动执行的动作须使订单离开当前状态。", "What the system does after a time must lead to another state."
    ),
    "own_timing": Wording("{action} 有自己的时间，不能写 after_minutes。", "{action} has a time of its own."),
    "nobody_there": Wording(
        "状态 {state} 下尚无人承办，who 中的身份都不成立。",
        "Nobody has an order in {state}, so none of those in who is there.",
    ),
    "out_of_place": Wording(
        "{action} 只能在{stages_zh}阶段执行，而 {state} 属于“{stage_zh}”。",
        "{action} is taken in the stage {stages}; {state} is in the stage {stage}.",
    ),
    "wrong_target": Wording(
        "{action} 须转入{stages_zh}阶段的状态。", "{action} leads to a state of the stage {stages}."
    ),
    "stays": Wording("{action} 不改变状态，to_state 须为空。", "{action} leaves an order where it is: no to_state."),
    "must_move": Wording("{action} 须写明转入哪个状态。", "{action} moves an order: say to_state."),
    "plain_move": Wording(
        "自定义动作不能把订单从“{stage_zh}”转入“{to_zh}”：须使用相应的内置动作。",
        "A step of a district's own cannot take an order from the stage {stage} to {to}; the action for it can.",
    ),
    "nobody_accepts": Wording(
        "转入 {state} 后没有接单（accept）动作。", "Nobody can accept an order in {state}."
    ),
    "does_not_pause": Wording("挂账须转入暂停计时的状态。", "shelve leads to a state that pauses."),
    "nowhere_before": Wording(
        "@before 只能用于暂停计时的状态，{state} 不是。", "@before is for states that pause; {state} does not."
    ),
    "no_place_for_reason": Wording("{action} 不能附理由。", "{action} has no place for a reason."),
    "nobody_second": Wording(
        "须由非经办人执行，而 who 中只有经办人。", "It needs a second person, and who has only those who work on it."
    ),
    "without_assignee": Wording(
        "只有承办人（is_assignee、is_helper）能办结：否则可能无人承办而已办结。",
        "Only who has the order completes it (is_assignee, is_helper): else it could be done by nobody.",
    ),
    "nobody_resumes": Wording("{state} 下没有恢复（resume）动作。", "Nothing resumes an order in {state}."),
    "left_behind": Wording(
        "主单了结后，{state} 下的订单须能执行 {action}。",
        "When the main order is over, the system must be able to {action} one in {state}.",
    ),
    "evidence_elsewhere": Wording("{action} 不能附凭证。", "{action} takes no photos."),
    "runs_and_met": Wording(
        "{target} 时限不能在同一状态下既计时又视为达成。", "{target} cannot run and be met in one state."
    ),
    "pauses_and_counts": Wording(
        "暂停计时的状态不能写 clocks 或 meets。", "A state that pauses neither runs a clock nor meets one."
    ),
    "counts_after_end": Wording("了结后不再计时。", "No clock runs in a final state."),
    "never_met": Wording("{target} 时限从未达成。", "The clock {target} is never met."),
    "named_twice": Wording("{name} 重复。", "{name} is there twice."),
    "never_reopened": Wording(
        "有重新打开（reopen）动作，但期限为 0 天。", "There is a reopen, and a limit of 0 days for it."
    ),
}  # fmt: skip
