-- The numbers of somebody's tasks, newest first, at most `p_most` behind `before`: what I am to do, what my units are to
-- do, and where I or they assist. What counts as a task is said here alone: lists, search and the first screen ask.
-- Of `p_query` it reads account, now and before, and states, stages, kind, priority, assignee and unit as order_list does.
-- Flat: each branch walks an index backwards; where people assist are few beside the rest.
CREATE FUNCTION order_tasks(p_tenant uuid, p_query jsonb, p_most bigint) RETURNS bigint[] LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off
SET enable_sort = off SET enable_incremental_sort = off AS $$
DECLARE
    q record;
    v_units uuid[] := order_units_of(p_tenant, (p_query ->> 'account')::uuid, (p_query ->> 'now')::timestamptz);
    v_numbers bigint[];
BEGIN
    SELECT * INTO q FROM jsonb_to_record(p_query) AS x (
        account uuid, states text[], stages text[], kind text, priority text, assignee uuid, unit uuid,
        before bigint
    );
    SELECT array_agg(m.number) INTO v_numbers FROM (
        (
            -- What is at hand has an index of its own: done is much more, and more every day.
            SELECT o.number FROM orders o
            WHERE o.tenant_id = p_tenant AND o.stage = 'handle' AND q.stages = ARRAY['handle']
                AND (o.assignee_id, o.number) < (q.account, q.before) AND (o.assignee_id, o.number) > (q.account, 0)
                AND order_fits(o, q.states, q.stages, q.kind, q.priority, q.assignee, q.unit)
            ORDER BY o.assignee_id DESC, o.number DESC LIMIT p_most
        ) UNION (
            SELECT o.number FROM orders o
            WHERE o.tenant_id = p_tenant AND q.stages IS DISTINCT FROM ARRAY['handle']
                AND (o.assignee_id, o.number) < (q.account, q.before) AND (o.assignee_id, o.number) > (q.account, 0)
                AND o.assignee_id IS NOT NULL
                AND order_fits(o, q.states, q.stages, q.kind, q.priority, q.assignee, q.unit)
            ORDER BY o.assignee_id DESC, o.number DESC LIMIT p_most
        ) UNION (
            SELECT f.number FROM unnest(v_units) AS own, LATERAL (
                SELECT o.number FROM orders o
                WHERE o.tenant_id = p_tenant
                    AND (o.unit_id, o.number) < (own, q.before) AND (o.unit_id, o.number) > (own, 0)
                    AND o.unit_id IS NOT NULL
                    AND order_fits(o, q.states, q.stages, q.kind, q.priority, q.assignee, q.unit)
                ORDER BY o.unit_id DESC, o.number DESC LIMIT p_most
            ) f
        ) UNION (
            SELECT o.number FROM order_helpers h JOIN orders o ON o.tenant_id = h.tenant_id AND o.id = h.order_id
            WHERE h.tenant_id = p_tenant AND h.account_id = q.account AND h.left_at IS NULL AND o.number < q.before
                AND order_fits(o, q.states, q.stages, q.kind, q.priority, q.assignee, q.unit)
        ) UNION (
            SELECT o.number FROM order_units u JOIN orders o ON o.tenant_id = u.tenant_id AND o.id = u.order_id
            WHERE u.tenant_id = p_tenant AND u.unit_id = ANY (v_units) AND u.removed_at IS NULL AND o.number < q.before
                AND order_fits(o, q.states, q.stages, q.kind, q.priority, q.assignee, q.unit)
        )
        ORDER BY number DESC LIMIT p_most
    ) m;
    RETURN COALESCE(v_numbers, '{}');
END $$
