"""Everything that reads orders."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec

from models.orders import OPEN_STAGES, OrderStage, Priority
from services.chassis import clock
from services.chassis.database import Database
from services.chassis.errors import Forbidden, NotFound, Problem
from services.chassis.identity import Identity
from services.chassis.pagination import InvalidCursor
from services.orders.orders import policy
from services.orders.orders.actions import OrderNotFound
from services.orders.orders.policy import OrderFacts

BEFORE_ALL = 2**62
CHECK_DIGITS = 2


class OrderView(StrEnum):
    """Which orders a list shows: mine (my needs, and what I placed for others), my tasks, my area, the open pool."""

    MINE = "mine"
    TASKS = "tasks"
    AREA = "area"
    POOL = "pool"


@dataclass(frozen=True, slots=True)
class OrderFilters:
    """Which orders of a view are asked for. None: all."""

    states: list[str] | None = None
    stages: list[OrderStage] | None = None
    kind: str | None = None
    priority: Priority | None = None
    assignee_id: UUID | None = None
    unit_id: UUID | None = None

    def of_view(self, view: OrderView) -> "OrderFilters":
        """With the stages they are sought in: in an area priority, assignee and unit are of open orders.

        Raises FilterNeedsOpenStage: nothing leads to them among the orders of years.
        """
        if view != OrderView.AREA or (self.priority, self.assignee_id, self.unit_id) == (None, None, None):
            return self
        if self.stages is None:
            return replace(self, stages=[*OPEN_STAGES, OrderStage.FOLLOW])
        if OrderStage.DONE in self.stages:
            raise FilterNeedsOpenStage
        return self


class FilterNeedsOpenStage(Problem):
    status = 422
    code = "filter_needs_open_stage"
    zh = "按优先级、承办人或承办单位筛选时，只能查询未办结的订单。"
    en = "An area's orders can be filtered by priority, assignee or unit only while they are open."


async def list_orders(
    database: Database,
    caller: Identity,
    *,
    view: OrderView,
    area_id: UUID | None,
    filters: OrderFilters,
    cursor: str | None,
    limit: int,
) -> str:
    """One page as JSON, newest first. Raises Forbidden without a role for the view, NotFound for a foreign area, and
    FilterNeedsOpenStage.
    """
    filters = filters.of_view(view)
    query = {
        "view": view,
        "account": caller.account_id,
        "resident": caller.resident_id,
        "areas": await areas_of_view(database, caller, view, area_id),
        **areas_by_role(caller),
        "states": filters.states or None,
        "stages": filters.stages or None,
        "kind": filters.kind,
        "priority": filters.priority,
        "assignee": filters.assignee_id,
        "unit": filters.unit_id,
        "now": clock.now(),
        "before": BEFORE_ALL if cursor is None else number_behind(cursor),
        "page_size": limit,
    }
    return await answered(database, caller, "order_list", query)


async def answered(database: Database, caller: Identity, function: str, query: dict[str, Any]) -> str:
    """The JSON that a reading function of ours answers a query with."""
    body: str = await database.pool.fetchval(
        f"SELECT {function}($1, $2)",
        caller.tenant_id,
        msgspec.json.encode(query, enc_hook=str).decode(),
    )
    return body


async def areas_of_view(database: Database, caller: Identity, view: OrderView, area_id: UUID | None) -> list[UUID]:
    """The areas whose orders a view shows: the caller's, or the one asked for.

    Raises Forbidden without a role for the view, NotFound for an area outside.
    """
    own = caller.areas_as(policy.OVERSEEING_ROLES if view in _OVERSEERS_VIEWS else policy.SERVING_ROLES)
    if view in {OrderView.MINE, OrderView.TASKS}:
        return own
    if not own:
        raise Forbidden
    if area_id is None or area_id in own:
        return own if area_id is None else [area_id]
    async with database.hot_transaction(caller.tenant_id) as connection:
        lies_inside = await connection.fetchval(_LIES_INSIDE, caller.tenant_id, area_id, own)
    if not lies_inside:
        raise NotFound
    return [area_id]


_OVERSEERS_VIEWS = frozenset({OrderView.MINE, OrderView.AREA})
_LIES_INSIDE = "SELECT true FROM areas WHERE tenant_id = $1 AND id = $2 AND ancestor_ids && $3"


def number_behind(cursor: str) -> int:
    """The order number a page begins behind; raises InvalidCursor."""
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= 18):
        raise InvalidCursor
    return int(cursor)


@dataclass(frozen=True, slots=True)
class ReadableOrder:
    """One order with what deciding about it needs."""

    id: UUID
    facts: OrderFacts
    row: Any


def areas_by_role(caller: Identity) -> dict[str, list[UUID]]:
    """What `order_facts_of_caller` (SQL) asks a query for, beside account, resident and now."""
    return {
        "dispatches": caller.areas_as(policy.DISPATCHING_ROLES),
        "oversees": caller.areas_as(policy.OVERSEEING_ROLES),
        "serves": caller.areas_as(policy.SERVING_ROLES),
        "seniors": caller.areas_as(policy.SENIOR_ROLES),
    }


FACTS_OF_CALLER = "order_facts(o, $1, $2, a.ancestor_ids, $3, $4, $5, $6, $7)"
"""In a query over `orders o` and its area `areas a`, with `facts_of(caller)` as the first arguments."""


def facts_of(caller: Identity) -> tuple[Any, ...]:
    """What `FACTS_OF_CALLER` asks for: arguments $1 to $7."""
    return (caller.account_id, caller.resident_id, *areas_by_role(caller).values(), clock.now())


async def find_order(
    connection: Any, caller: Identity, *, order_id: UUID | None = None, number: int | None = None
) -> ReadableOrder:
    """The order if the caller may know of it; raises OrderNotFound otherwise."""
    row = await connection.fetchrow(_ORDER, *facts_of(caller), caller.tenant_id, order_id, number)
    if row is None:
        raise OrderNotFound
    facts = OrderFacts(OrderStage(row["stage"]), row["is_in_pool"], frozenset(row["facts"]))
    if not policy.sees(facts):
        raise OrderNotFound
    return ReadableOrder(row["id"], facts, row)


_ORDER = f"""
SELECT o.id, o.state, o.stage, o.is_in_pool, who.facts, order_json(o, order_sees_details(o, who.facts)) AS body,
    (
        SELECT json_build_object('state', main.state, 'stage', main.stage)::text FROM orders main
        WHERE main.tenant_id = o.tenant_id AND main.id = o.merged_into
    ) AS main,
    order_actions(o, l.compiled || '{{}}', who.facts, $1, $7) AS available_actions
