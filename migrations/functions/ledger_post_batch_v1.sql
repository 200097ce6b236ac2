-- ledger_post for many commands, answered in their order. Takes every key, then every account of the batch before it
-- posts anything, both in the order in which all others take them: batches and single posts never wait in a circle.
CREATE FUNCTION ledger_post_batch(p_tenants uuid[], p_commands jsonb[])
RETURNS TABLE (status smallint, body text, replayed boolean) LANGUAGE plpgsql AS $$
DECLARE
    item record;
BEGIN
    FOR item IN
        SELECT c.tenant, (c.command->>'account')::uuid AS account, c.command->>'idempotency_key' AS key
        FROM unnest(p_tenants, p_commands) AS c (tenant, command)
        WHERE c.command->>'idempotency_key' IS NOT NULL
        ORDER BY 1, 2, 3
    LOOP
        PERFORM idempotency_recall(item.tenant, item.account, item.key, '');
    END LOOP;
    FOR item IN
        SELECT c.tenant, array_agg(DISTINCT (l.kind, l.owner_id)) AS parties
        FROM unnest(p_tenants, p_commands) AS c (tenant, command),
            ROWS FROM (
                jsonb_array_elements_text(c.command->'leg_kinds'), jsonb_array_elements_text(c.command->'leg_owners')
            ) AS l (kind, owner_id)
        GROUP BY c.tenant
        ORDER BY c.tenant
    LOOP
        EXECUTE format('SET LOCAL linli.tenant = %L', item.tenant);
    END LOOP;
    RETURN QUERY
    SELECT r.status, r.body, r.replayed
    FROM unnest(p_tenants, p_commands) WITH ORDINALITY AS c (tenant, command, place),
        LATERAL ledger_post(c.tenant, c.command) AS r
    ORDER BY c.place;
END $$
