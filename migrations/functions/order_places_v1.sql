-- Areas as lists read them: a wide area by its communities, an area inside a community by itself and what lies below it.
-- Most ask for whole communities: for them the tree need not be walked.
CREATE FUNCTION order_places(p_tenant uuid, p_areas uuid[], OUT communities uuid[], OUT smaller uuid[])
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
BEGIN
    SELECT array_agg(a.id) INTO communities FROM areas a
    WHERE a.tenant_id = p_tenant AND a.id = ANY (p_areas) AND a.id = a.community_id;
    IF cardinality(communities) IS DISTINCT FROM cardinality(p_areas) THEN
        SELECT
            array_agg(a.id) FILTER (WHERE a.id = a.community_id), array_agg(a.id) FILTER (WHERE a.id <> a.community_id)
        INTO communities, smaller
        FROM areas a
        LEFT JOIN areas community ON community.tenant_id = a.tenant_id AND community.id = a.community_id
        WHERE a.tenant_id = p_tenant AND a.ancestor_ids && p_areas
            AND (a.id = a.community_id OR NOT community.ancestor_ids && p_areas);
    END IF;
END $$
