-- Moves an order along one transition, the only place that writes a state. Under the row's lock, with a history row.
-- p_command carries the transition (from, to, who) out of services/orders/orders/lifecycle.py and the caller's areas
-- (_advance in services/orders/orders/actions.py). The facts below are those of policy.py. Never raises for a refusal.
-- The minutes a helper states on completing stand in that history row, and are told with the rating.
CREATE FUNCTION order_advance(p_tenant uuid, p_command jsonb)
RETURNS TABLE (status smallint, body text, replayed boolean) LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    c record;
    known record;
    o orders;
    v_ancestors uuid[];
    v_facts text[];
    v_answer text;
    v_status smallint;
BEGIN
    EXECUTE format('SET LOCAL linli.tenant = %L', p_tenant);
    SELECT * INTO c FROM jsonb_to_record(p_command) AS x (
        account uuid, resident uuid, dispatch_areas uuid[], oversee_areas uuid[], serve_areas uuid[],
        idempotency_key text, request_hash text, now timestamptz, order_id uuid, expected_version bigint,
        action text, from_states text[], to_state text, who text[], needs_evidence boolean,
        note text, assignee_id uuid, serving_roles text[], file_ids uuid[], minutes smallint, stars smallint,
        solved boolean, event_id uuid, event_kind text, listeners text[]
    );
    SELECT * INTO known FROM idempotency_recall(p_tenant, c.account, c.idempotency_key, decode(c.request_hash, 'hex'));
    IF FOUND THEN
        RETURN QUERY SELECT known.status, known.body, true;
        RETURN;
    END IF;
    SELECT t.* INTO o FROM orders t WHERE t.tenant_id = p_tenant AND t.id = c.order_id FOR NO KEY UPDATE;
    SELECT a.ancestor_ids INTO v_ancestors FROM areas a WHERE a.tenant_id = p_tenant AND a.id = o.area_id;
    v_facts := array_remove(ARRAY[
        CASE WHEN o.resident_id = c.resident THEN 'is_requester' END,
        CASE WHEN o.assignee_id = c.account THEN 'is_assignee' END,
        CASE WHEN o.assignee_id = c.account AND v_ancestors && c.serve_areas THEN 'is_helper' END,
        CASE WHEN v_ancestors && c.dispatch_areas THEN 'is_dispatcher' END,
        CASE WHEN v_ancestors && c.oversee_areas THEN 'is_overseer' END,
        CASE WHEN v_ancestors && c.serve_areas THEN 'is_server' END
    ], NULL);
    IF o.placed_by = c.account AND NOT 'is_requester' = ANY (v_facts) THEN
        IF order_placer_is_family(o) THEN
            v_facts := v_facts || 'is_family_placer'::text;
        END IF;
        IF 'is_overseer' = ANY (v_facts) THEN
            v_facts := v_facts || 'is_proxy'::text;
            IF EXISTS (
                SELECT FROM residents r
                WHERE r.tenant_id = p_tenant AND r.id = o.resident_id AND r.account_id IS NULL
            ) THEN
                v_facts := v_facts || 'stands_in'::text;
            END IF;
        END IF;
    END IF;

    <<decide>>
    BEGIN
        v_status := 409;
        IF o.id IS NULL OR NOT (
            v_facts && ARRAY['is_requester', 'is_family_placer', 'is_assignee', 'is_overseer']
            OR 'is_server' = ANY (v_facts) AND o.dispatched_at IS NOT NULL AND (
                o.state = 'dispatched' AND o.assignee_id IS NULL
                OR c.action = 'accept' AND o.state IN ('dispatched', 'accepted', 'in_progress')
            )
        ) THEN
            v_status := 404;
            v_answer := '{"code":"order_not_found"}';
            EXIT decide;
        END IF;
        IF NOT v_facts && c.who THEN
            v_status := 403;
            v_answer := '{"code":"forbidden"}';
            EXIT decide;
        END IF;
        IF c.expected_version <> o.version THEN
            v_answer := json_build_object('code', 'order_changed', 'state', o.state, 'version', o.version);
            EXIT decide;
        END IF;
        IF NOT o.state = ANY (c.from_states) OR c.action = 'accept' AND o.assignee_id <> c.account THEN
            v_answer := json_build_object(
                'code', 'order_state_conflict', 'action', c.action, 'state', o.state, 'version', o.version
            );
            EXIT decide;
        END IF;
        IF c.action = 'accept' AND o.resident_id = c.resident THEN
            v_answer := '{"code":"own_need"}';
            EXIT decide;
        END IF;
        IF c.action = 'rate' AND o.assignee_id = c.account THEN
            v_answer := '{"code":"own_work"}';
            EXIT decide;
        END IF;
        IF c.action = 'dispatch' AND c.assignee_id IS NOT NULL THEN
            IF EXISTS (
                SELECT FROM residents r
                WHERE r.tenant_id = p_tenant AND r.id = o.resident_id AND r.account_id = c.assignee_id
            ) THEN
                v_answer := '{"code":"own_need"}';
                EXIT decide;
            END IF;
            IF NOT EXISTS (
                SELECT FROM grants g
                JOIN memberships m ON m.tenant_id = g.tenant_id AND m.account_id = g.account_id AND m.ended_at IS NULL
                WHERE g.tenant_id = p_tenant AND g.account_id = c.assignee_id AND g.role = ANY (c.serving_roles)
                    AND g.area_id = ANY (v_ancestors) AND g.valid_from <= c.now AND (g.valid_to IS NULL OR g.valid_to > c.now)
            ) THEN
                v_status := 422;
                v_answer := '{"code":"assignee_cannot_serve"}';
                EXIT decide;
            END IF;
        END IF;
        v_status := 422;
        IF c.needs_evidence THEN
            IF cardinality(c.file_ids) + (c.note IS NOT NULL)::int < (
                SELECT k.evidence_required FROM order_kinds k WHERE k.tenant_id = p_tenant AND k.id = o.kind
            ) THEN
                v_answer := '{"code":"evidence_missing"}';
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

        INSERT INTO order_history (tenant_id, order_id, sequence, action, from_state, to_state, actor_id, at, note, details)
        VALUES (
            p_tenant, o.id, o.version + 1, c.action, o.state, c.to_state, c.account, c.now, c.note,
            CASE c.action
                WHEN 'dispatch' THEN jsonb_build_object('assignee_id', c.assignee_id)
                WHEN 'complete' THEN jsonb_strip_nulls(jsonb_build_object('minutes', c.minutes))
                WHEN 'rate' THEN jsonb_build_object('stars', c.stars, 'solved', c.solved)
                ELSE '{}'
            END
        );
        UPDATE orders t SET
            state = c.to_state,
            version = t.version + 1,
            assignee_id = CASE c.action
                WHEN 'dispatch' THEN c.assignee_id
                WHEN 'accept' THEN c.account
                WHEN 'decline' THEN NULL
                ELSE t.assignee_id
            END,
            dispatched_at = CASE c.action WHEN 'dispatch' THEN c.now WHEN 'decline' THEN NULL ELSE t.dispatched_at END,
            accepted_at = CASE
                WHEN c.action = 'accept' THEN c.now
                WHEN c.action IN ('dispatch', 'decline') THEN NULL
                ELSE t.accepted_at
            END,
            started_at = CASE
                WHEN c.action = 'start' THEN c.now
                WHEN c.action IN ('dispatch', 'decline') THEN NULL
                ELSE t.started_at
            END,
            completed_at = CASE WHEN c.action = 'complete' THEN c.now ELSE t.completed_at END,
            completion_note = CASE WHEN c.action = 'complete' THEN c.note ELSE t.completion_note END,
            rated_at = CASE WHEN c.action = 'rate' THEN c.now ELSE t.rated_at END,
            stars = CASE WHEN c.action = 'rate' THEN c.stars ELSE t.stars END,
            solved = CASE WHEN c.action = 'rate' THEN c.solved ELSE t.solved END,
            rating_comment = CASE WHEN c.action = 'rate' THEN c.note ELSE t.rating_comment END,
            cancelled_at = CASE WHEN c.action = 'cancel' THEN c.now ELSE t.cancelled_at END
        WHERE t.tenant_id = p_tenant AND t.id = o.id
        RETURNING t.* INTO o;
        IF cardinality(c.file_ids) > 0 THEN
            INSERT INTO order_files (tenant_id, order_id, file_id, purpose)
            SELECT p_tenant, o.id, file_id, 'evidence' FROM unnest(c.file_ids) AS file_id;
        END IF;
        IF c.event_kind = 'order_rated' THEN
            PERFORM outbox_record(p_tenant, c.event_id, c.event_kind, jsonb_build_object(
                'order_id', o.id, 'number', o.number, 'order_kind', o.kind,
                'order_kind_name', (SELECT k.name FROM order_kinds k WHERE k.tenant_id = p_tenant AND k.id = o.kind),
                'community_id', o.community_id,
                'assignee_id', o.assignee_id, 'stars', o.stars, 'solved', o.solved, 'rated_at', o.rated_at,
                'began_at', COALESCE(o.started_at, o.accepted_at), 'ended_at', o.completed_at,
                'minutes', COALESCE(
                    (
                        SELECT (h.details->>'minutes')::smallint FROM order_history h
                        WHERE h.tenant_id = p_tenant AND h.order_id = o.id AND h.action = 'complete'
                        ORDER BY h.sequence DESC LIMIT 1
                    ),
                    -- Who left it open for longer than a day forgot to report it done.
                    CASE WHEN o.completed_at BETWEEN o.started_at AND o.started_at + interval '24 hours'
                        THEN trunc(EXTRACT(EPOCH FROM o.completed_at - o.started_at) / 60)::smallint
                    END
                )
            ), c.listeners, c.now);
        END IF;
        v_status := 200;
        v_answer := order_json(o,
            v_facts && ARRAY['is_requester', 'is_family_placer', 'is_overseer']
            OR o.assignee_id = c.account AND 'is_server' = ANY (v_facts)
        );
    END;

    PERFORM idempotency_store(
        p_tenant, c.account, c.idempotency_key, decode(c.request_hash, 'hex'), v_status, v_answer
    );
    RETURN QUERY SELECT v_status, v_answer, false;
END $$
