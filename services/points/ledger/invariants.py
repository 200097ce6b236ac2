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
    SELECT a.id, a.kind, a.balance, a.version, COALESCE(sum(e.amount), 0) AS sum, count(e.sequence) AS entries
    FROM ledger_accounts a
    LEFT JOIN entries e ON e.account_id = a.id
    WHERE a.tenant_id = $1
    GROUP BY a.id, a.kind, a.balance, a.version
), legs AS (
    SELECT
        t.id, t.source_kind, t.source_id,
        count(e.sequence) AS legs, count(DISTINCT e.account_id) AS accounts, count(DISTINCT e.asset) AS assets,
        COALESCE(sum(e.amount), 0) AS sum
    FROM ledger_transactions t
    LEFT JOIN entries e ON e.transaction_id = t.id
    WHERE t.tenant_id = $1
    GROUP BY t.id, t.source_kind, t.source_id
), answers AS (
    SELECT k.account_id, k.key, (k.body::json->>'id')::uuid AS posting_id
    FROM idempotency_keys k
    WHERE k.tenant_id = $1 AND k.service = 'linli_points' AND k.status = 201
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
SELECT format('I3: transaction %s has %s legs on %s accounts that add up to %s', id, legs, accounts, sum)
FROM legs WHERE sum <> 0 OR legs < 2 OR accounts <> legs OR assets <> 1
UNION ALL
SELECT format('I4: %s account %s stands at %s', kind, id, balance)
FROM totals WHERE balance < 0 AND kind <> 'issuing_community'
UNION ALL
SELECT format('I4: %s account %s stood at %s after entry %s', kind, account_id, balance_after, sequence)
FROM entries WHERE balance_after < 0 AND kind <> 'issuing_community'
UNION ALL
SELECT format('I9: source %s %s was posted %s times', source_kind, source_id, count(*))
FROM legs GROUP BY source_kind, source_id HAVING count(*) > 1
UNION ALL
SELECT format('I9: key %s of account %s was answered with a posting that is not there', k.key, k.account_id)
FROM answers k WHERE NOT EXISTS (SELECT FROM legs t WHERE t.id = k.posting_id)
UNION ALL
SELECT format('I11: %s may %s %s', r.rolname, p.privilege, c.name)
FROM pg_roles r, (VALUES ('ledger_entries'), ('ledger_transactions')) AS c (name),
    (VALUES ('UPDATE'), ('DELETE'), ('TRUNCATE')) AS p (privilege)
WHERE r.rolname IN ('linli_identity', 'linli_grid', 'linli_orders', 'linli_points')
    AND has_table_privilege(r.oid, c.name, p.privilege)
UNION ALL
SELECT format('I11: nothing refuses changes of %s to its owner', c.name)
FROM (VALUES ('ledger_entries'), ('ledger_transactions')) AS c (name)
WHERE (
    SELECT count(*) FROM pg_trigger t
    WHERE t.tgrelid = c.name::regclass AND t.tgfoid = 'refuse_change'::regproc AND t.tgenabled IN ('O', 'A')
) < 2
"""
