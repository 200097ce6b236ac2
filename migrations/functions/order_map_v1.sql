-- The open orders of some areas that lie in a box, WGS-84: one by one when they are few, else as cells of a grid.
-- Read from ix_orders_open alone, an index of open orders; beyond `most_orders` inside the answer says so.
-- Cells are counted from (-180, -90) in steps of `cell` degrees, so that they stand still when the map is moved.
-- p_query: see services/orders/reading/map.py. `areas` are the caller's own or lie inside them (checked there).
CREATE FUNCTION order_map(p_tenant uuid, p_query jsonb) RETURNS text LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE
    q record;
    v_communities uuid[];
    v_smaller uuid[];
    v_numbers bigint[];
    v_cells text;
    v_points text;
    v_inside bigint;
BEGIN
    EXECUTE format('SET LOCAL linli.tenant = %L', p_tenant);
    SELECT * INTO q FROM jsonb_to_record(p_query) AS x (
        areas uuid[], stages text[], kind text, west double precision, south double precision, east double precision,
        north double precision, cell double precision, most_points bigint, most_orders bigint
    );
    SELECT p.communities, p.smaller INTO v_communities, v_smaller FROM order_places(p_tenant, q.areas) AS p;
    WITH reached AS (
        SELECT unnest(v_communities) AS id
        UNION SELECT a.community_id FROM areas a WHERE a.tenant_id = p_tenant AND a.id = ANY (v_smaller)
    ), inside AS MATERIALIZED (
        SELECT f.* FROM reached, LATERAL (
            SELECT o.number, o.lng, o.lat FROM orders o
            WHERE o.tenant_id = p_tenant AND o.community_id = reached.id AND o.stage <> 'done'
                AND (reached.id = ANY (v_communities) OR o.area_id = ANY (v_smaller))
                AND o.lng BETWEEN q.west AND q.east AND o.lat BETWEEN q.south AND q.north
                AND o.stage = ANY (q.stages) AND (q.kind IS NULL OR o.kind = q.kind)
        ) f
        LIMIT q.most_orders
    ), cells AS (
        SELECT count(*) AS orders, avg(i.lng) AS lng, avg(i.lat) AS lat FROM inside i
        WHERE (SELECT count(*) FROM inside) > q.most_points
        GROUP BY floor((i.lng + 180) / q.cell), floor((i.lat + 90) / q.cell)
    )
    SELECT
        (SELECT string_agg(json_build_object('count', c.orders, 'lng', c.lng, 'lat', c.lat)::text, ',') FROM cells c),
        (SELECT array_agg(i.number ORDER BY i.number DESC) FROM inside i HAVING count(*) <= q.most_points),
        (SELECT count(*) FROM inside)
    INTO v_cells, v_numbers, v_inside;
    SELECT string_agg((
        SELECT json_build_object(
            'id', o.id, 'number', order_number(o.number), 'kind', o.kind, 'stage', o.stage, 'state', o.state,
            'priority', o.priority, 'area_id', o.area_id, 'placed_at', o.placed_at, 'lng', o.lng, 'lat', o.lat
        )::text
        FROM orders o WHERE o.tenant_id = p_tenant AND o.number = shown.number
    ), ',' ORDER BY shown.number DESC) INTO v_points
    FROM unnest(v_numbers) AS shown (number);
    RETURN '{"points":[' || COALESCE(v_points, '') || '],"clusters":[' || COALESCE(v_cells, '') || '],"is_partial":'
        || (v_inside >= q.most_orders)::text || '}';
END $$
