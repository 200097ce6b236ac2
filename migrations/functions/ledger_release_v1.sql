-- Ends a hold without posting it: its points are free again. The caller holds the account's lock and has seen that the
-- hold has not ended.
CREATE FUNCTION ledger_release(
    p_tenant uuid, p_hold ledger_holds, p_outcome text, p_reason text, p_by uuid, p_now timestamptz
)
RETURNS void LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off AS $$
BEGIN
    UPDATE ledger_lots l SET held = l.held - h.amount
    FROM ledger_hold_lots h
    WHERE h.tenant_id = p_tenant AND h.hold_id = p_hold.id
        AND l.tenant_id = p_tenant AND l.account_id = p_hold.account_id
        AND l.sequence = h.lot_sequence AND l.part = h.lot_part;
    UPDATE ledger_accounts a SET held = a.held - p_hold.amount
    WHERE a.tenant_id = p_tenant AND a.id = p_hold.account_id;
    INSERT INTO ledger_hold_ends (tenant_id, hold_id, outcome, amount, reason, recorded_at, recorded_by)
    VALUES (p_tenant, p_hold.id, p_outcome, 0, p_reason, p_now, p_by);
    DELETE FROM ledger_open_holds o WHERE o.tenant_id = p_tenant AND o.hold_id = p_hold.id;
    INSERT INTO ledger_unsealed (tenant_id, record_kind, record_id) VALUES (p_tenant, 'hold_end', p_hold.id);
END $$
