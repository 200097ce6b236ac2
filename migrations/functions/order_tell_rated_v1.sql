-- Records OrderRated (services/events.py), once per order: the work is judged, and can be rewarded.
-- Service time: as stated on completing, else from start to completion when that was within a day.
CREATE FUNCTION order_tell_rated(o orders, p_event_id uuid, p_listeners text[], p_now timestamptz)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM outbox_record(o.tenant_id, p_event_id, 'order_rated', jsonb_build_object(
        'order_id', o.id, 'number', o.number, 'order_kind', o.kind,
        'order_kind_name', (SELECT k.name FROM order_kinds k WHERE k.tenant_id = o.tenant_id AND k.id = o.kind),
        'community_id', o.community_id,
        'assignee_id', o.assignee_id, 'stars', o.stars, 'solved', o.solved, 'rated_at', o.rated_at,
        'began_at', COALESCE(o.started_at, o.accepted_at), 'ended_at', o.completed_at,
        'minutes', COALESCE(
            (
                SELECT (h.details->>'minutes')::smallint FROM order_history h
                WHERE h.tenant_id = o.tenant_id AND h.order_id = o.id AND h.action = 'complete'
                ORDER BY h.sequence DESC LIMIT 1
            ),
            -- Who left it open for longer than a day forgot to report it done.
            CASE WHEN o.completed_at BETWEEN o.started_at AND o.started_at + interval '24 hours'
                THEN trunc(EXTRACT(EPOCH FROM o.completed_at - o.started_at) / 60)::smallint
            END
        )
    ) || CASE WHEN o.helpers_wanted = 1 THEN '{}' ELSE jsonb_build_object('helpers', COALESCE((
        SELECT jsonb_agg(jsonb_build_object('account_id', h.account_id, 'minutes', h.minutes) ORDER BY h.joined_at, h.account_id)
        FROM order_helpers h
        WHERE h.tenant_id = o.tenant_id AND h.order_id = o.id AND h.left_at IS NULL AND h.account_id <> o.assignee_id
    ), '[]')) END, p_listeners, p_now);
END $$
