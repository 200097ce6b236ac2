-- ledger_hold_end behind its idempotency key. Who held their own points may void that themselves.
CREATE FUNCTION ledger_hold_end_decided(p_tenant uuid, c ledger_hold_end_command)
RETURNS TABLE (status smallint, body text) LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    hold ledger_holds;
    account ledger_accounts;
    item ledger_item;
    answer record;
    v_is_own boolean;
    v_amount bigint;
    v_accounts uuid[];
    v_now timestamptz;
    v_outcome text;
BEGIN
    SELECT h.* INTO hold FROM ledger_holds h WHERE h.tenant_id = p_tenant AND h.id = c.hold_id;
    SELECT a.* INTO account FROM ledger_accounts a WHERE a.tenant_id = p_tenant AND a.id = hold.account_id;
    v_is_own := account.owner_id = c.account AND hold.recorded_by = c.account;
    IF hold.id IS NULL OR NOT (
        ledger_hold_concerns(p_tenant, hold.id, c.issuer_areas) OR v_is_own AND c.outcome = 'voided'
    ) THEN
        RETURN QUERY SELECT 404::smallint, '{"code":"hold_not_found"}';
        RETURN;
    ELSIF account.owner_id = c.account AND NOT (v_is_own AND c.outcome = 'voided') THEN
        RETURN QUERY SELECT 403::smallint, '{"code":"own_points"}';
        RETURN;
    END IF;
    v_amount := COALESCE(c.amount, hold.amount);
    IF v_amount > hold.amount THEN
        RETURN QUERY SELECT 422::smallint, json_build_object('code', 'hold_exceeded', 'amount', hold.amount)::text;
        RETURN;
    END IF;
    v_accounts := ledger_open_accounts(
        p_tenant, ARRAY['member', hold.to_kind], ARRAY[account.owner_id, hold.to_owner_id],
        ARRAY[account.asset, account.asset], get_byte(uuid_send(c.id), 15) & 15
    );
    PERFORM FROM ledger_accounts a
    WHERE a.tenant_id = p_tenant AND a.id = ANY (v_accounts)
    ORDER BY a.id FOR NO KEY UPDATE;
    v_now := ledger_now();
    v_outcome := (
        SELECT e.outcome FROM ledger_hold_ends e WHERE e.tenant_id = p_tenant AND e.hold_id = hold.id
    );
    IF v_outcome IS NOT NULL THEN
        RETURN QUERY SELECT 409::smallint, json_build_object('code', 'hold_ended', 'state', v_outcome)::text;
        RETURN;
    ELSIF hold.expires_at <= v_now THEN
        RETURN QUERY SELECT 409::smallint, '{"code":"hold_ended","state":"expired"}';
        RETURN;
    ELSIF c.outcome = 'voided' THEN
        PERFORM ledger_release(p_tenant, hold, 'voided', c.reason, c.account, v_now);
        RETURN QUERY SELECT 200::smallint, ledger_hold_json(p_tenant, hold.id);
        RETURN;
    END IF;
    item.id := c.id;
    item.kind := hold.kind;
    item.source_kind := 'hold';
    item.source_id := hold.id;
    item.reason := hold.reason;
    item.details := hold.details;
    item.account := c.account;
    item.leg_kinds := ARRAY['member', hold.to_kind];
    item.leg_owners := ARRAY[account.owner_id, hold.to_owner_id];
    item.leg_assets := ARRAY[account.asset, account.asset];
    item.leg_amounts := ARRAY[-v_amount, v_amount];
    SELECT * INTO answer FROM ledger_post_one(p_tenant, item, v_accounts, hold, v_now);
    IF answer.status <> 201 THEN
        RETURN QUERY SELECT answer.status, answer.body;
        RETURN;
    END IF;
    INSERT INTO ledger_hold_ends (
        tenant_id, hold_id, outcome, amount, transaction_id, reason, recorded_at, recorded_by
    ) VALUES (p_tenant, hold.id, 'posted', v_amount, c.id, c.reason, v_now, c.account);
    DELETE FROM ledger_open_holds o WHERE o.tenant_id = p_tenant AND o.hold_id = hold.id;
    INSERT INTO ledger_unsealed (tenant_id, record_kind, record_id) VALUES (p_tenant, 'hold_end', hold.id);
    RETURN QUERY SELECT 200::smallint, ledger_hold_json(p_tenant, hold.id);
END $$
