-- Posts one transaction to the ledger: all of its legs or none, once per source and, when the command carries an
-- idempotency key, once per key. p_command: services/points/ledger/posting.py Posting. Never raises for a refusal.
-- Locks the accounts it moves in id order until the transaction ends, and commits nothing.
-- Generic plans: planning for the two elements of an array costs more than the statement itself.
CREATE FUNCTION ledger_post(p_tenant uuid, p_command jsonb)
RETURNS TABLE (status smallint, body text, replayed boolean) LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    c record;
    known record;
    account ledger_accounts;
    posted ledger_transactions;
    v_id uuid;
    v_ids uuid[];
    v_place int;
    v_balances bigint[];
    v_versions bigint[];
    v_answer text;
    v_status smallint;
    v_replayed boolean := false;
BEGIN
    EXECUTE format('SET LOCAL linli.tenant = %L', p_tenant);
    SELECT * INTO c FROM jsonb_to_record(p_command) AS x (
        account uuid, idempotency_key text, request_hash text, issuer_areas uuid[],
        id uuid, kind text, source_kind text, source_id text, reason text, effective_at timestamptz, details jsonb,
        leg_kinds text[], leg_owners uuid[], leg_amounts bigint[], new_account_ids uuid[]
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
        v_status := 201;
        v_answer := ledger_posting_recall(p_tenant, c.source_kind, c.source_id);
        IF v_answer IS NOT NULL THEN
            v_replayed := true;
            EXIT decide;
        END IF;
        IF NOT ledger_legs_balance(c.leg_owners, c.leg_amounts) THEN
            v_status := 422;
            v_answer := '{"code":"unbalanced_legs"}';
            EXIT decide;
        END IF;
        IF c.issuer_areas IS NOT NULL THEN
            v_answer := ledger_clerk_refusal(p_tenant, c.account, c.issuer_areas, c.leg_kinds, c.leg_owners);
            IF v_answer IS NOT NULL THEN
                v_status := CASE v_answer
                    WHEN 'community_not_found' THEN 404 WHEN 'recipient_not_a_member' THEN 422 ELSE 403
                END;
                v_answer := json_build_object('code', v_answer);
                EXIT decide;
            END IF;
        END IF;

        LOOP
            FOR i IN 1..cardinality(c.leg_kinds) LOOP
                v_ids[i] := (
                    SELECT a.id FROM ledger_accounts a
                    WHERE a.tenant_id = p_tenant AND a.asset = 'points' AND a.kind = c.leg_kinds[i]
                        AND a.owner_id = c.leg_owners[i]
                );
            END LOOP;
            v_balances := c.leg_amounts;
            FOR v_id IN SELECT l.id FROM unnest(v_ids) AS l (id) WHERE l.id IS NOT NULL ORDER BY l.id LOOP
                SELECT a.* INTO account FROM ledger_accounts a
                WHERE a.tenant_id = p_tenant AND a.id = v_id FOR NO KEY UPDATE;
                v_place := array_position(v_ids, v_id);
                v_balances[v_place] := account.balance + c.leg_amounts[v_place];
                v_versions[v_place] := account.version + 1;
            END LOOP;
            FOR i IN 1..cardinality(c.leg_kinds) LOOP
                IF v_balances[i] < 0 AND c.leg_kinds[i] <> 'issuing_community' THEN
                    v_status := 409;
                    v_answer := json_build_object(
                        'code', 'insufficient_points', 'balance', v_balances[i] - c.leg_amounts[i]
                    );
                    EXIT decide;
                END IF;
            END LOOP;
            EXIT WHEN array_position(v_ids, NULL) IS NULL;
            -- Opened by whoever needs it first; the next turn finds and locks it, whoever that was.
            INSERT INTO ledger_accounts (tenant_id, id, asset, kind, owner_id)
            SELECT p_tenant, l.new_account_id, 'points', l.kind, l.owner_id
            FROM unnest(c.leg_kinds, c.leg_owners, c.new_account_ids, v_ids) AS l (kind, owner_id, new_account_id, id)
            WHERE l.id IS NULL
            ORDER BY l.kind, l.owner_id
            ON CONFLICT (tenant_id, asset, kind, owner_id) DO NOTHING;
        END LOOP;

        INSERT INTO ledger_transactions
            (tenant_id, id, kind, source_kind, source_id, reason, effective_at, recorded_by, details)
        VALUES (
            p_tenant, c.id, c.kind, c.source_kind, c.source_id, c.reason, c.effective_at, c.account,
            COALESCE(c.details, '{}')
        )
        ON CONFLICT (tenant_id, source_kind, source_id) DO NOTHING
        RETURNING * INTO posted;
        IF NOT FOUND THEN
            v_replayed := true;
            v_answer := ledger_posting_recall(p_tenant, c.source_kind, c.source_id);
            EXIT decide;
        END IF;
        FOR i IN 1..cardinality(v_ids) LOOP
            UPDATE ledger_accounts a SET balance = v_balances[i], version = v_versions[i]
            WHERE a.tenant_id = p_tenant AND a.id = v_ids[i];
        END LOOP;
        INSERT INTO ledger_entries (tenant_id, account_id, sequence, transaction_id, amount, balance_after)
        SELECT p_tenant, l.id, l.version, c.id, l.amount, l.balance
        FROM unnest(v_ids, v_versions, c.leg_amounts, v_balances) AS l (id, version, amount, balance);
        v_answer := ledger_posting_json(posted, c.leg_kinds, c.leg_owners, c.leg_amounts);
    END;

    IF c.idempotency_key IS NOT NULL THEN
        PERFORM idempotency_store(
            p_tenant, c.account, c.idempotency_key, decode(c.request_hash, 'hex'), v_status, v_answer
        );
    END IF;
    RETURN QUERY SELECT v_status, v_answer, v_replayed;
END $$
