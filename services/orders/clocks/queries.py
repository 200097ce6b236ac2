"""Everything that reads clocks."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec

from models.clocks import ClockState, ClockTarget, ClockUnit
from services.chassis import clock
from services.chassis.errors import Forbidden, NotFound
from services.chassis.identity import Identity
from services.chassis.pagination import InvalidCursor, Page, decode_cursor, encode_cursor
from services.orders.clocks.arithmetic import measured
from services.orders.clocks.counting import Clock, CountedOrder, clocks_of, load_orders
from services.orders.clocks.policy import LISTING_ROLES
from services.orders.clocks.rule_book import RuleBook, load_rule_book
from services.orders.clocks.schemas import (
    ClockRead,
    ClockSegment,
    ClockWhy,
    ExtensionRead,
    OpenClockRead,
    OrderClocksRead,
    PauseRead,
    TimeLeft,
)
from services.orders.clocks.work_time import day_of
from services.orders.orders import policy
from services.orders.orders.queries import ReadableOrder, find_order

OPEN_STATES = (ClockState.RUNNING, ClockState.PAUSED, ClockState.MISSED)
BEFORE_ALL = (datetime(1, 1, 1, tzinfo=UTC), UUID(int=0), "", 0)


class ClockView(StrEnum):
    """Whose open clocks a list shows: my area's, or those of the orders that are mine to do."""

    AREA = "area"
    TASKS = "tasks"


@dataclass(frozen=True)
class ReadClocks:
    """An order's clocks at one moment."""

    order: CountedOrder
    clocks: list[Clock]
    read_at: datetime

    def running_or_paused(self, target: ClockTarget) -> Clock | None:
        """The target's clock that is not decided yet."""
        undecided = (ClockState.RUNNING, ClockState.PAUSED)
        found = [one for one in self.clocks if one.round.target == target and one.reading.state in undecided]
        return found[-1] if found else None


async def read_clocks(connection: Any, tenant_id: UUID, order_id: UUID) -> ReadClocks:
    """As of now, whether or not the keeper has been there."""
    book = await load_rule_book(connection, tenant_id)
    order = (await load_orders(connection, tenant_id, [order_id]))[0]
    now = clock.now()
    return ReadClocks(order, clocks_of(order, book, now), now)


async def order_clocks(connection: Any, caller: Identity, order_id: UUID) -> OrderClocksRead:
    """For everybody who may know of the order; reasons only for those who see its details. Raises OrderNotFound."""
    return await clocks_answer(connection, caller, await find_order(connection, caller, order_id=order_id))


async def clocks_answer(connection: Any, caller: Identity, order: ReadableOrder) -> OrderClocksRead:
    found = await read_clocks(connection, caller.tenant_id, order.id)
    sees_details = policy.sees_details(order.facts)
    pauses = await connection.fetch(_PAUSES, caller.tenant_id, order.id)
    extensions = await connection.fetch(_EXTENSIONS, caller.tenant_id, order.id)
    hidden = {} if sees_details else {"reason": None}
    hidden_decision = {} if sees_details else {"decision_reason": None}
    return OrderClocksRead(
        order_id=order.id,
        read_at=found.read_at,
        is_paused=found.order.is_standing,
        is_shelved=found.order.here.pauses,
        clocks=[_clock_read(one) for one in found.clocks],
        pauses=[PauseRead.model_validate({**row, **hidden}) for row in pauses],
        extensions=[ExtensionRead.model_validate({**row, **hidden, **hidden_decision}) for row in extensions],
    )


def _clock_read(one: Clock) -> ClockRead:
    reading = one.reading
    return ClockRead(
        target=one.round.target,
        round=one.round.number,
        state=reading.state,
        started_at=one.round.started_at,
        ended_at=reading.ended_at,
        due_at=reading.due_at,
        warn_at=reading.warn_at,
        left=TimeLeft(count=reading.left, unit=one.unit),
        elapsed=TimeLeft(count=reading.elapsed, unit=one.unit),
        is_fallback=bool(one.guessed_years),
        told=sorted(one.told),
        segments=[
            ClockSegment(since=segment["from"], until=segment["until"], is_running=segment["is_running"])
            for segment in one.segments
        ],
        why=ClockWhy.model_validate(one.why()),
    )


_PAUSES = """
SELECT action, at, actor_id, reason FROM order_clock_pauses
WHERE tenant_id = $1 AND order_id = $2 ORDER BY sequence
"""
_EXTENSIONS = """
SELECT e.id, e.target, e.round, e.amount, e.unit, e.reason, e.asked_by, e.asked_at,
    d.is_granted, d.decided_by, d.decided_at, d.reason AS decision_reason
FROM clock_extensions e
LEFT JOIN clock_extension_decisions d ON d.tenant_id = e.tenant_id AND d.extension_id = e.id
WHERE e.tenant_id = $1 AND e.order_id = $2 ORDER BY e.id
"""


