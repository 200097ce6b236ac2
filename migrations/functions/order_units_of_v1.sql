-- The units somebody belongs to now.
CREATE FUNCTION order_units_of(p_tenant uuid, p_account uuid, p_now timestamptz) RETURNS uuid[] LANGUAGE sql STABLE
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
    SELECT COALESCE(array_agg(m.unit_id), '{}')
    FROM unit_members m JOIN units u ON u.tenant_id = m.tenant_id AND u.id = m.unit_id
    WHERE m.tenant_id = p_tenant AND m.account_id = p_account AND m.since <= p_now
        AND (m.until IS NULL OR m.until > p_now) AND u.is_active
$$
