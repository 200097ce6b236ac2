-- Who somebody is to an order: the names of the facts of services/orders/orders/policy.py that hold. The areas are those
-- in whose subtrees the person holds a dispatching, overseeing, serving or senior role now.
CREATE FUNCTION order_facts(
    o orders, p_account uuid, p_resident uuid, p_ancestors uuid[], p_dispatch_areas uuid[], p_oversee_areas uuid[],
    p_serve_areas uuid[], p_senior_areas uuid[], p_now timestamptz
) RETURNS text[] LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    v_serves boolean := p_ancestors && p_serve_areas;
    v_oversees boolean := p_ancestors && p_oversee_areas;
    v_dispatches boolean := p_ancestors && p_dispatch_areas;
    v_is_assignee boolean := COALESCE(o.assignee_id = p_account, false);
    v_is_requester boolean := COALESCE(o.resident_id = p_resident, false);
    v_leads boolean;
    v_facts text[];
BEGIN
    v_facts := array_remove(ARRAY[
        CASE WHEN v_is_requester THEN 'is_requester' END,
        CASE WHEN v_is_assignee THEN 'is_assignee' END,
        CASE WHEN v_serves THEN 'is_server' END,
        CASE WHEN v_oversees THEN 'is_overseer' END,
        CASE WHEN v_dispatches THEN 'is_dispatcher' END,
        CASE WHEN p_ancestors && p_senior_areas THEN 'is_senior' END
    ], NULL);
    IF o.unit_id IS NOT NULL THEN
        SELECT m.is_leader INTO v_leads
        FROM unit_members m
        JOIN units u ON u.tenant_id = m.tenant_id AND u.id = m.unit_id AND u.is_active
        WHERE m.tenant_id = o.tenant_id AND m.unit_id = o.unit_id AND m.account_id = p_account
            AND m.since <= p_now AND (m.until IS NULL OR m.until > p_now);
        IF FOUND THEN
            v_facts := v_facts || 'is_unit_member'::text;
            IF v_leads THEN
                v_facts := v_facts || 'is_unit_leader'::text;
            END IF;
        END IF;
        IF EXISTS (
            SELECT FROM order_units u
            JOIN unit_members m ON m.tenant_id = u.tenant_id AND m.unit_id = u.unit_id
            JOIN units t ON t.tenant_id = u.tenant_id AND t.id = u.unit_id AND t.is_active
            WHERE u.tenant_id = o.tenant_id AND u.order_id = o.id AND u.removed_at IS NULL AND m.account_id = p_account
                AND m.since <= p_now AND (m.until IS NULL OR m.until > p_now)
        ) THEN
            v_facts := v_facts || 'is_assisting_unit_member'::text;
        END IF;
    END IF;
    IF v_is_assignee AND (v_serves OR v_dispatches OR 'is_unit_member' = ANY (v_facts)) THEN
        v_facts := v_facts || 'is_helper'::text;
    END IF;
    IF o.helpers_wanted > 1 AND EXISTS (
        SELECT FROM order_helpers h
        WHERE h.tenant_id = o.tenant_id AND h.order_id = o.id AND h.account_id = p_account AND h.left_at IS NULL
    ) THEN
        v_facts := v_facts || 'is_assisting'::text;
    END IF;
    IF o.placed_by = p_account AND NOT v_is_requester THEN
        IF order_placer_is_family(o) THEN
            v_facts := v_facts || 'is_family_placer'::text;
        END IF;
        IF v_oversees THEN
            v_facts := v_facts || 'is_proxy'::text;
            IF EXISTS (
                SELECT FROM residents r
                WHERE r.tenant_id = o.tenant_id AND r.id = o.resident_id AND r.account_id IS NULL
            ) THEN
                v_facts := v_facts || 'stands_in'::text;
            END IF;
        END IF;
    END IF;
    RETURN v_facts;
END $$
