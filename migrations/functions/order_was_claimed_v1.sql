-- Whether who has the order took it from the pool.
CREATE FUNCTION order_was_claimed(o orders) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT o.accepted_at IS NOT NULL AND EXISTS (
        SELECT FROM order_history h
        WHERE h.tenant_id = o.tenant_id AND h.order_id = o.id AND h.action = 'accept' AND h.at = o.accepted_at
            AND h.details ? 'claimed'
    )
$$
