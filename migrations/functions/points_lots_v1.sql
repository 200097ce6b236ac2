-- One page of the lots of a person with something left, next to expire first, behind the lot (`p_expires_at`,
-- `p_sequence`, `p_part`), as a JSON list. What never expires comes last, with expires_at null.
CREATE FUNCTION points_lots(
    p_tenant uuid, p_owner uuid, p_asset text, p_expires_at timestamptz, p_sequence bigint, p_part bigint, p_limit bigint
)
RETURNS text LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
BEGIN
    EXECUTE format('SET LOCAL linli.tenant = %L', p_tenant);
    RETURN (
        SELECT COALESCE(json_agg(json_build_object(
            'sequence', lot.sequence,
            'part', lot.part,
            'amount', lot.amount,
            'remaining', lot.remaining,
            'held', lot.held,
            'expires_at', NULLIF(lot.expires_at, 'infinity'),
            'issuer_id', lot.issuer_id,
            'issuer_name', (SELECT c.name FROM areas c WHERE c.tenant_id = p_tenant AND c.id = lot.issuer_id)
        ) ORDER BY lot.expires_at, lot.sequence, lot.part), '[]')
        FROM (
            SELECT l.* FROM ledger_lots l
            WHERE l.tenant_id = p_tenant AND l.remaining > 0 AND l.account_id = (
                SELECT a.id FROM ledger_accounts a
                WHERE a.tenant_id = p_tenant AND a.asset = p_asset AND a.kind = 'member' AND a.owner_id = p_owner
                    AND a.stripe = 0
            ) AND (l.expires_at, l.sequence, l.part) > (p_expires_at, p_sequence, p_part)
            ORDER BY l.expires_at, l.sequence, l.part
            LIMIT p_limit
        ) AS lot
    );
END $$
