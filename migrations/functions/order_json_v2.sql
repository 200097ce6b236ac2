-- One order as order_json_named shows it, with its names looked up.
CREATE FUNCTION order_json(o orders, p_is_full boolean) RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN order_json_named(
        o,
        (SELECT k.name FROM order_kinds k WHERE k.tenant_id = o.tenant_id AND k.id = o.kind),
        (SELECT a.name FROM areas a WHERE a.tenant_id = o.tenant_id AND a.id = o.area_id),
        (SELECT c.name FROM accounts c WHERE c.id = o.assignee_id),
        CASE WHEN o.unit_id IS NOT NULL THEN (
            SELECT u.name FROM units u WHERE u.tenant_id = o.tenant_id AND u.id = o.unit_id
        ) END,
        p_is_full
    );
END $$
