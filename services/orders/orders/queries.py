"""Everything that reads orders."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec

from models.orders import OrderState
from services.chassis.database import Database
from services.chassis.errors import Forbidden, NotFound
from services.chassis.identity import Identity
from services.chassis.pagination import InvalidCursor
from services.orders.orders import policy
from services.orders.orders.actions import OrderNotFound
from services.orders.orders.lifecycle import available_actions
from services.orders.orders.policy import OrderFacts

BEFORE_ALL = 2**62
CHECK_DIGITS = 2


class OrderView(StrEnum):
    """Which orders a list shows: mine (my needs, and what I placed for others), my tasks, my area, the open pool."""

    MINE = "mine"
    TASKS = "tasks"
    AREA = "area"
    POOL = "pool"


async def list_orders(
    database: Database,
    caller: Identity,
    *,
    view: OrderView,
    area_id: UUID | None,
    states: list[OrderState] | None,
    cursor: str | None,
    limit: int,
) -> str:
    """One page as JSON, newest first. Raises Forbidden without a role for the view, NotFound for a foreign area."""
    query = {
        "view": view,
        "account": caller.account_id,
        "resident": caller.resident_id,
        "areas": await _areas_of_view(database, caller, view, area_id),
        "states": states or None,
        "before": BEFORE_ALL if cursor is None else _number_of(cursor),
        "page_size": limit,
    }
    body: str = await database.pool.fetchval(
        "SELECT order_list($1, $2)", caller.tenant_id, msgspec.json.encode(query, enc_hook=str).decode()
    )
    return body


async def _areas_of_view(database: Database, caller: Identity, view: OrderView, area_id: UUID | None) -> list[UUID]:
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


def _number_of(cursor: str) -> int:
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= 18):
        raise InvalidCursor
    return int(cursor)


@dataclass(frozen=True, slots=True)
class ReadableOrder:
    """One order with what deciding about it needs."""

    id: UUID
    facts: OrderFacts
    row: Any


async def find_order(
    connection: Any, caller: Identity, *, order_id: UUID | None = None, number: int | None = None
) -> ReadableOrder:
    """The order if the caller may know of it; raises OrderNotFound otherwise."""
    row = await connection.fetchrow(_ORDER, caller.tenant_id, order_id, number)
    if row is None:
        raise OrderNotFound
    facts = OrderFacts(
        state=OrderState(row["state"]),
        resident_id=row["resident_id"],
        placed_by=row["placed_by"],
        assignee_id=row["assignee_id"],
        ancestor_ids=row["ancestor_ids"],
        placer_is_family=row["placer_is_family"],
        resident_has_account=row["resident_has_account"],
    )
    if not policy.sees(caller, facts):
        raise OrderNotFound
    return ReadableOrder(row["id"], facts, row)


_ORDER = """
SELECT o.id, o.state, o.resident_id, o.placed_by, o.assignee_id, a.ancestor_ids,
    order_placer_is_family(o) AS placer_is_family,
    EXISTS (
        SELECT FROM residents r WHERE r.tenant_id = o.tenant_id AND r.id = o.resident_id AND r.account_id IS NOT NULL
    ) AS resident_has_account,
    order_json(o, true) AS full_json, order_json(o, false) AS reduced_json
FROM orders o JOIN areas a ON a.tenant_id = o.tenant_id AND a.id = o.area_id
WHERE o.tenant_id = $1 AND ($2::uuid IS NULL OR o.id = $2) AND ($3::bigint IS NULL OR o.number = $3)
    AND ($2::uuid IS NOT NULL OR $3::bigint IS NOT NULL)
"""


async def read_order(
    database: Database, caller: Identity, *, order_id: UUID | None = None, number: int | None = None
) -> bytes:
    """One order as JSON, with history, files and the caller's actions; from the pool without what is personal."""
    async with database.hot_transaction(caller.tenant_id) as connection:
        order = await find_order(connection, caller, order_id=order_id, number=number)
        sees_details = policy.sees_details(caller, order.facts)
        history = await connection.fetch(_HISTORY, caller.tenant_id, order.id) if sees_details else []
        files = await connection.fetch(_FILES, caller.tenant_id, order.id) if sees_details else []
    body: dict[str, Any] = msgspec.json.decode(order.row["full_json" if sees_details else "reduced_json"])
    body |= {
        "history": [dict(entry) for entry in history],
        "files": [dict(file) for file in files],
        "available_actions": available_actions(caller, order.facts),
    }
    return msgspec.json.encode(body)


_HISTORY = """
SELECT h.sequence, h.action, h.from_state, h.to_state, h.actor_id, c.name AS actor_name, h.at, h.note
FROM order_history h JOIN accounts c ON c.id = h.actor_id
WHERE h.tenant_id = $1 AND h.order_id = $2 ORDER BY h.sequence
"""
_FILES = """
SELECT f.id, t.purpose, f.media_type
FROM order_files t JOIN files f ON f.tenant_id = t.tenant_id AND f.id = t.file_id
WHERE t.tenant_id = $1 AND t.order_id = $2 ORDER BY f.uploaded_at, f.id
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
