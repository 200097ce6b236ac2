-- What a member's account can spend now: what is in its lots, without what is held and without lots that are over,
-- whether or not the expiry has been booked.
CREATE FUNCTION ledger_available(p_tenant uuid, p_account uuid, p_now timestamptz)
RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT COALESCE(sum(l.remaining - l.held), 0)::bigint FROM ledger_lots l
    WHERE l.tenant_id = p_tenant AND l.account_id = p_account AND l.remaining > 0 AND l.expires_at > p_now
$$
