-- Books what is over of at most `p_limit` accounts: out of its lots into the expiry account of the community it came
-- from, one transaction per account and moment of expiry. Answers how many transactions. For any number of workers:
-- an account somebody else is at is left for the next time, and what has been booked is no longer there.
-- It took effect when the lots were over; of what was returned to them later, when it was returned. Held points stay
-- until their hold ends.
CREATE FUNCTION ledger_expire_lots(p_tenant uuid, p_limit integer) RETURNS integer LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off AS $$
DECLARE
    v_due timestamptz := ledger_now();
    v_now timestamptz;
    v_accounts uuid[];
    v_expiries uuid[];
    account ledger_accounts;
    due record;
    v_count integer := 0;
    v_id uuid;
BEGIN
    EXECUTE format('SET LOCAL linli.tenant = %L', p_tenant);
    IF ledger_is_importing(p_tenant) THEN
        RETURN 0;
    END IF;
    v_accounts := ARRAY(
        SELECT a.id FROM ledger_accounts a
        WHERE a.tenant_id = p_tenant AND a.id IN (
            SELECT l.account_id FROM ledger_lots l
            WHERE l.tenant_id = p_tenant AND l.remaining > 0 AND l.expires_at <= v_due AND l.remaining > l.held
            ORDER BY l.expires_at LIMIT p_limit
        )
        ORDER BY a.id FOR NO KEY UPDATE SKIP LOCKED
    );
    -- Locked after all others, by everybody.
    v_expiries := ledger_open_accounts(
        p_tenant, array_fill('expiry'::text, ARRAY[cardinality(o.owners)]), o.owners, o.assets, 0
    ) FROM (
        SELECT array_agg(p.owner_id) AS owners, array_agg(p.asset) AS assets FROM (
            SELECT DISTINCT COALESCE(l.issuer_id, p_tenant) AS owner_id, a.asset::text AS asset
            FROM ledger_lots l
            JOIN ledger_accounts a ON a.tenant_id = p_tenant AND a.id = l.account_id
            WHERE l.tenant_id = p_tenant AND l.account_id = ANY (v_accounts)
                AND l.remaining > 0 AND l.expires_at <= v_due AND l.remaining > l.held
        ) AS p
    ) AS o WHERE o.owners IS NOT NULL;
    PERFORM FROM ledger_accounts a
    WHERE a.tenant_id = p_tenant AND a.id = ANY (v_expiries) ORDER BY a.id FOR NO KEY UPDATE;
    v_now := ledger_now();
    FOR due IN
        SELECT
            x.account_id, x.asset, x.owner_id, x.expires_at, sum(x.amount)::bigint AS amount,
            GREATEST(x.expires_at, max(x.returned_at)) AS effective_at,
            array_agg(x.expiry_id ORDER BY x.expiry_id) AS expiries, array_agg(x.amount ORDER BY x.expiry_id) AS amounts
        FROM (
            SELECT
                l.account_id, a.asset, a.owner_id, l.expires_at, e.id AS expiry_id,
                sum(l.remaining - l.held)::bigint AS amount,
                max((
                    SELECT max(t.effective_at) FROM ledger_allocations r
                    JOIN ledger_entries b ON b.tenant_id = p_tenant AND b.account_id = r.account_id
                        AND b.sequence = r.sequence
                    JOIN ledger_transactions t ON t.tenant_id = p_tenant AND t.id = b.transaction_id
                    WHERE r.tenant_id = p_tenant AND r.account_id = l.account_id AND r.lot_sequence = l.sequence
                        AND r.lot_part = l.part AND r.amount > 0
                )) AS returned_at
            FROM ledger_lots l
            JOIN ledger_accounts a ON a.tenant_id = p_tenant AND a.id = l.account_id
            JOIN ledger_accounts e ON e.tenant_id = p_tenant AND e.id = ANY (v_expiries) AND e.asset = a.asset
                AND e.owner_id = COALESCE(l.issuer_id, p_tenant)
            WHERE l.tenant_id = p_tenant AND l.account_id = ANY (v_accounts)
                AND l.remaining > 0 AND l.expires_at <= v_due AND l.remaining > l.held
            GROUP BY l.account_id, a.asset, a.owner_id, l.expires_at, e.id
        ) AS x
        GROUP BY x.account_id, x.asset, x.owner_id, x.expires_at
        ORDER BY x.account_id, x.expires_at
    LOOP
        v_id := gen_random_uuid();
        PERFORM ledger_move(
            p_tenant,
            ROW(
                p_tenant, v_id, 'expiry', 'expiry', v_id::text,
                CASE due.asset WHEN 'minutes' THEN '服务时长到期' ELSE '积分到期' END,
                due.effective_at, v_now, NULL, '{}', NULL
            )::ledger_transactions,
            due.account_id || due.expiries, -due.amount || due.amounts, NULL, NULL, due.expires_at
        );
        v_count := v_count + 1;
    END LOOP;
    RETURN v_count;
END $$
