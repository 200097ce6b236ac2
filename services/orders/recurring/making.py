"""Making the orders of a recurring order, giving them to somebody, and taking them back where it has changed.

Everything here runs in a transaction that holds the recurring order's lock, and commits nothing.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from models.orders import OrderAction, OrderStage
from models.recurring import CoverPolicy, HolidayPolicy, OccurrenceOutcome, RecurringChange
from services.chassis.clock import SHANGHAI
from services.chassis.schemas import new_id
from services.orders.clocks.rule_book import tell_guessed_years
from services.orders.clocks.work_time import day_of
from services.orders.orders.actions import system_step
from services.orders.recurring.arithmetic import DAY, Calendar, Occurrence, Slot, Why, plan
from services.orders.recurring.cover import Choice, Need, choices, obstacles
from services.orders.recurring.records import LOOKED_BACK, Arrangement, StoredOccurrence, load_arrangement

RETRIED_AFTER = timedelta(minutes=15)
"""How soon an order that could not be made is tried again."""
MOST_CHARACTERS = 2000
"""Of a description."""
NEAR = timedelta(days=2)
LOOKED_AFTER = timedelta(hours=1)
"""How often it is looked whether the helper of an order that is near can still come."""
CLOCKS_BEGIN = timedelta(days=1)
"""How long before its time an order that was made ahead begins to count: nobody is late a fortnight early."""
TOO_LATE = "too_late"
GIVEN_BACK = frozenset({OrderAction.DECLINE.value, OrderAction.HAND_BACK.value})


class Refused(Exception):
    """A SQL command refused; the savepoint around it is rolled back. `code` says why, `members` more of it."""

    def __init__(self, code: str, members: dict[str, Any] | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.members = members or {}


@dataclass(frozen=True)
class Turn:
    """What one turn of the keeper works with."""

    connection: Any
    tenant_id: UUID
    calendar: Calendar
    now: datetime

    @property
    def today(self) -> date:
        return day_of(self.now)


async def keep_one(turn: Turn, row: Any) -> int:
    """Makes what is due of a recurring order whose row is held, and looks after what is made; how many were made."""
    arrangement = await load_arrangement(turn.connection, turn.tenant_id, row, turn.now)
    await turn.connection.execute(_TAKE_WORK, turn.tenant_id, arrangement.id)
    begin = min(day_of(row["kept_at"] or row["holds_since"]), turn.today)
    end = turn.today + timedelta(days=row["horizon_days"])
    if row["holiday_policy"] != HolidayPolicy.KEEP:
        tell_guessed_years(
            [year for year in range(begin.year, end.year + 1) if year not in turn.calendar.work.known_years]
        )
    made = 0
    for one in plan(arrangement.series, turn.calendar, begin, end, arrangement.pinned):
        made += await _decide(turn, arrangement, one)
    await _look_after(turn, arrangement)
    await _settle(turn, await load_arrangement(turn.connection, turn.tenant_id, row, turn.now))
    return made


async def _decide(turn: Turn, arrangement: Arrangement, one: Occurrence) -> int:
    """Whether an order was made of it."""
    stored = arrangement.occurrences.get(one.on)
    as_ruled = Slot(one.on, arrangement.series.starts, arrangement.series.ends)
    slot = one.slot or as_ruled
    if one.why == Why.KEPT or slot.ends_at <= arrangement.row["holds_since"]:
        return 0
    if one.slot is None:
        await _record(turn, arrangement, one.on, as_ruled, OccurrenceOutcome.SKIPPED, one.why)
        return 0
    if slot.ends_at <= turn.now:
        if stored is None:
            await _record(turn, arrangement, one.on, slot, OccurrenceOutcome.FAILED, TOO_LATE)
        return 0
    return int(await _make(turn, arrangement, one, slot))


async def _make(turn: Turn, arrangement: Arrangement, one: Occurrence, slot: Slot) -> bool:
    """The order and its occurrence, or neither: then why stands in the occurrence, and the others go on."""
    order_id = new_id()
    outcome = OccurrenceOutcome.MADE if slot == _as_ruled(arrangement, one.on) else OccurrenceOutcome.MOVED
    try:
        async with savepoint(turn.connection):
            await call(turn.connection, turn.tenant_id, "order_put", _placement(turn, arrangement, order_id, one, slot))
            await _record(turn, arrangement, one.on, slot, outcome, one.why, order_id)
            await _let_clocks_wait(turn, arrangement, order_id, slot)
            await _give(turn, _need(arrangement, order_id, slot), is_new=True)
    except Refused as refused:
        await _record(turn, arrangement, one.on, slot, OccurrenceOutcome.FAILED, refused.code)
        return False
    return True


def _as_ruled(arrangement: Arrangement, on: date) -> Slot:
    return Slot(on, arrangement.series.starts, arrangement.series.ends)


def _placement(turn: Turn, arrangement: Arrangement, order_id: UUID, one: Occurrence, slot: Slot) -> dict[str, Any]:
    row = arrangement.row
    return {
        **template(row),
        "description": described(row["description"], one.joined),
        "account": row["placed_by"],
        "is_system": True,  # who arranged it was entitled to
        "now": turn.now,
        "id": order_id,
        "for_resident": row["resident_id"],
        "household_id": row["household_id"],
        "wanted_from": slot.begins_at,
        "wanted_until": slot.ends_at,
        "recurring_order_id": arrangement.id,
        "occurrence_on": one.on,
    }


def described(words: str, joined: Sequence[date]) -> str:
    """With the days of the occurrences that are done along with it, so that everybody who reads it knows."""
    if not joined:
        return words
    days = "、".join(f"{day.month}月{day.day}日" for day in joined)
    added = f"（含{days}的{'一次' if len(joined) == 1 else '各一次'}）"
    return words[: MOST_CHARACTERS - len(added)] + added


def template(row: Any) -> dict[str, Any]:
    """What every order of it has in common, as `order_put` takes it."""
    names = ("kind", "description", "contact_name", "contact_phone", "address", "lng", "lat")
    return {
        **{name: row[name] for name in names},
        "area_id": row["place_id"],
        "answers": msgspec.json.decode(row["answers_text"]),
    }


async def _let_clocks_wait(turn: Turn, arrangement: Arrangement, order_id: UUID, slot: Slot) -> None:
    """The order's service clocks stand until a day before it takes place."""
    begin = slot.begins_at - CLOCKS_BEGIN
    if begin > turn.now:
        await turn.connection.execute(
            _PAUSE_CLOCKS, turn.tenant_id, order_id, turn.now, begin, arrangement.row["placed_by"], CLOCKS_WAIT_BECAUSE
        )


