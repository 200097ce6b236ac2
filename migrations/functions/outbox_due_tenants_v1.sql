-- The tenants with something due to a listener. Row security allows one tenant at a time, so it asks for each in turn.
CREATE FUNCTION outbox_due_tenants(p_listener text, p_now timestamptz)
RETURNS TABLE (tenant_id uuid) LANGUAGE plpgsql AS $$
DECLARE
    tenant uuid;
BEGIN
    FOR tenant IN SELECT t.id FROM tenants t LOOP
        EXECUTE format('SET LOCAL linli.tenant = %L', tenant);
        IF EXISTS (
            SELECT FROM outbox_deliveries d
            WHERE d.tenant_id = tenant AND d.listener = p_listener AND d.delivered_at IS NULL AND d.due_at <= p_now
        ) THEN
            tenant_id := tenant;
            RETURN NEXT;
        END IF;
    END LOOP;
    SET LOCAL linli.tenant = '';
END $$
