"""Everything that reads recurring orders."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from models.recurring import OccurrenceOutcome
from services.chassis import clock
from services.chassis.errors import Forbidden, NotFound, Problem
from services.chassis.identity import Identity
from services.chassis.pagination import Page, decode_cursor, encode_cursor
from services.orders.clocks.work_time import day_of
from services.orders.orders.policy import OVERSEEING_ROLES, SERVING_ROLES
from services.orders.recurring import policy
from services.orders.recurring.arithmetic import MOST_DAYS_SEARCHED, Calendar, Occurrence, Series, plan
from services.orders.recurring.policy import RecurringFacts
from services.orders.recurring.records import Arrangement, StoredOccurrence, load_arrangement, load_calendar
from services.orders.recurring.rules import Rule
from services.orders.recurring.schemas import (
    ChangeRead,
    ComingOccurrence,
    ComingOccurrences,
    OccurrenceHelper,
    OccurrenceOrder,
    PreviewedOccurrence,
    PreviewedTimes,
    RecurringOrderRead,
    RecurringOrderReadFull,
    TimesPreview,
)

BEFORE_ALL = UUID(int=2**128 - 1)
MOST_AT_ONCE = 100
"""Recurring orders of one household or helper whose coming weeks are shown together."""


class RecurringView(StrEnum):
    """Which recurring orders a list shows: of my household and those I arranged, those I am kept for, of my area."""

    MINE = "mine"
    HELPER = "helper"
    AREA = "area"


class ComingView(StrEnum):
    MINE = "mine"
    HELPER = "helper"


class RecurringOrderNotFound(Problem):
    status = 404
    code = "recurring_order_not_found"
    zh = "未找到该周期订单。"
    en = "There is no such recurring order."


async def facts_of(connection: Any, caller: Identity, row: Any) -> RecurringFacts:
    """Who the caller is to it. `row` has resident_id, helper_id and ancestor_ids."""
    is_family = caller.resident_id is not None and bool(
        await connection.fetchval(_IS_FAMILY, caller.tenant_id, caller.resident_id, row["resident_id"])
    )
    return RecurringFacts(row["resident_id"], row["helper_id"], row["ancestor_ids"], is_family)


async def read_recurring_order(connection: Any, caller: Identity, recurring_order_id: UUID) -> RecurringOrderRead:
    """Raises RecurringOrderNotFound outside the caller's scope."""
    row, _ = await _readable(connection, caller, recurring_order_id)
    return _read(row)


async def read_in_full(connection: Any, caller: Identity, recurring_order_id: UUID) -> RecurringOrderReadFull:
    """With its changes, but for the helper. Raises RecurringOrderNotFound."""
    row, facts = await _readable(connection, caller, recurring_order_id)
    changes = []
    if policy.may_change(caller, facts):
        changes = await connection.fetch(_CHANGES, caller.tenant_id, recurring_order_id)
    return RecurringOrderReadFull(
        **_read(row).model_dump(), changes=[ChangeRead.model_validate(dict(change)) for change in changes]
    )


async def _readable(connection: Any, caller: Identity, recurring_order_id: UUID) -> tuple[Any, RecurringFacts]:
    row = await connection.fetchrow(
        f"{_SELECT} WHERE r.tenant_id = $1 AND r.id = $3", caller.tenant_id, clock.now(), recurring_order_id
    )
    if row is None:
        raise RecurringOrderNotFound
    facts = await facts_of(connection, caller, row)
    if not policy.may_read(caller, facts):
        raise RecurringOrderNotFound
    return row, facts


def _read(row: Any) -> RecurringOrderRead:
    helper = row["helper_id"] and OccurrenceHelper(account_id=row["helper_id"], name=row["helper_name"])
    return RecurringOrderRead.model_validate({**dict(row), "helper": helper, "state": _state(row, day_of(clock.now()))})


def _state(row: Any, today: date) -> str:
    if row["ends_on"] is not None and row["ends_on"] <= today:
        return "ended"
    is_paused = (
        row["paused_from"] is not None
        and row["paused_from"] <= today
        and (row["paused_until"] is None or today <= row["paused_until"])
    )
    return "paused" if is_paused else "active"


# Lists ------------------------------------------------------------------------------------------------------------


async def recurring_orders_page(
    connection: Any,
    caller: Identity,
    *,
    view: RecurringView,
    area_id: UUID | None,
    is_failing: bool,
    is_ended: bool | None,
    cursor: str | None,
    limit: int,
) -> Page[RecurringOrderRead]:
    """The newest first. Raises Forbidden without a role for the view, NotFound for a foreign area."""
    before = BEFORE_ALL if cursor is None else decode_cursor(cursor, tuple[UUID])[0]
    rows = await _rows_of(
        connection, caller, view, area_id, is_failing=is_failing, is_ended=is_ended, before=before, limit=limit + 1
    )
    last = rows[limit - 1] if len(rows) > limit else None
    return Page[RecurringOrderRead](
        items=[_read(row) for row in rows[:limit]], next_cursor=last and encode_cursor(last["id"])
    )


