-- Returns to the lots of a member's account what its entry `p_debit` had taken from them, for the entry `p_sequence` of
-- the reversal: `p_amount` of it, those that expire last first (the rest settles a debt). Each lot keeps its expiry. What
-- is over by now goes back all the same and lapses, unless the district lets it live `p_days` more days, in a lot of its
-- own. The caller holds the account's lock and has written the entry.
CREATE FUNCTION ledger_give_back(
    p_tenant uuid, p_account uuid, p_sequence bigint, p_debit bigint, p_amount bigint, p_now timestamptz, p_days bigint
)
RETURNS void LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off AS $$
BEGIN
    WITH taken AS (
        SELECT l.sequence, l.part, l.expires_at, l.issuer_id, -a.amount AS amount, sum(-a.amount) OVER (
            ORDER BY l.expires_at DESC, l.sequence DESC, l.part DESC
        ) + a.amount AS before
        FROM ledger_allocations a
        JOIN ledger_lots l ON l.tenant_id = p_tenant AND l.account_id = p_account
            AND l.sequence = a.lot_sequence AND l.part = a.lot_part
        WHERE a.tenant_id = p_tenant AND a.account_id = p_account AND a.sequence = p_debit
    ), due AS MATERIALIZED (
        SELECT
            t.sequence, t.part, t.expires_at, t.issuer_id, LEAST(t.amount, p_amount - t.before)::bigint AS amount,
            t.expires_at <= p_now AND p_days > 0 AS lives_on
        FROM taken t
        WHERE t.before < p_amount
    ), returned AS (
        UPDATE ledger_lots l SET remaining = l.remaining + d.amount
        FROM due d
        WHERE l.tenant_id = p_tenant AND l.account_id = p_account AND l.sequence = d.sequence AND l.part = d.part
            AND NOT d.lives_on
        RETURNING l.sequence, l.part, d.amount
    ), recorded AS (
        INSERT INTO ledger_allocations (tenant_id, account_id, sequence, lot_sequence, lot_part, amount)
        SELECT p_tenant, p_account, p_sequence, r.sequence, r.part, r.amount FROM returned r
    )
    INSERT INTO ledger_lots (tenant_id, account_id, sequence, part, amount, remaining, expires_at, issuer_id)
    SELECT
        p_tenant, p_account, p_sequence, row_number() OVER (ORDER BY d.expires_at, d.sequence, d.part),
        d.amount, d.amount, p_now + p_days * interval '24 hours', d.issuer_id
    FROM due d
    WHERE d.lives_on;
END $$
