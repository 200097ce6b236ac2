"""Long lists out of the books: the journal of a district, the statement and the lots of one account."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import msgspec

from models.points import Asset
from services.chassis.identity import Identity
from services.chassis.pagination import Page, decode_cursor, encode_cursor
from services.chassis.tables import Column, Table
from services.points.ledger.policy import AUDITING_ROLES
from services.points.proof.policy import holds_in_district
from services.points.reports import words
from services.points.reports.schemas import JournalLine

BEFORE_ALL = 2**62
PAGE = 200


async def journal_page(
    connection: Any, caller: Identity, *, asset: Asset | None, cursor: str | None, limit: int
) -> Page[JournalLine]:
    """Sealed transactions, the last sealed first, whose points come from the caller's communities (all for the
    district's auditors). The connection's tenant is set.
    """
    before = decode_cursor(cursor, tuple[int])[0] if cursor else BEFORE_ALL
    rows = await _postings(connection, caller, asset, before, limit + 1)
    shown = rows[:limit]
    return Page(
        items=[
            JournalLine(position=row["position"], hash=row["hash"].hex(), posting=msgspec.json.decode(row["posting"]))
            for row in shown
        ],
        next_cursor=encode_cursor(shown[-1]["position"]) if len(rows) > limit else None,
    )


def journal_table(connection: Any, caller: Identity, asset: Asset | None) -> Table:
    """The same as a table, a row per leg."""
    return Table(
        name="journal",
        title="积分流水",
        columns=[
            Column("position", "链上序号"),
            Column("recorded_at", "记账时间", 20),
            Column("effective_at", "发生时间", 20),
            Column("kind", "类型", 12, words.TRANSACTIONS),
            Column("reason", "事由", 32),
            Column("account_kind", "账户类别", 12, words.ACCOUNTS),
            Column("owner_name", "户名", 20),
            Column("asset", "种类", 10, words.ASSETS),
            Column("amount", "金额"),
            Column("posting_id", "交易编号", 38),
            Column("hash", "校验值", 66),
        ],
        rows=_legs(connection, caller, asset),
    )


def statement_table(connection: Any, caller: Identity, owner_id: UUID, asset: Asset) -> Table:
    """All entries of a person's account, newest first."""
    return Table(
        name=f"statement-{asset}",
        title="积分明细",
        columns=[
            Column("sequence", "序号", 8),
            Column("effective_at", "发生时间", 20),
            Column("recorded_at", "记账时间", 20),
            Column("kind", "类型", 12, words.TRANSACTIONS),
            Column("reason", "事由", 32),
            Column("amount", "收支"),
            Column("balance_after", "余额"),
            Column("posting_id", "交易编号", 38),
        ],
        rows=_pages(connection, _STATEMENT, caller.tenant_id, owner_id, asset.value),
    )


def lots_table(connection: Any, caller: Identity, owner_id: UUID, asset: Asset) -> Table:
    """All lots of a person's account, the oldest first; those that are used up too."""
    return Table(
        name=f"lots-{asset}",
        title="积分批次",
        columns=[
            Column("sequence", "来源序号"),
            Column("part", "分项", 6),
            Column("recorded_at", "入账时间", 20),
            Column("reason", "来源", 32),
            Column("issuer_name", "发放社区", 20),
            Column("amount", "数量"),
            Column("remaining", "剩余"),
            Column("held", "冻结"),
            Column("expires_at", "到期时间", 20),
        ],
        rows=_cursor(connection, _LOTS, caller.tenant_id, owner_id, asset.value),
    )


async def _postings(connection: Any, caller: Identity, asset: Asset | None, before: int, limit: int) -> list[Any]:
    areas = None if await holds_in_district(connection, caller) else caller.areas_as(AUDITING_ROLES)
    rows = await connection.fetch(_JOURNAL, caller.tenant_id, areas, asset and asset.value, before, limit)
    return list(rows)