async def _rows_of(
    connection: Any,
    caller: Identity,
    view: RecurringView,
    area_id: UUID | None = None,
    *,
    is_failing: bool = False,
    is_ended: bool | None = False,
    before: UUID = BEFORE_ALL,
    limit: int = MOST_AT_ONCE,
) -> list[Any]:
    areas = await _areas(connection, caller, view, area_id)
    now = clock.now()
    rows: list[Any] = await connection.fetch(
        f"{_SELECT} {_WHERE} AND {_OF_VIEW[view]} ORDER BY r.id DESC LIMIT $6",
        caller.tenant_id, now, before, is_failing, is_ended, limit, day_of(now),
        caller.account_id, caller.resident_id, areas,
    )  # fmt: skip
    return rows


async def _areas(connection: Any, caller: Identity, view: RecurringView, area_id: UUID | None) -> list[UUID]:
    own = caller.areas_as(SERVING_ROLES if view == RecurringView.HELPER else OVERSEEING_ROLES)
    if view != RecurringView.AREA:
        return own
    if not own:
        raise Forbidden
    if area_id is None or area_id in own:
        return own if area_id is None else [area_id]
    if not await connection.fetchval(_LIES_INSIDE, caller.tenant_id, area_id, own):
        raise NotFound
    return [area_id]


# What comes -------------------------------------------------------------------------------------------------------


def preview(rule: Rule, body: TimesPreview, calendar: Calendar) -> PreviewedTimes:
    """The first days such a rule gives, holidays considered."""
    series = Series(rule, body.from_time, body.until_time, body.holiday_policy)
    items = _next(series, calendar, body.first_on, body.count)
    return PreviewedTimes(
        rule=rule.text, items=[PreviewedOccurrence.model_validate(_previewed(one, calendar)) for one in items]
    )


async def coming_of_one(connection: Any, caller: Identity, recurring_order_id: UUID, count: int) -> ComingOccurrences:
    """The next ones, whether they take place or not. Raises RecurringOrderNotFound."""
    row, _ = await _readable(connection, caller, recurring_order_id)
    now = clock.now()
    calendar = await load_calendar(connection, caller.tenant_id, now)
    arrangement = await load_arrangement(connection, caller.tenant_id, row, now)
    coming = _still_to_come(_next(arrangement.series, calendar, day_of(now), count + 1, arrangement), now)
    return ComingOccurrences(items=[_coming(arrangement, one, calendar) for one in coming[:count]])


async def coming_weeks(connection: Any, caller: Identity, view: ComingView, weeks: int) -> ComingOccurrences:
    """Everything of the household, or of whom the caller is kept for, by time."""
    now = clock.now()
    calendar = await load_calendar(connection, caller.tenant_id, now)
    today, items = day_of(now), []
    for row in await _rows_of(connection, caller, RecurringView(view.value)):
        arrangement = await load_arrangement(connection, caller.tenant_id, row, now)
        last = today + timedelta(weeks=weeks)
        coming = plan(arrangement.series, calendar, today, last, arrangement.pinned)
        shown = [_coming(arrangement, one, calendar) for one in _still_to_come(coming, now)]
        items += shown if view == ComingView.MINE else [one for one in shown if _is_of(one, caller)]
    return ComingOccurrences(items=sorted(items, key=_moment))


def _is_of(one: ComingOccurrence, caller: Identity) -> bool:
    return one.helper is not None and one.helper.account_id == caller.account_id


def _moment(one: ComingOccurrence) -> tuple[date, datetime, UUID]:
    begins_at = one.planned_from or datetime.combine(one.occurrence_on, datetime.min.time(), clock.SHANGHAI)
    return day_of(begins_at), begins_at, one.recurring_order_id


def _next(
    series: Series, calendar: Calendar, begin: date, count: int, arrangement: Arrangement | None = None
) -> list[Occurrence]:
    """The first `count` of them from `begin` on."""
    days = series.rule.next_days(begin, count)
    pinned = arrangement.pinned if arrangement else {}
    last = max([begin, *days, *pinned]) + timedelta(days=MOST_DAYS_SEARCHED)
    return plan(series, calendar, begin, last, pinned)[:count]


def _still_to_come(occurrences: Iterable[Occurrence], now: datetime) -> list[Occurrence]:
    return [one for one in occurrences if one.slot is None or one.slot.ends_at > now]


