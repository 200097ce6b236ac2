"""Reading kinds of order, their forms, and how they came to be as they are."""

from typing import Any
from uuid import UUID

import msgspec

from services.chassis.errors import Problem
from services.chassis.pagination import Page, decode_cursor, encode_cursor
from services.orders.kinds.schemas import (
    OrderKindChangeRead,
    OrderKindForm,
    OrderKindFormRead,
    OrderKindList,
    OrderKindRead,
)


class OrderKindNotFound(Problem):
    status = 404
    code = "order_kind_not_found"
    zh = "未找到该订单类别。"
    en = "There is no such kind of order."


class OrderKindFormNotFound(Problem):
    status = 404
    code = "order_kind_form_not_found"
    zh = "未找到该版本的表单。"
    en = "The kind has no such version of its form."


async def order_kinds(connection: Any, tenant_id: UUID, *, with_inactive: bool) -> OrderKindList:
    rows = await connection.fetch(
        f"{_KINDS} WHERE k.tenant_id = $1 AND (k.is_active OR $2) ORDER BY k.position, k.id", tenant_id, with_inactive
    )
    return OrderKindList(items=[_kind(row) for row in rows])


async def order_kind(connection: Any, tenant_id: UUID, kind: str) -> OrderKindRead:
    """Active or not. Raises OrderKindNotFound."""
    row = await connection.fetchrow(f"{_KINDS} WHERE k.tenant_id = $1 AND k.id = $2", tenant_id, kind)
    if row is None:
        raise OrderKindNotFound
    return _kind(row)


async def form_version(connection: Any, tenant_id: UUID, kind: str, version: int) -> OrderKindFormRead:
    """The questions an order placed with this version was asked. Raises OrderKindFormNotFound."""
    row = await connection.fetchrow(_FORM, tenant_id, kind, version)
    if row is None:
        raise OrderKindFormNotFound
    return OrderKindFormRead.model_validate({**row, "questions": msgspec.json.decode(row["questions"])})


async def changes_page(
    connection: Any, tenant_id: UUID, kind: str, *, cursor: str | None, limit: int
) -> Page[OrderKindChangeRead]:
    """The newest first. Raises OrderKindNotFound."""
    await order_kind(connection, tenant_id, kind)
    before = 2**62 if cursor is None else decode_cursor(cursor, tuple[int])[0]
    rows = await connection.fetch(_CHANGES, tenant_id, kind, before, limit + 1)
    return Page[OrderKindChangeRead](
        items=[_change(row) for row in rows[:limit]],
        next_cursor=encode_cursor(rows[limit - 1]["version"]) if len(rows) > limit else None,
    )


def _kind(row: Any) -> OrderKindRead:
    form = OrderKindForm(version=row["form_version"], questions=msgspec.json.decode(row["questions"]))
    return OrderKindRead.model_validate({**row, "form": form})


def _change(row: Any) -> OrderKindChangeRead:
    stood = {name: row[name] and msgspec.json.decode(row[name]) for name in ("before", "after")}
    return OrderKindChangeRead.model_validate({**row, **stood})


_KINDS = """
SELECT k.id, k.name, k.category, k.description, k.evidence_required, k.default_priority, k.default_visibility,
    k.helpers_wanted, k.allows_anonymous, k.position, k.is_active, k.version, k.form_version,
    COALESCE(f.questions::text, '[]') AS questions
FROM order_kinds k
LEFT JOIN order_kind_forms f ON f.tenant_id = k.tenant_id AND f.kind = k.id AND f.version = k.form_version
"""
_FORM = """
SELECT kind, version, questions::text, recorded_at FROM order_kind_forms
WHERE tenant_id = $1 AND kind = $2 AND version = $3
"""
_CHANGES = """
SELECT version, before::text, after::text, changed_by, changed_at FROM order_kind_changes
WHERE tenant_id = $1 AND kind = $2 AND version < $3 ORDER BY version DESC LIMIT $4
"""
