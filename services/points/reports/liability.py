"""What each community owes: points it has issued that members still have.

Everything is counted where members' points move, by the community their lot came from (`issuer_id`), at the time it
was recorded (days in Asia/Shanghai):

* issued: credits by reward, award and certified service, and points that came out of a conversion
* redeemed: what members spent, with a merchant or back to a community, and minutes that went into a conversion; it
  leaves when it leaves the member: settling with a merchant changes nothing
* expired: what was posted to the expiry accounts
* other: corrections, points set aside and given back, and gifts, which take their community along and so come to zero
* outstanding: what is left in lots, less what members owe after an earning they had spent was taken back

A reversal counts against what it reverses. Where an earning is reversed that had expired in part, that part is taken
back from issued and from expired. A debt belongs to the community whose credit was taken back.

opening + issued - redeemed - expired + other = closing, for every community and period. The sides come from different
books, so that damage shows: what moved from allocations and lots' beginnings, what expired from the entries of the
expiry accounts, and the closing, where the period reaches to now, from what is left in the lots. Over the whole
district what was issued has left the accounts that issue.
"""

from collections.abc import AsyncIterator
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from models.points import Asset
from services.chassis import clock
from services.chassis.clock import SHANGHAI
from services.chassis.errors import NotFound, Problem
from services.chassis.identity import Identity
from services.chassis.tables import Column, Table
from services.points.ledger.policy import AUDITING_ROLES
from services.points.proof.policy import holds_in_district
from services.points.reports.schemas import LiabilityLine, LiabilityRead

FIGURES = ("opening", "issued", "redeemed", "expired", "other", "closing")


class PeriodInvalid(Problem):
    status = 422
    code = "period_invalid"
    zh = "起始日期不能晚于截止日期，且须在 1900 至 2200 年之间。"
    en = "The period must not end before it begins, and must lie between 1900 and 2200."


async def liability(
    connection: Any,
    caller: Identity,
    *,
    asset: Asset,
    from_day: date | None,
    to_day: date | None,
    community_id: UUID | None,
) -> LiabilityRead:
    """The report of the communities the caller answers for, or of one of them. Days count whole, the last one too.

    Without days: this month so far. The connection's tenant is set, and it reads one snapshot. Raises NotFound for a
    community outside the caller's areas, PeriodInvalid.
    """
    to_day = to_day or clock.now().astimezone(SHANGHAI).date()
    from_day = from_day or to_day.replace(day=1)
    if from_day > to_day or not (from_day.year >= 1900 and to_day.year <= 2200):
        raise PeriodInvalid
    begin, end = _midnight(from_day), _midnight(to_day + timedelta(days=1))
    is_whole = await holds_in_district(connection, caller)
    communities = await _communities(connection, caller, community_id)
    await connection.execute(_READ_EACH_TABLE_ONCE)
    everything = is_whole and community_id is None
    asked = None if everything else list(communities)
    rows = await connection.fetch(_FIGURES, caller.tenant_id, asset.value, begin, end, asked)
    lines = [_line(row["issuer_id"], communities, row) for row in rows if row["issuer_id"] in communities]
    if everything:
        lines += [_line(None, {}, row) for row in rows if row["issuer_id"] not in communities]
    lines.sort(key=lambda line: (line.community_id is None, line.community_name, str(line.community_id)))
    total = _total(lines)
    adds_up = all(_adds_up(row) for row in rows)
    if everything:
        adds_up &= total.issued == await connection.fetchval(_ISSUED, caller.tenant_id, asset.value, begin, end)
    return LiabilityRead(
        asset=asset,
        from_day=from_day,
        to_day=to_day,
        lines=lines,
        total=total,
        adds_up=adds_up,
        ties_to_entries=await connection.fetchval(_TIES_TO_ENTRIES, caller.tenant_id, asset.value, end),
    )


def as_table(report: LiabilityRead) -> Table:
    """A row per community and one for all."""
    return Table(
        name=f"liability-{report.asset}-{report.from_day}-{report.to_day}",
        title="积分负债表",
        columns=[
            Column("community_name", "社区", 24),
            Column("opening", "期初未兑付"),
            Column("issued", "本期发放"),
            Column("redeemed", "本期兑换"),
            Column("expired", "本期过期"),
            Column("other", "其他调整"),
            Column("closing", "期末未兑付"),
        ],
        rows=_rows(report),
    )


async def _rows(report: LiabilityRead) -> AsyncIterator[dict[str, Any]]:
    for line in [*report.lines, report.total]:
        yield line.model_dump()


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, SHANGHAI)