def _previewed(one: Occurrence, calendar: Calendar) -> dict[str, Any]:
    return {
        "occurrence_on": one.on,
        "planned_from": one.slot and one.slot.begins_at,
        "planned_until": one.slot and one.slot.ends_at,
        "why": one.why,
        "holiday": one.holiday,
        "joins": one.joins,
        "is_guess": not calendar.is_known(one.on),
    }


def _coming(arrangement: Arrangement, one: Occurrence, calendar: Calendar) -> ComingOccurrence:
    row, stored = arrangement.row, arrangement.occurrences.get(one.on)
    is_made = stored is not None and stored.is_made
    has_failed = stored is not None and stored.outcome == OccurrenceOutcome.FAILED and one.slot is not None
    return ComingOccurrence.model_validate(
        {
            **_previewed(one, calendar),
            **({"why": stored.reason} if stored and is_made else {}),
            "recurring_order_id": arrangement.id,
            "kind": row["kind"],
            "kind_name": row["kind_name"],
            "resident_name": row["resident_name"],
            "outcome": stored.outcome if stored and (is_made or has_failed or one.slot is None) else None,
            "failure": stored.reason if stored and has_failed else None,
            "order": OccurrenceOrder.model_validate(dict(stored.order)) if stored and is_made else None,
            "helper": _helper(row, stored if is_made else None),
        }
    )


def _helper(row: Any, made: StoredOccurrence | None) -> OccurrenceHelper | None:
    account_id, name = (
        (row["helper_id"], row["helper_name"])
        if made is None
        else (made.order["assignee_id"], made.order["assignee_name"])
    )
    return account_id and OccurrenceHelper(account_id=account_id, name=name)


_IS_FAMILY = """
SELECT true FROM household_members mine
JOIN household_members theirs ON theirs.tenant_id = mine.tenant_id AND theirs.household_id = mine.household_id
WHERE mine.tenant_id = $1 AND mine.resident_id = $2 AND theirs.resident_id = $3
LIMIT 1
"""
_LIES_INSIDE = "SELECT true FROM areas WHERE tenant_id = $1 AND id = $2 AND ancestor_ids && $3"
_FAILURES = """
SELECT count(*) FROM recurring_order_occurrences x
WHERE x.tenant_id = r.tenant_id AND x.recurring_order_id = r.id AND x.outcome = 'failed' AND x.planned_until > $2
"""
_SELECT = f"""
SELECT r.*, r.answers::text AS answers_text, a.ancestor_ids, a.name AS area_name, k.name AS kind_name,
    n.name AS resident_name, (SELECT p.name FROM accounts p WHERE p.id = r.helper_id) AS helper_name,
    ({_FAILURES}) AS failures
FROM recurring_orders r
JOIN areas a ON a.tenant_id = r.tenant_id AND a.id = r.area_id
JOIN order_kinds k ON k.tenant_id = r.tenant_id AND k.id = r.kind
JOIN residents n ON n.tenant_id = r.tenant_id AND n.id = r.resident_id
"""  # noqa: S608 (texts of this file)
_WHERE = """
CROSS JOIN (SELECT $8::uuid AS account_id, $9::uuid AS resident_id, $10::uuid[] AS areas) AS caller
WHERE r.tenant_id = $1 AND r.id < $3
    AND (NOT $4 OR EXISTS (
        SELECT FROM recurring_order_occurrences x
        WHERE x.tenant_id = r.tenant_id AND x.recurring_order_id = r.id AND x.outcome = 'failed'
            AND x.planned_until > $2
    ))
    AND ($5::boolean IS NULL OR $5 = (r.ends_on IS NOT NULL AND r.ends_on <= $7::date))
"""
_INSIDE = "a.ancestor_ids && caller.areas"
_OF_VIEW = {
    RecurringView.MINE: f"""(
        r.resident_id IN (
            SELECT caller.resident_id UNION
            SELECT theirs.resident_id FROM household_members mine
            JOIN household_members theirs
                ON theirs.tenant_id = mine.tenant_id AND theirs.household_id = mine.household_id
            WHERE mine.tenant_id = $1 AND mine.resident_id = caller.resident_id
        ) OR (r.placed_by = caller.account_id AND {_INSIDE})
    )""",  # noqa: S608 (texts of this file)
    RecurringView.HELPER: f"(r.helper_id = caller.account_id AND {_INSIDE})",
    RecurringView.AREA: f"({_INSIDE})",
}

_CHANGES = """
SELECT c.sequence, c.action, c.actor_id, (SELECT p.name FROM accounts p WHERE p.id = c.actor_id) AS actor_name,
    c.at, c.reason
FROM recurring_order_changes c WHERE c.tenant_id = $1 AND c.recurring_order_id = $2 ORDER BY c.sequence
"""