# Giving it to somebody ---------------------------------------------------------------------------------------------


def _need(arrangement: Arrangement, order_id: UUID, slot: Slot) -> Need:
    row = arrangement.row
    return Need(
        recurring_order_id=arrangement.id,
        order_id=order_id,
        resident_id=row["resident_id"],
        household_id=row["household_id"],
        ancestor_ids=row["ancestor_ids"],
        begins_at=slot.begins_at,
        ends_at=slot.ends_at,
        helper_id=row["helper_id"],
        cover_policy=CoverPolicy(row["cover_policy"]),
    )


async def _give(turn: Turn, need: Need, *, is_new: bool = False) -> None:
    """To the first who can be asked; where there is nobody the order stays for the dispatcher."""
    asked = await choices(turn.connection, turn.tenant_id, need, turn.now)
    if asked and is_new:
        await _attempt(turn, system_step(need.order_id, OrderAction.TRIAGE))
    for choice in asked:
        if await _attempt(turn, _dispatch(need.order_id, choice)):
            return


def _dispatch(order_id: UUID, choice: Choice) -> dict[str, Any]:
    return system_step(order_id, OrderAction.DISPATCH, assignee_id=choice.account_id, mode="automatic", why=choice.why)


async def _attempt(turn: Turn, step: dict[str, Any]) -> bool:
    """Whether the order's lifecycle let it pass."""
    try:
        async with savepoint(turn.connection):
            await call(turn.connection, turn.tenant_id, "order_step", step | {"now": turn.now})
    except Refused:
        return False
    return True


async def give_anew(turn: Turn, arrangement: Arrangement) -> None:
    """Coming orders that nobody has begun with go to who is kept now, or to cover."""
    for one in arrangement.coming_orders(turn.now):
        if not one.is_begun:
            await _give(turn, _need(arrangement, one.order["id"], one.slot), is_new=True)


async def _look_after(turn: Turn, arrangement: Arrangement) -> None:
    """Orders that came back from their helper, or whose helper will not be there, are given to somebody else."""
    for one in arrangement.coming_orders(turn.now):
        need = _need(arrangement, one.order["id"], one.slot)
        if await _waits_for_cover(turn, need, one):
            await _give(turn, need)


