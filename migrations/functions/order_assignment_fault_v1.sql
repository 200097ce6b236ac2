-- What stands against giving an order to a person or a unit: a problem's code, or NULL.
-- That it is somebody's own need is not told of an anonymous one.
CREATE FUNCTION order_assignment_fault(
    o orders, p_ancestors uuid[], p_assignee uuid, p_unit uuid, p_assisting_units uuid[], p_serving_roles text[],
    p_now timestamptz
) RETURNS text LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
BEGIN
    IF (p_unit IS NOT NULL OR cardinality(p_assisting_units) > 0) AND 1 + COALESCE(cardinality(p_assisting_units), 0) <> (
        SELECT count(*) FROM units u
        WHERE u.tenant_id = o.tenant_id AND u.id = ANY (p_unit || COALESCE(p_assisting_units, '{}')) AND u.is_active
            AND u.area_id = ANY (p_ancestors)
    ) THEN
        RETURN 'unit_cannot_serve';
    END IF;
    IF p_assignee IS NULL THEN
        RETURN NULL;
    END IF;
    IF EXISTS (
        SELECT FROM residents r
        WHERE r.tenant_id = o.tenant_id AND r.id = o.resident_id AND r.account_id = p_assignee
    ) THEN
        RETURN CASE WHEN o.is_anonymous THEN 'assignee_cannot_serve' ELSE 'own_need' END;
    END IF;
    IF NOT EXISTS (
        SELECT FROM memberships m
        WHERE m.tenant_id = o.tenant_id AND m.account_id = p_assignee AND m.ended_at IS NULL
            AND (
                EXISTS (
                    SELECT FROM grants g
                    WHERE g.tenant_id = o.tenant_id AND g.account_id = p_assignee AND g.role = ANY (p_serving_roles)
                        AND g.area_id = ANY (p_ancestors)
                        AND g.valid_from <= p_now AND (g.valid_to IS NULL OR g.valid_to > p_now)
                ) OR EXISTS (
                    SELECT FROM unit_members u
                    WHERE u.tenant_id = o.tenant_id AND u.unit_id = p_unit AND u.account_id = p_assignee
                        AND u.since <= p_now AND (u.until IS NULL OR u.until > p_now)
                )
            )
    ) THEN
        RETURN 'assignee_cannot_serve';
    END IF;
    RETURN NULL;
END $$
