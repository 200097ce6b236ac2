-- The answer already given for this key of this caller, or no row. Takes the key's lock until the transaction ends:
-- the same request sent twice at once waits here, and then finds the first one's answer.
-- Keys are looked up by the index also by a session that planned this while the table was empty; and by all of its
-- columns: a name like CURRENT_USER is compared after the index unless it is made a text.
CREATE FUNCTION idempotency_recall(p_tenant uuid, p_account uuid, p_key text, p_hash bytea)
RETURNS TABLE (status smallint, body text) LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    known idempotency_keys;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(CURRENT_USER || p_account::text || p_key, 0));
    SELECT k.* INTO known FROM idempotency_keys k
    WHERE k.tenant_id = p_tenant AND k.service = CURRENT_USER::text AND k.account_id = p_account AND k.key = p_key;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    IF known.request_hash <> p_hash THEN
        RETURN QUERY SELECT 422::smallint, '{"code":"idempotency_key_reused"}';
    ELSE
        RETURN QUERY SELECT known.status, known.body;
    END IF;
END $$