# The list --------------------------------------------------------------------------------------------------------


async def open_clocks_page(
    connection: Any,
    caller: Identity,
    *,
    view: ClockView,
    area_id: UUID | None,
    states: list[ClockState] | None,
    cursor: str | None,
    limit: int,
) -> Page[OpenClockRead]:
    """Open clocks, the next due first. Raises Forbidden without a role for the view, NotFound for a foreign area."""
    at, order, target, number = BEFORE_ALL if cursor is None else _key_of(cursor)
    query = {
        "assignee": caller.account_id if view == ClockView.TASKS else None,
        "areas": [] if view == ClockView.TASKS else await _areas(connection, caller, area_id),
        "states": [state for state in OPEN_STATES if states is None or state in states],
        "after_at": at.isoformat(),
        "after_order": order,
        "after_target": target,
        "after_round": number,
        "page_size": limit + 1,
    }
    rows = await connection.fetch(_LIST, caller.tenant_id, msgspec.json.encode(query, enc_hook=str).decode())
    book = await load_rule_book(connection, caller.tenant_id)
    now = clock.now()
    last = rows[limit - 1] if len(rows) > limit else None
    return Page[OpenClockRead](
        items=[_open_clock_read(row, book, now) for row in rows[:limit]],
        next_cursor=last and encode_cursor(last["sorts_at"], last["order_id"], last["target"], last["round"]),
    )


async def _areas(connection: Any, caller: Identity, area_id: UUID | None) -> list[UUID]:
    own = caller.areas_as(LISTING_ROLES)
    if not own:
        raise Forbidden
    if area_id is None or area_id in own:
        return own if area_id is None else [area_id]
    if not await connection.fetchval(_LIES_INSIDE, caller.tenant_id, area_id, own):
        raise NotFound
    return [area_id]


def _key_of(cursor: str) -> tuple[datetime, UUID, str, int]:
    key = decode_cursor(cursor, tuple[datetime, UUID, str, int])
    if not -(2**15) <= key[3] < 2**15:
        raise InvalidCursor
    return key


def _open_clock_read(row: Any, book: RuleBook, now: datetime) -> OpenClockRead:
    unit, work, sorts_at = ClockUnit(row["unit"]), book.work_at(now), row["sorts_at"]
    since = _stood_since(row) if row["state"] == ClockState.PAUSED else now
    is_over = row["state"] == ClockState.MISSED or since >= sorts_at
    left = 0 if is_over else measured([(since, sorts_at)], unit, work, day_of(row["started_at"]))
    guessed = [] if unit == ClockUnit.CALENDAR_HOURS else work.guessed_years(row["started_at"], sorts_at)
    return OpenClockRead.model_validate(
        {**row, "left": TimeLeft(count=left, unit=unit), "is_fallback": bool(guessed), "told": sorted(row["told"])}
    )


def _stood_since(row: Any) -> datetime:
    """When a paused clock was paused: the end of the last segment in which it ran."""
    segments = msgspec.json.decode(row["segments"])
    ran = [segment for segment in segments if segment["is_running"]]
    return datetime.fromisoformat(ran[-1]["until"]) if ran else row["started_at"]


_LIES_INSIDE = "SELECT true FROM areas WHERE tenant_id = $1 AND id = $2 AND ancestor_ids && $3"
_LIST = """
SELECT c.order_id, c.target, c.round, c.state, c.unit, c.started_at, c.due_at, c.sorts_at, c.segments::text,
    c.area_id, c.community_id, c.assignee_id, order_number(o.number) AS number, o.kind,
    (SELECT k.name FROM order_kinds k WHERE k.tenant_id = $1 AND k.id = o.kind) AS kind_name,
    (SELECT a.name FROM areas a WHERE a.tenant_id = $1 AND a.id = c.area_id) AS area_name,
    (SELECT p.name FROM accounts p WHERE p.id = c.assignee_id) AS assignee_name,
    ARRAY(
        SELECT f.kind FROM order_clock_firings f
        WHERE f.tenant_id = $1 AND f.order_id = c.order_id AND f.target = c.target AND f.round = c.round
    ) AS told
FROM clock_list($1, $2) AS c JOIN orders o ON o.tenant_id = $1 AND o.id = c.order_id
ORDER BY c.sorts_at, c.order_id, c.target, c.round
"""
