-- What the books of each tenant wait for now, by the ledger's clock: expire_holds, expire_lots, seal, publish_head.
-- Tenants with nothing to do are left out, and so are books that are being imported: what follows comes with the file.
-- Row security allows one tenant at a time, so it asks for each in turn.
CREATE FUNCTION ledger_due_work()
RETURNS TABLE (tenant_id uuid, work text[]) LANGUAGE plpgsql AS $$
DECLARE
    tenant uuid;
    v_now timestamptz := ledger_now();
BEGIN
    FOR tenant IN SELECT t.id FROM tenants t LOOP
        EXECUTE format('SET LOCAL linli.tenant = %L', tenant);
        CONTINUE WHEN EXISTS (
            SELECT FROM ledger_imports i WHERE i.tenant_id = tenant AND i.completed_at IS NULL
        );
        work := '{}';
        IF EXISTS (SELECT FROM ledger_open_holds h WHERE h.tenant_id = tenant AND h.expires_at <= v_now) THEN
            work := work || 'expire_holds'::text;
        END IF;
        IF EXISTS (
            SELECT FROM ledger_lots l WHERE l.tenant_id = tenant AND l.remaining > 0 AND l.expires_at <= v_now
        ) THEN
            work := work || 'expire_lots'::text;
        END IF;
        IF EXISTS (SELECT FROM ledger_unsealed u WHERE u.tenant_id = tenant) THEN
            work := work || 'seal'::text;
        END IF;
        IF EXISTS (SELECT FROM ledger_chain_heads h WHERE h.tenant_id = tenant AND h.position > 0) AND NOT EXISTS (
            SELECT FROM ledger_published_heads p
            WHERE p.tenant_id = tenant AND p.published_on = (v_now AT TIME ZONE 'Asia/Shanghai')::date
        ) THEN
            work := work || 'publish_head'::text;
        END IF;
        IF cardinality(work) > 0 THEN
            tenant_id := tenant;
            RETURN NEXT;
        END IF;
    END LOOP;
    SET LOCAL linli.tenant = '';
END $$
