-- ledger_post for many commands, answered in their order. Before it posts anything it takes every key, then every account
-- of the batch, both sorted as everybody else takes them: batches and single postings never wait in a circle.
CREATE FUNCTION ledger_post_batch(p_tenants uuid[], p_commands jsonb[])
RETURNS TABLE (status smallint, body text, replayed boolean) LANGUAGE plpgsql AS $$
DECLARE
    item record;
    v_ids uuid[];
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
        SELECT c.tenant, array_agg(l.kind) AS kinds, array_agg(l.owner_id::uuid) AS owners
        FROM unnest(p_tenants, p_commands) AS c (tenant, command),
            ROWS FROM (
                jsonb_array_elements_text(c.command->'leg_kinds'), jsonb_array_elements_text(c.command->'leg_owners')
            ) AS l (kind, owner_id)
        GROUP BY c.tenant
        ORDER BY c.tenant
    LOOP
        EXECUTE format('SET LOCAL linli.tenant = %L', item.tenant);
        v_ids := ARRAY(
            SELECT (
                SELECT a.id FROM ledger_accounts a
                WHERE a.tenant_id = item.tenant AND a.asset = 'points' AND a.kind = l.kind AND a.owner_id = l.owner_id
            )
            FROM unnest(item.kinds, item.owners) AS l (kind, owner_id)
        );
        PERFORM FROM ledger_accounts a
        WHERE a.tenant_id = item.tenant AND a.id = ANY (v_ids) ORDER BY a.id FOR NO KEY UPDATE;
    END LOOP;
    RETURN QUERY
    SELECT r.status, r.body, r.replayed
    FROM unnest(p_tenants, p_commands) WITH ORDINALITY AS c (tenant, command, place),
        LATERAL ledger_post(c.tenant, c.command) AS r
    ORDER BY c.place;
END $$
