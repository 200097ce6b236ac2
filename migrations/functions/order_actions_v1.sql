-- What a person, known by the facts that hold, may do with the order now, in the order of its lifecycle.
CREATE FUNCTION order_actions(
    o orders, p_compiled jsonb, p_facts text[], p_account uuid, p_now timestamptz
) RETURNS text[] LANGUAGE sql STABLE
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
    SELECT COALESCE(array_agg(a.action ORDER BY a.place), '{}')
    FROM jsonb_array_elements_text(p_compiled->'actions') WITH ORDINALITY AS a (action, place),
        LATERAL (SELECT p_compiled #> ARRAY['steps', a.action, o.state] AS row) AS step
    WHERE step.row->'who' ?| p_facts
        AND order_obstacle(o, p_compiled->'limits', a.action, step.row->'needs', p_facts, p_account, p_now) IS NULL
$$
