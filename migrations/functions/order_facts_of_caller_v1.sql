-- Who the caller of a query is to an order (order_facts). Of `p_query` it reads account, resident, now, and the areas of
-- the caller's roles: dispatches, oversees, serves, seniors.
CREATE FUNCTION order_facts_of_caller(o orders, p_query jsonb) RETURNS text[] LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    q record;
BEGIN
    SELECT * INTO q FROM jsonb_to_record(p_query) AS x (
        account uuid, resident uuid, dispatches uuid[], oversees uuid[], serves uuid[], seniors uuid[], now timestamptz
    );
    RETURN order_facts(
        o, q.account, q.resident, a.ancestor_ids, q.dispatches, q.oversees, q.serves, q.seniors, q.now
    ) FROM areas a WHERE a.tenant_id = o.tenant_id AND a.id = o.area_id;
END $$