async def _communities(connection: Any, caller: Identity, community_id: UUID | None) -> dict[UUID, str]:
    rows = await connection.fetch(_COMMUNITIES, caller.tenant_id, caller.areas_as(AUDITING_ROLES), community_id)
    if not rows:
        raise NotFound
    return {row["id"]: row["name"] for row in rows}


def _line(community_id: UUID | None, names: dict[UUID, str], row: Any) -> LiabilityLine:
    name = names[community_id] if community_id else "未归属社区"
    return LiabilityLine(community_id=community_id, community_name=name, **{figure: row[figure] for figure in FIGURES})


def _total(lines: list[LiabilityLine]) -> LiabilityLine:
    sums = {figure: sum(getattr(line, figure) for line in lines) for figure in FIGURES}
    return LiabilityLine(community_id=None, community_name="合计", **sums)


def _adds_up(row: Any) -> bool:
    moved: int = row["issued"] - row["redeemed"] - row["expired"] + row["other"]
    return bool(row["opening"] + moved == row["closing"])


# Whatever the statistics of a growing table say: a loop over it for every row would take minutes. Until the transaction
# ends, which is the report's own.
_READ_EACH_TABLE_ONCE = "SET LOCAL enable_nestloop = off"
_COMMUNITIES = """
SELECT id, name FROM areas
WHERE tenant_id = $1 AND community_id = id AND ancestor_ids && $2::uuid[] AND ($3::uuid IS NULL OR id = $3)
"""
# $1 tenant, $2 asset, $3 begin, $4 end, $5 the communities asked for, NULL = all there are. `stands` is what a movement
# adds to what is outstanding, `amount` what it adds to its figure.
_FIGURES = """
WITH outstanding AS (
    SELECT e.transaction_id, l.issuer_id, l.amount, false AS is_debt
    FROM ledger_accounts a
    JOIN ledger_lots l ON l.tenant_id = $1 AND l.account_id = a.id
    JOIN ledger_entries e ON e.tenant_id = $1 AND e.account_id = l.account_id AND e.sequence = l.sequence
    WHERE a.tenant_id = $1 AND a.asset = $2 AND ($5::uuid[] IS NULL OR l.issuer_id = ANY ($5))
    UNION ALL
    SELECT e.transaction_id, l.issuer_id, m.amount, false
    FROM ledger_accounts a
    JOIN ledger_lots l ON l.tenant_id = $1 AND l.account_id = a.id
    JOIN ledger_allocations m ON m.tenant_id = $1 AND m.account_id = l.account_id
        AND m.lot_sequence = l.sequence AND m.lot_part = l.part
    JOIN ledger_entries e ON e.tenant_id = $1 AND e.account_id = m.account_id AND e.sequence = m.sequence
    WHERE a.tenant_id = $1 AND a.asset = $2 AND ($5::uuid[] IS NULL OR l.issuer_id = ANY ($5))
    UNION ALL
    SELECT d.transaction_id, d.issuer_id, d.amount, true
    FROM (
        SELECT e.transaction_id, e.amount, (
            SELECT COALESCE(c.community_id, c.owner_id)
            FROM ledger_entries o
            JOIN ledger_accounts c ON c.tenant_id = $1 AND c.id = o.account_id
            WHERE o.tenant_id = $1 AND o.transaction_id = e.transaction_id AND c.asset = $2
                AND c.kind NOT IN ('member', 'debt', 'expiry')
            ORDER BY c.kind <> 'issuing_community', c.owner_id
            LIMIT 1
        ) AS issuer_id
        FROM ledger_accounts a
        JOIN ledger_entries e ON e.tenant_id = $1 AND e.account_id = a.id
        WHERE a.tenant_id = $1 AND a.asset = $2 AND a.kind = 'debt'
    ) AS d
    WHERE $5::uuid[] IS NULL OR d.issuer_id = ANY ($5)
), moved AS (
    SELECT issuer_id, transaction_id, amount, amount AS stands, is_debt, false AS is_lapsed FROM outstanding
    UNION ALL
    SELECT NULLIF(a.owner_id, $1), e.transaction_id, e.amount, 0, false, true
    FROM ledger_accounts a
    JOIN ledger_entries e ON e.tenant_id = $1 AND e.account_id = a.id
    WHERE a.tenant_id = $1 AND a.asset = $2 AND a.kind = 'expiry' AND ($5::uuid[] IS NULL OR a.owner_id = ANY ($5))
), told AS (
    SELECT m.*, t.recorded_at, t.kind = 'reversal' AS is_reversal, COALESCE(o.kind, t.kind) AS kind,
        m.amount * CASE WHEN t.kind = 'reversal' THEN -1 ELSE 1 END > 0 AS came_in
    FROM moved m
    JOIN ledger_transactions t ON t.tenant_id = $1 AND t.id = m.transaction_id
    LEFT JOIN ledger_transactions o ON o.tenant_id = $1
        AND o.id = CASE t.kind WHEN 'reversal' THEN t.source_id::uuid END
    WHERE t.recorded_at < $4
), figures AS (
    SELECT issuer_id, amount, stands, is_debt, recorded_at, CASE
        WHEN is_lapsed AND NOT is_reversal THEN NULL
        WHEN kind IN ('reward', 'award', 'service') OR kind = 'conversion' AND came_in THEN 'issued'
        WHEN kind IN ('redemption', 'conversion') THEN 'redeemed'
        WHEN kind = 'expiry' THEN NULL
        ELSE 'other'
    END AS figure
    FROM told
    UNION ALL
    SELECT issuer_id, amount, 0, false, recorded_at, 'expired' FROM told WHERE is_lapsed
), left_now AS (
    SELECT l.issuer_id, sum(l.remaining) AS amount
    FROM ledger_accounts a
    JOIN ledger_lots l ON l.tenant_id = $1 AND l.account_id = a.id
    WHERE a.tenant_id = $1 AND a.asset = $2 AND ($5::uuid[] IS NULL OR l.issuer_id = ANY ($5))
    GROUP BY l.issuer_id
)
SELECT
    issuer_id,
    COALESCE(sum(stands) FILTER (WHERE recorded_at < $3), 0)::bigint AS opening,
    COALESCE(sum(amount) FILTER (WHERE recorded_at >= $3 AND figure = 'issued'), 0)::bigint AS issued,
    COALESCE(-sum(amount) FILTER (WHERE recorded_at >= $3 AND figure = 'redeemed'), 0)::bigint AS redeemed,
    COALESCE(sum(amount) FILTER (WHERE recorded_at >= $3 AND figure = 'expired'), 0)::bigint AS expired,
    COALESCE(sum(amount) FILTER (WHERE recorded_at >= $3 AND figure = 'other'), 0)::bigint AS other,
    CASE WHEN $4 > ledger_now() THEN
        COALESCE((SELECT n.amount FROM left_now n WHERE n.issuer_id IS NOT DISTINCT FROM figures.issuer_id), 0)
            + COALESCE(sum(stands) FILTER (WHERE is_debt), 0)
        ELSE sum(stands)
    END::bigint AS closing
FROM figures
GROUP BY issuer_id
"""
# What the accounts that issue have given, and not got back, in the period.
_ISSUED = """
SELECT COALESCE(-sum(e.amount), 0)::bigint
FROM ledger_accounts a
JOIN ledger_entries e ON e.tenant_id = $1 AND e.account_id = a.id
JOIN ledger_transactions t ON t.tenant_id = $1 AND t.id = e.transaction_id
LEFT JOIN ledger_transactions o ON o.tenant_id = $1
        AND o.id = CASE t.kind WHEN 'reversal' THEN t.source_id::uuid END
WHERE a.tenant_id = $1 AND a.asset = $2 AND a.kind NOT IN ('member', 'debt', 'expiry')
    AND t.recorded_at >= $3 AND t.recorded_at < $4 AND (
        COALESCE(o.kind, t.kind) IN ('reward', 'award', 'service')
        OR COALESCE(o.kind, t.kind) = 'conversion' AND e.amount * CASE WHEN o.id IS NULL THEN 1 ELSE -1 END < 0
    )
"""
# Whether members had in lots, at the end, what their entries say.
_TIES_TO_ENTRIES = """
WITH entries AS (
    SELECT e.account_id, e.sequence, e.amount
    FROM ledger_accounts a
    JOIN ledger_entries e ON e.tenant_id = $1 AND e.account_id = a.id
    JOIN ledger_transactions t ON t.tenant_id = $1 AND t.id = e.transaction_id
    WHERE a.tenant_id = $1 AND a.asset = $2 AND a.kind = 'member' AND t.recorded_at < $3
)
SELECT COALESCE((SELECT sum(amount) FROM entries), 0) = COALESCE((
    SELECT sum(l.amount) FROM entries e
    JOIN ledger_lots l ON l.tenant_id = $1 AND l.account_id = e.account_id AND l.sequence = e.sequence
), 0) + COALESCE((
    SELECT sum(m.amount) FROM entries e
    JOIN ledger_allocations m ON m.tenant_id = $1 AND m.account_id = e.account_id AND m.sequence = e.sequence
), 0)
"""
