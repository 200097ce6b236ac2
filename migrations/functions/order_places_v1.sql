-- Areas as lists read them: a wide area by its communities, an area inside a community by itself and what lies below it.
-- Most ask for whole communities: for them the tree need not be walked.
CREATE FUNCTION order_places(p_tenant uuid, p_areas uuid[], OUT communities uuid[], OUT smaller uuid[])
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    v_above uuid[];
BEGIN
    SELECT
        array_agg(a.id) FILTER (WHERE a.id = a.community_id), array_agg(a.id) FILTER (WHERE a.id <> a.community_id),
        array_agg(a.id) FILTER (WHERE a.community_id IS NULL)
    INTO communities, smaller, v_above
    FROM areas a WHERE a.tenant_id = p_tenant AND a.id = ANY (p_areas);
    IF v_above IS NOT NULL THEN
        SELECT array_agg(DISTINCT c.id) INTO communities FROM (
            SELECT unnest(communities) AS id
            UNION ALL
            SELECT a.id FROM areas a
            WHERE a.tenant_id = p_tenant AND a.id = a.community_id AND a.ancestor_ids && v_above
        ) c;
    END IF;
    IF smaller IS NOT NULL THEN
        SELECT array_agg(DISTINCT below.id) INTO smaller
        FROM areas held
        JOIN areas below ON below.tenant_id = held.tenant_id AND below.community_id = held.community_id
        WHERE held.tenant_id = p_tenant AND held.id = ANY (smaller) AND held.id = ANY (below.ancestor_ids)
            AND held.community_id <> ALL (COALESCE(communities, '{}'));
    END IF;
END $$
