-- The tenants in which an order may wait for automatic dispatch (services/orders/matching/dispatching.py).
-- Row security allows one tenant at a time, so it asks for each in turn.
CREATE FUNCTION dispatch_due_tenants(p_now timestamptz)
RETURNS TABLE (tenant_id uuid) LANGUAGE plpgsql AS $$
DECLARE
    tenant uuid;
BEGIN
    FOR tenant IN SELECT t.id FROM tenants t LOOP
        EXECUTE format('SET LOCAL linli.tenant = %L', tenant);
        IF EXISTS (
            SELECT FROM dispatch_policies p
            WHERE p.tenant_id = tenant AND p.mode = 'automatic' AND p.active_from <= p_now
        ) THEN
            tenant_id := tenant;
            RETURN NEXT;
        END IF;
    END LOOP;
    SET LOCAL linli.tenant = '';
END $$
