-- A transaction of the ledger with its legs, as the API answers it (services/points/ledger/schemas.py PostingRead).
CREATE FUNCTION ledger_posting_json(t ledger_transactions, p_kinds text[], p_owners uuid[], p_amounts bigint[])
RETURNS text LANGUAGE plpgsql STABLE AS $$
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
                'account_kind', l.kind,
                'owner_id', l.owner_id,
                'owner_name', CASE l.kind
                    WHEN 'member' THEN (SELECT p.name FROM accounts p WHERE p.id = l.owner_id)
                    ELSE (SELECT p.name FROM areas p WHERE p.tenant_id = t.tenant_id AND p.id = l.owner_id)
                END,
                'amount', l.amount
            ))
            FROM unnest(p_kinds, p_owners, p_amounts) AS l (kind, owner_id, amount)
        )
    )::text;
END $$
