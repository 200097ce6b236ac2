-- One page of open clocks, the next one due first, behind the key (after_at, after_order, after_target, after_round).
-- Flat however many there are: every branch walks an index, at most a page per state and community, area or person.
-- p_query: see services/orders/clocks/queries.py. `areas` are the caller's own or lie inside them (checked there).
-- The settings leave the planner nothing but these walks, with or without statistics, and save the planning.
CREATE FUNCTION clock_list(p_tenant uuid, p_query jsonb)
RETURNS SETOF order_clocks LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE
    q record;
    v_communities uuid[];
    v_smaller uuid[];
BEGIN
    SELECT * INTO q FROM jsonb_to_record(p_query) AS x (
        assignee uuid, areas uuid[], states text[], after_at timestamptz, after_order uuid, after_target text,
        after_round smallint, page_size bigint
    );
    IF q.assignee IS NOT NULL THEN
        RETURN QUERY
        SELECT f.* FROM unnest(q.states) AS wanted, LATERAL (
            SELECT c.* FROM order_clocks c
            WHERE c.tenant_id = p_tenant AND c.assignee_id = q.assignee AND c.state = wanted AND c.ended_at IS NULL
                AND (c.sorts_at, c.order_id, c.target, c.round)
                    > (q.after_at, q.after_order, q.after_target, q.after_round)
            ORDER BY c.sorts_at, c.order_id, c.target, c.round LIMIT q.page_size
        ) f
        ORDER BY f.sorts_at, f.order_id, f.target, f.round LIMIT q.page_size;
        RETURN;
    END IF;
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
        SELECT w.* FROM unnest(v_communities) AS community, unnest(q.states) AS wanted, LATERAL (
            SELECT c.* FROM order_clocks c
            WHERE c.tenant_id = p_tenant AND c.community_id = community AND c.state = wanted AND c.ended_at IS NULL
                AND (c.sorts_at, c.order_id, c.target, c.round)
                    > (q.after_at, q.after_order, q.after_target, q.after_round)
            ORDER BY c.sorts_at, c.order_id, c.target, c.round LIMIT q.page_size
        ) w
        UNION ALL
        SELECT w.* FROM unnest(v_smaller) AS smaller, unnest(q.states) AS wanted, LATERAL (
            SELECT c.* FROM order_clocks c
            WHERE c.tenant_id = p_tenant AND c.area_id = smaller AND c.state = wanted AND c.ended_at IS NULL
                AND (c.sorts_at, c.order_id, c.target, c.round)
                    > (q.after_at, q.after_order, q.after_target, q.after_round)
            ORDER BY c.sorts_at, c.order_id, c.target, c.round LIMIT q.page_size
        ) w
    ) f
    ORDER BY f.sorts_at, f.order_id, f.target, f.round LIMIT q.page_size;
END $$
