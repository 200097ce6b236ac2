-- Takes a transaction back, once, with a transaction of its own. A reversal and an expiry are not taken back.
-- What members had spent returns to the very lots it came from. What they had earned is taken from the lots it opened,
-- then, if it has been spent, from what they have besides; what of it has expired comes out of the expiry account. What
-- is still missing is refused or becomes a debt, as the district has decided.
-- p_command: services/points/ledger/actions.py ReverseCommand. Locks its key, the reversal as a source, the accounts.
CREATE FUNCTION ledger_reverse(p_tenant uuid, p_command jsonb)
RETURNS TABLE (status smallint, body text, replayed boolean) LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    c ledger_reverse_command := jsonb_populate_record(NULL::ledger_reverse_command, p_command);
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
    SELECT * INTO answer FROM ledger_reverse_decided(p_tenant, c);
    PERFORM idempotency_store(p_tenant, c.account, c.idempotency_key, v_hash, answer.status, answer.body);
    RETURN QUERY SELECT answer.status, answer.body, false;
END $$
