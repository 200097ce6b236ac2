-- What an account is called: a person's or a community's own name, or the one it was opened with. The tenant is set.
CREATE FUNCTION ledger_owner_name(p_tenant uuid, p_kind text, p_owner uuid, p_name text)
RETURNS text LANGUAGE sql STABLE AS $$
    SELECT COALESCE(
        p_name,
        CASE
            WHEN p_kind IN ('member', 'debt') THEN (SELECT p.name FROM accounts p WHERE p.id = p_owner)
            ELSE (SELECT a.name FROM areas a WHERE a.tenant_id = p_tenant AND a.id = p_owner)
        END
    )
$$
