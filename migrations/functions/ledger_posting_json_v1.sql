-- A transaction of the ledger with its legs, as the API answers it (services/points/ledger/schemas.py PostingRead).
CREATE FUNCTION ledger_posting_json(t ledger_transactions) RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN json_build_object(
        'id', t.id,
        'kind', t.kind,
        'reason', t.reason,
        'source_kind', t.source_kind,
        'source_id', t.source_id,
        'effective_at', t.effective_at,
        'recorded_at', t.recorded_at,
        'recorded_by', t.recorded_by,
        'details', t.details,
        'legs', (
            SELECT json_agg(json_build_object(
                'account_kind', a.kind,
                'owner_id', a.owner_id,
                'owner_name', CASE a.kind
                    WHEN 'member' THEN (SELECT p.name FROM accounts p WHERE p.id = a.owner_id)
                    ELSE (SELECT p.name FROM areas p WHERE p.tenant_id = t.tenant_id AND p.id = a.owner_id)
                END,
                'amount', e.amount
            ) ORDER BY e.amount, a.id)
            FROM ledger_entries e
            JOIN ledger_accounts a ON a.tenant_id = e.tenant_id AND a.id = e.account_id
            WHERE e.tenant_id = t.tenant_id AND e.transaction_id = t.id
        )
    )::text;
END $$
