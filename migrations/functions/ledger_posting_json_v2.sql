-- A transaction of the ledger as the API answers it (services/points/ledger/schemas.py PostingRead).
CREATE FUNCTION ledger_posting_json(t ledger_transactions, p_legs json, p_reversed_by uuid)
RETURNS text LANGUAGE sql STABLE AS $$
    SELECT json_build_object(
        'id', t.id,
        'kind', t.kind,
        'reason', t.reason,
        'source_kind', t.source_kind,
        'source_id', t.source_id,
        'effective_at', t.effective_at,
        'recorded_at', t.recorded_at,
        'recorded_by', t.recorded_by,
        'approved_by', t.approved_by,
        'reversed_by', p_reversed_by,
        'details', t.details,
        'legs', p_legs
    )::text
$$
