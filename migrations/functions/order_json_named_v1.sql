-- An order as the API answers it (services/orders/orders/schemas.py OrderRead). What tells whose home it is
-- (contact, household, words, point) is there only for those who need it: p_is_full.
-- The names are looked up by the calling query, into which this is inlined: it must stay one expression without queries.
CREATE FUNCTION order_json_named(
    o orders, p_kind_name text, p_area_name text, p_assignee_name text, p_is_full boolean
) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT json_build_object(
        'id', o.id,
        'number', order_number(o.number),
        'kind', o.kind,
        'kind_name', p_kind_name,
        'state', o.state,
        'version', o.version,
        'area_id', o.area_id,
        'area_name', p_area_name,
        'community_id', o.community_id,
        'is_in_pool', o.state = 'dispatched' AND o.assignee_id IS NULL,
        'assignee_id', o.assignee_id,
        'assignee_name', p_assignee_name,
        'wanted_from', o.wanted_from,
        'wanted_until', o.wanted_until,
        'placed_at', o.placed_at,
        'dispatched_at', o.dispatched_at,
        'accepted_at', o.accepted_at,
        'started_at', o.started_at,
        'completed_at', o.completed_at,
        'rated_at', o.rated_at,
        'cancelled_at', o.cancelled_at,
        'stars', o.stars,
        'solved', o.solved,
        'details', CASE WHEN p_is_full THEN json_build_object(
            'description', o.description,
            'resident_id', o.resident_id,
            'household_id', o.household_id,
            'placed_by', o.placed_by,
            'contact_name', o.contact_name,
            'contact_phone', o.contact_phone,
            'address', o.address,
            'lng', o.lng,
            'lat', o.lat,
            'completion_note', o.completion_note,
            'rating_comment', o.rating_comment
        ) END
    )::text
$$
