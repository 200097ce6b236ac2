-- The open orders of some areas by stage: how many, how many of them late, and
-- the first `page_size` of each.
-- Counted on ix_orders_open and the index of open clocks alone: what is done costs nothing, however much it is. At most
-- `most_orders` are counted; beyond that the answer says so (`is_partial`).
-- p_query: see services/orders/reading/board.py. `areas` are the caller's own or lie inside them (checked there).
CREATE FUNCTION order_board(p_tenant uuid, p_query jsonb) RETURNS text LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE
    q record;
    v_communities uuid[];
    v_smaller uuid[];
    v_reached uuid[];
    v_counts jsonb;
    v_late jsonb;
    v_counted bigint;
    v_columns text;
BEGIN
    EXECUTE format('SET LOCAL linli.tenant = %L', p_tenant);
    SELECT * INTO q FROM jsonb_to_record(p_query) AS x (
        areas uuid[], stages text[], page_size bigint, most_orders bigint
    );
    SELECT p.communities, p.smaller INTO v_communities, v_smaller FROM order_places(p_tenant, q.areas) AS p;
    SELECT array_agg(DISTINCT r.id) INTO v_reached FROM (
        SELECT unnest(v_communities) AS id
        UNION ALL SELECT a.community_id FROM areas a WHERE a.tenant_id = p_tenant AND a.id = ANY (v_smaller)
    ) r;

    WITH open AS MATERIALIZED (
        SELECT f.id, f.stage FROM unnest(v_reached) AS community, LATERAL (
            SELECT o.id, o.stage FROM orders o
            WHERE o.tenant_id = p_tenant AND o.community_id = community AND o.stage <> 'done'
                AND (community = ANY (v_communities) OR o.area_id = ANY (v_smaller))
        ) f
        LIMIT q.most_orders
    ), late AS MATERIALIZED (
        SELECT DISTINCT f.order_id FROM unnest(v_reached) AS community, LATERAL (
            SELECT c.order_id FROM order_clocks c
            WHERE c.tenant_id = p_tenant AND c.community_id = community AND c.state = 'missed' AND c.ended_at IS NULL
        ) f
    ), counted AS (
        SELECT open.stage, count(*) AS orders, count(late.order_id) AS late
        FROM open LEFT JOIN late ON late.order_id = open.id GROUP BY open.stage
    )
    SELECT jsonb_object_agg(stage, orders), jsonb_object_agg(stage, counted.late), sum(orders)
    INTO v_counts, v_late, v_counted FROM counted;

    SELECT string_agg(
        '{"stage":"' || wanted || '","count":' || COALESCE((v_counts ->> wanted)::bigint, 0)
            || ',"overdue":' || COALESCE((v_late ->> wanted)::bigint, 0) || ',"first":'
            || CASE
                WHEN q.page_size = 0 OR v_counts ->> wanted IS NULL THEN '{"items":[],"next_cursor":null}'
                ELSE order_list(p_tenant, jsonb_build_object(
                    'view', 'area', 'areas', CASE WHEN v_smaller IS NULL THEN v_communities ELSE q.areas END,
                    'stages', jsonb_build_array(wanted), 'before', 4611686018427387904, 'page_size', q.page_size
                ))
            END || '}',
        ',' ORDER BY place
    ) INTO v_columns
    FROM unnest(q.stages) WITH ORDINALITY AS column_of (wanted, place);
    RETURN '{"columns":[' || v_columns || '],"is_partial":'
        || (COALESCE(v_counted, 0) >= q.most_orders)::text || '}';
END $$
