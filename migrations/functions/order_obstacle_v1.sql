-- What stands against an action that the order's lifecycle has here and that the person may take: a problem's code, or
-- NULL. The one place of these rules: order_step refuses by it, order_actions leaves out by it. It runs in their settings.
CREATE FUNCTION order_obstacle(
    o orders, p_limits jsonb, p_action text, p_needs jsonb, p_facts text[], p_account uuid, p_now timestamptz
) RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF p_action IN ('accept', 'join', 'take_over') AND p_facts && ARRAY['is_requester', 'is_family_placer'] THEN
        RETURN 'own_need';
    END IF;
    IF p_needs ? 'second_person' AND (o.assignee_id = p_account OR o.helpers_wanted > 1 AND EXISTS (
        SELECT FROM order_helpers h WHERE h.tenant_id = o.tenant_id AND h.order_id = o.id AND h.account_id = p_account
    )) THEN
        RETURN 'own_work';
    END IF;
    CASE p_action
        WHEN 'accept' THEN
            IF o.assignee_id <> p_account OR o.assignee_id IS NULL AND NOT (
                o.is_in_pool AND 'is_server' = ANY (p_facts) OR 'is_unit_member' = ANY (p_facts)
            ) THEN
                RETURN 'order_state_conflict';
            END IF;
            IF o.hops > 0 AND o.assignee_id IS NULL AND o.unit_id IS NULL AND EXISTS (
                SELECT FROM order_history h
                WHERE h.tenant_id = o.tenant_id AND h.order_id = o.id AND h.action = 'lapse'
                    AND h.details->>'from_id' = p_account::text
            ) THEN
                RETURN 'claim_lapsed';
            END IF;
        WHEN 'join' THEN
            IF o.assignee_id = p_account OR 'is_assisting' = ANY (p_facts) THEN
                RETURN 'order_state_conflict';
            END IF;
            IF NOT (
                o.is_in_pool AND 'is_server' = ANY (p_facts)
                OR o.unit_id IS NOT NULL AND p_facts && ARRAY['is_unit_member', 'is_assisting_unit_member']
            ) OR o.helpers_wanted - 1 <= (
                SELECT count(*) FROM order_helpers h
                WHERE h.tenant_id = o.tenant_id AND h.order_id = o.id AND h.left_at IS NULL
            ) THEN
                RETURN 'order_full';
            END IF;
        WHEN 'take_over' THEN
            IF o.assignee_id = p_account AND o.accepted_at IS NOT NULL THEN
                RETURN 'order_state_conflict';
            END IF;
        WHEN 'dispatch', 'merge' THEN
            IF (o.is_escalated OR o.hops >= (p_limits->>'hops')::int) AND NOT 'is_senior' = ANY (p_facts) THEN
                RETURN 'senior_needed';
            END IF;
        WHEN 'transfer' THEN
            IF o.hops >= (p_limits->>'hops')::int THEN
                RETURN 'senior_needed';
            END IF;
        WHEN 'redo' THEN
            IF o.redos >= (p_limits->>'redos')::int AND NOT 'is_senior' = ANY (p_facts) THEN
                RETURN 'senior_needed';
            END IF;
        WHEN 'close' THEN
            IF o.is_escalated AND NOT 'is_senior' = ANY (p_facts) THEN
                RETURN 'senior_needed';
            END IF;
        WHEN 'reopen' THEN
            IF COALESCE(o.closed_at, o.rated_at) + make_interval(days => (p_limits->>'reopen_days')::int) < p_now THEN
                RETURN 'reopening_over';
            END IF;
        ELSE NULL;
    END CASE;
    RETURN NULL;
END $$
