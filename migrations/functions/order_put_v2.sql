-- Places an order: resident, home, area and kind are looked up and checked here, so that placing is one round trip.
-- Who may place for whom: oneself; somebody of one's own household; a worker for residents of the worker's areas, there;
-- the system for who was entitled when a recurring order was agreed.
-- The address is as the client says, else the home's; of an anonymous order only as far as the building.
-- p_command: see place_order in services/orders/orders/actions.py. Never raises for a refusal. The caller sets the tenant.
CREATE FUNCTION order_put(p_tenant uuid, p_command jsonb)
RETURNS TABLE (status smallint, body text) LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    c record;
    resident record;
    home record;
    v_area_id uuid;
    place record;
    v_kind order_kinds;
    placed orders;
    v_life jsonb;
    v_initial text;
    v_timer jsonb;
    v_is_worker boolean := false;
    v_answer text;
    v_status smallint;
BEGIN
    SELECT * INTO c FROM jsonb_to_record(p_command) AS x (
        account uuid, resident uuid, proxy_areas uuid[], is_system boolean, now timestamptz,
        id uuid, kind text, for_resident uuid, household_id uuid, area_id uuid, description text, contact_name text,
        contact_phone text, address text, wanted_from timestamptz, wanted_until timestamptz,
        lng double precision, lat double precision, file_ids uuid[], answers jsonb, is_anonymous boolean,
        recurring_order_id uuid, occurrence_on date
    );
    <<decide>>
    BEGIN
        v_status := 422;
        IF c.for_resident IS NULL THEN
            v_status := 409;
            v_answer := '{"code":"not_a_resident"}';
            EXIT decide;
        END IF;
        SELECT r.id, r.name, r.phone INTO resident FROM residents r WHERE r.tenant_id = p_tenant AND r.id = c.for_resident;
        SELECT h.id, h.area_id, h.dwelling INTO home
        FROM household_members m JOIN households h ON h.tenant_id = m.tenant_id AND h.id = m.household_id
        WHERE m.tenant_id = p_tenant AND m.resident_id = c.for_resident AND (c.household_id IS NULL OR h.id = c.household_id)
        ORDER BY m.lives_here DESC, m.is_registered_here DESC, h.id
        LIMIT 1;
        IF c.for_resident IS DISTINCT FROM c.resident THEN
            v_is_worker := NOT EXISTS (
                SELECT FROM household_members mine
                JOIN household_members theirs
                    ON theirs.tenant_id = mine.tenant_id AND theirs.household_id = mine.household_id
                WHERE mine.tenant_id = p_tenant AND mine.resident_id = c.resident AND theirs.resident_id = c.for_resident
            );
            IF v_is_worker AND NOT c.is_system IS TRUE AND NOT EXISTS (
                SELECT FROM areas a
                WHERE a.tenant_id = p_tenant AND a.id = home.area_id AND a.ancestor_ids && c.proxy_areas
            ) THEN
                resident.id := NULL;
            END IF;
        END IF;
        IF resident.id IS NULL THEN
            v_status := 404;
            v_answer := '{"code":"resident_not_found"}';
            EXIT decide;
        END IF;
        IF c.household_id IS NOT NULL AND home.id IS NULL THEN
            v_answer := '{"code":"not_in_household"}';
            EXIT decide;
        END IF;
        -- Not COALESCE in the query: row security would then compare it with every area of the tenant.
        v_area_id := COALESCE(c.area_id, home.area_id);
        SELECT a.id, a.name, a.community_id, a.ancestor_ids INTO place FROM areas a
        WHERE a.tenant_id = p_tenant AND a.id = v_area_id AND a.valid_to IS NULL;
        IF place.community_id IS NULL THEN
            v_answer := '{"code":"place_needed"}';
            EXIT decide;
        END IF;
        IF v_is_worker AND NOT c.is_system IS TRUE AND NOT place.ancestor_ids && c.proxy_areas THEN
            v_status := 403;
            v_answer := '{"code":"forbidden"}';
            EXIT decide;
        END IF;
        SELECT k.* INTO v_kind FROM order_kinds k WHERE k.tenant_id = p_tenant AND k.id = c.kind AND k.is_active;
        IF v_kind.id IS NULL THEN
            v_answer := '{"code":"unknown_order_kind"}';
            EXIT decide;
        END IF;
        IF c.is_anonymous AND NOT v_kind.allows_anonymous THEN
            v_answer := '{"code":"not_anonymously"}';
            EXIT decide;
        END IF;
        -- What the system places was answered when it was agreed, maybe to an older form.
        IF NOT c.is_system IS TRUE AND (v_kind.form_version IS NOT NULL OR c.answers <> '{}') THEN
            v_answer := order_answers_fault(p_tenant, v_kind.id, v_kind.form_version, c.answers);
            IF v_answer IS NOT NULL THEN
                EXIT decide;
            END IF;
        END IF;
        IF cardinality(c.file_ids) > 0 THEN
            PERFORM pg_advisory_xact_lock(hashtextextended('files of ' || c.account, 0));
            IF cardinality(c.file_ids) <> (
                SELECT count(*) FROM files f
                WHERE f.tenant_id = p_tenant AND f.id = ANY (c.file_ids) AND f.uploaded_by = c.account
                    AND NOT EXISTS (SELECT FROM order_files t WHERE t.tenant_id = p_tenant AND t.file_id = f.id)
            ) THEN
                v_answer := '{"code":"unknown_file"}';
                EXIT decide;
            END IF;
        END IF;

        SELECT l.compiled || '{}' INTO v_life FROM order_lifecycles l  -- || unpacks it once for all looks into it
        WHERE l.tenant_id = p_tenant AND l.version = v_kind.lifecycle_version;
        v_initial := v_life->>'initial';
        v_timer := v_life #> ARRAY['timers', v_initial];
        INSERT INTO orders (
            tenant_id, id, state, stage, lifecycle_version, timer_action, timer_at, answers, form_version,
            is_anonymous, priority, visibility, helpers_wanted,
            recurring_order_id, occurrence_on, kind, area_id, community_id, household_id, resident_id, placed_by, description,
            contact_name, contact_phone, address, wanted_from, wanted_until, lng, lat, placed_at
        ) VALUES (
            p_tenant, c.id, v_initial, v_life #>> ARRAY['states', v_initial, 'stage'], v_kind.lifecycle_version,
            v_timer->>'action', c.now + make_interval(mins => (v_timer->>'minutes')::int),
            COALESCE(c.answers, '{}'), v_kind.form_version, COALESCE(c.is_anonymous, false), v_kind.default_priority,
            v_kind.default_visibility, v_kind.helpers_wanted, c.recurring_order_id, c.occurrence_on,
            c.kind, place.id, place.community_id, home.id, resident.id, c.account, c.description,
            COALESCE(c.contact_name, resident.name), COALESCE(c.contact_phone, resident.phone),
            COALESCE(c.address, left((
                SELECT string_agg(a.name, '' ORDER BY cardinality(a.ancestor_ids))
                FROM areas a
                WHERE a.tenant_id = p_tenant AND a.id = ANY (place.ancestor_ids) AND a.community_id IS NOT NULL
            ) || CASE WHEN home.area_id = place.id AND NOT c.is_anonymous IS TRUE THEN home.dwelling ELSE '' END, 200)),
            c.wanted_from, c.wanted_until, c.lng, c.lat, c.now
        ) ON CONFLICT (tenant_id, id) DO NOTHING RETURNING * INTO placed;
        IF placed.id IS NULL THEN
            v_status := 409;
            v_answer := '{"code":"order_id_taken"}';
            EXIT decide;
        END IF;
        INSERT INTO order_history (tenant_id, order_id, sequence, action, to_state, actor_id, at)
        VALUES (p_tenant, c.id, 1, 'place', v_initial, c.account, c.now);
        IF cardinality(c.file_ids) > 0 THEN
            INSERT INTO order_files (tenant_id, order_id, file_id, purpose)
            SELECT p_tenant, c.id, file_id, 'request' FROM unnest(c.file_ids) AS file_id;
        END IF;
        v_status := 201;
        v_answer := order_json_named(placed, v_kind.name, place.name, NULL, NULL, true);
    END;
    status := v_status;
    body := v_answer;
    RETURN NEXT;
END $$
