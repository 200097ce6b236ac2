-- The transaction that a source has brought about already, as JSON; NULL when it has not.
CREATE FUNCTION ledger_posting_recall(p_tenant uuid, p_source_kind text, p_source_id text)
RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
    t ledger_transactions;
    legs record;
BEGIN
    SELECT x.* INTO t FROM ledger_transactions x
    WHERE x.tenant_id = p_tenant AND x.source_kind = p_source_kind AND x.source_id = p_source_id;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    SELECT
        array_agg(a.kind ORDER BY e.amount, a.id) AS kinds,
        array_agg(a.owner_id ORDER BY e.amount, a.id) AS owners,
        array_agg(e.amount ORDER BY e.amount, a.id) AS amounts
    INTO legs
    FROM ledger_entries e
    JOIN ledger_accounts a ON a.tenant_id = e.tenant_id AND a.id = e.account_id
    WHERE e.tenant_id = p_tenant AND e.transaction_id = t.id;
    RETURN ledger_posting_json(t, legs.kinds, legs.owners, legs.amounts);
END $$
