-- Why a clerk may not post these legs, or no row: points come from communities of the clerk's own areas, go to people
-- who belong to the tenant now, and never to the clerk. The facts are those of services/points/ledger/policy.py.
CREATE FUNCTION ledger_clerk_refusal(p_tenant uuid, p_clerk uuid, p_areas uuid[], p_legs jsonb)
RETURNS TABLE (status smallint, body text) LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF cardinality(p_areas) = 0 THEN
        RETURN QUERY SELECT 403::smallint, '{"code":"forbidden"}';
    ELSIF EXISTS (
        SELECT FROM jsonb_to_recordset(p_legs) AS l (kind text, owner_id uuid)
        WHERE l.kind = 'issuing_community' AND NOT EXISTS (
            SELECT FROM areas a
            WHERE a.tenant_id = p_tenant AND a.id = l.owner_id AND a.community_id = a.id AND a.valid_to IS NULL
                AND a.ancestor_ids && p_areas
        )
    ) THEN
        RETURN QUERY SELECT 404::smallint, '{"code":"community_not_found"}';
    ELSIF EXISTS (
        SELECT FROM jsonb_to_recordset(p_legs) AS l (kind text, owner_id uuid, amount bigint)
        WHERE l.kind = 'member' AND l.owner_id = p_clerk
    ) THEN
        RETURN QUERY SELECT 403::smallint, '{"code":"own_points"}';
    ELSIF EXISTS (
        SELECT FROM jsonb_to_recordset(p_legs) AS l (kind text, owner_id uuid)
        WHERE l.kind = 'member' AND NOT EXISTS (
            SELECT FROM memberships m
            WHERE m.tenant_id = p_tenant AND m.account_id = l.owner_id AND m.ended_at IS NULL
        )
    ) THEN
        RETURN QUERY SELECT 422::smallint, '{"code":"recipient_not_a_member"}';
    END IF;
END $$