FROM orders o
JOIN areas a ON a.tenant_id = o.tenant_id AND a.id = o.area_id
JOIN order_lifecycles l ON l.tenant_id = o.tenant_id AND l.version = o.lifecycle_version,
LATERAL (SELECT {FACTS_OF_CALLER} AS facts OFFSET 0) AS who
WHERE o.tenant_id = $8 AND ($9::uuid IS NULL OR o.id = $9) AND ($10::bigint IS NULL OR o.number = $10)
    AND ($9::uuid IS NOT NULL OR $10::bigint IS NOT NULL)
"""  # noqa: S608 (a constant of this file)


async def read_order(
    database: Database, caller: Identity, *, order_id: UUID | None = None, number: int | None = None
) -> bytes:
    """One order as JSON, with history, files and the caller's actions; from the pool without what is personal."""
    async with database.hot_transaction(caller.tenant_id) as connection:
        order = await find_order(connection, caller, order_id=order_id, number=number)
        sees_details = policy.sees_details(order.facts)
        history = await connection.fetch(_HISTORY, caller.tenant_id, order.id) if sees_details else []
        files = await connection.fetch(_FILES, caller.tenant_id, order.id) if sees_details else []
        helpers = await connection.fetch(_HELPERS, caller.tenant_id, order.id) if sees_details else []
    body: dict[str, Any] = msgspec.json.decode(order.row["body"])
    body |= {
        "history": [{**entry, "details": _details(entry["details"], order.facts)} for entry in history],
        "files": [dict(file) for file in files],
        "helpers": [dict(helper) for helper in helpers],
        "main": order.row["main"] and msgspec.json.decode(order.row["main"]),
        "available_actions": order.row["available_actions"],
    }
    return msgspec.json.encode(body)


def _details(stored: str, facts: OrderFacts) -> dict[str, Any]:
    """Why this helper and no other tells of other people: those who answer for the area read it."""
    details: dict[str, Any] = msgspec.json.decode(stored)
    if not facts.knows(policy.Fact.IS_OVERSEER):
        details.pop("why", None)
    return details


def is_unnamed(account: str) -> str:
    """In a query over `orders o`: whether the order keeps to itself that it was this account (the name of a column).

    Of an anonymous order that is the resident, and whoever placed it for them, if not as staff: who was family then may
    have moved out since.
    """
    return f"""(o.is_anonymous AND (
        EXISTS (
            SELECT FROM residents r
            WHERE r.tenant_id = o.tenant_id AND r.id = o.resident_id AND r.account_id = {account}
        ) OR {account} = o.placed_by AND (
            order_placer_is_family(o)
            OR NOT EXISTS (SELECT FROM grants g WHERE g.tenant_id = o.tenant_id AND g.account_id = o.placed_by)
        )
    ))"""  # noqa: S608 (put together from our own literals)


_HISTORY = f"""
SELECT h.sequence, h.action, h.from_state, h.to_state, c.id AS actor_id, c.name AS actor_name, h.at, h.note, h.details
FROM order_history h
JOIN orders o ON o.tenant_id = h.tenant_id AND o.id = h.order_id
LEFT JOIN accounts c ON c.id = h.actor_id AND NOT {is_unnamed("h.actor_id")}
WHERE h.tenant_id = $1 AND h.order_id = $2 ORDER BY h.sequence
"""  # noqa: S608 (put together from our own literals)
_FILES = """
SELECT f.id, t.purpose, f.media_type
FROM order_files t JOIN files f ON f.tenant_id = t.tenant_id AND f.id = t.file_id
WHERE t.tenant_id = $1 AND t.order_id = $2 ORDER BY f.uploaded_at, f.id
"""
_HELPERS = """
SELECT h.account_id, c.name, h.task, h.joined_at, h.left_at, h.minutes
FROM order_helpers h JOIN accounts c ON c.id = h.account_id
WHERE h.tenant_id = $1 AND h.order_id = $2 ORDER BY h.joined_at, h.account_id
"""


def number_of(spoken: str) -> int:
    """The order number behind what people read out; raises OrderNotFound when the check digits disagree."""
    digits = spoken.replace("-", "").replace(" ", "")
    if not (digits.isascii() and digits.isdigit() and 10 <= len(digits) <= 18):
        raise OrderNotFound
    number, check = int(digits[:-CHECK_DIGITS]), int(digits[-CHECK_DIGITS:])
    if 98 - (number * 100) % 97 != check:
        raise OrderNotFound
    return number
