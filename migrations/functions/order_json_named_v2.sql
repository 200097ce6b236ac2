-- An order as the API answers it (services/orders/orders/schemas.py OrderRead). What tells whose home it is
-- (contact, household, words, point) is there only for those who need it: p_is_full. Of an anonymous order nobody learns
-- whose need it is.
-- The names are looked up by the calling query, into which this is inlined: it must stay one expression without queries.
CREATE FUNCTION order_json_named(
    o orders, p_kind_name text, p_area_name text, p_assignee_name text, p_unit_name text, p_is_full boolean
) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT json_build_object(
        'id', o.id,
        'number', order_number(o.number),
        'kind', o.kind,
        'kind_name', p_kind_name,
        'state', o.state,
        'stage', o.stage,
        'version', o.version,
        'lifecycle_version', o.lifecycle_version,
        'priority', o.priority,
        'visibility', o.visibility,
        'is_anonymous', o.is_anonymous,
        'area_id', o.area_id,
        'area_name', p_area_name,
        'community_id', o.community_id,
        'is_in_pool', o.is_in_pool,
        'assignee_id', o.assignee_id,
        'assignee_name', p_assignee_name,
        'unit_id', o.unit_id,
        'unit_name', p_unit_name,
        'helpers_wanted', o.helpers_wanted,
        'hops', o.hops,
        'redos', o.redos,
        'is_escalated', o.is_escalated,
        'timer_at', o.timer_at,
        'timer_action', o.timer_action,
        'merged_into', o.merged_into,
        'recurring_order_id', o.recurring_order_id,
        'occurrence_on', o.occurrence_on,
        'wanted_from', o.wanted_from,
        'wanted_until', o.wanted_until,
        'placed_at', o.placed_at,
        'triaged_at', o.triaged_at,
        'dispatched_at', o.dispatched_at,
        'accepted_at', o.accepted_at,
        'started_at', o.started_at,
        'completed_at', o.completed_at,
        'verified_at', o.verified_at,
        'rated_at', o.rated_at,
        'closed_at', o.closed_at,
        'cancelled_at', o.cancelled_at,
        'stars', o.stars,
        'solved', o.solved,
        'details', CASE WHEN p_is_full THEN json_build_object(
            'description', o.description,
            'answers', o.answers,
            'form_version', o.form_version,
            'resident_id', CASE WHEN NOT o.is_anonymous THEN o.resident_id END,
            'household_id', CASE WHEN NOT o.is_anonymous THEN o.household_id END,
            'placed_by', CASE WHEN NOT o.is_anonymous THEN o.placed_by END,
            'contact_name', CASE WHEN o.is_anonymous THEN '匿名居民' ELSE o.contact_name END,
            'contact_phone', CASE WHEN NOT o.is_anonymous THEN o.contact_phone END,
            'address', o.address,
            'lng', o.lng,
            'lat', o.lat,
            'completion_note', o.completion_note,
            'rating_comment', o.rating_comment
        ) END
    )::text
$$
