-- Whether who placed the order shares a household with the resident whose need it is (policy.py is_family_placer).
CREATE FUNCTION order_placer_is_family(o orders) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT FROM residents placer
        JOIN household_members mine ON mine.tenant_id = placer.tenant_id AND mine.resident_id = placer.id
        JOIN household_members theirs
            ON theirs.tenant_id = mine.tenant_id AND theirs.household_id = mine.household_id
        WHERE placer.tenant_id = o.tenant_id AND placer.account_id = o.placed_by AND theirs.resident_id = o.resident_id
    )
$$
