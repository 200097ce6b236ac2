-- One page of orders, newest first, behind `before` (an order number), as {"items": […], "next_cursor": …}.
-- Flat however many orders there are: every branch walks an index backwards, at most a page per community or area.
-- Each walk is bounded and ordered by rows of all the columns of its index. With plain equalities those columns count as
-- constants, any index on `number` seems to give the order, and one was taken that read 100,000 rows for an empty page.
-- p_query: see services/orders/orders/queries.py. `areas` are the caller's own or lie inside them (checked there).
-- The settings leave the planner nothing but these walks, with or without statistics, and save the planning.
CREATE FUNCTION order_list(p_tenant uuid, p_query jsonb) RETURNS text LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off
SET enable_sort = off SET enable_incremental_sort = off AS $$
DECLARE
    q record;
    v_communities uuid[];
    v_smaller uuid[];
    v_numbers bigint[];
    v_items text;
BEGIN
    EXECUTE format('SET LOCAL linli.tenant = %L', p_tenant);
    SELECT * INTO q FROM jsonb_to_record(p_query) AS x (
        view text, account uuid, resident uuid, areas uuid[], states text[], before bigint, page_size bigint
    );
    -- A wide area is read by its communities, an area inside a community by itself and what lies below it.
    -- Most ask for whole communities: for them the tree need not be walked.
    IF q.view IN ('area', 'pool') THEN
        SELECT array_agg(a.id) INTO v_communities FROM areas a
        WHERE a.tenant_id = p_tenant AND a.id = ANY (q.areas) AND a.id = a.community_id;
        IF cardinality(v_communities) IS DISTINCT FROM cardinality(q.areas) THEN
            SELECT
                array_agg(a.id) FILTER (WHERE a.id = a.community_id), array_agg(a.id) FILTER (WHERE a.id <> a.community_id)
            INTO v_communities, v_smaller
            FROM areas a
            LEFT JOIN areas community ON community.tenant_id = a.tenant_id AND community.id = a.community_id
            WHERE a.tenant_id = p_tenant AND a.ancestor_ids && q.areas
                AND (a.id = a.community_id OR NOT community.ancestor_ids && q.areas);
        END IF;
    END IF;

    IF q.view = 'mine' THEN
        SELECT array_agg(m.number) INTO v_numbers FROM (
            (
                SELECT o.number FROM orders o
                WHERE o.tenant_id = p_tenant AND (o.resident_id, o.number) < (q.resident, q.before)
                    AND (o.resident_id, o.number) > (q.resident, 0)
                    AND (q.states IS NULL OR o.state = ANY (q.states))
                ORDER BY o.resident_id DESC, o.number DESC LIMIT q.page_size + 1
            ) UNION (
                SELECT o.number FROM orders o
                WHERE o.tenant_id = p_tenant AND (o.placed_by, o.number) < (q.account, q.before)
                    AND (o.placed_by, o.number) > (q.account, 0)
                    AND (q.states IS NULL OR o.state = ANY (q.states))
                ORDER BY o.placed_by DESC, o.number DESC LIMIT q.page_size + 1
            )
            ORDER BY number DESC LIMIT q.page_size + 1
        ) m;
    ELSIF q.view = 'tasks' THEN
        SELECT array_agg(m.number) INTO v_numbers FROM (
            SELECT o.number FROM orders o
            WHERE o.tenant_id = p_tenant AND o.assignee_id IS NOT NULL
                AND (o.assignee_id, o.number) < (q.account, q.before) AND (o.assignee_id, o.number) > (q.account, 0)
                AND (q.states IS NULL OR o.state = ANY (q.states))
            ORDER BY o.assignee_id DESC, o.number DESC LIMIT q.page_size + 1
        ) m;
    ELSIF q.view = 'pool' THEN
        SELECT array_agg(m.number) INTO v_numbers FROM (
            SELECT f.number FROM (
                SELECT unnest(v_communities) AS id
                UNION SELECT a.community_id FROM areas a WHERE a.tenant_id = p_tenant AND a.id = ANY (v_smaller)
            ) community,
            LATERAL (
                SELECT o.number FROM orders o
                WHERE o.tenant_id = p_tenant AND (o.community_id, o.number) < (community.id, q.before)
                    AND (o.community_id, o.number) > (community.id, 0) AND o.is_in_pool
                    AND (community.id = ANY (v_communities) OR o.area_id = ANY (v_smaller))
                ORDER BY o.community_id DESC, o.number DESC LIMIT q.page_size + 1
            ) f
            ORDER BY f.number DESC LIMIT q.page_size + 1
        ) m;
    ELSIF q.states IS NULL THEN
        SELECT array_agg(m.number) INTO v_numbers FROM (
            SELECT f.number FROM unnest(v_communities) AS community, LATERAL (
                SELECT o.number FROM orders o
                WHERE o.tenant_id = p_tenant AND (o.community_id, o.number) < (community, q.before)
                    AND (o.community_id, o.number) > (community, 0)
                ORDER BY o.community_id DESC, o.number DESC LIMIT q.page_size + 1
            ) f
            UNION ALL
            SELECT f.number FROM unnest(v_smaller) AS smaller, LATERAL (
                SELECT o.number FROM orders o
                WHERE o.tenant_id = p_tenant AND (o.area_id, o.number) < (smaller, q.before)
                    AND (o.area_id, o.number) > (smaller, 0)
                ORDER BY o.area_id DESC, o.number DESC LIMIT q.page_size + 1
            ) f
            ORDER BY number DESC LIMIT q.page_size + 1
        ) m;
    ELSE
        SELECT array_agg(m.number) INTO v_numbers FROM (
            SELECT f.number FROM unnest(v_communities) AS community, unnest(q.states) AS wanted, LATERAL (
                SELECT o.number FROM orders o
                WHERE o.tenant_id = p_tenant AND (o.community_id, o.state, o.number) < (community, wanted, q.before)
                    AND (o.community_id, o.state, o.number) > (community, wanted, 0)
                ORDER BY o.community_id DESC, o.state DESC, o.number DESC LIMIT q.page_size + 1
            ) f
            UNION ALL
            SELECT f.number FROM unnest(v_smaller) AS smaller, LATERAL (
                SELECT o.number FROM orders o
                WHERE o.tenant_id = p_tenant AND (o.area_id, o.number) < (smaller, q.before)
                    AND (o.area_id, o.number) > (smaller, 0) AND o.state = ANY (q.states)
                ORDER BY o.area_id DESC, o.number DESC LIMIT q.page_size + 1
            ) f
            ORDER BY number DESC LIMIT q.page_size + 1
        ) m;
    END IF;

    -- Row by row through the unique index, whatever the planner believes of a table it has not analysed yet.
    SELECT string_agg((
        SELECT order_json_named(
            o,
            (SELECT k.name FROM order_kinds k WHERE k.tenant_id = o.tenant_id AND k.id = o.kind),
            (SELECT a.name FROM areas a WHERE a.tenant_id = o.tenant_id AND a.id = o.area_id),
            (SELECT c.name FROM accounts c WHERE c.id = o.assignee_id),
            CASE WHEN o.unit_id IS NOT NULL THEN (
                SELECT u.name FROM units u WHERE u.tenant_id = o.tenant_id AND u.id = o.unit_id
            ) END,
            CASE q.view
                WHEN 'area' THEN true
                WHEN 'pool' THEN false
                WHEN 'mine' THEN o.resident_id = q.resident OR order_placer_is_family(o) OR EXISTS (
                    SELECT FROM areas a
                    WHERE a.tenant_id = p_tenant AND a.id = o.area_id AND a.ancestor_ids && q.areas
                )
                ELSE o.stage NOT IN ('close', 'done') AND EXISTS (
                    SELECT FROM areas a
                    WHERE a.tenant_id = p_tenant AND a.id = o.area_id AND a.ancestor_ids && q.areas
                )
            END
        )
        FROM orders o WHERE o.tenant_id = p_tenant AND o.number = page.number
    ), ',' ORDER BY page.number DESC) INTO v_items
    FROM unnest(v_numbers[:q.page_size]) AS page (number);
    RETURN '{"items":[' || COALESCE(v_items, '') || '],"next_cursor":'
        || CASE WHEN cardinality(v_numbers) > q.page_size THEN '"' || v_numbers[q.page_size] || '"' ELSE 'null' END || '}';
END $$
