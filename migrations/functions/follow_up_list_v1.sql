-- One page of orders to call back about, or to decide on, the longest due first, behind (after_at, after_order).
-- Flat however many there are: every branch walks an index, at most a page per community or area and cause.
-- p_query: see services/orders/follow_ups/queries.py. `areas` are the caller's own or lie inside them (checked there).
-- The settings leave the planner nothing but these walks, with or without statistics, and save the planning.
CREATE FUNCTION follow_up_list(p_tenant uuid, p_query jsonb)
RETURNS SETOF due_follow_ups LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE
    q record;
    v_communities uuid[];
    v_smaller uuid[];
BEGIN
    SELECT * INTO q FROM jsonb_to_record(p_query) AS x (
        areas uuid[], causes text[], after_at timestamptz, after_order uuid, page_size bigint
    );
    -- A wide area is read by its communities, an area inside a community by itself and what lies below it.
    SELECT
        array_agg(a.id) FILTER (WHERE a.id = a.community_id), array_agg(a.id) FILTER (WHERE a.id <> a.community_id)
    INTO v_communities, v_smaller
    FROM areas a
    LEFT JOIN areas community ON community.tenant_id = a.tenant_id AND community.id = a.community_id
    WHERE a.tenant_id = p_tenant AND a.ancestor_ids && q.areas
        AND (a.id = a.community_id OR NOT community.ancestor_ids && q.areas);
    RETURN QUERY
    SELECT f.* FROM (
        SELECT w.* FROM unnest(v_communities) AS community, unnest(q.causes) AS wanted, LATERAL (
            SELECT d.* FROM due_follow_ups d
            WHERE d.tenant_id = p_tenant AND d.community_id = community AND d.cause = wanted
                AND (d.due_at, d.order_id) > (q.after_at, q.after_order)
            ORDER BY d.due_at, d.order_id LIMIT q.page_size
        ) w
        UNION ALL
        SELECT w.* FROM unnest(v_smaller) AS smaller, unnest(q.causes) AS wanted, LATERAL (
            SELECT d.* FROM due_follow_ups d
            WHERE d.tenant_id = p_tenant AND d.area_id = smaller AND d.cause = wanted
                AND (d.due_at, d.order_id) > (q.after_at, q.after_order)
            ORDER BY d.due_at, d.order_id LIMIT q.page_size
        ) w
    ) f
    ORDER BY f.due_at, f.order_id LIMIT q.page_size;
END $$
