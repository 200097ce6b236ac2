-- Posts one transaction to the ledger: all of its legs or none, once per source and, when the command carries an
-- idempotency key, once per key. p_command: services/points/ledger/actions.py PostCommand. Never raises for a refusal.
-- Locks the accounts it moves in id order until the transaction ends. Commits nothing.
CREATE FUNCTION ledger_post(p_tenant uuid, p_command jsonb)
RETURNS TABLE (status smallint, body text, replayed boolean) LANGUAGE plpgsql AS $$
DECLARE
    c record;
    known record;
    accounts record;
    posted ledger_transactions;
    v_answer text;
    v_status smallint;
    v_replayed boolean := false;
BEGIN
    EXECUTE format('SET LOCAL linli.tenant = %L', p_tenant);
    SELECT * INTO c FROM jsonb_to_record(p_command) AS x (
        account uuid, idempotency_key text, request_hash text, issuer_areas uuid[],
        id uuid, kind text, source_kind text, source_id text, reason text, effective_at timestamptz, details jsonb, legs jsonb
    );
    IF c.idempotency_key IS NOT NULL THEN
        SELECT * INTO known
        FROM idempotency_recall(p_tenant, c.account, c.idempotency_key, decode(c.request_hash, 'hex'));
        IF FOUND THEN
            RETURN QUERY SELECT known.status, known.body, true;
            RETURN;
        END IF;
    END IF;

    <<decide>>
    BEGIN
        SELECT t.* INTO posted FROM ledger_transactions t
        WHERE t.tenant_id = p_tenant AND t.source_kind = c.source_kind AND t.source_id = c.source_id;
        IF FOUND THEN
            v_replayed := true;
            v_status := 201;
            v_answer := ledger_posting_json(posted);
            EXIT decide;
        END IF;
        v_status := 422;
        IF NOT ledger_legs_balance(c.legs) THEN
            v_answer := '{"code":"unbalanced_legs"}';
            EXIT decide;
        END IF;
        IF c.issuer_areas IS NOT NULL THEN
            SELECT r.status, r.body INTO v_status, v_answer
            FROM ledger_clerk_refusal(p_tenant, c.account, c.issuer_areas, c.legs) AS r;
            EXIT decide WHEN FOUND;
        END IF;

        LOOP
            WITH legs AS (
                SELECT * FROM jsonb_to_recordset(c.legs) AS l (kind text, owner_id uuid, amount bigint)
            ), locked AS MATERIALIZED (
                SELECT a.kind, a.owner_id, a.balance
                FROM legs l JOIN ledger_accounts a
                    ON a.tenant_id = p_tenant AND a.asset = 'points' AND a.kind = l.kind AND a.owner_id = l.owner_id
                ORDER BY a.id
                FOR NO KEY UPDATE OF a
            )
            SELECT
                bool_or(k.balance IS NULL) AS some_missing,
                min(COALESCE(k.balance, 0)) FILTER (
                    WHERE l.kind <> 'issuing_community' AND COALESCE(k.balance, 0) + l.amount < 0
                ) AS insufficient
            INTO accounts
            FROM legs l LEFT JOIN locked k ON k.kind = l.kind AND k.owner_id = l.owner_id;
            IF accounts.insufficient IS NOT NULL THEN
                v_status := 409;
                v_answer := json_build_object('code', 'insufficient_points', 'balance', accounts.insufficient);
                EXIT decide;
            END IF;
            EXIT WHEN NOT accounts.some_missing;
            INSERT INTO ledger_accounts (tenant_id, id, asset, kind, owner_id)
            SELECT p_tenant, l.new_account_id, 'points', l.kind, l.owner_id
            FROM jsonb_to_recordset(c.legs) AS l (kind text, owner_id uuid, new_account_id uuid)
            ORDER BY l.kind, l.owner_id
            ON CONFLICT (tenant_id, asset, kind, owner_id) DO NOTHING;
        END LOOP;

        WITH recorded AS (
            INSERT INTO ledger_transactions
                (tenant_id, id, kind, source_kind, source_id, reason, effective_at, recorded_by, details)
            VALUES (
                p_tenant, c.id, c.kind, c.source_kind, c.source_id, c.reason, c.effective_at, c.account,
                COALESCE(c.details, '{}')
            )
            ON CONFLICT (tenant_id, source_kind, source_id) DO NOTHING
            RETURNING *
        ), moved AS (
            UPDATE ledger_accounts a SET balance = a.balance + l.amount, version = a.version + 1
            FROM recorded, jsonb_to_recordset(c.legs) AS l (kind text, owner_id uuid, amount bigint)
            WHERE a.tenant_id = p_tenant AND a.asset = 'points' AND a.kind = l.kind AND a.owner_id = l.owner_id
            RETURNING a.id, a.version, l.amount, a.balance
        ), entered AS (
            INSERT INTO ledger_entries (tenant_id, account_id, sequence, transaction_id, amount, balance_after)
            SELECT p_tenant, m.id, m.version, c.id, m.amount, m.balance FROM moved m
        )
        SELECT r.* INTO posted FROM recorded r;
        IF NOT FOUND THEN
            v_replayed := true;
            SELECT t.* INTO posted FROM ledger_transactions t
            WHERE t.tenant_id = p_tenant AND t.source_kind = c.source_kind AND t.source_id = c.source_id;
        END IF;
        v_status := 201;
        v_answer := ledger_posting_json(posted);
    END;

    IF c.idempotency_key IS NOT NULL THEN
        PERFORM idempotency_store(
            p_tenant, c.account, c.idempotency_key, decode(c.request_hash, 'hex'), v_status, v_answer
        );
    END IF;
    RETURN QUERY SELECT v_status, v_answer, v_replayed;
END $$
