-- A person's account as the API answers it (services/points/ledger/schemas.py PointsAccountRead). Nothing yet is 0.
CREATE FUNCTION points_account(p_tenant uuid, p_owner uuid, p_asset text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    account ledger_accounts;
    v_now timestamptz := ledger_now();
BEGIN
    EXECUTE format('SET LOCAL linli.tenant = %L', p_tenant);
    SELECT a.* INTO account FROM ledger_accounts a
    WHERE a.tenant_id = p_tenant AND a.asset = p_asset AND a.kind = 'member' AND a.owner_id = p_owner AND a.stripe = 0;
    RETURN json_build_object(
        'account_id', p_owner,
        'kind', 'member',
        'asset', p_asset,
        'normal_side', 'credit',
        'status', COALESCE(account.status, 'open'),
        'balance', COALESCE(account.balance, 0),
        'held', COALESCE(account.held, 0),
        'available', ledger_available(p_tenant, account.id, v_now),
        'debt', COALESCE((
            SELECT -d.balance FROM ledger_accounts d WHERE d.tenant_id = p_tenant AND d.asset = p_asset
                AND d.kind = 'debt' AND d.owner_id = p_owner AND d.stripe = 0
        ), 0),
        'version', COALESCE(account.version, 0),
        'next_expiry', (
            SELECT json_build_object('expires_at', l.expires_at, 'amount', sum(l.remaining - l.held))
            FROM ledger_lots l
            WHERE l.tenant_id = p_tenant AND l.account_id = account.id AND l.remaining > 0 AND l.remaining > l.held
                AND l.expires_at > v_now AND l.expires_at < 'infinity'
            GROUP BY l.expires_at ORDER BY l.expires_at LIMIT 1
        )
    );
END $$
