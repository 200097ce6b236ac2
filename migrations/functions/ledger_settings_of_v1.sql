-- The rules of a district's books for an asset: the newest version, or what holds where nobody has decided.
CREATE FUNCTION ledger_settings_of(p_tenant uuid, p_asset text) RETURNS ledger_settings LANGUAGE plpgsql STABLE AS $$
DECLARE
    known ledger_settings;
BEGIN
    SELECT s.* INTO known FROM ledger_settings s
    WHERE s.tenant_id = p_tenant AND s.asset = p_asset
    ORDER BY s.version DESC LIMIT 1;
    IF NOT FOUND THEN
        known.tenant_id := p_tenant;
        known.asset := p_asset;
        known.version := 0;
        known.expiry_unit := 'none';
        known.expiry_count := 0;
        known.expired_return_days := 0;
        known.spent_earning := 'refuse';
        known.hold_days := 7;
        known.may_transfer := false;
    END IF;
    RETURN known;
END $$
