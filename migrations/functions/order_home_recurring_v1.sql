-- The coming visits of one's recurring orders, as far as they are arranged, for the first screen: a JSON list.
-- Mine: those for me, and those I arranged for others.
CREATE FUNCTION order_home_recurring(
    p_tenant uuid, p_account uuid, p_resident uuid, p_now timestamptz, p_most bigint
) RETURNS text LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    v_visits text;
BEGIN
    SELECT string_agg(json_build_object(
        'recurring_order_id', v.recurring_order_id, 'kind', v.kind, 'occurrence_on', v.occurrence_on,
        'planned_from', v.planned_from, 'planned_until', v.planned_until, 'outcome', v.outcome, 'order_id', v.order_id
    )::text, ',' ORDER BY v.planned_from, v.recurring_order_id) INTO v_visits
    FROM (
        SELECT c.*, own.kind FROM (
            SELECT r.id, r.kind FROM recurring_orders r WHERE r.tenant_id = p_tenant AND r.resident_id = p_resident
            UNION
            SELECT r.id, r.kind FROM recurring_orders r WHERE r.tenant_id = p_tenant AND r.placed_by = p_account
        ) own
        JOIN recurring_order_occurrences c ON c.tenant_id = p_tenant AND c.recurring_order_id = own.id
        WHERE c.planned_from > p_now AND c.occurrence_on >= (p_now AT TIME ZONE 'Asia/Shanghai')::date - 40
        ORDER BY c.planned_from, c.recurring_order_id LIMIT p_most
    ) v;
    RETURN '[' || COALESCE(v_visits, '') || ']';
END $$
