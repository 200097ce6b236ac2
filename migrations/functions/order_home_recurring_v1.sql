-- The coming visits of one's recurring orders, for the first screen: a JSON list.
CREATE FUNCTION order_home_recurring(p_tenant uuid, p_account uuid, p_resident uuid) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT '[]'::text
$$
