-- The tenants whose recurring orders wait for the keeper: one to be looked at by p_now, or an order of one that waits for
-- a helper again. Row security allows one tenant at a time, so it asks for each in turn.
CREATE FUNCTION recurring_due_tenants(p_now timestamptz)
RETURNS TABLE (tenant_id uuid) LANGUAGE plpgsql AS $$
DECLARE
    tenant uuid;
BEGIN
    FOR tenant IN SELECT t.id FROM tenants t LOOP
        EXECUTE format('SET LOCAL linli.tenant = %L', tenant);
        IF EXISTS (SELECT FROM recurring_orders r WHERE r.tenant_id = tenant AND r.next_at <= p_now)
            OR EXISTS (SELECT FROM recurring_order_work w WHERE w.tenant_id = tenant)
        THEN
            tenant_id := tenant;
            RETURN NEXT;
        END IF;
    END LOOP;
    SET LOCAL linli.tenant = '';
END $$
