-- ledger_reverse behind its idempotency key.
CREATE FUNCTION ledger_reverse_decided(p_tenant uuid, c ledger_reverse_command)
RETURNS TABLE (status smallint, body text) LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off AS $$
DECLARE
    original ledger_transactions;
    posted ledger_transactions;
    settings ledger_settings;
    leg record;
    lapsed record;
    debt ledger_accounts;
    v_reversal uuid;
    v_now timestamptz;
    v_left bigint;
    v_available bigint;
    v_accounts uuid[] := '{}';
    v_amounts bigint[] := '{}';
BEGIN
    SELECT t.* INTO original FROM ledger_transactions t WHERE t.tenant_id = p_tenant AND t.id = c.transaction_id;
    IF NOT FOUND OR NOT ledger_concerns(p_tenant, c.transaction_id, c.issuer_areas) THEN
        RETURN QUERY SELECT 404::smallint, '{"code":"posting_not_found"}';
        RETURN;
    ELSIF original.kind IN ('reversal', 'expiry') THEN
        RETURN QUERY SELECT 409::smallint, json_build_object('code', 'not_reversible', 'kind', original.kind)::text;
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('ledger source reversal ' || original.id, 0));
    v_reversal := (
        SELECT t.id FROM ledger_transactions t
        WHERE t.tenant_id = p_tenant AND t.source_kind = 'reversal' AND t.source_id = original.id::text
    );
    IF v_reversal IS NOT NULL THEN
        RETURN QUERY SELECT 409::smallint, json_build_object('code', 'already_reversed', 'reversed_by', v_reversal)::text;
        RETURN;
    END IF;
    -- A debt changes only under the lock of its owner's account.
    PERFORM FROM ledger_accounts a
    WHERE a.tenant_id = p_tenant AND a.id IN (
        SELECT COALESCE(
            (
                SELECT m.id FROM ledger_accounts m
                WHERE m.tenant_id = p_tenant AND m.asset = o.asset AND m.kind = 'member' AND m.owner_id = o.owner_id
                    AND m.stripe = 0 AND o.kind = 'debt'
            ),
            o.id
        )
        FROM ledger_entries e
        JOIN ledger_accounts o ON o.tenant_id = p_tenant AND o.id = e.account_id
        WHERE e.tenant_id = p_tenant AND e.transaction_id = original.id
    )
    ORDER BY a.id FOR NO KEY UPDATE;
    v_now := ledger_now();
    FOR leg IN
        SELECT a.*, e.sequence, e.amount
        FROM ledger_entries e
        JOIN ledger_accounts a ON a.tenant_id = p_tenant AND a.id = e.account_id
        WHERE e.tenant_id = p_tenant AND e.transaction_id = original.id
        ORDER BY a.id
    LOOP
        IF leg.owner_id = c.account THEN
            RETURN QUERY SELECT 403::smallint, '{"code":"own_points"}';
            RETURN;
        ELSIF leg.status = 'closed' THEN
            RETURN QUERY SELECT 409::smallint, '{"code":"account_closed"}';
            RETURN;
        END IF;
        v_left := leg.amount;
        IF leg.kind = 'member' AND leg.amount < 0 THEN
            -- Who owes gets back what is left after that.
            FOR debt IN
                SELECT d.* FROM ledger_accounts d
                WHERE d.tenant_id = p_tenant AND d.asset = leg.asset AND d.kind = 'debt' AND d.owner_id = leg.owner_id
                    AND d.stripe = 0 AND d.balance < 0
            LOOP
                v_accounts := v_accounts || debt.id;
                v_amounts := v_amounts || LEAST(-leg.amount, -debt.balance);
                v_left := v_left + LEAST(-leg.amount, -debt.balance);
            END LOOP;
            v_available := leg.balance;
        ELSIF leg.kind = 'member' THEN
            settings := ledger_settings_of(p_tenant, leg.asset);
            -- What has expired of it is in the expiry accounts: locked after all others, by everybody.
            FOR lapsed IN
                SELECT x.id, x.amount FROM (
                    SELECT
                        (ledger_open_accounts(
                            p_tenant, ARRAY['expiry'], ARRAY[COALESCE(l.issuer_id, p_tenant)], ARRAY[leg.asset::text], 0
                        ))[1] AS id,
                        sum(-a.amount)::bigint AS amount
                    FROM ledger_lots l
                    JOIN ledger_allocations a ON a.tenant_id = p_tenant AND a.account_id = l.account_id
                        AND a.lot_sequence = l.sequence AND a.lot_part = l.part
                    JOIN ledger_entries e ON e.tenant_id = p_tenant AND e.account_id = a.account_id
                        AND e.sequence = a.sequence
                    JOIN ledger_transactions t ON t.tenant_id = p_tenant AND t.id = e.transaction_id
                    WHERE l.tenant_id = p_tenant AND l.account_id = leg.id AND l.sequence = leg.sequence
                        AND t.kind = 'expiry'
                    GROUP BY l.issuer_id
                ) AS x
                ORDER BY x.id
            LOOP
                PERFORM FROM ledger_accounts a
                WHERE a.tenant_id = p_tenant AND a.id = lapsed.id AND a.balance >= lapsed.amount FOR NO KEY UPDATE;
                IF NOT FOUND THEN
                    RETURN QUERY SELECT 409::smallint, '{"code":"insufficient_points","balance":0,"available":0}';
                    RETURN;
                END IF;
                v_accounts := v_accounts || lapsed.id;
                v_amounts := v_amounts || -lapsed.amount;
                v_left := v_left - lapsed.amount;
            END LOOP;
            v_available := (
                SELECT COALESCE(sum(l.remaining - l.held), 0) FROM ledger_lots l
                WHERE l.tenant_id = p_tenant AND l.account_id = leg.id AND l.remaining > 0
                    AND (l.expires_at > v_now OR l.sequence = leg.sequence)
            );
            IF v_left > v_available AND settings.spent_earning = 'debt' THEN
                v_accounts := v_accounts
                    || ledger_open_accounts(p_tenant, ARRAY['debt'], ARRAY[leg.owner_id], ARRAY[leg.asset::text], 0);
                v_amounts := v_amounts || (v_available - v_left);
                v_left := v_available;
            END IF;
        ELSE
            v_available := leg.balance;
        END IF;
        IF v_left > v_available AND leg.kind NOT IN ('issuing_community', 'correction', 'debt') THEN
            RETURN QUERY SELECT 409::smallint, json_build_object(
                'code', 'insufficient_points', 'balance', leg.balance, 'available', v_available
            )::text;
            RETURN;
        END IF;
        IF v_left <> 0 THEN
            v_accounts := v_accounts || leg.id;
            v_amounts := v_amounts || -v_left;
        END IF;
    END LOOP;
    posted := ROW(
        p_tenant, c.id, 'reversal', 'reversal', original.id::text, c.reason, v_now, v_now, c.account, '{}', NULL
    )::ledger_transactions;
    SELECT array_agg(m.id ORDER BY m.amount, m.id), array_agg(m.amount ORDER BY m.amount, m.id)
    INTO v_accounts, v_amounts
    FROM (
        SELECT l.id, sum(l.amount)::bigint AS amount FROM unnest(v_accounts, v_amounts) AS l (id, amount) GROUP BY l.id
    ) AS m;
    PERFORM ledger_move(p_tenant, posted, v_accounts, v_amounts, NULL, original.id, NULL);
    RETURN QUERY SELECT 201::smallint, ledger_posting(p_tenant, c.id);
END $$
