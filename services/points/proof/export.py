"""The books as a file: a header, then one line per sealed record, in the order of the chain. JSON Lines.

tools/verify_ledger.py checks such a file with nothing but Python; `services.points.proof.imports` reads it again.
"""

import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

from models.points import Asset, LedgerRecord
from services.chassis import clock
from services.points.proof.records import NO_HASH, Record, RecordKey, fetch_records, record_text

FORMAT = "linli-ledger"
VERSION = 1
PAGE = 500


async def exported(connection: Any, tenant_id: UUID, *, after: int = 0) -> AsyncIterator[bytes]:
    """The header, and the lines behind the position `after`, some hundred at a time.

    The connection reads one snapshot of the tenant, which it has set. A sealed record that is gone is a null.
    """
    yield await _header(connection, tenant_id, after)
    while True:
        rows = await connection.fetch(_LINKS, tenant_id, after, PAGE)
        keys = [RecordKey(LedgerRecord(row["record_kind"]), row["record_id"]) for row in rows]
        records = await fetch_records(connection, tenant_id, keys)
        lines = [_line(row, records.get(key)) for row, key in zip(rows, keys, strict=True)]
        if not lines:
            return
        yield "".join(lines).encode()
        after = rows[-1]["position"]


def _line(link: Any, record: Record | None) -> str:
    text = record_text(record) if record else "null"
    return f'{{"position":{link["position"]},"hash":"{link["hash"].hex()}","record":{text}}}\n'


async def _header(connection: Any, tenant_id: UUID, after: int) -> bytes:
    row = await connection.fetchrow(_HEADER, tenant_id, after)
    header = {
        "format": FORMAT,
        "version": VERSION,
        "tenant": {"code": row["code"], "name": row["name"]},
        "assets": [asset.value for asset in Asset],
        "exported_at": clock.now().isoformat(timespec="microseconds"),
        "after": {"position": after, "hash": (row["after_hash"] or NO_HASH).hex()},
        "head": {"position": row["position"] or 0, "hash": (row["hash"] or NO_HASH).hex()},
        "accounts": [
            {name: _plain(value) for name, value in account.items()}
            for account in await connection.fetch(_ACCOUNTS, tenant_id)
        ],
    }
    return (json.dumps(header, ensure_ascii=False, separators=(",", ":")) + "\n").encode()


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, UUID) else value


_HEADER = """
SELECT
    t.code, t.name, h.position, h.hash,
    (SELECT c.hash FROM ledger_chain c WHERE c.tenant_id = $1 AND c.position = $2) AS after_hash
FROM tenants t
LEFT JOIN ledger_chain_heads h ON h.tenant_id = t.id
WHERE t.id = $1
"""
# What records do not tell of accounts.
_ACCOUNTS = """
SELECT asset, kind, owner_id, name, community_id, status FROM ledger_accounts
WHERE tenant_id = $1 AND stripe = 0 AND (name IS NOT NULL OR community_id IS NOT NULL OR status <> 'open')
ORDER BY kind, owner_id, asset
"""
_LINKS = """
SELECT position, record_kind, record_id, hash FROM ledger_chain
WHERE tenant_id = $1 AND position > $2 ORDER BY position LIMIT $3
"""
