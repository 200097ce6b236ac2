-- ledger_hold behind its idempotency key.
CREATE FUNCTION ledger_hold_decided(p_tenant uuid, c ledger_hold_command)
RETURNS TABLE (status smallint, body text, replayed boolean) LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off AS $$
DECLARE
    account ledger_accounts;
    settings ledger_settings := ledger_settings_of(p_tenant, c.asset);
    v_existing uuid;
    v_accounts uuid[];
    v_refusal text;
    v_now timestamptz;
    v_expires_at timestamptz;
    v_available bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('ledger hold ' || c.source_kind || ' ' || c.source_id, 0));
    v_existing := (
        SELECT h.id FROM ledger_holds h
        WHERE h.tenant_id = p_tenant AND h.source_kind = c.source_kind AND h.source_id = c.source_id
    );
    IF v_existing IS NOT NULL AND NOT EXISTS (
        SELECT FROM ledger_holds h JOIN ledger_accounts a ON a.tenant_id = p_tenant AND a.id = h.account_id
        WHERE h.tenant_id = p_tenant AND h.id = v_existing AND a.owner_id = c.owner_id
            AND (a.owner_id = c.account OR ledger_hold_concerns(p_tenant, h.id, c.issuer_areas))
    ) THEN  -- naming its source shows nobody a hold that is not theirs
        RETURN QUERY SELECT 403::smallint, '{"code":"forbidden"}', false;
        RETURN;
    ELSIF v_existing IS NOT NULL THEN
        RETURN QUERY SELECT 201::smallint, ledger_hold_json(p_tenant, v_existing), true;
        RETURN;
    END IF;
    v_refusal := ledger_refusal(
        p_tenant,
        jsonb_populate_record(NULL::ledger_item, jsonb_build_object(
            'account', CASE WHEN c.account <> c.owner_id THEN c.account END,
            'issuer_areas', c.issuer_areas,
            'is_gift', c.issuer_areas IS NULL,
            'leg_kinds', ARRAY['member', c.to_kind],
            'leg_owners', ARRAY[c.owner_id, c.to_owner_id],
            'leg_assets', ARRAY[c.asset, c.asset],
            'leg_amounts', ARRAY[-c.amount, c.amount]
        )),
        NULL, NULL
    );
    IF v_refusal IS NULL AND c.to_kind IN ('merchant', 'escrow') AND NOT EXISTS (
        SELECT FROM ledger_accounts m WHERE m.tenant_id = p_tenant AND m.asset = c.asset AND m.kind = c.to_kind
            AND m.owner_id = c.to_owner_id
    ) THEN
        v_refusal := 'points_account_not_found';
    END IF;
    IF v_refusal IS NULL AND c.to_kind = 'issuing_community' AND NOT EXISTS (
        SELECT FROM areas a WHERE a.tenant_id = p_tenant AND a.id = c.to_owner_id AND a.community_id = a.id
            AND a.valid_to IS NULL
    ) THEN
        v_refusal := 'community_not_found';
    END IF;
    IF v_refusal IS NOT NULL THEN
        RETURN QUERY SELECT
            (CASE
                WHEN v_refusal IN ('community_not_found', 'points_account_not_found') THEN 404
                WHEN v_refusal = 'recipient_not_a_member' THEN 422 ELSE 403
            END)::smallint,
            json_build_object('code', v_refusal)::text, false;
        RETURN;
    END IF;
    v_accounts := ledger_open_accounts(p_tenant, ARRAY['member'], ARRAY[c.owner_id], ARRAY[c.asset], 0);
    SELECT a.* INTO STRICT account FROM ledger_accounts a
    WHERE a.tenant_id = p_tenant AND a.id = v_accounts[1]
    FOR NO KEY UPDATE;
    v_now := ledger_now();
    v_expires_at := COALESCE(c.expires_at, v_now + settings.hold_days * interval '24 hours');
    v_available := ledger_available(p_tenant, account.id, v_now);
    IF account.status <> 'open' THEN
        RETURN QUERY SELECT 409::smallint, json_build_object('code', 'account_' || account.status)::text, false;
        RETURN;
    ELSIF v_expires_at <= v_now OR v_expires_at > v_now + interval '366 days' THEN
        RETURN QUERY SELECT 422::smallint, '{"code":"hold_term_invalid"}', false;
        RETURN;
    ELSIF v_available < c.amount THEN
        RETURN QUERY SELECT 409::smallint, json_build_object(
            'code', 'insufficient_points', 'balance', account.balance, 'available', v_available
        )::text, false;
        RETURN;
    END IF;
    INSERT INTO ledger_holds (
        tenant_id, id, account_id, amount, kind, to_kind, to_owner_id, source_kind, source_id, reason, details,
        expires_at, recorded_at, recorded_by
    ) VALUES (
        p_tenant, c.id, account.id, c.amount, c.kind, c.to_kind, c.to_owner_id, c.source_kind, c.source_id, c.reason,
        COALESCE(c.details, '{}'), v_expires_at, v_now, c.account
    );
    WITH free AS (
        SELECT l.sequence, l.part, l.remaining - l.held AS amount, sum(l.remaining - l.held) OVER (
            ORDER BY l.expires_at, l.sequence, l.part
        ) - (l.remaining - l.held) AS before
        FROM ledger_lots l
        WHERE l.tenant_id = p_tenant AND l.account_id = account.id AND l.remaining > 0 AND l.remaining > l.held
            AND l.expires_at > v_now
    ), wanted AS MATERIALIZED (
        SELECT f.sequence, f.part, LEAST(f.amount, c.amount - f.before) AS amount FROM free f
        WHERE f.before < c.amount
    ), reserved AS (
        UPDATE ledger_lots l SET held = l.held + w.amount
        FROM wanted w
        WHERE l.tenant_id = p_tenant AND l.account_id = account.id AND l.sequence = w.sequence AND l.part = w.part
            AND l.remaining > 0
        RETURNING l.sequence, l.part, w.amount
    )
    INSERT INTO ledger_hold_lots (tenant_id, hold_id, account_id, lot_sequence, lot_part, amount)
    SELECT p_tenant, c.id, account.id, r.sequence, r.part, r.amount FROM reserved r;
    UPDATE ledger_accounts a SET held = a.held + c.amount WHERE a.tenant_id = p_tenant AND a.id = account.id;
    INSERT INTO ledger_open_holds (tenant_id, hold_id, account_id, expires_at)
    VALUES (p_tenant, c.id, account.id, v_expires_at);
    INSERT INTO ledger_unsealed (tenant_id, record_kind, record_id) VALUES (p_tenant, 'hold', c.id);
    RETURN QUERY SELECT 201::smallint, ledger_hold_json(p_tenant, c.id), false;
END $$
