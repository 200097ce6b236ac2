-- Posts one transaction that is not a plain credit: it takes points out of lots, settles a debt, or posts a hold.
-- Whoever calls has looked at its key and source, has opened its accounts and holds their locks.
--   p_accounts  ledger_accounts.id of each leg
-- Answers 201 with the transaction, or the refusal, which changed nothing.
CREATE FUNCTION ledger_post_one(
    p_tenant uuid, c ledger_item, p_accounts uuid[], p_hold ledger_holds, p_now timestamptz
)
RETURNS TABLE (status smallint, body text) LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    account ledger_accounts;
    debt ledger_accounts;
    settings ledger_settings;
    posted ledger_transactions;
    v_accounts uuid[] := '{}';
    v_amounts bigint[] := '{}';
    v_available bigint;
    v_owed bigint;
BEGIN
    FOR i IN 1..cardinality(p_accounts) LOOP
        SELECT a.* INTO STRICT account FROM ledger_accounts a WHERE a.tenant_id = p_tenant AND a.id = p_accounts[i];
        settings := ledger_settings_of(p_tenant, account.asset);
        IF account.status = 'closed' OR account.status = 'frozen' AND c.leg_amounts[i] < 0 AND p_hold.id IS NULL THEN
            RETURN QUERY SELECT 409::smallint, json_build_object('code', 'account_' || account.status)::text;
            RETURN;
        END IF;
        IF c.leg_amounts[i] < 0 AND account.kind NOT IN ('issuing_community', 'correction') THEN
            v_available := CASE
                WHEN account.id = p_hold.account_id THEN p_hold.amount
                WHEN account.kind = 'member' THEN ledger_available(p_tenant, account.id, p_now)
                ELSE account.balance
            END;
            IF v_available + c.leg_amounts[i] < 0 THEN
                RETURN QUERY SELECT 409::smallint, json_build_object(
                    'code', 'insufficient_points', 'balance', account.balance, 'available', v_available
                )::text;
                RETURN;
            END IF;
        END IF;
        v_owed := 0;
        IF account.kind = 'member' AND c.leg_amounts[i] > 0 THEN
            -- A debt changes only under the lock of its owner's account, which we hold.
            SELECT d.* INTO debt FROM ledger_accounts d
            WHERE d.tenant_id = p_tenant AND d.asset = account.asset AND d.kind = 'debt'
                AND d.owner_id = account.owner_id AND d.stripe = 0 AND d.balance < 0;
            IF FOUND AND c.kind IN ('reward', 'award', 'service', 'conversion', 'correction') THEN
                v_owed := LEAST(c.leg_amounts[i], -debt.balance);
                v_accounts := v_accounts || debt.id;
                v_amounts := v_amounts || v_owed;
            END IF;
            IF account.balance + c.leg_amounts[i] - v_owed > settings.member_cap THEN
                RETURN QUERY SELECT 409::smallint, json_build_object(
                    'code', 'balance_cap_reached', 'cap', settings.member_cap, 'balance', account.balance
                )::text;
                RETURN;
            END IF;
        END IF;
        IF c.leg_amounts[i] <> v_owed THEN
            v_accounts := v_accounts || account.id;
            v_amounts := v_amounts || (c.leg_amounts[i] - v_owed);
        END IF;
    END LOOP;
    posted := ROW(
        p_tenant, c.id, c.kind, c.source_kind, c.source_id, c.reason, COALESCE(c.effective_at, p_now), p_now,
        c.account, COALESCE(c.details, '{}'), c.approved_by
    )::ledger_transactions;
    PERFORM ledger_move(
        p_tenant, posted,
        ARRAY(
            SELECT l.id FROM unnest(v_accounts, v_amounts) WITH ORDINALITY AS l (id, amount, place)
            ORDER BY l.amount, l.place
        ),
        ARRAY(
            SELECT l.amount FROM unnest(v_accounts, v_amounts) WITH ORDINALITY AS l (id, amount, place)
            ORDER BY l.amount, l.place
        ),
        p_hold, NULL, NULL
    );
    RETURN QUERY SELECT 201::smallint, ledger_posting(p_tenant, c.id);
END $$
