"""Everything that reads answers, call-backs, and what is due."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from models.completion import FollowUpCause
from services.chassis.errors import Forbidden, NotFound
from services.chassis.identity import Identity
from services.chassis.pagination import Page, decode_cursor, encode_cursor
from services.chassis.retention import Clearing
from services.orders.follow_ups import policy
from services.orders.follow_ups.schemas import AnswerRead, DueFollowUpRead, FollowUpRead
from services.orders.orders import policy as order_policy
from services.orders.orders.queries import find_order, is_unnamed

CALLED_WITHIN = timedelta(days=90)
"""So long after a completion somebody may still be asked; then nobody is reminded of it any more."""
BEFORE_ALL = (datetime(1, 1, 1, tzinfo=UTC), UUID(int=0))


# One order ---------------------------------------------------------------------------------------------------------


async def answers_page(
    connection: Any, caller: Identity, order_id: UUID, *, cursor: str | None, limit: int
) -> Page[AnswerRead]:
    """The answers to every round of the order's work, oldest first, for those who see its details.

    Raises OrderNotFound, or Forbidden for who may know of the order and no more.
    """
    order = await find_order(connection, caller, order_id=order_id)
    if not order_policy.sees_details(order.facts):
        raise Forbidden
    after = decode_cursor(cursor, tuple[int])[0] if cursor else 0
    rows = await connection.fetch(_ANSWERS, caller.tenant_id, order.id, after, limit + 1)
    return _page_by_sequence([AnswerRead.model_validate(dict(row)) for row in rows], limit)


async def follow_ups_page(
    connection: Any, caller: Identity, order_id: UUID, *, cursor: str | None, limit: int
) -> Page[FollowUpRead]:
    """Every attempt to ask, oldest first, for staff of the area. Raises OrderNotFound, Forbidden."""
    order = await find_order(connection, caller, order_id=order_id)
    if not policy.may_call(order.facts):
        raise Forbidden
    after = decode_cursor(cursor, tuple[int])[0] if cursor else 0
    rows = await connection.fetch(_FOLLOW_UPS, caller.tenant_id, order.id, after, limit + 1)
    return _page_by_sequence([FollowUpRead.model_validate(dict(row)) for row in rows], limit)


async def follow_up_of(connection: Any, caller: Identity, order_id: UUID, sequence: int) -> FollowUpRead:
    """One that has just been recorded."""
    row = await connection.fetchrow(_FOLLOW_UPS, caller.tenant_id, order_id, sequence - 1, 1)
    return FollowUpRead.model_validate(dict(row))


def _page_by_sequence(items: list[Any], limit: int) -> Page[Any]:
    shown = items[:limit]
    return Page(items=shown, next_cursor=encode_cursor(shown[-1].sequence) if len(items) > limit else None)


STANDING_ANSWER = """
SELECT w.sequence, w.solved, w.stars, w.source, w.words FROM order_answers w
WHERE w.tenant_id = o.tenant_id AND w.order_id = o.id AND w.completed_at = o.completed_at
ORDER BY (w.source = 'resident') DESC, w.sequence DESC LIMIT 1
"""
"""Of an order `o`: the answer that counts. The resident's own goes before a call-back's, the last before others."""
_ANSWERS = f"""
SELECT w.sequence, w.round, w.source, w.solved, w.stars, w.words, c.id AS account_id, c.name AS account_name, w.at,
    COALESCE(w.sequence = (SELECT s.sequence FROM ({STANDING_ANSWER}) AS s), false) AS counts
FROM orders o
JOIN order_answers w ON w.tenant_id = o.tenant_id AND w.order_id = o.id
LEFT JOIN accounts c ON c.id = w.account_id AND NOT {is_unnamed("w.account_id")}
WHERE o.tenant_id = $1 AND o.id = $2 AND w.sequence > $3
ORDER BY w.sequence LIMIT $4
"""  # noqa: S608 (put together from our own literals)
_FOLLOW_UPS = """
SELECT f.sequence, f.round, f.is_reached AS reached, f.unreachable_because, w.solved, w.stars, f.words,
    f.next_call_at, f.called_by, c.name AS called_by_name, f.called_at
FROM follow_ups f
JOIN accounts c ON c.id = f.called_by
LEFT JOIN order_answers w
    ON w.tenant_id = f.tenant_id AND w.order_id = f.order_id AND w.sequence = f.answer_sequence
WHERE f.tenant_id = $1 AND f.order_id = $2 AND f.sequence > $3
ORDER BY f.sequence LIMIT $4
"""


# What is due -------------------------------------------------------------------------------------------------------


async def due_page(
    connection: Any,
    caller: Identity,
    *,
    area_id: UUID | None,
    causes: list[FollowUpCause] | None,
    cursor: str | None,
    limit: int,
) -> Page[DueFollowUpRead]:
    """Orders to call back about or to decide on, the longest due first. Raises Forbidden, or NotFound for a foreign
    area.
    """
    after_at, after_order = BEFORE_ALL if cursor is None else decode_cursor(cursor, tuple[datetime, UUID])
    query = {
        "areas": await scope_of(connection, caller, policy.CALLING_ROLES, area_id),
        "causes": causes or list(FollowUpCause),
        "after_at": after_at.isoformat(),
        "after_order": after_order,
        "page_size": limit + 1,
    }
    rows = await connection.fetch(_DUE, caller.tenant_id, msgspec.json.encode(query, enc_hook=str).decode())
    shown = [DueFollowUpRead.model_validate(dict(row)) for row in rows[:limit]]
    return Page[DueFollowUpRead](
        items=shown,
        next_cursor=encode_cursor(shown[-1].due_at, shown[-1].order_id) if len(rows) > limit else None,
    )


async def scope_of(connection: Any, caller: Identity, roles: Any, area_id: UUID | None) -> list[UUID]:
    """The areas a list covers: the caller's own, or one that lies inside them.

    Raises Forbidden without such a role anywhere, NotFound for a foreign area.
    """
    own = caller.areas_as(roles)
    if not own:
        raise Forbidden
    if area_id is None or area_id in own:
        return own if area_id is None else [area_id]
    if not await connection.fetchval(_LIES_INSIDE, caller.tenant_id, area_id, own):
        raise NotFound
    return [area_id]


_LIES_INSIDE = "SELECT true FROM areas WHERE tenant_id = $1 AND id = $2 AND ancestor_ids && $3"
_DUE = f"""
SELECT d.order_id, order_number(o.number) AS number, o.kind, d.area_id, d.community_id, o.state, o.stage, d.cause,
    d.completed_at, d.due_at, d.attempts,
    (SELECT k.name FROM order_kinds k WHERE k.tenant_id = $1 AND k.id = o.kind) AS kind_name,
    (SELECT a.name FROM areas a WHERE a.tenant_id = $1 AND a.id = d.area_id) AS area_name,
    w.source AS answered_by, w.words
FROM follow_up_list($1, $2) AS d
JOIN orders o ON o.tenant_id = $1 AND o.id = d.order_id
LEFT JOIN LATERAL ({STANDING_ANSWER}) AS w ON true
ORDER BY d.due_at, d.order_id
"""  # noqa: S608 (put together from our own literals)


def past_follow_ups() -> Clearing:
    """Nobody is reminded of what was completed so long ago; the attempts and answers stay."""
    return Clearing("due follow-ups", CALLED_WITHIN, _PAST)


_PAST = """
DELETE FROM due_follow_ups WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM due_follow_ups WHERE tenant_id = $1 AND completed_at < $2 LIMIT $3 FOR UPDATE SKIP LOCKED
))
"""
