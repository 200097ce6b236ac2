-- Whether a transaction is the business of who answers for these areas: its points came from, went to, or belong to a
-- community there. The caller has set the tenant.
CREATE FUNCTION ledger_concerns(p_tenant uuid, p_transaction uuid, p_areas uuid[])
RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT FROM ledger_entries e
        JOIN ledger_accounts a ON a.tenant_id = p_tenant AND a.id = e.account_id
        JOIN areas c ON c.tenant_id = p_tenant AND c.id = COALESCE(
            a.community_id, CASE WHEN a.kind NOT IN ('member', 'debt') THEN a.owner_id END
        )
        WHERE e.tenant_id = p_tenant AND e.transaction_id = p_transaction AND c.ancestor_ids && p_areas
    ) OR EXISTS (
        SELECT FROM ledger_entries e
        JOIN ledger_lots l ON l.tenant_id = p_tenant AND l.account_id = e.account_id AND l.sequence = e.sequence
        JOIN areas c ON c.tenant_id = p_tenant AND c.id = l.issuer_id
        WHERE e.tenant_id = p_tenant AND e.transaction_id = p_transaction AND c.ancestor_ids && p_areas
    ) OR EXISTS (
        SELECT FROM ledger_entries e
        JOIN ledger_allocations m ON m.tenant_id = p_tenant AND m.account_id = e.account_id AND m.sequence = e.sequence
        JOIN ledger_lots l ON l.tenant_id = p_tenant AND l.account_id = m.account_id
            AND l.sequence = m.lot_sequence AND l.part = m.lot_part
        JOIN areas c ON c.tenant_id = p_tenant AND c.id = l.issuer_id
        WHERE e.tenant_id = p_tenant AND e.transaction_id = p_transaction AND c.ancestor_ids && p_areas
    )
$$
