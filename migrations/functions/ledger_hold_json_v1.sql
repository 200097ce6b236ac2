-- A hold as the API answers it (services/points/holds/schemas.py HoldRead). The caller has set the tenant.
CREATE FUNCTION ledger_hold_json(p_tenant uuid, p_hold uuid) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT json_build_object(
        'id', h.id,
        'account_id', a.owner_id,
        'owner_name', ledger_owner_name(p_tenant, a.kind, a.owner_id, a.name),
        'asset', a.asset,
        'amount', h.amount,
        'kind', h.kind,
        'to_account_kind', h.to_kind,
        'to_owner_id', h.to_owner_id,
        'reason', h.reason,
        'source_kind', h.source_kind,
        'source_id', h.source_id,
        'details', h.details,
        'expires_at', h.expires_at,
        'recorded_at', h.recorded_at,
        'recorded_by', h.recorded_by,
        'state', COALESCE(e.outcome, 'pending'),
        'posted_amount', COALESCE(e.amount, 0),
        'posting_id', e.transaction_id,
        'end_reason', e.reason,
        'ended_at', e.recorded_at,
        'ended_by', e.recorded_by
    )::text
    FROM ledger_holds h
    JOIN ledger_accounts a ON a.tenant_id = p_tenant AND a.id = h.account_id
    LEFT JOIN ledger_hold_ends e ON e.tenant_id = p_tenant AND e.hold_id = h.id
    WHERE h.tenant_id = p_tenant AND h.id = p_hold
$$
