-- Ends at most `p_limit` holds whose time is over. Answers how many. For any number of workers: an account somebody else
-- is at is left for the next time, and a hold ends once.
CREATE FUNCTION ledger_expire_holds(p_tenant uuid, p_limit integer) RETURNS integer LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    v_now timestamptz := ledger_now();
    v_accounts uuid[];
    hold ledger_holds;
    v_count integer := 0;
BEGIN
    EXECUTE format('SET LOCAL linli.tenant = %L', p_tenant);
    IF ledger_is_importing(p_tenant) THEN
        RETURN 0;
    END IF;
    v_accounts := ARRAY(
        SELECT a.id FROM ledger_accounts a
        WHERE a.tenant_id = p_tenant AND a.id IN (
            SELECT o.account_id FROM ledger_open_holds o
            WHERE o.tenant_id = p_tenant AND o.expires_at <= v_now ORDER BY o.expires_at LIMIT p_limit
        )
        ORDER BY a.id FOR NO KEY UPDATE SKIP LOCKED
    );
    FOR hold IN
        SELECT h.* FROM ledger_open_holds o
        JOIN ledger_holds h ON h.tenant_id = p_tenant AND h.id = o.hold_id
        WHERE o.tenant_id = p_tenant AND o.account_id = ANY (v_accounts) AND o.expires_at <= v_now
        ORDER BY o.expires_at, o.hold_id
    LOOP
        PERFORM ledger_release(p_tenant, hold, 'expired', '', NULL, v_now);
        v_count := v_count + 1;
    END LOOP;
    RETURN v_count;
END $$