async def _waits_for_cover(turn: Turn, need: Need, one: StoredOccurrence) -> bool:
    if one.order["stage"] == OrderStage.DISPATCH:
        return one.order["last_action"] in GIVEN_BACK
    assignee_id = one.order["assignee_id"]
    if one.is_begun or one.order["stage"] != OrderStage.HANDLE or assignee_id is None:
        return False
    return assignee_id in await obstacles(turn.connection, turn.tenant_id, need, [assignee_id], turn.now)


# Taking it back -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Effects:
    """What a change did to orders made already."""

    withdrawn: list[StoredOccurrence]
    kept: list[StoredOccurrence]


async def withdraw_unfitting(turn: Turn, arrangement: Arrangement, *, reason: str, is_other: bool = False) -> Effects:
    """Cancels coming orders that are no longer as the recurring order says and that nobody has begun with.

    With `is_other` none is as it says, whenever it takes place.
    """
    effects = Effects([], [])
    coming = arrangement.coming_orders(turn.now)
    if not coming:
        return effects
    fixed = {on: slot for on, slot in arrangement.pinned.items() if on not in {one.on for one in coming}}
    begin, end = min(one.on for one in coming) - LOOKED_BACK, max(one.on for one in coming) + LOOKED_BACK
    wanted = {one.on: one.slot for one in plan(arrangement.series, turn.calendar, begin, end, fixed)}
    for one in coming:
        if one.order["stage"] == OrderStage.DONE or (not is_other and wanted.get(one.on) == one.slot):
            continue
        if not one.is_begun and await _withdraw(turn, arrangement, one, reason):
            effects.withdrawn.append(one)
            continue
        await turn.connection.execute(_KEEP_AS_IT_IS, turn.tenant_id, arrangement.id, one.on, Why.KEPT)
        effects.kept.append(one)
    return effects


async def _withdraw(turn: Turn, arrangement: Arrangement, one: StoredOccurrence, reason: str) -> bool:
    if not await _attempt(turn, system_step(one.order["id"], OrderAction.CANCEL, note=reason)):
        return False
    await turn.connection.execute(_WITHDRAW, turn.tenant_id, arrangement.id, one.on, turn.now)
    return True


# Bookkeeping --------------------------------------------------------------------------------------------------------


async def _record(
    turn: Turn,
    arrangement: Arrangement,
    on: date,
    slot: Slot,
    outcome: OccurrenceOutcome,
    reason: str,
    order_id: UUID | None = None,
) -> None:
    """What became of an occurrence. Of two who make one the second is Refused: the key of the table lets one pass."""
    recorded = await turn.connection.fetchval(
        _RECORD,
        turn.tenant_id, arrangement.id, on, slot.begins_at, slot.ends_at, order_id, outcome, reason, turn.now,
    )  # fmt: skip
    if order_id is not None and not recorded:
        raise Refused("made_already")


async def _settle(turn: Turn, arrangement: Arrangement) -> None:
    """When it is looked at next; never again where nothing can come any more."""
    coming = arrangement.coming_orders(turn.now)
    if not coming and not _has_days_left(turn, arrangement):
        await _run_out(turn, arrangement)
        return
    next_at = datetime.combine(turn.today + DAY, time(), SHANGHAI)
    if any(_is_tried_again(one, turn.now) for one in arrangement.occurrences.values()):
        next_at = min(next_at, turn.now + RETRIED_AFTER)
    elif any(one.slot.begins_at - turn.now <= NEAR and not one.is_begun for one in coming):
        next_at = min(next_at, turn.now + LOOKED_AFTER)
    await turn.connection.execute(_KEPT, turn.tenant_id, arrangement.id, turn.now, next_at)


def _is_tried_again(one: StoredOccurrence, now: datetime) -> bool:
    return one.outcome == OccurrenceOutcome.FAILED and one.slot.ends_at > now


def _has_days_left(turn: Turn, arrangement: Arrangement) -> bool:
    series = arrangement.series
    if series.is_over(turn.today):
        return False
    if series.rule.next_days(turn.today, 1):
        return True
    return any(one.slot for one in plan(series, turn.calendar, turn.today, turn.today + LOOKED_BACK))


async def _run_out(turn: Turn, arrangement: Arrangement) -> None:
    """It is over. Where nobody has ended it, the rule has."""
    if arrangement.row["ends_on"] is None:
        await note_change(turn, arrangement.id, RecurringChange.RUN_OUT, None, None)
        await turn.connection.execute(_RUN_OUT, turn.tenant_id, arrangement.id, turn.today, "重复规则已到期")
    await turn.connection.execute(_KEPT, turn.tenant_id, arrangement.id, turn.now, None)


