"""The orders of an area as a sheet, and the note of who took it."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from fastapi import Response

from models.orders import OrderStage, Priority
from services.chassis import clock
from services.chassis.database import Database
from services.chassis.errors import Problem
from services.chassis.identity import Identity
from services.chassis.schemas import new_id
from services.chassis.snapshots import Snapshots
from services.chassis.tables import Column, FileFormat, Table, as_file
from services.orders.orders.queries import BEFORE_ALL, OrderFilters, OrderView, areas_of_view

MOST_ORDERS = 50_000
PAGE = 500
STAGES: dict[str, str] = {
    OrderStage.RECEIVE: "待接收",
    OrderStage.DISPATCH: "待派遣",
    OrderStage.HANDLE: "待处理",
    OrderStage.VERIFY: "待核查",
    OrderStage.CLOSE: "待结案",
    OrderStage.FOLLOW: "已并单",
    OrderStage.DONE: "已完结",
}
PRIORITIES: dict[str, str] = {Priority.LOW: "低", Priority.NORMAL: "普通", Priority.HIGH: "高", Priority.URGENT: "紧急"}


class ExportTooLarge(Problem):
    status = 422
    code = "export_too_large"
    zh = "符合条件的订单超过{most}件，请缩小范围后再导出。"
    en = "More than {most} orders fit; narrow it down by area, stage or kind."


async def export_orders(
    database: Database, snapshots: Snapshots, caller: Identity, *, area_id: UUID | None, filters: OrderFilters
) -> Response:
    """The whole list of the area as .xlsx. Noted before the first byte leaves.

    Raises Forbidden for who oversees nothing, NotFound for an area outside, FilterNeedsOpenStage, ExportTooLarge.
    """
    filters = filters.of_view(OrderView.AREA)
    query = {
        "view": OrderView.AREA,
        "areas": await areas_of_view(database, caller, OrderView.AREA, area_id),
        "states": filters.states or None,
        "stages": filters.stages or None,
        "kind": filters.kind,
        "priority": filters.priority,
        "assignee": filters.assignee_id,
        "unit": filters.unit_id,
        "now": clock.now(),
        "page_size": PAGE,
    }
    async with database.hot_transaction(caller.tenant_id) as connection:
        states = {row["id"]: row["name"] for row in await connection.fetch(_STATE_NAMES, caller.tenant_id)}
    sheet = _Sheet()
    answer = await as_file(_table(sheet.counted(_rows(snapshots, caller, query)), states), FileFormat.XLSX)
    async with database.hot_transaction(caller.tenant_id) as connection:
        await connection.execute(
            _NOTE, caller.tenant_id, new_id(), caller.account_id, clock.now(), _json(query), sheet.orders,
        )  # fmt: skip
    return answer


class _Sheet:
    """Counts what goes into it."""

    orders = 0

    async def counted(self, rows: AsyncIterator[dict[str, Any]]) -> AsyncIterator[dict[str, Any]]:
        async for row in rows:
            self.orders += 1
            if self.orders > MOST_ORDERS:
                raise ExportTooLarge(most=MOST_ORDERS)
            yield row


async def _rows(snapshots: Snapshots, caller: Identity, query: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
    before: int | None = BEFORE_ALL
    async with snapshots.of(caller.tenant_id) as connection:
        while before is not None:
            text = await connection.fetchval(
                "SELECT order_list($1, $2)", caller.tenant_id, _json({**query, "before": before})
            )
            page = msgspec.json.decode(text)
            for order in page["items"]:
                yield _row(order)
            before = page["next_cursor"] and int(page["next_cursor"])


def _row(order: dict[str, Any]) -> dict[str, Any]:
    moments = {name: value and datetime.fromisoformat(value) for name, value in order.items() if name.endswith("_at")}
    return {**order, **moments, **order["details"]}


def _table(rows: AsyncIterator[dict[str, Any]], states: dict[str, str]) -> Table:
    return Table(
        name="orders",
        title="订单",
        columns=[
            Column("number", "订单编号"),
            Column("kind_name", "类别"),
            Column("stage", "阶段", 10, STAGES),
            Column("state", "状态", 10, states),
            Column("priority", "优先级", 8, PRIORITIES),
            Column("area_name", "区域", 18),
            Column("description", "内容", 40),
            Column("contact_name", "联系人", 10),
            Column("contact_phone", "联系电话"),
            Column("address", "地址", 32),
            Column("assignee_name", "承办人", 10),
            Column("unit_name", "承办单位", 18),
            Column("placed_at", "下单时间", 20),
            Column("triaged_at", "受理时间", 20),
            Column("dispatched_at", "派单时间", 20),
            Column("accepted_at", "接单时间", 20),
            Column("completed_at", "办结时间", 20),
            Column("verified_at", "核查时间", 20),
            Column("closed_at", "结案时间", 20),
            Column("stars", "评分", 6),
            Column("solved", "是否解决", 8),
            Column("rating_comment", "评价", 32),
            Column("completion_note", "办结说明", 32),
            Column("redos", "返工次数", 8),
        ],
        rows=rows,
    )


def _json(value: dict[str, Any]) -> str:
    return msgspec.json.encode(value, enc_hook=str).decode()


_STATE_NAMES = """
SELECT DISTINCT ON (s ->> 'id') s ->> 'id' AS id, s ->> 'name' AS name
FROM order_lifecycles l, jsonb_array_elements(l.definition -> 'states') AS s
WHERE l.tenant_id = $1 ORDER BY s ->> 'id', l.version DESC
"""
_NOTE = """
INSERT INTO order_exports (tenant_id, id, account_id, exported_at, filters, orders) VALUES ($1, $2, $3, $4, $5, $6)
"""
