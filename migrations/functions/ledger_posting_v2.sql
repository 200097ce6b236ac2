-- A transaction that has been posted, as JSON; NULL when there is none of this id. The caller has set the tenant.
CREATE FUNCTION ledger_posting(p_tenant uuid, p_id uuid) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT ledger_posting_json(
        t,
        (
            SELECT array_to_json(array_agg(
                ledger_leg_json(
                    a.asset, a.kind, a.owner_id, ledger_owner_name(p_tenant, a.kind, a.owner_id, a.name), e.amount
                )
                ORDER BY a.asset DESC, e.amount, a.owner_id
            ))
            FROM ledger_entries e
            JOIN ledger_accounts a ON a.tenant_id = e.tenant_id AND a.id = e.account_id
            WHERE e.tenant_id = p_tenant AND e.transaction_id = t.id
        ),
        (
            SELECT r.id FROM ledger_transactions r
            WHERE r.tenant_id = p_tenant AND r.source_kind = 'reversal' AND r.source_id = t.id::text
        )
    )
    FROM ledger_transactions t
    WHERE t.tenant_id = p_tenant AND t.id = p_id
$$
