"""Everything people do to recurring orders. Each holds the row's lock; the route commits."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date, time, timedelta
from typing import Any
from uuid import UUID

import msgspec

from models.recurring import RecurringChange
from services.chassis import clock
from services.chassis.errors import Forbidden, Problem
from services.chassis.identity import Identity
from services.chassis.schemas import new_id
from services.orders.orders.actions import AssigneeCannotServe, OwnNeed, ReasonNeeded
from services.orders.orders.policy import DISPATCHING_ROLES, OVERSEEING_ROLES
from services.orders.recurring import policy, queries
from services.orders.recurring.arithmetic import DAY, MOST_DAYS_MOVED, Slot
from services.orders.recurring.cover import Need, obstacles
from services.orders.recurring.making import (
    Effects,
    Refused,
    Turn,
    call,
    give_anew,
    note_change,
    withdraw_unfitting,
)
from services.orders.recurring.policy import Predicate, RecurringFacts
from services.orders.recurring.queries import RecurringOrderNotFound
from services.orders.recurring.records import Arrangement, load_arrangement, load_calendar, lock_row
from services.orders.recurring.rules import Fault, Rule, RuleFault, read_rule
from services.orders.recurring.schemas import (
    AffectedOrder,
    HelperChange,
    OccurrenceMove,
    OccurrenceSkip,
    RecurringEnd,
    RecurringOrderChanged,
    RecurringOrderDraft,
    RecurringOrderEdit,
    RecurringOrderRead,
    RecurringPause,
    RecurringStep,
    RecurringTerms,
)

FIRST_DAY_BACK = timedelta(days=400)
FIRST_DAY_AHEAD = timedelta(days=800)


async def arrange(connection: Any, caller: Identity, body: RecurringOrderDraft) -> RecurringOrderRead:
    """Whoever may place such an order may arrange that it comes again and again.

    Raises what placing it raises (services/orders/orders/actions.py), RuleNotUnderstood, FirstDayOutOfReach,
    RecurringOrderIdTaken, Forbidden for a helper named by somebody else than a dispatcher.
    """
    turn = await _turn(connection, caller)
    rule = understood(body.rule, body.first_on, body.from_time)
    if not -FIRST_DAY_BACK <= body.first_on - turn.today <= FIRST_DAY_AHEAD:
        raise FirstDayOutOfReach
    order = await _trial(turn, caller, body, body.on_behalf_of or caller.resident_id, body.household_id)
    details, area_id = order["details"], UUID(order["area_id"])
    values = _values(body, rule) | {
        "id": body.id or new_id(),
        "resident_id": UUID(details["resident_id"]),
        "household_id": details["household_id"] and UUID(details["household_id"]),
        "area_id": area_id,
        "community_id": UUID(order["community_id"]),
        "placed_by": caller.account_id,
        "helper_id": body.helper_id,
        "holds_since": turn.now,
        "next_at": turn.now,
        "arranged_at": turn.now,
    }
    if not await _insert(turn, values):
        raise RecurringOrderIdTaken
    await connection.execute(_FIRST_CHANGE, turn.tenant_id, values["id"], caller.account_id, turn.now)
    row = await lock_row(connection, turn.tenant_id, values["id"])
    if body.helper_id is not None:
        if not caller.is_one_of(DISPATCHING_ROLES, row["ancestor_ids"]):
            raise Forbidden
        await _check_helper(turn, row, body.helper_id)
    return await queries.read_recurring_order(connection, caller, values["id"])


async def edit(
    connection: Any, caller: Identity, recurring_order_id: UUID, body: RecurringOrderEdit
) -> RecurringOrderChanged:
    """From now on. Orders made already that nobody has begun with are made anew; the others stay as they are."""
    held = await _hold(connection, caller, recurring_order_id, body)
    rule = understood(body.rule, body.first_on, body.from_time)
    turn, row = held.turn, held.row
    if body.first_on != row["first_on"] and not -FIRST_DAY_BACK <= body.first_on - turn.today <= FIRST_DAY_AHEAD:
        raise FirstDayOutOfReach
    order = await _trial(turn, caller, body, row["resident_id"], row["household_id"])
    values = _values(body, rule) | {
        "area_id": UUID(order["area_id"]),
        "community_id": UUID(order["community_id"]),
        "holds_since": turn.now,
    }
    is_other = any(row[name] != values[name] for name in _CONTENT) or msgspec.json.decode(
        row["answers_text"]
    ) != msgspec.json.decode(values["answers"])
    before = {name: row[name] for name in _TIMES if row[name] != values[name]}
    await _update(turn, recurring_order_id, values)
    return await held.changed(RecurringChange.EDIT, body.reason, {"before": before}, is_other=is_other)


async def skip_one(
    connection: Any, caller: Identity, recurring_order_id: UUID, body: OccurrenceSkip
) -> RecurringOrderChanged:
    """Raises NotAnOccurrence, OccurrenceUnderWay."""
    held = await _hold(connection, caller, recurring_order_id, body)
    held.check_occurrence(body.occurrence_on)
    await held.except_one(body.occurrence_on, None)
    return await held.changed(RecurringChange.SKIP, body.reason, {"occurrence_on": body.occurrence_on})


async def move_one(
    connection: Any, caller: Identity, recurring_order_id: UUID, body: OccurrenceMove
) -> RecurringOrderChanged:
    """To another day or time of day. Raises NotAnOccurrence, OccurrenceUnderWay, CannotMoveThere."""
    held = await _hold(connection, caller, recurring_order_id, body)
    held.check_occurrence(body.occurrence_on)
    series = held.arrangement.series
    slot = Slot(body.moved_on, body.from_time or series.starts, body.until_time or series.ends)
    held.check_target(body.occurrence_on, slot)
    await held.except_one(body.occurrence_on, slot)
    details = {"occurrence_on": body.occurrence_on, "moved_on": slot.on, "from": slot.starts, "until": slot.ends}
    return await held.changed(RecurringChange.MOVE, body.reason, details)


async def pause(
    connection: Any, caller: Identity, recurring_order_id: UUID, body: RecurringPause
) -> RecurringOrderChanged:
    """Replaces a pause that was agreed before. Raises DayHasPassed, ReasonNeeded from staff."""
    held = await _hold(connection, caller, recurring_order_id, body, staff_say_why=True)
    if body.paused_until is not None and body.paused_until < held.turn.today:
        raise DayHasPassed
    span = {"paused_from": body.paused_from, "paused_until": body.paused_until}
    await _update(held.turn, recurring_order_id, {**span, "pause_reason": body.reason})
    return await held.changed(RecurringChange.PAUSE, body.reason, span)


async def resume(
    connection: Any, caller: Identity, recurring_order_id: UUID, body: RecurringStep
) -> RecurringOrderChanged:
    """From today on. Raises NotPaused."""
    held = await _hold(connection, caller, recurring_order_id, body)
    row, today = held.row, held.turn.today
    if row["paused_from"] is None or (row["paused_until"] is not None and row["paused_until"] < today):
        raise NotPaused
    span = (row["paused_from"], today - DAY) if row["paused_from"] < today else (None, None)
    values = {"paused_from": span[0], "paused_until": span[1], "pause_reason": row["pause_reason"] if span[0] else None}
    await _update(held.turn, recurring_order_id, values)
    return await held.changed(RecurringChange.RESUME, body.reason, {})


async def end(connection: Any, caller: Identity, recurring_order_id: UUID, body: RecurringEnd) -> RecurringOrderChanged:
    """From a day on, by default today. Raises DayHasPassed, ReasonNeeded from staff."""
    held = await _hold(connection, caller, recurring_order_id, body, staff_say_why=True)
    ends_on = body.ends_on or held.turn.today
    if ends_on < held.turn.today:
        raise DayHasPassed
    await _update(held.turn, recurring_order_id, {"ends_on": ends_on, "end_reason": body.reason})
    return await held.changed(RecurringChange.END, body.reason, {"ends_on": ends_on})


async def change_helper(
    connection: Any, caller: Identity, recurring_order_id: UUID, body: HelperChange
) -> RecurringOrderChanged:
    """Dispatchers. Orders that nobody has begun with go to the new one at once.

    Raises AssigneeCannotServe, OwnNeed, ReasonNeeded.
    """
    held = await _hold(connection, caller, recurring_order_id, body, may=policy.may_change_helper, staff_say_why=True)
    if body.helper_id is not None:
        await _check_helper(held.turn, held.row, body.helper_id)
    await _update(held.turn, recurring_order_id, {"helper_id": body.helper_id})
    details = {"before": held.row["helper_id"], "helper_id": body.helper_id}
    return await held.changed(RecurringChange.CHANGE_HELPER, body.reason, details, give=give_anew)


# Holding one ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Held:
    """A recurring order whose lock is held by somebody who may change it."""

    turn: Turn
    caller: Identity
    row: Any
    arrangement: Arrangement

    def check_occurrence(self, on: date) -> None:
        """That it is one to come, and that nobody has begun with it. Raises NotAnOccurrence, OccurrenceUnderWay."""
        stored, series = self.arrangement.occurrences.get(on), self.arrangement.series
        excepted = series.exceptions.get(on)
        slot = stored.slot if stored and stored.is_made else excepted or Slot(on, series.starts, series.ends)
        if on not in list(series.rule.days(on, on)) or slot.ends_at <= self.turn.now:
            raise NotAnOccurrence
        if stored is not None and stored.is_made and stored.is_begun:
            raise OccurrenceUnderWay(order_id=stored.order["id"])

    def check_target(self, on: date, slot: Slot) -> None:
        series = self.arrangement.series
        taken = (one for one in self.arrangement.coming_orders(self.turn.now) if one.is_begun and one.on != on)
        if (
            abs(slot.on - on) > MOST_DAYS_MOVED * DAY
            or slot.ends_at <= self.turn.now
            or series.is_paused(slot.on)
            or series.is_over(slot.on)
            or slot.on in {one.slot.on for one in taken}
        ):
            raise CannotMoveThere(days=MOST_DAYS_MOVED)

    async def except_one(self, on: date, slot: Slot | None) -> None:
        moved: tuple[date | None, time | None, time | None] = (
            (slot.on, slot.starts, slot.ends) if slot else (None, None, None)
        )
        await self.turn.connection.execute(_EXCEPT, self.turn.tenant_id, self.arrangement.id, on, *moved)

    async def changed(
        self,
        action: RecurringChange,
        reason: str | None,
        details: dict[str, Any],
        *,
        is_other: bool = False,
        give: Callable[[Turn, Arrangement], Awaitable[None]] | None = None,
    ) -> RecurringOrderChanged:
        """Notes the change, takes back what no longer fits, and asks the keeper to go on from here."""
        turn, recurring_order_id = self.turn, self.arrangement.id
        await note_change(turn, recurring_order_id, action, self.caller.account_id, reason, details)
        row = await lock_row(turn.connection, turn.tenant_id, recurring_order_id)
        arrangement = await load_arrangement(turn.connection, turn.tenant_id, row, turn.now)
        effects = await withdraw_unfitting(turn, arrangement, reason=_CANCELLED_BECAUSE[action], is_other=is_other)
        if give is not None:
            await give(turn, arrangement)
        await _update(turn, recurring_order_id, {"next_at": turn.now})
        read = await queries.read_recurring_order(turn.connection, self.caller, recurring_order_id)
        return _answer(read, effects)


_CANCELLED_BECAUSE = {
    RecurringChange.EDIT: "周期订单已修改，将按新的安排重新下单",
    RecurringChange.SKIP: "该次服务已取消",
    RecurringChange.MOVE: "该次服务已改期，将重新下单",
    RecurringChange.PAUSE: "周期订单已暂停",
    RecurringChange.RESUME: "周期订单已恢复，将重新下单",
    RecurringChange.END: "周期订单已结束",
    RecurringChange.CHANGE_HELPER: "周期订单已更换帮手",
}


async def _hold(
    connection: Any,
    caller: Identity,
    recurring_order_id: UUID,
    body: RecurringStep | RecurringOrderEdit,
    *,
    may: Predicate = policy.may_change,
    staff_say_why: bool = False,
) -> Held:
    """Raises RecurringOrderNotFound, Forbidden, RecurringOrderStale, RecurringOrderEnded, ReasonNeeded."""
    row = await lock_row(connection, caller.tenant_id, recurring_order_id)
    if row is None:
        raise RecurringOrderNotFound
    facts: RecurringFacts = await queries.facts_of(connection, caller, row)
    if not policy.may_read(caller, facts):
        raise RecurringOrderNotFound
    if not may(caller, facts):
        raise Forbidden
    if body.expected_version not in (None, row["version"]):
        raise RecurringOrderStale(version=row["version"])
    turn = await _turn(connection, caller)
    arrangement = await load_arrangement(connection, caller.tenant_id, row, turn.now)
    if arrangement.series.is_over(turn.today):
        raise RecurringOrderEnded
    if staff_say_why and body.reason is None and policy.acts_as_staff(caller, facts):
        raise ReasonNeeded
    return Held(turn, caller, row, arrangement)


async def _turn(connection: Any, caller: Identity) -> Turn:
    now = clock.now()
    return Turn(connection, caller.tenant_id, await load_calendar(connection, caller.tenant_id, now), now)


def _answer(read: RecurringOrderRead, effects: Effects) -> RecurringOrderChanged:
    def affected(stored: list[Any]) -> list[AffectedOrder]:
        return [AffectedOrder(occurrence_on=s.on, order_id=s.order["id"], number=s.order["number"]) for s in stored]

    return RecurringOrderChanged(
        recurring_order=read, withdrawn=affected(effects.withdrawn), kept=affected(effects.kept)
    )


# Checking ----------------------------------------------------------------------------------------------------------


def understood(text: str, first_on: date, starts: time) -> Rule:
    """Raises RuleNotUnderstood."""
    try:
        return read_rule(text, first_on, starts)
    except RuleFault as fault:
        raise RuleNotUnderstood(fault=fault.fault, part=fault.part) from fault


async def _trial(
    turn: Turn, caller: Identity, body: RecurringTerms, resident_id: UUID | None, household_id: UUID | None
) -> dict[str, Any]:
    """Such an order as it would be placed now, by the very rules of placing one; nothing stays of it."""
    command = {
        **body.model_dump(include={"kind", "description", "area_id", "contact_name", "contact_phone", "address"}),
        **body.model_dump(include={"lng", "lat", "answers"}),
        "account": caller.account_id,
        "resident": caller.resident_id,
        "proxy_areas": caller.areas_as(OVERSEEING_ROLES),
        "now": turn.now,
        "id": new_id(),
        "for_resident": resident_id,
        "household_id": household_id,
    }
    await turn.connection.execute("SAVEPOINT trial")
    try:
        return await call(turn.connection, turn.tenant_id, "order_put", command)
    except Refused as refused:
        raise Problem.of_code(refused.code, refused.members) from refused
    finally:
        await turn.connection.execute("ROLLBACK TO SAVEPOINT trial")
        await turn.connection.execute("RELEASE SAVEPOINT trial")


async def _check_helper(turn: Turn, row: Any, helper_id: UUID) -> None:
    """Raises AssigneeCannotServe, OwnNeed. Somebody who is away for a while can be kept all the same."""
    need = Need(
        recurring_order_id=row["id"],
        order_id=row["id"],
        resident_id=row["resident_id"],
        household_id=row["household_id"],
        ancestor_ids=row["ancestor_ids"],
        begins_at=turn.now,
        ends_at=turn.now,
        helper_id=helper_id,
        cover_policy=row["cover_policy"],
    )
    obstacle = (await obstacles(turn.connection, turn.tenant_id, need, [helper_id], turn.now)).get(helper_id)
    if obstacle == "is_requester":
        raise OwnNeed
    if obstacle in {"has_left", "does_not_serve"}:
        raise AssigneeCannotServe


# Storing ----------------------------------------------------------------------------------------------------------

_TIMES = ("rule", "first_on", "from_time", "until_time", "holiday_policy", "cover_policy", "horizon_days")
_CONTENT = ("kind", "description", "place_id", "contact_name", "contact_phone", "address", "lng", "lat")


def _values(body: RecurringTerms, rule: Rule) -> dict[str, Any]:
    values = body.model_dump(include={*_TIMES, *_CONTENT})
    answers = msgspec.json.encode(body.answers).decode()
    return {**values, "place_id": body.area_id, "rule": rule.text, "answers": answers}


async def _insert(turn: Turn, values: dict[str, Any]) -> bool:
    names = ", ".join(values)
    places = ", ".join(f"${place}" for place in range(2, len(values) + 2))
    done = await turn.connection.execute(
        f"INSERT INTO recurring_orders (tenant_id, {names}) VALUES ($1, {places}) ON CONFLICT DO NOTHING",  # noqa: S608
        turn.tenant_id,
        *values.values(),
    )
    return str(done) == "INSERT 0 1"


async def _update(turn: Turn, recurring_order_id: UUID, values: dict[str, Any]) -> None:
    changes = ", ".join(f"{name} = ${place}" for place, name in enumerate(values, 3))
    await turn.connection.execute(
        f"UPDATE recurring_orders SET {changes} WHERE tenant_id = $1 AND id = $2",  # noqa: S608 (names of this file)
        turn.tenant_id,
        recurring_order_id,
        *values.values(),
    )


_FIRST_CHANGE = """
INSERT INTO recurring_order_changes (tenant_id, recurring_order_id, sequence, action, actor_id, at)
VALUES ($1, $2, 1, 'arrange', $3, $4)
"""
_EXCEPT = """
INSERT INTO recurring_order_exceptions (tenant_id, recurring_order_id, occurrence_on, moved_on, from_time, until_time)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (tenant_id, recurring_order_id, occurrence_on) DO UPDATE
SET moved_on = EXCLUDED.moved_on, from_time = EXCLUDED.from_time, until_time = EXCLUDED.until_time
"""


# Refusals ---------------------------------------------------------------------------------------------------------


class RuleNotUnderstood(Problem):
    """`fault` says what is wrong with the rule, `part` with which part of it."""

    status = 422
    code = "rule_not_understood"
    zh = "重复规则有误。"
    en = "The rule is not one that can be kept."

    def detail(self, *, english: bool) -> str:
        fault, part = Fault(self.members.get("fault", Fault.UNREADABLE)), self.members.get("part")
        said = FAULTS[fault][1 if english else 0]
        if english:
            return f"{self.en[:-1]}: {said}{f' ({part})' if part else ''}."
        return f"{self.zh[:-1]}：{said}{f'（{part}）' if part else ''}。"


FAULTS = {
    Fault.UNREADABLE: ("无法解析，格式如 FREQ=WEEKLY;BYDAY=MO", "it cannot be read; e.g. FREQ=WEEKLY;BYDAY=MO"),
    Fault.REPEATED: ("同一项出现了两次", "a part is there twice"),
    Fault.UNKNOWN_PART: ("含有未知的项", "it has an unknown part"),
    Fault.BAD_VALUE: ("取值超出范围", "a value is out of its range"),
    Fault.NO_FREQUENCY: ("缺少频率 FREQ", "FREQ is missing"),
    Fault.TOO_FINE: ("最多每天一次", "at most once a day"),
    Fault.TIME_OF_DAY: ("具体时间请填写在时间段中，不要写入规则", "the time of day stands beside the rule, not in it"),
    Fault.DOES_NOT_FIT: ("该项不能与所选频率或其他项一起使用", "a part does not go with the frequency or another part"),
    Fault.COUNT_AND_UNTIL: ("次数与截止日期只能选一个", "COUNT and UNTIL exclude each other"),
    Fault.UNTIL_WITHOUT_ZONE: (
        "截止时间须为日期，或以 Z 结尾的世界时",
        "UNTIL is a day, or a moment in UTC that ends in Z",
    ),
    Fault.NO_DAYS: ("按此规则十年内没有或几乎没有日期", "it gives no days, or hardly any within ten years"),
}


class FirstDayOutOfReach(Problem):
    status = 422
    code = "first_day_out_of_reach"
    zh = "起始日期距今过远。"
    en = "The first day lies too far away from today."


class RecurringOrderIdTaken(Problem):
    status = 409
    code = "recurring_order_id_taken"
    zh = "该周期订单编号已被使用。"
    en = "A recurring order with this id exists already."


class RecurringOrderStale(Problem):
    status = 409
    code = "recurring_order_changed"
    zh = "周期订单已被他人更新（当前版本 {version}），请刷新后重试。"
    en = "The recurring order has changed (version {version} now); read it again."


class RecurringOrderEnded(Problem):
    status = 409
    code = "recurring_order_ended"
    zh = "周期订单已结束。"
    en = "The recurring order is over."


class NotPaused(Problem):
    status = 409
    code = "recurring_order_not_paused"
    zh = "周期订单没有暂停。"
    en = "The recurring order is not paused."


class OccurrenceUnderWay(Problem):
    status = 409
    code = "occurrence_under_way"
    zh = "该次服务的订单已有人处理，请直接在订单中操作。"
    en = "Somebody has begun with the order of that day; act on the order itself."


class NotAnOccurrence(Problem):
    status = 422
    code = "not_an_occurrence"
    zh = "该日期没有尚未进行的服务。"
    en = "The rule has no occurrence to come on that day."


class CannotMoveThere(Problem):
    status = 422
    code = "cannot_move_there"
    zh = "只能改到前后 {days} 天以内、尚未过去、未暂停且没有其他服务的日期。"
    en = "It can be moved by at most {days} days, to a day to come that is neither paused nor taken."


class DayHasPassed(Problem):
    status = 422
    code = "day_has_passed"
    zh = "该日期已经过去。"
    en = "That day has passed."
