-- Posts a hold, in full or in part, or voids it. A hold ends once.
-- p_command: services/points/holds/actions.py HoldEndCommand. Locks its key, then the accounts on both sides.
CREATE FUNCTION ledger_hold_end(p_tenant uuid, p_command jsonb)
RETURNS TABLE (status smallint, body text, replayed boolean) LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    c ledger_hold_end_command := jsonb_populate_record(NULL::ledger_hold_end_command, p_command);
    known record;
    answer record;
    v_hash bytea := decode(c.request_hash, 'hex');
BEGIN
    EXECUTE format('SET LOCAL linli.tenant = %L', p_tenant);
    IF ledger_is_importing(p_tenant) THEN
        RETURN QUERY SELECT 409::smallint, '{"code":"import_under_way"}', false;
        RETURN;
    END IF;
    SELECT r.* INTO known FROM idempotency_recall(p_tenant, c.account, c.idempotency_key, v_hash) AS r;
    IF FOUND THEN
        RETURN QUERY SELECT known.status, known.body, true;
        RETURN;
    END IF;
    SELECT * INTO answer FROM ledger_hold_end_decided(p_tenant, c);
    PERFORM idempotency_store(p_tenant, c.account, c.idempotency_key, v_hash, answer.status, answer.body);
    RETURN QUERY SELECT answer.status, answer.body, false;
END $$
