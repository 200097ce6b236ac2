-- Whether the tenant's books are being imported: nobody else may post to them then. Whoever asks keeps an import from
-- beginning, or going on, until their transaction ends, and waits for one that is under way. VOLATILE, because after the
-- wait it has to see what that import has committed. The caller has set the tenant.
CREATE FUNCTION ledger_is_importing(p_tenant uuid) RETURNS boolean LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtextextended('ledger import ' || p_tenant, 0));
    RETURN EXISTS (SELECT FROM ledger_imports i WHERE i.tenant_id = p_tenant AND i.completed_at IS NULL);
END $$
