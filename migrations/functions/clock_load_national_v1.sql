-- Takes in the years that are not known yet, [{"year", "days"}, …]; answers how many that were.
-- What is known is never changed: a district loads its own version instead. Where clocks run, they are counted anew.
CREATE FUNCTION clock_load_national(p_years jsonb, p_source text, p_now timestamptz)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    tenant uuid;
    v_fresh bigint;
BEGIN
    INSERT INTO national_calendars (year, days, source, loaded_at)
    SELECT y.year, y.days, p_source, p_now FROM jsonb_to_recordset(p_years) AS y (year smallint, days jsonb)
    ON CONFLICT (year) DO NOTHING;
    GET DIAGNOSTICS v_fresh = ROW_COUNT;
    IF v_fresh > 0 THEN
        FOR tenant IN SELECT t.id FROM tenants t LOOP
            EXECUTE format('SET LOCAL linli.tenant = %L', tenant);
            INSERT INTO clock_recounts (tenant_id, id, due_at)
            SELECT tenant, gen_random_uuid(), p_now
            WHERE EXISTS (SELECT FROM clock_policies p WHERE p.tenant_id = tenant);
        END LOOP;
        SET LOCAL linli.tenant = '';
    END IF;
    RETURN v_fresh;
END $$
