-- One page of orders, newest first, behind `before` (an order number), as {"items": […], "next_cursor": …}.
-- Flat however many orders there are: every branch walks an index backwards, at most a page per community or area.
-- Each walk is bounded and ordered by rows of all the columns of its index. With plain equalities those columns count as
-- constants, any index on `number` seems to give the order, and one was taken that read 100,000 rows for an empty page.
-- p_query: see services/orders/orders/queries.py. `areas` are the caller's own or lie inside them (checked there).
-- Stages that are still open have an index of their own, of open orders alone: what else is asked of them is sought there.
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
        view text, account uuid, resident uuid, areas uuid[], states text[], stages text[], kind text, priority text,
        assignee uuid, unit uuid, before bigint, page_size bigint
    );
    IF q.view IN ('area', 'pool') THEN
        SELECT p.communities, p.smaller INTO v_communities, v_smaller FROM order_places(p_tenant, q.areas) AS p;
    END IF;

    IF q.view = 'mine' THEN
        SELECT array_agg(m.number) INTO v_numbers FROM (
            (
                SELECT o.number FROM orders o
                WHERE o.tenant_id = p_tenant
                    AND (o.resident_id, o.number) < (q.resident, q.before) AND (o.resident_id, o.number) > (q.resident, 0)
                    AND order_fits(o, q.states, q.stages, q.kind, q.priority, q.assignee, q.unit)
                ORDER BY o.resident_id DESC, o.number DESC LIMIT q.page_size + 1
            ) UNION (
                SELECT o.number FROM orders o
                WHERE o.tenant_id = p_tenant
                    AND (o.placed_by, o.number) < (q.account, q.before) AND (o.placed_by, o.number) > (q.account, 0)
                    AND order_fits(o, q.states, q.stages, q.kind, q.priority, q.assignee, q.unit)
                ORDER BY o.placed_by DESC, o.number DESC LIMIT q.page_size + 1
            )
            ORDER BY number DESC LIMIT q.page_size + 1
        ) m;
    ELSIF q.view = 'tasks' THEN
        v_numbers := order_tasks(p_tenant, p_query, q.page_size + 1);
    ELSIF q.view = 'pool' THEN
        SELECT array_agg(m.number) INTO v_numbers FROM (
            SELECT f.number FROM (
                SELECT unnest(v_communities) AS id
                UNION SELECT a.community_id FROM areas a WHERE a.tenant_id = p_tenant AND a.id = ANY (v_smaller)
            ) community,
            LATERAL (
                SELECT o.number FROM orders o
                WHERE o.tenant_id = p_tenant
                    AND (o.community_id, o.number) < (community.id, q.before)
                    AND (o.community_id, o.number) > (community.id, 0) AND o.is_in_pool
                    AND (community.id = ANY (v_communities) OR o.area_id = ANY (v_smaller))
                    AND order_fits(o, q.states, q.stages, q.kind, q.priority, q.assignee, q.unit)
                ORDER BY o.community_id DESC, o.number DESC LIMIT q.page_size + 1
            ) f
            ORDER BY f.number DESC LIMIT q.page_size + 1
        ) m;
    ELSE
        IF q.stages IS NOT NULL AND NOT 'done' = ANY (q.stages) AND q.states IS NULL AND q.assignee IS NULL
            AND q.unit IS NULL
        THEN
            -- The index of open orders has all that is asked for: no order itself is read, of smaller areas neither.
            SELECT array_agg(m.number) INTO v_numbers FROM (
                SELECT f.number FROM (
                    SELECT unnest(v_communities) AS id
                    UNION SELECT a.community_id FROM areas a WHERE a.tenant_id = p_tenant AND a.id = ANY (v_smaller)
                ) community,
                unnest(q.stages) AS wanted, LATERAL (
                    SELECT o.number FROM orders o
                    WHERE o.tenant_id = p_tenant AND o.stage <> 'done'
                        AND (o.community_id, o.stage, o.number) < (community.id, wanted, q.before)
                        AND (o.community_id, o.stage, o.number) > (community.id, wanted, 0)
                        AND (q.kind IS NULL OR o.kind = q.kind) AND (q.priority IS NULL OR o.priority = q.priority)
                        AND (community.id = ANY (v_communities) OR o.area_id = ANY (v_smaller))
                    ORDER BY o.community_id DESC, o.stage DESC, o.number DESC LIMIT q.page_size + 1
                ) f
                ORDER BY f.number DESC LIMIT q.page_size + 1
            ) m;
            v_smaller := NULL;
        ELSIF q.stages IS NOT NULL AND NOT 'done' = ANY (q.stages) THEN
            SELECT array_agg(m.number) INTO v_numbers FROM (
                SELECT f.number FROM unnest(v_communities) AS community, unnest(q.stages) AS wanted, LATERAL (
                    SELECT o.number FROM orders o
                    WHERE o.tenant_id = p_tenant AND o.stage <> 'done'
                        AND (o.community_id, o.stage, o.number) < (community, wanted, q.before)
                        AND (o.community_id, o.stage, o.number) > (community, wanted, 0)
                        AND order_fits(o, q.states, q.stages, q.kind, q.priority, q.assignee, q.unit)
                    ORDER BY o.community_id DESC, o.stage DESC, o.number DESC LIMIT q.page_size + 1
                ) f
                ORDER BY f.number DESC LIMIT q.page_size + 1
            ) m;
        ELSIF q.kind IS NOT NULL THEN
            SELECT array_agg(m.number) INTO v_numbers FROM (
                SELECT f.number FROM unnest(v_communities) AS community, LATERAL (
                    SELECT o.number FROM orders o
                    WHERE o.tenant_id = p_tenant AND (o.community_id, o.kind, o.number) < (community, q.kind, q.before)
                        AND (o.community_id, o.kind, o.number) > (community, q.kind, 0)
                        AND order_fits(o, q.states, q.stages, q.kind, q.priority, q.assignee, q.unit)
                    ORDER BY o.community_id DESC, o.kind DESC, o.number DESC LIMIT q.page_size + 1
                ) f
                ORDER BY f.number DESC LIMIT q.page_size + 1
            ) m;
        ELSIF q.states IS NOT NULL THEN
            SELECT array_agg(m.number) INTO v_numbers FROM (
                SELECT f.number FROM unnest(v_communities) AS community, unnest(q.states) AS wanted, LATERAL (
                    SELECT o.number FROM orders o
                    WHERE o.tenant_id = p_tenant AND (o.community_id, o.state, o.number) < (community, wanted, q.before)
                        AND (o.community_id, o.state, o.number) > (community, wanted, 0)
                        AND order_fits(o, q.states, q.stages, q.kind, q.priority, q.assignee, q.unit)
                    ORDER BY o.community_id DESC, o.state DESC, o.number DESC LIMIT q.page_size + 1
                ) f
                ORDER BY f.number DESC LIMIT q.page_size + 1
            ) m;
        ELSE
            SELECT array_agg(m.number) INTO v_numbers FROM (
                SELECT f.number FROM unnest(v_communities) AS community, LATERAL (
                    SELECT o.number FROM orders o
                    WHERE o.tenant_id = p_tenant
                        AND (o.community_id, o.number) < (community, q.before) AND (o.community_id, o.number) > (community, 0)
                        AND order_fits(o, q.states, q.stages, q.kind, q.priority, q.assignee, q.unit)
                    ORDER BY o.community_id DESC, o.number DESC LIMIT q.page_size + 1
                ) f
                ORDER BY f.number DESC LIMIT q.page_size + 1
            ) m;
        END IF;
        IF v_smaller IS NOT NULL THEN
            SELECT array_agg(m.number) INTO v_numbers FROM (
                SELECT unnest(v_numbers) AS number
                UNION ALL
                SELECT f.number FROM unnest(v_smaller) AS smaller, LATERAL (
                    SELECT o.number FROM orders o
                    WHERE o.tenant_id = p_tenant
                        AND (o.area_id, o.number) < (smaller, q.before) AND (o.area_id, o.number) > (smaller, 0)
                        AND order_fits(o, q.states, q.stages, q.kind, q.priority, q.assignee, q.unit)
                    ORDER BY o.area_id DESC, o.number DESC LIMIT q.page_size + 1
                ) f
                ORDER BY number DESC LIMIT q.page_size + 1
            ) m;
        END IF;
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
                ELSE order_sees_details(o, order_facts_of_caller(o, p_query))
            END
        )
        FROM orders o WHERE o.tenant_id = p_tenant AND o.number = page.number
    ), ',' ORDER BY page.number DESC) INTO v_items
    FROM unnest(v_numbers[:q.page_size]) AS page (number);
    RETURN '{"items":[' || COALESCE(v_items, '') || '],"next_cursor":'
        || CASE WHEN cardinality(v_numbers) > q.page_size THEN '"' || v_numbers[q.page_size] || '"' ELSE 'null' END || '}';
END $$
