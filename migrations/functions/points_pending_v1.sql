-- One page of the holds on a person's account that have not ended, next to be over first, behind (`p_expires_at`,
-- `p_hold`), as a JSON list.
CREATE FUNCTION points_pending(
    p_tenant uuid, p_owner uuid, p_asset text, p_expires_at timestamptz, p_hold uuid, p_limit bigint
)
RETURNS text LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
BEGIN
    EXECUTE format('SET LOCAL linli.tenant = %L', p_tenant);
    RETURN (
        SELECT COALESCE(json_agg(
            ledger_hold_json(p_tenant, open.hold_id)::json ORDER BY open.expires_at, open.hold_id
        ), '[]')
        FROM (
            SELECT o.* FROM ledger_open_holds o
            WHERE o.tenant_id = p_tenant AND o.account_id = (
                SELECT a.id FROM ledger_accounts a
                WHERE a.tenant_id = p_tenant AND a.asset = p_asset AND a.kind = 'member' AND a.owner_id = p_owner
                    AND a.stripe = 0
            ) AND (o.expires_at, o.hold_id) > (p_expires_at, p_hold)
            ORDER BY o.expires_at, o.hold_id
            LIMIT p_limit
        ) AS open
    );
END $$
