"""What is true of the ledger at every moment, whatever was interrupted: one question of one snapshot."""

from typing import Any
from uuid import UUID

from services.chassis.database import tenant_statement


async def broken_invariants(connection: Any, tenant_id: UUID) -> list[str]:
    """A sentence for everything that is wrong in the tenant's ledger; an empty list is a sound one.

    The connection needs SELECT on the ledger's tables and on `idempotency_keys`. It may be in a transaction of its own,
    whose tenant is set to this one. Takes no locks, and reads every entry: not for a request.
    """
    async with connection.transaction():
        await connection.execute(tenant_statement(tenant_id))
        rows = await connection.fetch(_BROKEN, tenant_id)
    return [row["sentence"] for row in rows]


_BROKEN = """
WITH entries AS (
    SELECT
        e.*,
        a.asset, a.kind,
        row_number() OVER account AS place,
        sum(e.amount) OVER account AS running_sum
    FROM ledger_entries e
    JOIN ledger_accounts a ON a.tenant_id = e.tenant_id AND a.id = e.account_id
    WHERE e.tenant_id = $1
    WINDOW account AS (PARTITION BY e.account_id ORDER BY e.sequence)
), totals AS (
    SELECT a.id, a.kind, a.balance, a.held, a.version, COALESCE(sum(e.amount), 0) AS sum, count(e.sequence) AS entries
    FROM ledger_accounts a
    LEFT JOIN entries e ON e.account_id = a.id
    WHERE a.tenant_id = $1
    GROUP BY a.id, a.kind, a.balance, a.held, a.version
), legs AS (
    SELECT
        t.id, t.source_kind, t.source_id,
        count(e.sequence) AS legs, count(DISTINCT e.account_id) AS accounts,
        COALESCE(sum(e.amount) FILTER (WHERE e.asset = 'points'), 0) AS points,
        COALESCE(sum(e.amount) FILTER (WHERE e.asset = 'minutes'), 0) AS minutes
    FROM ledger_transactions t
    LEFT JOIN entries e ON e.transaction_id = t.id
    WHERE t.tenant_id = $1
    GROUP BY t.id, t.source_kind, t.source_id
), lots AS (
    SELECT l.*, a.kind, COALESCE(moved.sum, 0) AS moved, COALESCE(reserved.sum, 0) AS reserved
    FROM ledger_lots l
    JOIN ledger_accounts a ON a.tenant_id = l.tenant_id AND a.id = l.account_id
    LEFT JOIN (
        SELECT m.account_id, m.lot_sequence, m.lot_part, sum(m.amount) AS sum FROM ledger_allocations m
        WHERE m.tenant_id = $1 GROUP BY m.account_id, m.lot_sequence, m.lot_part
    ) AS moved ON moved.account_id = l.account_id AND moved.lot_sequence = l.sequence AND moved.lot_part = l.part
    LEFT JOIN (
        SELECT h.account_id, h.lot_sequence, h.lot_part, sum(h.amount) AS sum
        FROM ledger_hold_lots h
        JOIN ledger_open_holds o ON o.tenant_id = h.tenant_id AND o.hold_id = h.hold_id
        WHERE h.tenant_id = $1 GROUP BY h.account_id, h.lot_sequence, h.lot_part
    ) AS reserved
        ON reserved.account_id = l.account_id AND reserved.lot_sequence = l.sequence AND reserved.lot_part = l.part
    WHERE l.tenant_id = $1
), left_in_lots AS (
    SELECT a.id, a.balance, a.held, COALESCE(sum(l.remaining), 0) AS in_lots, COALESCE(sum(l.held), 0) AS held_in_lots
    FROM ledger_accounts a
    LEFT JOIN lots l ON l.account_id = a.id
    WHERE a.tenant_id = $1 AND a.kind = 'member'
    GROUP BY a.id, a.balance, a.held
), traced AS (
    SELECT
        e.account_id, e.sequence, e.amount,
        COALESCE((
            SELECT sum(l.amount) FROM ledger_lots l
            WHERE l.tenant_id = $1 AND l.account_id = e.account_id AND l.sequence = e.sequence
        ), 0) + COALESCE((
            SELECT sum(m.amount) FROM ledger_allocations m
            WHERE m.tenant_id = $1 AND m.account_id = e.account_id AND m.sequence = e.sequence
        ), 0) AS in_lots
    FROM entries e WHERE e.kind = 'member'
), holds AS (
    SELECT
        h.id, h.amount, o.hold_id IS NOT NULL AS is_open, e.hold_id IS NOT NULL AS has_ended, e.outcome,
        COALESCE(e.amount, 0) AS posted, t.source_kind = 'hold' AND t.source_id = h.id::text AS is_posted_by_it,
        (
            SELECT COALESCE(sum(l.amount), 0) FROM ledger_hold_lots l WHERE l.tenant_id = $1 AND l.hold_id = h.id
        ) AS in_lots
    FROM ledger_holds h
    LEFT JOIN ledger_open_holds o ON o.tenant_id = $1 AND o.hold_id = h.id
    LEFT JOIN ledger_hold_ends e ON e.tenant_id = $1 AND e.hold_id = h.id
    LEFT JOIN ledger_transactions t ON t.tenant_id = $1 AND t.id = e.transaction_id
    WHERE h.tenant_id = $1
), answers AS (
    SELECT k.account_id, k.key, (k.body::json->>'id')::uuid AS posting_id
    FROM idempotency_keys k
    WHERE k.tenant_id = $1 AND k.service = 'linli_points' AND k.status = 201 AND k.body::json->>'legs' IS NOT NULL
)
SELECT format('I1: the balances of %s add up to %s', a.asset, sum(a.balance)) AS sentence
FROM ledger_accounts a WHERE a.tenant_id = $1 GROUP BY a.asset HAVING sum(a.balance) <> 0
UNION ALL
SELECT format('I2: account %s has balance %s, its entries add up to %s', id, balance, sum)
FROM totals WHERE balance <> sum
UNION ALL
SELECT format('I2: account %s has version %s and %s entries', id, version, entries) FROM totals WHERE version <> entries
UNION ALL
SELECT format('I2: entry %s of account %s is its %s.', sequence, account_id, place) FROM entries WHERE sequence <> place
UNION ALL
SELECT format('I2: account %s stands at %s, not %s, after entry %s', account_id, running_sum, balance_after, sequence)
FROM entries WHERE balance_after <> running_sum
UNION ALL
SELECT format(
    'I3: transaction %s has %s legs on %s accounts that add up to %s points and %s minutes',
    id, legs, accounts, points, minutes
)
FROM legs WHERE points <> 0 OR minutes <> 0 OR legs < 2 OR accounts <> legs
UNION ALL
SELECT format('I4: %s account %s stands at %s, of which %s are held', kind, id, balance, held)
FROM totals WHERE balance - held < 0 AND kind NOT IN ('issuing_community', 'correction', 'debt')
UNION ALL
SELECT format('I4: %s account %s stood at %s after entry %s', kind, account_id, balance_after, sequence)
FROM entries WHERE CASE kind
    WHEN 'issuing_community' THEN false WHEN 'correction' THEN false WHEN 'debt' THEN balance_after > 0
    ELSE balance_after < 0
END
UNION ALL
SELECT format('I5: account %s has balance %s and %s in its lots', id, balance, in_lots)
FROM left_in_lots WHERE balance <> in_lots
UNION ALL
SELECT format('I5: account %s has %s held and %s in its lots', id, held, held_in_lots)
FROM left_in_lots WHERE held <> held_in_lots
UNION ALL
SELECT format(
    'I5: lot %s.%s of account %s has %s of %s left after movements of %s', sequence, part, account_id, remaining,
    amount, moved
)
FROM lots WHERE remaining <> amount + moved OR remaining < 0 OR remaining > amount
UNION ALL
SELECT format('I5: lot %s.%s of account %s has %s held, open holds %s', sequence, part, account_id, held, reserved)
FROM lots WHERE held <> reserved OR held > remaining
UNION ALL
SELECT format('I5: lot %s.%s belongs to a %s account', sequence, part, kind) FROM lots WHERE kind <> 'member'
UNION ALL
SELECT format('I5: entry %s of account %s is %s, its lots %s', sequence, account_id, amount, in_lots)
FROM traced WHERE amount <> in_lots
UNION ALL
SELECT format('I6: hold %s is %s and has %s', id, CASE WHEN is_open THEN 'open' ELSE 'not open' END,
    CASE WHEN has_ended THEN 'ended' ELSE 'not ended' END)
FROM holds WHERE is_open = has_ended
UNION ALL
SELECT format('I6: hold %s of %s reserves %s', id, amount, in_lots) FROM holds WHERE amount <> in_lots
UNION ALL
SELECT format('I6: hold %s of %s was %s with %s', id, amount, outcome, posted)
FROM holds WHERE posted > amount OR (outcome = 'posted') <> COALESCE(is_posted_by_it, false)
UNION ALL
SELECT format('I9: source %s %s was posted %s times', source_kind, source_id, count(*))
FROM legs GROUP BY source_kind, source_id HAVING count(*) > 1
UNION ALL
SELECT format('I9: key %s of account %s was answered with a posting that is not there', k.key, k.account_id)
FROM answers k WHERE NOT EXISTS (SELECT FROM legs t WHERE t.id = k.posting_id)
UNION ALL
SELECT format('I11: %s may %s %s', r.rolname, p.privilege, c.name)
FROM pg_roles r, (VALUES
    ('ledger_entries'), ('ledger_transactions'), ('ledger_allocations'), ('ledger_holds'), ('ledger_hold_lots'),
    ('ledger_hold_ends'), ('ledger_chain'), ('ledger_published_heads'), ('ledger_settings'), ('ledger_account_events')
) AS c (name),
    (VALUES ('UPDATE'), ('DELETE'), ('TRUNCATE')) AS p (privilege)
WHERE r.rolname IN ('linli_identity', 'linli_grid', 'linli_orders', 'linli_points')
    AND has_table_privilege(r.oid, c.name, p.privilege)
UNION ALL
SELECT format('I11: nothing refuses changes of %s to its owner', c.name)
FROM (VALUES
    ('ledger_entries'), ('ledger_transactions'), ('ledger_allocations'), ('ledger_holds'), ('ledger_hold_lots'),
    ('ledger_hold_ends'), ('ledger_chain'), ('ledger_published_heads'), ('ledger_settings'), ('ledger_account_events')
) AS c (name)
WHERE (
    SELECT count(*) FROM pg_trigger t
    WHERE t.tgrelid = c.name::regclass AND t.tgfoid = 'refuse_change'::regproc AND t.tgenabled IN ('O', 'A')
) < 2
"""