async def _legs(connection: Any, caller: Identity, asset: Asset | None) -> AsyncIterator[dict[str, Any]]:
    before = BEFORE_ALL
    while rows := await _postings(connection, caller, asset, before, PAGE):
        for row in rows:
            posting = msgspec.json.decode(row["posting"])
            place = {"position": row["position"], "hash": row["hash"].hex(), "posting_id": posting["id"]}
            told = {"kind": posting["kind"], "reason": posting["reason"]}
            times = {"recorded_at": row["recorded_at"], "effective_at": row["effective_at"]}
            for leg in posting["legs"]:
                yield {**place, **times, **told, **leg}
        before = rows[-1]["position"]


async def _pages(connection: Any, query: str, *arguments: Any) -> AsyncIterator[dict[str, Any]]:
    before = BEFORE_ALL
    while rows := await connection.fetch(query, *arguments, before, PAGE):
        for row in rows:
            yield dict(row)
        before = rows[-1]["sequence"]


async def _cursor(connection: Any, query: str, *arguments: Any) -> AsyncIterator[dict[str, Any]]:
    async for row in connection.cursor(query, *arguments, prefetch=PAGE):
        yield dict(row)


# $2 the areas, null for all; $3 the asset, null for all
_JOURNAL = """
SELECT c.position, c.hash, t.recorded_at, t.effective_at, ledger_posting($1, t.id) AS posting
FROM ledger_chain c
JOIN ledger_transactions t ON t.tenant_id = $1 AND t.id = c.record_id
WHERE c.tenant_id = $1 AND c.record_kind = 'transaction' AND c.position < $4
    AND ($3::text IS NULL OR EXISTS (
        SELECT FROM ledger_entries e
        JOIN ledger_accounts a ON a.tenant_id = $1 AND a.id = e.account_id
        WHERE e.tenant_id = $1 AND e.transaction_id = t.id AND a.asset = $3
    ))
    AND ($2::uuid[] IS NULL OR EXISTS (
        SELECT FROM ledger_entries e
        JOIN ledger_accounts a ON a.tenant_id = $1 AND a.id = e.account_id AND a.kind = 'issuing_community'
        JOIN areas o ON o.tenant_id = $1 AND o.id = a.owner_id
        WHERE e.tenant_id = $1 AND e.transaction_id = t.id AND o.ancestor_ids && $2::uuid[]
    ))
ORDER BY c.position DESC
LIMIT $5
"""
_ACCOUNT = """(
    SELECT a.id FROM ledger_accounts a
    WHERE a.tenant_id = $1 AND a.asset = $3 AND a.kind = 'member' AND a.owner_id = $2 AND a.stripe = 0
)"""
_STATEMENT = f"""
SELECT
    e.sequence, t.effective_at, t.recorded_at, t.kind, t.reason, e.amount, e.balance_after, t.id AS posting_id,
    t.source_kind, t.source_id
FROM ledger_entries e
JOIN ledger_transactions t ON t.tenant_id = $1 AND t.id = e.transaction_id
WHERE e.tenant_id = $1 AND e.account_id = {_ACCOUNT} AND e.sequence < $4
ORDER BY e.sequence DESC
LIMIT $5
"""  # noqa: S608 - put together from our own literals
_LOTS = f"""
SELECT
    l.sequence, l.part, t.recorded_at, t.reason, l.issuer_id,
    (SELECT o.name FROM areas o WHERE o.tenant_id = $1 AND o.id = l.issuer_id) AS issuer_name,
    l.amount, l.remaining, l.held, NULLIF(l.expires_at, 'infinity') AS expires_at
FROM ledger_lots l
JOIN ledger_entries e ON e.tenant_id = $1 AND e.account_id = l.account_id AND e.sequence = l.sequence
JOIN ledger_transactions t ON t.tenant_id = $1 AND t.id = e.transaction_id
WHERE l.tenant_id = $1 AND l.account_id = {_ACCOUNT}
ORDER BY l.sequence, l.part
"""  # noqa: S608 - put together from our own literals