async def note_change(
    turn: Turn,
    recurring_order_id: UUID,
    action: RecurringChange,
    actor_id: UUID | None,
    reason: str | None,
    details: dict[str, Any] | None = None,
) -> None:
    """One more version of the recurring order, with who did what and why."""
    await turn.connection.execute(
        _NOTE,
        turn.tenant_id, recurring_order_id, action, actor_id, turn.now, reason, _json(details or {}),
    )  # fmt: skip


@asynccontextmanager
async def savepoint(connection: Any) -> AsyncIterator[None]:
    """What fails or is refused in it leaves nothing behind. Bad data is Refused too; what may be retried is not."""
    await connection.execute("SAVEPOINT recurring")
    try:
        yield
    except (Refused, asyncpg.IntegrityConstraintViolationError, asyncpg.DataError) as error:
        await connection.execute("ROLLBACK TO SAVEPOINT recurring")
        await connection.execute("RELEASE SAVEPOINT recurring")
        if isinstance(error, Refused):
            raise
        raise Refused("not_storable") from error
    await connection.execute("RELEASE SAVEPOINT recurring")


async def call(connection: Any, tenant_id: UUID, function: str, command: dict[str, Any]) -> dict[str, Any]:
    """The answer of `order_put` or `order_step` as JSON; raises Refused with its code."""
    row = await connection.fetchrow(f"SELECT status, body FROM {function}($1, $2)", tenant_id, _json(command))  # noqa: S608
    body: dict[str, Any] = msgspec.json.decode(row["body"])
    if row["status"] >= 400:
        raise Refused(body.pop("code"), body)
    return body


def _json(value: Any) -> str:
    return msgspec.json.encode(value, enc_hook=str).decode()


_TAKE_WORK = "DELETE FROM recurring_order_work WHERE tenant_id = $1 AND recurring_order_id = $2"
_RECORD = """
INSERT INTO recurring_order_occurrences AS x (
    tenant_id, recurring_order_id, occurrence_on, planned_from, planned_until, order_id, outcome, reason, decided_at
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (tenant_id, recurring_order_id, occurrence_on) DO UPDATE
SET planned_from = EXCLUDED.planned_from, planned_until = EXCLUDED.planned_until, order_id = EXCLUDED.order_id,
    outcome = EXCLUDED.outcome, reason = EXCLUDED.reason, decided_at = EXCLUDED.decided_at
WHERE x.outcome IN ('skipped', 'failed') AND (x.outcome, x.reason) IS DISTINCT FROM (EXCLUDED.outcome, EXCLUDED.reason)
    OR x.outcome = 'withdrawn' AND EXCLUDED.order_id IS NOT NULL
RETURNING true
"""
CLOCKS_WAIT_BECAUSE = "周期订单提前生成，服务前一天开始计时"
_PAUSE_CLOCKS = """
INSERT INTO order_clock_pauses (tenant_id, order_id, sequence, action, reason, actor_id, at)
VALUES ($1, $2, 1, 'pause', $6, $5, $3), ($1, $2, 2, 'resume', $6, $5, $4)
"""
_WITHDRAW = """
UPDATE recurring_order_occurrences SET outcome = 'withdrawn', reason = 'changed', decided_at = $4
WHERE tenant_id = $1 AND recurring_order_id = $2 AND occurrence_on = $3
"""
_KEEP_AS_IT_IS = """
UPDATE recurring_order_occurrences SET reason = $4
WHERE tenant_id = $1 AND recurring_order_id = $2 AND occurrence_on = $3
"""
_KEPT = "UPDATE recurring_orders SET kept_at = $3, next_at = $4 WHERE tenant_id = $1 AND id = $2"
_RUN_OUT = "UPDATE recurring_orders SET ends_on = $3, end_reason = $4 WHERE tenant_id = $1 AND id = $2"
_NOTE = """
WITH noted AS (
    UPDATE recurring_orders SET version = version + 1 WHERE tenant_id = $1 AND id = $2 RETURNING version
)
INSERT INTO recurring_order_changes (tenant_id, recurring_order_id, sequence, action, actor_id, at, reason, details)
SELECT $1, $2, version, $3, $4, $5, $6, $7 FROM noted
"""
