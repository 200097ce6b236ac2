-- One step of an order (order_step), once: the idempotency key recalls and stores its answer.
CREATE FUNCTION order_advance(p_tenant uuid, p_command jsonb)
RETURNS TABLE (status smallint, body text, replayed boolean) LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    v_account uuid := p_command->>'account';
    v_key text := p_command->>'idempotency_key';
    v_hash bytea := decode(p_command->>'request_hash', 'hex');
    known record;
    answer record;
BEGIN
    EXECUTE format('SET LOCAL linli.tenant = %L', p_tenant);
    SELECT * INTO known FROM idempotency_recall(p_tenant, v_account, v_key, v_hash);
    IF FOUND THEN
        RETURN QUERY SELECT known.status, known.body, true;
        RETURN;
    END IF;
    SELECT * INTO answer FROM order_step(p_tenant, p_command);
    PERFORM idempotency_store(p_tenant, v_account, v_key, v_hash, answer.status, answer.body);
    status := answer.status;
    body := answer.body;
    replayed := false;
    RETURN NEXT;
END $$
