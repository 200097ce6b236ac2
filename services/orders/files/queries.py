"""Reading files."""

from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, literal_column, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.grid import Area, Resident
from models.orders import Order, OrderFile, StoredFile
from services.chassis.errors import Problem
from services.chassis.identity import Identity
from services.orders.orders import policy
from services.orders.orders.policy import OrderFacts


class FileNotFound(Problem):
    status = 404
    code = "file_not_found"
    zh = "未找到该文件。"
    en = "There is no such file."


async def find_file(transaction: AsyncSession, caller: Identity, file_id: UUID) -> StoredFile:
    """The file, if the caller uploaded it or may see the details of its order; raises FileNotFound otherwise."""
    file = await transaction.get(StoredFile, (caller.tenant_id, file_id))
    if file is None:
        raise FileNotFound
    if file.uploaded_by == caller.account_id or await _sees_order_of(transaction, caller, file_id):
        return file
    raise FileNotFound


async def _sees_order_of(transaction: AsyncSession, caller: Identity, file_id: UUID) -> bool:
    row: Any = (
        await transaction.execute(
            select(
                Order.state,
                Order.resident_id,
                Order.placed_by,
                Order.assignee_id,
                Area.ancestor_ids,
                literal_column("order_placer_is_family(orders)", Boolean),
                Resident.account_id.is_not(None),
            )
            .join(OrderFile, (OrderFile.tenant_id == Order.tenant_id) & (OrderFile.order_id == Order.id))
            .join(Area, (Area.tenant_id == Order.tenant_id) & (Area.id == Order.area_id))
            .join(Resident, (Resident.tenant_id == Order.tenant_id) & (Resident.id == Order.resident_id))
            .where(OrderFile.tenant_id == caller.tenant_id, OrderFile.file_id == file_id)
        )
    ).one_or_none()
    return row is not None and policy.sees_details(caller, OrderFacts(*row))
