"""Reading files."""

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from models.orders import StoredFile
from services.chassis.errors import Problem
from services.chassis.identity import Identity
from services.orders.orders.queries import facts_of


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
    facts = dict(zip(_FACTS, facts_of(caller), strict=True))
    sees = await transaction.scalar(_SEES, {**facts, "tenant": caller.tenant_id, "file": file_id})
    return bool(sees)


_FACTS = ("account", "resident", "dispatch", "oversee", "serve", "senior", "now")
_SEES = text(
    """
    SELECT order_sees_details(o, order_facts(
        o, :account, CAST(:resident AS uuid), a.ancestor_ids, CAST(:dispatch AS uuid[]), CAST(:oversee AS uuid[]),
        CAST(:serve AS uuid[]), CAST(:senior AS uuid[]), :now
    ))
    FROM order_files t
    JOIN orders o ON o.tenant_id = t.tenant_id AND o.id = t.order_id
    JOIN areas a ON a.tenant_id = o.tenant_id AND a.id = o.area_id
    WHERE t.tenant_id = :tenant AND t.file_id = :file
    """
)
