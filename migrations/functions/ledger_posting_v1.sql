-- A transaction that has been posted, as JSON; NULL when there is none of this id. The caller has set the tenant.
CREATE FUNCTION ledger_posting(p_tenant uuid, p_id uuid) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT ledger_posting_json(t, (
        SELECT array_to_json(array_agg(
            ledger_leg_json(a.kind, a.owner_id, COALESCE(
                (SELECT p.name FROM accounts p WHERE a.kind = 'member' AND p.id = a.owner_id),
                (SELECT p.name FROM areas p WHERE p.tenant_id = p_tenant AND p.id = a.owner_id)
            ), e.amount)
            ORDER BY e.amount, a.owner_id
        ))
        FROM ledger_entries e
        JOIN ledger_accounts a ON a.tenant_id = e.tenant_id AND a.id = e.account_id
        WHERE e.tenant_id = p_tenant AND e.transaction_id = t.id
    ))
    FROM ledger_transactions t
    WHERE t.tenant_id = p_tenant AND t.id = p_id
$$
