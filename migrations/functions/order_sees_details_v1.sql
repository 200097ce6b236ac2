-- Whether somebody of whom these facts hold reads whose home an order is for (policy.py sees_details).
CREATE FUNCTION order_sees_details(o orders, p_facts text[]) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT p_facts && ARRAY['is_requester', 'is_family_placer', 'is_overseer']
        OR p_facts && ARRAY['is_helper', 'is_assisting', 'is_unit_member', 'is_assisting_unit_member']
        AND o.stage NOT IN ('close', 'done')
$$
