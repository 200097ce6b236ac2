-- The tenants whose clocks wait for the keeper: an order to be computed anew, a clock with something to tell by
-- p_told_until, something new that counts since p_told_until or before.
-- Row security allows one tenant at a time, so it asks for each in turn.
CREATE FUNCTION clock_due_tenants(p_told_until timestamptz)
RETURNS TABLE (tenant_id uuid) LANGUAGE plpgsql AS $$
DECLARE
    tenant uuid;
BEGIN
    FOR tenant IN SELECT t.id FROM tenants t LOOP
        EXECUTE format('SET LOCAL linli.tenant = %L', tenant);
        IF EXISTS (SELECT FROM order_clock_work w WHERE w.tenant_id = tenant)
            OR EXISTS (SELECT FROM order_clocks c WHERE c.tenant_id = tenant AND c.next_at <= p_told_until)
            OR EXISTS (SELECT FROM clock_recounts r WHERE r.tenant_id = tenant AND r.due_at <= p_told_until)
        THEN
            tenant_id := tenant;
            RETURN NEXT;
        END IF;
    END LOOP;
    SET LOCAL linli.tenant = '';
END $$
