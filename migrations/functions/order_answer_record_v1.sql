-- What somebody answered to the round of work that was completed last; its number among the order's answers.
-- The only writer of order_answers. The caller holds the order's row lock and has set the tenant.
-- Unsolved, the order waits for somebody to decide how it goes on; solved, nobody need call any more.
CREATE FUNCTION order_answer_record(
    p_tenant uuid, p_order uuid, p_source text, p_solved boolean, p_stars smallint, p_words text, p_account uuid,
    p_at timestamptz
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    v_sequence bigint;
BEGIN
    INSERT INTO order_answers (
        tenant_id, order_id, sequence, round, completed_at, source, solved, stars, words, account_id, at
    )
    SELECT
        p_tenant, o.id,
        (
            SELECT COALESCE(max(w.sequence), 0) + 1 FROM order_answers w
            WHERE w.tenant_id = p_tenant AND w.order_id = o.id
        ),
        order_round(p_tenant, o.id), o.completed_at, p_source, p_solved, p_stars, p_words, p_account, p_at
    FROM orders o WHERE o.tenant_id = p_tenant AND o.id = p_order
    RETURNING sequence INTO v_sequence;
    IF p_solved THEN
        DELETE FROM due_follow_ups f WHERE f.tenant_id = p_tenant AND f.order_id = p_order;
    ELSE
        INSERT INTO due_follow_ups AS f (tenant_id, order_id, community_id, area_id, cause, completed_at, due_at)
        SELECT p_tenant, o.id, o.community_id, o.area_id, 'unsolved', o.completed_at, p_at
        FROM orders o WHERE o.tenant_id = p_tenant AND o.id = p_order AND o.completed_at IS NOT NULL
        ON CONFLICT (tenant_id, order_id) DO UPDATE SET cause = 'unsolved', due_at = p_at;
    END IF;
    RETURN v_sequence;
END $$
