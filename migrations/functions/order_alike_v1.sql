-- Open orders that may tell of the same thing as one at a place: as a JSON list, at most `most` per stage and reason.
-- The reasons to look: the same kind, near the point, in the same community at all, of one's own household.
-- What is alike is decided by services/orders/reading/likeness.py, which needs the words: it shows them to those only
-- who may read them. Without `sees_all` only orders the community may know of, and those of the caller's households.
CREATE FUNCTION order_alike(p_tenant uuid, p_query jsonb) RETURNS text LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off
SET enable_sort = off SET enable_incremental_sort = off AS $$
DECLARE
    q record;
    v_numbers bigint[];
    v_items text;
BEGIN
    EXECUTE format('SET LOCAL linli.tenant = %L', p_tenant);
    SELECT * INTO q FROM jsonb_to_record(p_query) AS x (
        community uuid, kind text, lng double precision, lat double precision, near_degrees double precision,
        except_number bigint, sees_all boolean, resident uuid, stages text[], most bigint
    );
    SELECT array_agg(DISTINCT found.number) INTO v_numbers FROM (
        SELECT f.number FROM unnest(q.stages) AS wanted, unnest(ARRAY['kind', 'point', 'any']) AS reason, LATERAL (
            SELECT o.number FROM orders o
            WHERE o.tenant_id = p_tenant AND o.stage <> 'done'
                AND (o.community_id, o.stage, o.number) < (q.community, wanted, 4611686018427387904)
                AND (o.community_id, o.stage, o.number) > (q.community, wanted, 0)
                AND (q.sees_all OR o.visibility = 'community')
                AND CASE reason
                    WHEN 'kind' THEN o.kind = q.kind
                    WHEN 'point' THEN o.lng BETWEEN q.lng - q.near_degrees AND q.lng + q.near_degrees
                        AND o.lat BETWEEN q.lat - q.near_degrees AND q.lat + q.near_degrees
                    ELSE true
                END
            ORDER BY o.community_id DESC, o.stage DESC, o.number DESC LIMIT q.most
        ) f
        UNION ALL
        SELECT f.number FROM (
            SELECT theirs.resident_id FROM household_members mine
            JOIN household_members theirs
                ON theirs.tenant_id = mine.tenant_id AND theirs.household_id = mine.household_id
            WHERE mine.tenant_id = p_tenant AND mine.resident_id = q.resident
            UNION SELECT q.resident
        ) family, LATERAL (
            SELECT o.number, o.stage FROM orders o
            WHERE o.tenant_id = p_tenant AND (o.resident_id, o.number) < (family.resident_id, 4611686018427387904)
                AND (o.resident_id, o.number) > (family.resident_id, 0)
            ORDER BY o.resident_id DESC, o.number DESC LIMIT q.most
        ) f
        WHERE f.stage = ANY (q.stages)
    ) found
    WHERE found.number IS DISTINCT FROM q.except_number;
    SELECT string_agg((
        SELECT json_build_object(
            'id', o.id, 'number', order_number(o.number), 'kind', o.kind,
            'kind_name', (SELECT k.name FROM order_kinds k WHERE k.tenant_id = o.tenant_id AND k.id = o.kind),
            'state', o.state, 'stage', o.stage, 'area_id', o.area_id,
            'area_name', (SELECT a.name FROM areas a WHERE a.tenant_id = o.tenant_id AND a.id = o.area_id),
            'placed_at', o.placed_at, 'lng', o.lng, 'lat', o.lat, 'text', o.description,
            'reporters', 1 + (
                SELECT count(*) FROM orders m
                WHERE m.tenant_id = o.tenant_id AND m.merged_into = o.id
            )
        )::text
        FROM orders o WHERE o.tenant_id = p_tenant AND o.number = shown.number
    ), ',' ORDER BY shown.number DESC) INTO v_items
    FROM unnest(v_numbers) AS shown (number);
    RETURN '[' || COALESCE(v_items, '') || ']';
END $$
