-- Staff were told that the work done last is not solved: it is done again at once, as after such a rating, while its life
-- lets it; then a senior decides, and silence closes it no more. What is closed already stays so until somebody opens it.
-- The caller holds the order's row lock and has set the tenant.
CREATE FUNCTION order_unsolved(p_tenant uuid, p_order uuid, p_words text, p_now timestamptz)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_status smallint;
BEGIN
    SELECT s.status INTO v_status FROM order_step(p_tenant, jsonb_build_object(
        'is_system', true, 'now', p_now, 'order_id', p_order, 'action', 'redo', 'note', p_words
    )) AS s;
    IF v_status <> 200 THEN
        UPDATE orders o SET
            is_escalated = true,
            timer_at = CASE WHEN o.timer_action = 'close' THEN NULL ELSE o.timer_at END,
            timer_action = NULLIF(o.timer_action, 'close')
        WHERE o.tenant_id = p_tenant AND o.id = p_order AND o.stage <> 'done';
    END IF;
END $$
