-- The first screen of a person, a section for each thing they are: null where they are not.
-- Made of what the lists show; p_query: see services/orders/reading/home.py.
CREATE FUNCTION order_home(p_tenant uuid, p_query jsonb) RETURNS text LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE
    q record;
    v_resident text;
    v_helper text;
    v_overseer text;
    v_waiting text;
    v_tasks jsonb;
    v_clocks text;
    v_pool bigint;
    v_escalated text;
    v_communities uuid[];
    v_smaller uuid[];
BEGIN
    EXECUTE format('SET LOCAL linli.tenant = %L', p_tenant);
    SELECT * INTO q FROM jsonb_to_record(p_query) AS x (
        account uuid, resident uuid, serves uuid[], oversees uuid[], now timestamptz, stages text[], own_stages text[],
        page_size bigint, most_placed bigint, most_pooled bigint, most_orders bigint
    );
    -- Done, and not judged since: it waits for the answer of the person who needed it, or of who answers for them.
    SELECT string_agg((
        SELECT order_json(o, true) FROM orders o WHERE o.tenant_id = p_tenant AND o.number = w.number
    ), ',' ORDER BY w.number DESC) INTO v_waiting
    FROM (
        (
            SELECT o.number FROM orders o
            WHERE o.tenant_id = p_tenant AND (o.resident_id, o.number) < (q.resident, 4611686018427387904)
                AND (o.resident_id, o.number) > (q.resident, 0)
                AND o.stage IN ('verify', 'close') AND (o.rated_at IS NULL OR o.rated_at < o.completed_at)
            ORDER BY o.resident_id DESC, o.number DESC LIMIT q.page_size
        ) UNION (
            SELECT (p.o).number FROM (
                SELECT o FROM orders o
                WHERE o.tenant_id = p_tenant AND (o.placed_by, o.number) < (q.account, 4611686018427387904)
                    AND (o.placed_by, o.number) > (q.account, 0)
                ORDER BY o.placed_by DESC, o.number DESC LIMIT q.most_placed
            ) p
            WHERE (p.o).stage IN ('verify', 'close')
                AND ((p.o).rated_at IS NULL OR (p.o).rated_at < (p.o).completed_at)
                AND order_facts_of_caller(p.o, p_query) && ARRAY['is_family_placer', 'stands_in']
        )
        ORDER BY number DESC LIMIT q.page_size
    ) w;
    IF q.resident IS NOT NULL OR v_waiting IS NOT NULL THEN
        v_resident := '{"open":' || order_list(p_tenant, jsonb_build_object(
            'view', 'mine', 'account', q.account, 'resident', q.resident, 'areas', q.oversees, 'stages', q.own_stages,
            'before', 4611686018427387904, 'page_size', q.page_size
        )) || ',"to_answer":[' || COALESCE(v_waiting, '') || '],"recurring":'
            || order_home_recurring(p_tenant, q.account, q.resident, q.now, q.page_size) || '}';
    END IF;

    v_tasks := p_query || jsonb_build_object(
        'view', 'tasks', 'stages', jsonb_build_array('handle'), 'before', 4611686018427387904
    );
    IF cardinality(q.serves) > 0 OR cardinality(order_units_of(p_tenant, q.account, q.now)) > 0
        OR cardinality(order_tasks(p_tenant, v_tasks, 1)) > 0
    THEN
        SELECT p.communities, p.smaller INTO v_communities, v_smaller FROM order_places(p_tenant, q.serves) AS p;
        SELECT count(*) INTO v_pool FROM (
            SELECT f.number FROM (
                SELECT unnest(v_communities) AS id
                UNION SELECT a.community_id FROM areas a WHERE a.tenant_id = p_tenant AND a.id = ANY (v_smaller)
            ) community,
            LATERAL (
                SELECT o.number FROM orders o
                WHERE o.tenant_id = p_tenant AND o.community_id = community.id AND o.is_in_pool
                    AND (community.id = ANY (v_communities) OR o.area_id = ANY (v_smaller))
            ) f
            LIMIT q.most_pooled
        ) pooled;
        SELECT string_agg(json_build_object(
            'order_id', c.order_id, 'number', order_number(o.number), 'kind', o.kind, 'target', c.target,
            'round', c.round, 'state', c.state, 'due_at', c.due_at
        )::text, ',' ORDER BY c.sorts_at, c.order_id, c.target, c.round) INTO v_clocks
        FROM clock_list(p_tenant, jsonb_build_object(
            'assignee', q.account, 'states', ARRAY['missed', 'running'], 'after_at', '-infinity', 'after_order',
            '00000000-0000-0000-0000-000000000000', 'after_target', '', 'after_round', 0, 'page_size', q.page_size
        )) AS c
        JOIN orders o ON o.tenant_id = p_tenant AND o.id = c.order_id;
        v_helper := '{"tasks":' || order_list(p_tenant, v_tasks) || ',"pool":' || order_list(p_tenant, jsonb_build_object(
            'view', 'pool', 'areas', CASE WHEN v_smaller IS NULL THEN v_communities ELSE q.serves END,
            'before', 4611686018427387904, 'page_size', q.page_size
        )) || ',"pool_count":' || v_pool || ',"due_next":[' || COALESCE(v_clocks, '') || ']}';
    END IF;

    IF cardinality(q.oversees) > 0 THEN
        SELECT p.communities, p.smaller INTO v_communities, v_smaller FROM order_places(p_tenant, q.oversees) AS p;
        SELECT string_agg(order_json(e.o, true), ',' ORDER BY (e.o).number DESC) INTO v_escalated FROM (
            SELECT f.o FROM (
                SELECT unnest(v_communities) AS id
                UNION SELECT a.community_id FROM areas a WHERE a.tenant_id = p_tenant AND a.id = ANY (v_smaller)
            ) community,
            LATERAL (
                SELECT o FROM orders o
                WHERE o.tenant_id = p_tenant AND (o.community_id, o.number) < (community.id, 4611686018427387904)
                    AND (o.community_id, o.number) > (community.id, 0) AND o.is_escalated AND o.stage <> 'done'
                    AND (community.id = ANY (v_communities) OR o.area_id = ANY (v_smaller))
                ORDER BY o.community_id DESC, o.number DESC LIMIT q.page_size
            ) f
            ORDER BY (f.o).number DESC LIMIT q.page_size
        ) e;
        v_overseer := '{"board":' || order_board(p_tenant, jsonb_build_object(
            'areas', CASE WHEN v_smaller IS NULL THEN v_communities ELSE q.oversees END, 'stages', q.stages, 'page_size', 0,
            'most_orders', q.most_orders
        )) || ',"needs_senior":[' || COALESCE(v_escalated, '') || ']}';
    END IF;
    RETURN '{"resident":' || COALESCE(v_resident, 'null') || ',"helper":' || COALESCE(v_helper, 'null')
        || ',"overseer":' || COALESCE(v_overseer, 'null') || '}';
END $$
