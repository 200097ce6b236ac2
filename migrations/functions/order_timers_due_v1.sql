-- The tenants in which the system has a step to take (services/orders/orders/timing.py).
-- Row security allows one tenant at a time, so it asks for each in turn.
CREATE FUNCTION order_timers_due(p_now timestamptz)
RETURNS TABLE (tenant_id uuid) LANGUAGE plpgsql AS $$
DECLARE
    tenant uuid;
BEGIN
    FOR tenant IN SELECT t.id FROM tenants t LOOP
        EXECUTE format('SET LOCAL linli.tenant = %L', tenant);
        IF EXISTS (SELECT FROM orders o WHERE o.tenant_id = tenant AND o.timer_at <= p_now) THEN
            tenant_id := tenant;
            RETURN NEXT;
        END IF;
    END LOOP;
    SET LOCAL linli.tenant = '';
END $$
