-- Whether a hold is the business of who answers for these areas: it is meant for a community, merchant or escrow there.
-- The caller has set the tenant.
CREATE FUNCTION ledger_hold_concerns(p_tenant uuid, p_hold uuid, p_areas uuid[])
RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT FROM ledger_holds h
        JOIN areas c ON c.tenant_id = p_tenant AND c.ancestor_ids && p_areas AND c.id = COALESCE(
            (
                SELECT m.community_id FROM ledger_accounts m
                WHERE m.tenant_id = p_tenant AND m.kind = h.to_kind AND m.owner_id = h.to_owner_id
                    AND m.community_id IS NOT NULL
                LIMIT 1
            ),
            h.to_owner_id
        )
        WHERE h.tenant_id = p_tenant AND h.id = p_hold
    )
$$
