-- What an account held by what had taken effect by one moment and had been recorded by another; over all its stripes.
CREATE FUNCTION points_balance_at(
    p_tenant uuid, p_kind text, p_owner uuid, p_asset text, p_effective_at timestamptz, p_recorded_at timestamptz
)
RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('SET LOCAL linli.tenant = %L', p_tenant);
    RETURN (
        SELECT COALESCE(sum(e.amount), 0)::bigint
        FROM ledger_accounts a
        JOIN ledger_entries e ON e.tenant_id = p_tenant AND e.account_id = a.id
        JOIN ledger_transactions t ON t.tenant_id = p_tenant AND t.id = e.transaction_id
        WHERE a.tenant_id = p_tenant AND a.asset = p_asset AND a.kind = p_kind AND a.owner_id = p_owner
            AND t.effective_at <= p_effective_at AND t.recorded_at <= p_recorded_at
    );
END $$
