-- Moves an order by its lifecycle: the only place that writes a state. Under the row's lock, with a history row.
-- p_command carries who acts, with which areas, and what the action brings with it (services/orders/orders/actions.py).
-- The order's own version of the lifecycle says whether the action leads anywhere from here, who may, and what it needs;
-- order_obstacle says what else stands against it. Never raises for a refusal. The tenant is set by the caller.
CREATE FUNCTION order_step(p_tenant uuid, p_command jsonb)
RETURNS TABLE (status smallint, body text) LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    c record;
    o orders;
    v_was orders;
    v_main orders;
    follower orders;
    v_kind order_kinds;
    v_ancestors uuid[];
    v_area_name text;
    v_facts text[];
    v_life jsonb;
    v_step jsonb;
    v_to text;
    v_stage text;
    v_code text;
    v_moves boolean;
    v_redone boolean := false;
    v_timer jsonb;
    v_taken bigint;
    v_tells boolean;
    v_details jsonb := '{}';
BEGIN
    SELECT * INTO c FROM jsonb_to_record(p_command) AS x (
        account uuid, resident uuid, dispatch_areas uuid[], oversee_areas uuid[], serve_areas uuid[], senior_areas uuid[],
        is_system boolean, now timestamptz, order_id uuid, expected_version bigint, action text,
        note text, file_ids uuid[], serving_roles text[],
        assignee_id uuid, unit_id uuid, assisting_unit_ids uuid[], helpers_wanted smallint, mode text, why jsonb,
        minutes smallint, helpers jsonb, task text, stars smallint, solved boolean,
        kind text, priority text, visibility text, description text, answers jsonb, into_id uuid, until timestamptz,
        event_id uuid, listeners text[], completed_event_id uuid
    );
    IF c.into_id IS NOT NULL THEN  -- two rows are taken, always in the same order
        PERFORM FROM orders t WHERE t.tenant_id = p_tenant AND t.id IN (c.order_id, c.into_id)
        ORDER BY t.id FOR NO KEY UPDATE;
    END IF;
    SELECT t.* INTO o FROM orders t WHERE t.tenant_id = p_tenant AND t.id = c.order_id FOR NO KEY UPDATE;
    SELECT a.ancestor_ids, a.name INTO v_ancestors, v_area_name FROM areas a WHERE a.tenant_id = p_tenant AND a.id = o.area_id;
    IF c.is_system THEN
        v_facts := ARRAY['is_system'];
    ELSE
        v_facts := order_facts(
            o, c.account, c.resident, v_ancestors, c.dispatch_areas, c.oversee_areas, c.serve_areas, c.senior_areas, c.now
        );
    END IF;
    -- Helpers see what waits in their pool, and are told when somebody else was faster.
    IF o.id IS NULL OR NOT (
        v_facts && ARRAY[
            'is_system', 'is_requester', 'is_family_placer', 'is_assignee', 'is_overseer', 'is_assisting',
            'is_unit_member', 'is_assisting_unit_member'
        ] OR 'is_server' = ANY (v_facts) AND (
            o.is_in_pool
            OR c.action = 'join' AND o.stage = 'handle' AND o.helpers_wanted > 1 AND o.unit_id IS NULL
            OR c.action = 'accept' AND o.stage = 'handle' AND order_was_claimed(o)
        )
    ) THEN
        RETURN QUERY SELECT 404::smallint, '{"code":"order_not_found"}';
        RETURN;
    END IF;
    -- || unpacks it: it is stored compressed, and every look into it would unpack it anew.
    SELECT l.compiled || '{}' INTO v_life FROM order_lifecycles l
    WHERE l.tenant_id = p_tenant AND l.version = o.lifecycle_version;
    v_step := v_life #> ARRAY['steps', c.action, o.state];
    IF NOT 'is_system' = ANY (v_facts) AND NOT COALESCE(
        v_step->'who', v_life #> ARRAY['who', c.action], '[]'
    ) ?| v_facts THEN
        RETURN QUERY SELECT 403::smallint, '{"code":"forbidden"}';
        RETURN;
    END IF;
    v_code := CASE
        WHEN c.expected_version <> o.version THEN 'order_changed'
        WHEN v_step IS NULL THEN 'order_state_conflict'
        ELSE order_obstacle(o, v_life->'limits', c.action, v_step->'needs', v_facts, c.account, c.now)
    END;
    v_to := CASE v_step->>'to' WHEN '@before' THEN o.resumes_to ELSE COALESCE(v_step->>'to', o.state) END;
    v_stage := v_life #>> ARRAY['states', v_to, 'stage'];
    IF v_code IS NULL AND v_stage IS NULL THEN
        v_code := 'order_state_conflict';  -- nobody knows where it was before
    END IF;
    IF v_code IS NULL AND c.is_system AND c.action = 'lapse' AND o.timer_action IS DISTINCT FROM 'lapse' THEN
        v_code := 'order_state_conflict';
    END IF;
    IF v_code IS NOT NULL THEN
        RETURN QUERY SELECT 409::smallint, json_build_object(
            'code', v_code, 'action', c.action, 'state', o.state, 'version', o.version,
            'order', order_json(o, order_sees_details(o, v_facts))::json,
            'available_actions', order_actions(o, v_life, v_facts, c.account, c.now)
        )::text;
        RETURN;
    END IF;

    -- What the action brings with it.
    v_code := CASE
        WHEN v_step->'needs' ? 'reason' AND c.note IS NULL THEN 'reason_needed'
        WHEN c.action = 'transfer' AND c.assignee_id IS NULL AND c.unit_id IS NULL THEN 'assignee_needed'
    END;
    IF v_code IS NULL AND v_step->'needs' ? 'evidence' AND cardinality(c.file_ids) + (c.note IS NOT NULL)::int < (
        SELECT k.evidence_required FROM order_kinds k WHERE k.tenant_id = p_tenant AND k.id = o.kind
    ) THEN
        v_code := 'evidence_missing';
    END IF;
    IF v_code IS NULL AND cardinality(c.file_ids) > 0 THEN
        PERFORM pg_advisory_xact_lock(hashtextextended('files of ' || c.account, 0));
        IF cardinality(c.file_ids) <> (
            SELECT count(*) FROM files f
            WHERE f.tenant_id = p_tenant AND f.id = ANY (c.file_ids) AND f.uploaded_by = c.account
                AND NOT EXISTS (SELECT FROM order_files t WHERE t.tenant_id = p_tenant AND t.file_id = f.id)
        ) THEN
            v_code := 'unknown_file';
        END IF;
    END IF;
    IF v_code IS NULL AND c.action IN ('dispatch', 'transfer') AND (c.assignee_id IS NOT NULL OR c.unit_id IS NOT NULL) THEN
        v_code := order_assignment_fault(
            o, v_ancestors, c.assignee_id, c.unit_id, c.assisting_unit_ids, c.serving_roles, c.now
        );
    END IF;
    IF v_code IS NULL AND c.kind IS NOT NULL AND c.action IN ('triage', 'amend') AND c.kind <> o.kind THEN
        SELECT k.* INTO v_kind FROM order_kinds k WHERE k.tenant_id = p_tenant AND k.id = c.kind AND k.is_active;
        IF v_kind.id IS NULL THEN
            v_code := 'unknown_order_kind';
        ELSIF v_kind.lifecycle_version <> o.lifecycle_version THEN
            SELECT l.compiled INTO v_life FROM order_lifecycles l
            WHERE l.tenant_id = p_tenant AND l.version = v_kind.lifecycle_version;
            IF v_life #>> ARRAY['states', v_to, 'stage'] IS DISTINCT FROM v_stage THEN
                v_code := 'kind_does_not_fit';
            END IF;
        END IF;
        IF o.is_anonymous AND NOT v_kind.allows_anonymous THEN
            v_code := 'kind_does_not_fit';
        END IF;
    END IF;
    IF v_code IS NULL AND c.helpers_wanted < o.helpers_wanted THEN
        SELECT GREATEST(1 + count(*) FILTER (WHERE h.left_at IS NULL), 1 + LEAST(count(*), 1)) INTO v_taken
        FROM order_helpers h WHERE h.tenant_id = p_tenant AND h.order_id = o.id;
        IF c.helpers_wanted < v_taken THEN
            v_code := 'helpers_have_joined';
        END IF;
    END IF;
    IF v_code IS NULL AND c.action = 'shelve' AND c.until <= c.now THEN
        v_code := 'time_is_over';
    END IF;
    IF v_code IS NULL AND c.action = 'complete' AND c.helpers IS NOT NULL AND EXISTS (
        SELECT FROM jsonb_to_recordset(c.helpers) AS x (account_id uuid)
        WHERE NOT EXISTS (
            SELECT FROM order_helpers h
            WHERE h.tenant_id = p_tenant AND h.order_id = o.id AND h.account_id = x.account_id AND h.left_at IS NULL
        )
    ) THEN
        v_code := 'unknown_helper';
    END IF;
    IF v_code IS NULL AND c.action = 'merge' THEN
        SELECT t.* INTO v_main FROM orders t WHERE t.tenant_id = p_tenant AND t.id = c.into_id;
        IF v_main.id IS NULL OR v_main.id = o.id OR NOT EXISTS (
            SELECT FROM areas a
            WHERE a.tenant_id = p_tenant AND a.id = v_main.area_id AND a.ancestor_ids && c.dispatch_areas
        ) THEN
            v_code := 'unknown_main_order';
        ELSIF v_main.stage IN ('follow', 'close', 'done') OR v_main.merged_into IS NOT NULL THEN
            v_code := 'main_order_is_over';
        END IF;
    END IF;
    IF v_code IS NULL AND c.action = 'resubmit' AND c.answers IS NOT NULL THEN
        v_code := order_answers_fault(p_tenant, o.kind, o.form_version, c.answers);
    END IF;
    IF v_code IS NOT NULL THEN
        RETURN QUERY SELECT
            CASE
                WHEN v_code IN ('own_need', 'kind_does_not_fit', 'main_order_is_over', 'helpers_have_joined') THEN 409
                ELSE 422
            END::smallint,
            CASE WHEN v_code LIKE '{%' THEN v_code ELSE json_build_object('code', v_code)::text END;
        RETURN;
    END IF;

    v_was := o;
    v_moves := v_step->'to' <> 'null';
    CASE c.action
        WHEN 'dispatch', 'transfer' THEN
            v_details := jsonb_build_object('assignee_id', c.assignee_id) || jsonb_strip_nulls(jsonb_build_object(
                'unit_id', c.unit_id, 'assisting_unit_ids', to_jsonb(NULLIF(c.assisting_unit_ids, '{}')),
                'helpers_wanted', c.helpers_wanted, 'mode', c.mode, 'why', c.why
            ));
        WHEN 'accept' THEN
            v_details := CASE WHEN o.is_in_pool AND o.assignee_id IS NULL THEN '{"claimed": true}' ELSE '{}' END;
        WHEN 'lapse' THEN
            v_details := jsonb_build_object('from_id', o.assignee_id);
        WHEN 'complete' THEN
            v_details := jsonb_strip_nulls(jsonb_build_object('minutes', c.minutes, 'helpers', c.helpers));
        WHEN 'rate' THEN
            v_details := jsonb_build_object('stars', c.stars, 'solved', c.solved);
        WHEN 'merge' THEN
            v_details := jsonb_build_object('into_id', c.into_id);
        WHEN 'triage', 'amend' THEN
            v_details := jsonb_strip_nulls(jsonb_build_object(
                'kind', CASE WHEN c.kind <> o.kind THEN jsonb_build_array(o.kind, c.kind) END,
                'answers', CASE WHEN c.kind <> o.kind THEN NULLIF(o.answers, '{}') END,
                'priority', CASE WHEN c.priority <> o.priority THEN jsonb_build_array(o.priority, c.priority) END,
                'visibility', CASE WHEN c.visibility <> o.visibility THEN jsonb_build_array(o.visibility, c.visibility) END,
                'helpers_wanted', CASE WHEN c.helpers_wanted <> o.helpers_wanted
                    THEN jsonb_build_array(o.helpers_wanted, c.helpers_wanted) END
            ));
        WHEN 'resubmit' THEN
            v_details := jsonb_strip_nulls(jsonb_build_object(
                'description', CASE WHEN c.description IS NOT NULL THEN o.description END,
                'answers', CASE WHEN c.answers IS NOT NULL THEN o.answers END
            ));
        WHEN 'take_over' THEN
            v_details := jsonb_build_object('from_id', o.assignee_id);
        WHEN 'shelve' THEN
            v_details := jsonb_strip_nulls(jsonb_build_object('until', c.until));
        WHEN 'join' THEN
            v_details := jsonb_strip_nulls(jsonb_build_object('task', c.task));
        ELSE NULL;
    END CASE;
    INSERT INTO order_history (tenant_id, order_id, sequence, action, from_state, to_state, actor_id, at, note, details)
    VALUES (p_tenant, o.id, o.version + 1, c.action, o.state, v_to, c.account, c.now, c.note, v_details);
    IF cardinality(c.file_ids) > 0 THEN
        INSERT INTO order_files (tenant_id, order_id, file_id, purpose)
        SELECT p_tenant, o.id, file_id, CASE WHEN c.action = 'resubmit' THEN 'request' ELSE 'evidence' END
        FROM unnest(c.file_ids) AS file_id;
    END IF;

    o.version := o.version + 1;
    o.state := v_to;
    o.stage := v_stage;
    IF v_stage IN ('receive', 'dispatch', 'follow') THEN
        o.assignee_id := NULL;
        o.unit_id := NULL;
        o.dispatched_at := NULL;
        o.accepted_at := NULL;
        o.started_at := NULL;
        o.completed_at := NULL;
        o.verified_at := NULL;
        o.closed_at := NULL;
    END IF;
    IF v_stage = 'done' THEN
        o.closed_at := c.now;
    END IF;
    IF v_moves AND v_life #> ARRAY['states', v_to, 'pauses'] = 'true'
        AND v_life #> ARRAY['states', v_was.state, 'pauses'] = 'false' THEN
        o.resumes_to := v_was.state;
    END IF;
    CASE c.action
        WHEN 'triage', 'amend' THEN
            o.kind := COALESCE(v_kind.id, o.kind);
            o.lifecycle_version := COALESCE(v_kind.lifecycle_version, o.lifecycle_version);
            IF v_kind.id IS NOT NULL THEN  -- the other kind asks other questions; what was answered stays in the history
                o.form_version := v_kind.form_version;
                o.answers := '{}';
            END IF;
            o.priority := COALESCE(c.priority, o.priority);
            o.visibility := COALESCE(c.visibility, o.visibility);
            o.helpers_wanted := COALESCE(c.helpers_wanted, GREATEST(o.helpers_wanted, v_kind.helpers_wanted));
            o.triaged_at := CASE WHEN c.action = 'triage' THEN c.now ELSE o.triaged_at END;
        WHEN 'resubmit' THEN
            o.description := COALESCE(c.description, o.description);
            o.answers := COALESCE(c.answers, o.answers);
        WHEN 'dispatch', 'transfer' THEN
            o.triaged_at := COALESCE(o.triaged_at, c.now);
            o.assignee_id := c.assignee_id;
            o.unit_id := c.unit_id;
            o.helpers_wanted := COALESCE(c.helpers_wanted, o.helpers_wanted);
            o.dispatched_at := c.now;
            o.accepted_at := NULL;
            o.started_at := NULL;
            o.is_escalated := o.is_escalated AND c.action = 'transfer';
            o.hops := o.hops + (c.action = 'transfer')::int;
            IF o.unit_id IS NOT NULL OR v_was.unit_id IS NOT NULL THEN
                UPDATE order_units u SET removed_at = c.now
                WHERE u.tenant_id = p_tenant AND u.order_id = o.id AND u.removed_at IS NULL
                    AND NOT u.unit_id = ANY (COALESCE(c.assisting_unit_ids, '{}'));
                INSERT INTO order_units AS u (tenant_id, order_id, unit_id, added_at)
                SELECT p_tenant, o.id, unit_id, c.now FROM unnest(c.assisting_unit_ids) AS unit_id
                ON CONFLICT (tenant_id, order_id, unit_id) DO UPDATE SET removed_at = NULL
                WHERE u.removed_at IS NOT NULL;
            END IF;
        WHEN 'accept', 'take_over' THEN
            o.assignee_id := c.account;
            o.accepted_at := c.now;
            o.started_at := NULL;
            o.is_escalated := o.is_escalated AND c.action = 'accept';
        WHEN 'decline', 'hand_back' THEN
            o.hops := o.hops + 1;
            o.is_escalated := o.hops >= (v_life #>> '{limits,hops}')::int;
        WHEN 'lapse' THEN
            o.assignee_id := NULL;
            o.accepted_at := NULL;
            o.hops := o.hops + 1;
        WHEN 'join' THEN
            INSERT INTO order_helpers (tenant_id, order_id, account_id, task, joined_at)
            VALUES (p_tenant, o.id, c.account, c.task, c.now)
            ON CONFLICT (tenant_id, order_id, account_id) DO UPDATE
            SET task = EXCLUDED.task, joined_at = EXCLUDED.joined_at, left_at = NULL;
        WHEN 'leave' THEN
            UPDATE order_helpers h SET left_at = c.now
            WHERE h.tenant_id = p_tenant AND h.order_id = o.id AND h.account_id = c.account AND h.left_at IS NULL;
        WHEN 'start' THEN
            o.started_at := c.now;
        WHEN 'complete' THEN
            o.completed_at := c.now;
            o.completion_note := c.note;
            IF c.helpers IS NOT NULL THEN
                UPDATE order_helpers h SET minutes = x.minutes
                FROM jsonb_to_recordset(c.helpers) AS x (account_id uuid, minutes smallint)
                WHERE h.tenant_id = p_tenant AND h.order_id = o.id AND h.account_id = x.account_id AND h.left_at IS NULL;
            END IF;
        WHEN 'verify' THEN
            o.verified_at := c.now;
        WHEN 'redo' THEN
            o.redos := o.redos + 1;
            o.is_escalated := false;
            o.merged_into := NULL;
            o.rated_at := NULL;
            o.stars := NULL;
            o.solved := NULL;
            o.rating_comment := NULL;
            o.started_at := NULL;
            o.completed_at := NULL;
            o.verified_at := NULL;
        WHEN 'rate' THEN
            o.rated_at := c.now;
            o.stars := c.stars;
            o.solved := c.solved;
            o.rating_comment := c.note;
            v_redone := NOT c.solved AND v_life #> ARRAY['steps', 'redo', v_to] IS NOT NULL
                AND o.redos < (v_life #>> '{limits,redos}')::int;
            o.is_escalated := NOT c.solved AND NOT v_redone;
        WHEN 'reopen' THEN
            o.redos := o.redos + 1;
            o.merged_into := NULL;
            o.rated_at := NULL;
            o.stars := NULL;
            o.solved := NULL;
            o.rating_comment := NULL;
            o.is_escalated := o.redos > (v_life #>> '{limits,redos}')::int;
        WHEN 'cancel' THEN
            o.cancelled_at := c.now;
        WHEN 'merge' THEN
            o.merged_into := c.into_id;
        WHEN 'unmerge' THEN
            o.merged_into := NULL;
        WHEN 'follow' THEN
            SELECT t.* INTO v_main FROM orders t WHERE t.tenant_id = p_tenant AND t.id = o.merged_into;
            o.assignee_id := v_main.assignee_id;
            o.unit_id := v_main.unit_id;
            o.dispatched_at := v_main.dispatched_at;
            o.accepted_at := v_main.accepted_at;
            o.started_at := v_main.started_at;
            o.completed_at := v_main.completed_at;
            o.verified_at := v_main.verified_at;  -- what was written about the other home stays there
        ELSE NULL;
    END CASE;
    IF o.stage <> 'handle' OR o.unit_id IS NOT NULL OR v_life #> ARRAY['states', o.state, 'pauses'] = 'true' THEN
        o.is_in_pool := false;
    ELSIF o.helpers_wanted = 1 THEN
        o.is_in_pool := o.assignee_id IS NULL;
    ELSE
        SELECT count(*) INTO v_taken FROM order_helpers h
        WHERE h.tenant_id = p_tenant AND h.order_id = o.id AND h.left_at IS NULL
            AND h.account_id IS DISTINCT FROM o.assignee_id;
        o.is_in_pool := o.assignee_id IS NULL OR v_taken < o.helpers_wanted - 1;
    END IF;
    IF v_moves THEN
        v_timer := v_life #> ARRAY['timers', o.state];
        o.timer_action := v_timer->>'action';
        o.timer_at := c.now + make_interval(mins => (v_timer->>'minutes')::int);
        IF c.action = 'accept' AND v_was.is_in_pool AND v_was.assignee_id IS NULL
            AND v_life #> ARRAY['steps', 'lapse', o.state] IS NOT NULL THEN
            o.timer_action := 'lapse';
            o.timer_at := GREATEST(c.now, o.wanted_from)
                + make_interval(mins => (v_life #>> '{limits,lease_minutes}')::int);
        ELSIF c.action = 'shelve' AND c.until IS NOT NULL THEN
            o.timer_action := 'resume';
            o.timer_at := c.until;
        ELSIF c.action = 'resume' AND v_life #> ARRAY['steps', 'lapse', o.state] IS NOT NULL AND order_was_claimed(o) THEN
            o.timer_action := 'lapse';
            o.timer_at := GREATEST(c.now, o.wanted_from)
                + make_interval(mins => (v_life #>> '{limits,lease_minutes}')::int);
        ELSIF o.is_escalated AND o.timer_action = 'close' THEN
            o.timer_action := NULL;  -- a senior decides, not silence
            o.timer_at := NULL;
        END IF;
    END IF;
    IF o.helpers_wanted > 1 AND o.assignee_id IS DISTINCT FROM v_was.assignee_id THEN  -- nobody assists themselves
        UPDATE order_helpers h SET left_at = c.now
        WHERE h.tenant_id = p_tenant AND h.order_id = o.id AND h.account_id = o.assignee_id AND h.left_at IS NULL;
    END IF;
    -- Told at every answer that stands: whoever was credited for the order is not credited again. One work that answers
    -- several reporters is told once.
    v_tells := c.action = 'rate' AND NOT v_redone AND o.assignee_id IS NOT NULL AND c.event_id IS NOT NULL;
    IF v_tells AND o.merged_into IS NOT NULL THEN
        UPDATE orders t SET rewarded_at = c.now
        WHERE t.tenant_id = p_tenant AND t.id = o.merged_into AND t.rewarded_at IS NULL RETURNING t.* INTO v_main;
        v_tells := FOUND;
    ELSIF v_tells AND (o.rewarded_at IS NULL OR o.redos > 0) THEN
        o.rewarded_at := c.now;
    ELSE
        v_tells := false;
    END IF;
    UPDATE orders t SET
        version = o.version, state = o.state, stage = o.stage, kind = o.kind, lifecycle_version = o.lifecycle_version,
        form_version = o.form_version, priority = o.priority, visibility = o.visibility,
        helpers_wanted = o.helpers_wanted, description = o.description, answers = o.answers,
        assignee_id = o.assignee_id, unit_id = o.unit_id, is_in_pool = o.is_in_pool, hops = o.hops, redos = o.redos,
        is_escalated = o.is_escalated, timer_at = o.timer_at, timer_action = o.timer_action, resumes_to = o.resumes_to,
        merged_into = o.merged_into, triaged_at = o.triaged_at, dispatched_at = o.dispatched_at,
        accepted_at = o.accepted_at, started_at = o.started_at, completed_at = o.completed_at,
        completion_note = o.completion_note, verified_at = o.verified_at, rated_at = o.rated_at, stars = o.stars,
        solved = o.solved, rating_comment = o.rating_comment, closed_at = o.closed_at, rewarded_at = o.rewarded_at,
        cancelled_at = o.cancelled_at
    WHERE t.tenant_id = p_tenant AND t.id = o.id;
    IF v_tells AND o.merged_into IS NOT NULL THEN
        v_main.stars := o.stars;
        v_main.solved := o.solved;
        v_main.rated_at := o.rated_at;
        PERFORM order_tell_rated(v_main, c.event_id, c.listeners, c.now);
    ELSIF v_tells THEN
        PERFORM order_tell_rated(o, c.event_id, c.listeners, c.now);
    END IF;

    -- Who shares the order's way comes along, or goes on alone.
    IF c.action = 'merge' THEN
        FOR follower IN
            SELECT t.* FROM orders t
            WHERE t.tenant_id = p_tenant AND t.merged_into = o.id AND t.stage = 'follow' ORDER BY t.id FOR NO KEY UPDATE
        LOOP
            INSERT INTO order_history (
                tenant_id, order_id, sequence, action, from_state, to_state, actor_id, at, note, details
            ) VALUES (
                p_tenant, follower.id, follower.version + 1, 'merge', follower.state, follower.state, c.account, c.now, c.note,
                jsonb_build_object('into_id', c.into_id)
            );
            UPDATE orders t SET merged_into = c.into_id, version = t.version + 1
            WHERE t.tenant_id = p_tenant AND t.id = follower.id;
        END LOOP;
    ELSIF o.stage IN ('close', 'done') AND NOT v_redone AND v_was.stage NOT IN ('close', 'done', 'follow') THEN
        FOR follower IN
            SELECT t.* FROM orders t
            WHERE t.tenant_id = p_tenant AND t.merged_into = o.id AND t.stage = 'follow' ORDER BY t.id FOR NO KEY UPDATE
        LOOP
            PERFORM order_step(p_tenant, jsonb_build_object(
                'is_system', true, 'now', c.now, 'order_id', follower.id,
                'action', CASE WHEN o.completed_at IS NULL THEN 'unmerge' ELSE 'follow' END, 'note', '主单 ' || order_number(o.number)
            ));
        END LOOP;
    END IF;
    IF v_redone THEN
        PERFORM order_step(p_tenant, jsonb_build_object(
            'is_system', true, 'now', c.now, 'order_id', o.id, 'action', 'redo', 'note', COALESCE(c.note, '居民反映未解决')
        ));
        SELECT t.* INTO o FROM orders t WHERE t.tenant_id = p_tenant AND t.id = o.id;
    END IF;
    IF NOT c.is_system IS TRUE AND (v_moves OR c.action IN ('join', 'leave')) AND v_facts && ARRAY['is_server', 'is_assignee', 'is_unit_member', 'is_assisting_unit_member', 'is_assisting', 'is_senior'] THEN
        v_facts := order_facts(
            o, c.account, c.resident, v_ancestors, c.dispatch_areas, c.oversee_areas, c.serve_areas, c.senior_areas, c.now
        );
    END IF;
    status := 200;
    body := order_json_named(
        o,
        (SELECT k.name FROM order_kinds k WHERE k.tenant_id = p_tenant AND k.id = o.kind),
        v_area_name,
        CASE WHEN o.assignee_id IS NOT NULL THEN (SELECT p.name FROM accounts p WHERE p.id = o.assignee_id) END,
        CASE WHEN o.unit_id IS NOT NULL THEN (SELECT u.name FROM units u WHERE u.tenant_id = p_tenant AND u.id = o.unit_id) END,
        order_sees_details(o, v_facts)
    );
    RETURN NEXT;
END $$
