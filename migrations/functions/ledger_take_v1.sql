-- Takes an amount out of the lots of a member's account for its entry `p_sequence`, and records from which.
-- From what a hold reserved (`p_hold`, which this ends: what is not taken is released); or from what is over
-- (`p_expired`, of just that moment); else from what can be spent, first to expire first, and of a reversal before that
-- from the lots of the entry it takes back (`p_first`), even if they are over.
-- The caller holds the account's lock and has written the entry. Raises when the lots do not have it, which callers
-- have made sure of.
CREATE FUNCTION ledger_take(
    p_tenant uuid, p_account uuid, p_sequence bigint, p_amount bigint, p_now timestamptz,
    p_hold uuid, p_expired timestamptz, p_first bigint
)
RETURNS TABLE (amount bigint, expires_at timestamptz, issuer_id uuid) LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off AS $$
DECLARE
    v_taken bigint := 0;
BEGIN
    FOR amount, expires_at, issuer_id IN
        WITH offered AS (
            SELECT l.sequence, l.part, l.remaining - l.held AS amount, 0::bigint AS released, l.expires_at
            FROM ledger_lots l
            WHERE l.tenant_id = p_tenant AND l.account_id = p_account AND p_hold IS NULL
                AND l.remaining > 0 AND l.remaining > l.held AND CASE
                    WHEN p_expired IS NOT NULL THEN l.expires_at = p_expired
                    ELSE l.expires_at > p_now OR l.sequence = p_first
                END
            UNION ALL
            SELECT l.sequence, l.part, h.amount, h.amount, l.expires_at
            FROM ledger_hold_lots h
            JOIN ledger_lots l ON l.tenant_id = p_tenant AND l.account_id = h.account_id
                AND l.sequence = h.lot_sequence AND l.part = h.lot_part
            WHERE h.tenant_id = p_tenant AND h.hold_id = p_hold
        ), ranked AS (
            SELECT
                o.*,
                sum(o.amount) OVER (
                    ORDER BY o.sequence IS DISTINCT FROM p_first, o.expires_at, o.sequence, o.part
                ) - o.amount AS before
            FROM offered o
        ), wanted AS MATERIALIZED (
            SELECT r.sequence, r.part, r.released, GREATEST(0, LEAST(r.amount, p_amount - r.before))::bigint AS amount
            FROM ranked r
            WHERE r.before < p_amount OR r.released > 0
        ), taken AS (
            UPDATE ledger_lots l SET remaining = l.remaining - w.amount, held = l.held - w.released
            FROM wanted w
            WHERE l.tenant_id = p_tenant AND l.account_id = p_account AND l.sequence = w.sequence AND l.part = w.part
            RETURNING l.sequence, l.part, w.amount, l.expires_at, l.issuer_id
        ), recorded AS (
            INSERT INTO ledger_allocations (tenant_id, account_id, sequence, lot_sequence, lot_part, amount)
            SELECT p_tenant, p_account, p_sequence, t.sequence, t.part, -t.amount FROM taken t WHERE t.amount > 0
        )
        SELECT t.amount, t.expires_at, t.issuer_id FROM taken t WHERE t.amount > 0
        ORDER BY t.sequence IS DISTINCT FROM p_first, t.expires_at, t.sequence, t.part
    LOOP
        v_taken := v_taken + amount;
        RETURN NEXT;
    END LOOP;
    IF v_taken <> p_amount THEN
        RAISE EXCEPTION 'the lots of account % had % of %', p_account, v_taken, p_amount;
    END IF;
END $$
