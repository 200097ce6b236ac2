-- The tenants with orders that are not in the index of words yet.
-- Row security allows one tenant at a time, so it asks for each in turn.
CREATE FUNCTION order_words_due() RETURNS TABLE (tenant_id uuid) LANGUAGE plpgsql AS $$
DECLARE
    tenant uuid;
BEGIN
    FOR tenant IN SELECT t.id FROM tenants t LOOP
        EXECUTE format('SET LOCAL linli.tenant = %L', tenant);
        IF EXISTS (SELECT FROM order_word_work w WHERE w.tenant_id = tenant) THEN
            tenant_id := tenant;
            RETURN NEXT;
        END IF;
    END LOOP;
    SET LOCAL linli.tenant = '';
END $$
