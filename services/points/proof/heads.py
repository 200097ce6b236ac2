"""The head of the chain, and what has been published of it: enough for anybody to prove later that nothing changed."""

from datetime import date
from typing import Any
from uuid import UUID

from services.chassis.database import Database
from services.chassis.identity import Identity
from services.chassis.pagination import decode_cursor, encode_cursor
from services.chassis.schemas import new_id
from services.events import LedgerHeadPublished
from services.points.proof.records import NO_HASH
from services.points.proof.schemas import ChainHeads, CurrentHead, PublishedHead


async def publish_head(database: Database, tenant_id: UUID) -> int:
    """Publishes the head of today (Asia/Shanghai, by the ledger's clock) unless that is done; 1 if it did, else 0.

    The row and the fact for the outbox are one transaction.
    """
    async with database.hot_transaction(tenant_id) as connection:
        row = await connection.fetchrow(_PUBLISH, tenant_id)
        if row is None:
            return 0
        event = LedgerHeadPublished(published_on=row["published_on"], position=row["position"], hash=row["hash"].hex())
        await connection.execute(
            "SELECT outbox_record($1, $2, $3, $4, $5, $6)",
            tenant_id,
            new_id(),
            event.kind,
            event.model_dump_json(),
            list(event.listeners),
            row["published_at"],
        )
        return 1


async def published_heads(database: Database, caller: Identity, *, cursor: str | None, limit: int) -> ChainHeads:
    """Where the chain of the caller's district stands, and a page of the heads published so far, newest first."""
    before = decode_cursor(cursor, tuple[date])[0] if cursor else date.max
    async with database.hot_transaction(caller.tenant_id) as connection:
        tenant = await connection.fetchrow("SELECT code, name FROM tenants WHERE id = $1", caller.tenant_id)
        current = await current_head(connection, caller.tenant_id)
        rows = await connection.fetch(_PUBLISHED, caller.tenant_id, before, limit + 1)
    shown = rows[:limit]
    return ChainHeads(
        tenant_code=tenant["code"],
        tenant_name=tenant["name"],
        current=current,
        items=[_published(tenant["name"], row) for row in shown],
        next_cursor=encode_cursor(shown[-1]["published_on"].isoformat()) if len(rows) > limit else None,
    )


async def current_head(connection: Any, tenant_id: UUID) -> CurrentHead:
    """Where the tenant's chain stands. The connection's tenant is set."""
    row = await connection.fetchrow(_CURRENT, tenant_id)
    return CurrentHead(
        position=row["position"] or 0,
        hash=(row["hash"] or NO_HASH).hex(),
        sealed_at=row["sealed_at"],
        unsealed=row["unsealed"],
    )


def notice(tenant_name: str, published_on: date, position: int, digest: bytes) -> str:
    """A sentence for the notice board: whoever keeps it can prove later that nothing before was changed."""
    return (
        f"{tenant_name}志愿积分账本公示：截至{published_on.year}年{published_on.month}月{published_on.day}日，"
        f"账本共有{position:,}条记录，校验值（SHA-256）为{digest.hex()}。"
        "此前任何一条记录若被修改、删除或调换，重新计算的校验值将与此不符。"
    )


def _published(tenant_name: str, row: Any) -> PublishedHead:
    return PublishedHead(
        published_on=row["published_on"],
        position=row["position"],
        hash=row["hash"].hex(),
        published_at=row["published_at"],
        notice=notice(tenant_name, row["published_on"], row["position"], row["hash"]),
    )


_PUBLISH = """
INSERT INTO ledger_published_heads (tenant_id, published_on, position, hash, published_at)
SELECT h.tenant_id, (n.now AT TIME ZONE 'Asia/Shanghai')::date, h.position, h.hash, n.now
FROM ledger_chain_heads h, (SELECT ledger_now() AS now) AS n
WHERE h.tenant_id = $1 AND h.position > 0
ON CONFLICT DO NOTHING
RETURNING published_on, position, hash, published_at
"""
_CURRENT = """
SELECT
    h.position, h.hash, CASE WHEN h.position > 0 THEN h.sealed_at END AS sealed_at,
    (SELECT count(*) FROM ledger_unsealed u WHERE u.tenant_id = $1) AS unsealed
FROM (SELECT $1::uuid AS tenant_id) AS t
LEFT JOIN ledger_chain_heads h ON h.tenant_id = t.tenant_id
"""
_PUBLISHED = """
SELECT published_on, position, hash, published_at FROM ledger_published_heads
WHERE tenant_id = $1 AND published_on < $2
ORDER BY published_on DESC
LIMIT $3
"""
