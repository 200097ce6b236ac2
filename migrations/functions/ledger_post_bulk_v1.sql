-- Posts up to 500 transactions in one request with one idempotency key. `mode` all_or_nothing: one refusal and nothing
-- is posted; each: every one by itself. Answers what became of each, in the order given.
-- p_command: services/points/ledger/posting.py BulkCommand; its transactions carry no keys of their own.
CREATE FUNCTION ledger_post_bulk(p_tenant uuid, p_command jsonb)
RETURNS TABLE (status smallint, body text, replayed boolean) LANGUAGE plpgsql AS $$
DECLARE
    known record;
    v_account uuid := p_command->>'account';
    v_key text := p_command->>'idempotency_key';
    v_hash bytea := decode(p_command->>'request_hash', 'hex');
    v_items jsonb[] := ARRAY(SELECT jsonb_array_elements(p_command->'transactions'));
    v_results json;
    v_refusals json;
    v_refused bigint;
    v_status smallint;
    v_body text;
BEGIN
    EXECUTE format('SET LOCAL linli.tenant = %L', p_tenant);
    SELECT r.* INTO known FROM idempotency_recall(p_tenant, v_account, v_key, v_hash) AS r;
    IF FOUND THEN
        RETURN QUERY SELECT known.status, known.body, true;
        RETURN;
    END IF;
    BEGIN
        SELECT
            json_agg(
                json_build_object(
                    'index', b.place - 1,
                    'status', b.status,
                    'posting_id', CASE WHEN b.status = 201 THEN b.body::json->>'id' END,
                    'code', CASE WHEN b.status <> 201 THEN b.body::json->>'code' END
                ) ORDER BY b.place
            ),
            json_agg(
                json_build_object('index', b.place - 1, 'status', b.status, 'code', b.body::json->>'code')
                ORDER BY b.place
            ) FILTER (WHERE b.status <> 201),
            count(*) FILTER (WHERE b.status <> 201)
        INTO v_results, v_refusals, v_refused
        FROM ledger_post_batch(array_fill(p_tenant, ARRAY[cardinality(v_items)]), v_items)
            WITH ORDINALITY AS b (status, body, replayed, place);
        IF v_refused > 0 AND p_command->>'mode' = 'all_or_nothing' THEN
            RAISE EXCEPTION USING ERRCODE = 'LB001';
        END IF;
        v_status := 200;
        v_body := json_build_object(
            'posted', cardinality(v_items) - v_refused, 'refused', v_refused, 'results', v_results
        );
    EXCEPTION WHEN SQLSTATE 'LB001' THEN
        v_status := 409;
        v_body := json_build_object('code', 'bulk_refused', 'refused', v_refused, 'results', v_refusals);
    END;
    PERFORM idempotency_store(p_tenant, v_account, v_key, v_hash, v_status, v_body);
    RETURN QUERY SELECT v_status, v_body, false;
END $$
