-- The accounts (ledger_accounts.id) of these owners, in their order, opened where there is none. Locks nothing.
-- Those without a lower limit are taken at `p_stripe`. New ones are written in one order, so that nobody waits in a
-- circle, and stay should the transaction be refused after all: empty.
CREATE FUNCTION ledger_open_accounts(
    p_tenant uuid, p_kinds text[], p_owners uuid[], p_assets text[], p_stripe integer
)
RETURNS uuid[] LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off AS $$
DECLARE
    v_ids uuid[];
BEGIN
    LOOP
        v_ids := ARRAY(
            SELECT (
                SELECT a.id FROM ledger_accounts a
                WHERE a.tenant_id = p_tenant AND a.asset = p.asset AND a.kind = p.kind AND a.owner_id = p.owner_id
                    AND a.stripe = CASE WHEN p.kind IN ('issuing_community', 'correction') THEN p_stripe ELSE 0 END
            )
            FROM unnest(p_kinds, p_owners, p_assets) WITH ORDINALITY AS p (kind, owner_id, asset, place)
            ORDER BY p.place
        );
        EXIT WHEN array_position(v_ids, NULL) IS NULL;
        INSERT INTO ledger_accounts (tenant_id, id, asset, kind, owner_id, stripe)
        SELECT
            p_tenant, gen_random_uuid(), p.asset, p.kind, p.owner_id,
            CASE WHEN p.kind IN ('issuing_community', 'correction') THEN p_stripe ELSE 0 END
        FROM (
            SELECT DISTINCT n.asset, n.kind, n.owner_id
            FROM unnest(v_ids, p_kinds, p_owners, p_assets) AS n (id, kind, owner_id, asset)
            WHERE n.id IS NULL
        ) AS p
        ORDER BY p.asset, p.kind, p.owner_id
        ON CONFLICT (tenant_id, asset, kind, owner_id, stripe) DO NOTHING;
    END LOOP;
    RETURN v_ids;
END $$
