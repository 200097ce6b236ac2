-- The code of the reason why a clerk may not post these legs; NULL when the clerk may. Points come from communities in
-- the clerk's own areas, go to people who belong to the tenant now, and neither to nor from the clerk.
CREATE FUNCTION ledger_clerk_refusal(p_tenant uuid, p_clerk uuid, p_areas uuid[], p_kinds text[], p_owners uuid[])
RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF cardinality(p_areas) = 0 THEN
        RETURN 'forbidden';
    END IF;
    FOR i IN 1..cardinality(p_kinds) LOOP
        IF p_kinds[i] = 'issuing_community' AND NOT EXISTS (
            SELECT FROM areas a
            WHERE a.tenant_id = p_tenant AND a.id = p_owners[i] AND a.community_id = a.id AND a.valid_to IS NULL
                AND a.ancestor_ids && p_areas
        ) THEN
            RETURN 'community_not_found';
        ELSIF p_kinds[i] = 'member' AND p_owners[i] = p_clerk THEN
            RETURN 'own_points';
        ELSIF p_kinds[i] = 'member' AND NOT EXISTS (
            SELECT FROM memberships m
            WHERE m.tenant_id = p_tenant AND m.account_id = p_owners[i] AND m.ended_at IS NULL
        ) THEN
            RETURN 'recipient_not_a_member';
        END IF;
    END LOOP;
    RETURN NULL;
END $$
