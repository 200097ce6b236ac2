-- A person's points as the API answers them (services/points/ledger/schemas.py PointsAccountRead). Nothing yet is 0.
CREATE FUNCTION points_account(p_tenant uuid, p_owner uuid) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    account ledger_accounts;
BEGIN
    EXECUTE format('SET LOCAL linli.tenant = %L', p_tenant);
    SELECT a.* INTO account FROM ledger_accounts a
    WHERE a.tenant_id = p_tenant AND a.asset = 'points' AND a.kind = 'member' AND a.owner_id = p_owner;
    RETURN json_build_object(
        'account_id', p_owner,
        'kind', 'member',
        'balance', COALESCE(account.balance, 0),
        'version', COALESCE(account.version, 0)
    );
END $$
