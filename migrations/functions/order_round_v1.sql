-- Which round of work an order is in or has behind it: how often it was completed, at least 1.
CREATE FUNCTION order_round(p_tenant uuid, p_order uuid) RETURNS smallint LANGUAGE sql STABLE AS $$
    SELECT GREATEST(count(*), 1)::smallint FROM order_history h
    WHERE h.tenant_id = p_tenant AND h.order_id = p_order AND h.action = 'complete'
$$
