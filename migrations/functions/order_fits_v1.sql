-- Whether an order is one of those a list was asked for. One expression, so that it is inlined.
CREATE FUNCTION order_fits(
    o orders, p_states text[], p_stages text[], p_kind text, p_priority text, p_assignee uuid, p_unit uuid
) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT (p_states IS NULL OR o.state = ANY (p_states)) AND (p_stages IS NULL OR o.stage = ANY (p_stages))
        AND (p_kind IS NULL OR o.kind = p_kind) AND (p_priority IS NULL OR o.priority = p_priority)
        AND (p_assignee IS NULL OR o.assignee_id = p_assignee) AND (p_unit IS NULL OR o.unit_id = p_unit)
$$
