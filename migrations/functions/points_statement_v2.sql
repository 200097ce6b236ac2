-- One page of an account's statement, newest first, behind `p_before` (a sequence number), as
-- {"items": […], "next_cursor": …}. An account counts its entries without gaps from 1: before 1 is nothing.
-- For accounts of one stripe: people, merchants, escrows.
CREATE FUNCTION points_statement(
    p_tenant uuid, p_kind text, p_owner uuid, p_asset text, p_before bigint, p_limit bigint
)
RETURNS text LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
BEGIN
    EXECUTE format('SET LOCAL linli.tenant = %L', p_tenant);
    RETURN (
        SELECT json_build_object(
            'items', COALESCE(json_agg(json_build_object(
                'posting_id', line.transaction_id,
                'sequence', line.sequence,
                'kind', line.kind,
                'asset', p_asset,
                'amount', line.amount,
                'balance_after', line.balance_after,
                'reason', line.reason,
                'source_kind', line.source_kind,
                'source_id', line.source_id,
                'effective_at', line.effective_at,
                'recorded_at', line.recorded_at,
                'details', line.details
            ) ORDER BY line.sequence DESC), '[]'),
            'next_cursor', CASE WHEN min(line.sequence) > 1 THEN min(line.sequence)::text END
        )
        FROM (
            SELECT
                e.transaction_id, e.sequence, e.amount, e.balance_after,
                t.kind, t.reason, t.source_kind, t.source_id, t.effective_at, t.recorded_at, t.details
            FROM ledger_entries e
            JOIN ledger_transactions t ON t.tenant_id = e.tenant_id AND t.id = e.transaction_id
            WHERE e.tenant_id = p_tenant AND e.sequence < p_before AND e.account_id = (
                SELECT a.id FROM ledger_accounts a
                WHERE a.tenant_id = p_tenant AND a.asset = p_asset AND a.kind = p_kind AND a.owner_id = p_owner
                    AND a.stripe = 0
            )
            ORDER BY e.sequence DESC
            LIMIT p_limit
        ) AS line
    );
END $$
