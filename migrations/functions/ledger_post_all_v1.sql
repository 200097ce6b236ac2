-- Posts transactions of one tenant to the ledger, each as if alone and in the order given, and answers in that order:
-- an item is posted with all of its legs or not at all, once per source, and once per idempotency key if it has one.
-- Never raises for a refusal. An item that shares its key or its source with one before it is answered with status
-- NULL: to be given again. p_commands: services/points/ledger/posting.py PostCommand.
--
-- The database is asked a dozen times however many items there are; what is decided in between is plain arithmetic.
-- Everybody takes locks in one order: keys, sources, accounts (FOR NO KEY UPDATE), each kind sorted, so that nobody
-- waits in a circle. They are held until the transaction ends, and nothing is committed here.
-- Generic plans over indexes: planning for the two legs of an item costs more than reading them, and a plan that was
-- made while a table was small must not stay.
CREATE FUNCTION ledger_post_all(p_tenant uuid, p_commands jsonb[])
RETURNS TABLE (status smallint, body text, replayed boolean) LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    items ledger_command[];
    c ledger_command;
    r record;
    known record;
    -- An element per item:
    v_status smallint[] := array_fill(NULL::smallint, ARRAY[cardinality(p_commands)]);
    v_body text[] := array_fill(NULL::text, ARRAY[cardinality(p_commands)]);
    v_replayed boolean[] := array_fill(false, ARRAY[cardinality(p_commands)]);
    v_is_stored boolean[] := array_fill(false, ARRAY[cardinality(p_commands)]);
    v_sources text[] := '{}';
    v_keys text[] := '{}';
    v_open int[] := '{}';
    -- An element per party, whose account some leg moves:
    v_kinds text[] := '{}';
    v_owners uuid[] := '{}';
    v_new_ids uuid[] := '{}';
    v_ids uuid[];
    v_names text[];
    v_balances bigint[];
    v_versions bigint[];
    -- What is written, rows in the order of their tables' columns:
    posted ledger_transactions;
    v_transactions ledger_transactions[] := '{}';
    v_entries ledger_entries[] := '{}';
    v_legs json[];
    v_is_again boolean;
    v_place int;
    v_party int;
    v_shortage bigint;
BEGIN
    EXECUTE format('SET LOCAL linli.tenant = %L', p_tenant);
    items := ARRAY(
        SELECT jsonb_populate_record(NULL::ledger_command, j.command)
        FROM unnest(p_commands) WITH ORDINALITY AS j (command, place) ORDER BY j.place
    );

    -- What has been answered before.
    FOR r IN
        SELECT i.ordinality AS place, i.account, i.idempotency_key, decode(i.request_hash, 'hex') AS request_hash
        FROM unnest(items) WITH ORDINALITY AS i
        WHERE i.idempotency_key IS NOT NULL
        ORDER BY i.account, i.idempotency_key
    LOOP
        SELECT * INTO known FROM idempotency_recall(p_tenant, r.account, r.idempotency_key, r.request_hash);
        IF FOUND THEN
            v_status[r.place] := known.status;
            v_body[r.place] := known.body;
            v_replayed[r.place] := true;
            v_is_stored[r.place] := true;
        END IF;
    END LOOP;
    PERFORM pg_advisory_xact_lock(s.lock) FROM (
        SELECT DISTINCT hashtextextended('ledger source ' || i.source_kind || ' ' || i.source_id, 0) AS lock
        FROM unnest(items) AS i ORDER BY lock
    ) AS s;

    -- What can be decided without the accounts.
    FOR r IN
        SELECT
            i.ordinality AS place,
            i.source_kind || ' ' || i.source_id AS source,
            i.account || ' ' || i.idempotency_key AS key,
            (
                SELECT t.id FROM ledger_transactions t
                WHERE t.tenant_id = p_tenant AND t.source_kind = i.source_kind AND t.source_id = i.source_id
            ) AS existing_id,
            ledger_legs_balance(i.leg_owners, i.leg_amounts) AS is_balanced,
            CASE
                WHEN i.issuer_areas IS NULL THEN NULL
                WHEN cardinality(i.issuer_areas) = 0 THEN 'forbidden'
                WHEN EXISTS (
                    SELECT FROM unnest(i.leg_kinds, i.leg_owners) AS l (kind, owner_id)
                    WHERE l.kind = 'issuing_community' AND NOT EXISTS (
                        SELECT FROM areas a
                        WHERE a.tenant_id = p_tenant AND a.id = l.owner_id AND a.community_id = a.id
                            AND a.valid_to IS NULL AND a.ancestor_ids && i.issuer_areas
                    )
                ) THEN 'community_not_found'
                WHEN i.account = ANY (i.leg_owners) THEN 'own_points'
                WHEN EXISTS (
                    SELECT FROM unnest(i.leg_kinds, i.leg_owners) AS l (kind, owner_id)
                    WHERE l.kind = 'member' AND NOT EXISTS (
                        SELECT FROM memberships m
                        WHERE m.tenant_id = p_tenant AND m.account_id = l.owner_id AND m.ended_at IS NULL
                    )
                ) THEN 'recipient_not_a_member'
            END AS refusal
        FROM unnest(items) WITH ORDINALITY AS i
        WHERE v_status[i.ordinality] IS NULL
        ORDER BY i.ordinality
    LOOP
        v_is_again := r.source = ANY (v_sources) OR r.key = ANY (v_keys);
        v_sources := v_sources || r.source;
        v_keys := v_keys || r.key;
        CONTINUE WHEN v_is_again;
        IF r.existing_id IS NOT NULL THEN
            v_status[r.place] := 201;
            v_body[r.place] := ledger_posting(p_tenant, r.existing_id);
            v_replayed[r.place] := true;
        ELSIF NOT r.is_balanced THEN
            v_status[r.place] := 422;
            v_body[r.place] := '{"code":"unbalanced_legs"}';
        ELSIF r.refusal IS NOT NULL THEN
            v_status[r.place] := CASE r.refusal
                WHEN 'community_not_found' THEN 404 WHEN 'recipient_not_a_member' THEN 422 ELSE 403
            END;
            v_body[r.place] := json_build_object('code', r.refusal);
        ELSE
            v_open := v_open || r.place::int;
        END IF;
    END LOOP;

    -- The accounts, opened where there is none (empty, should the item be refused after all), and locked.
    FOREACH v_place IN ARRAY v_open LOOP
        c := items[v_place];
        FOR i IN 1..cardinality(c.leg_owners) LOOP
            IF array_position(v_owners, c.leg_owners[i]) IS NULL THEN
                v_kinds := v_kinds || c.leg_kinds[i];
                v_owners := v_owners || c.leg_owners[i];
                v_new_ids := v_new_ids || c.new_account_ids[i];
            END IF;
        END LOOP;
    END LOOP;
    LOOP
        SELECT
            array_agg((
                SELECT a.id FROM ledger_accounts a
                WHERE a.tenant_id = p_tenant AND a.asset = 'points' AND a.kind = p.kind AND a.owner_id = p.owner_id
            ) ORDER BY p.ordinality) AS ids,
            array_agg(COALESCE(
                (SELECT a.name FROM accounts a WHERE p.kind = 'member' AND a.id = p.owner_id),
                (SELECT a.name FROM areas a WHERE a.tenant_id = p_tenant AND a.id = p.owner_id)
            ) ORDER BY p.ordinality) AS names
        INTO r
        FROM unnest(v_kinds, v_owners) WITH ORDINALITY AS p (kind, owner_id);
        v_ids := r.ids;
        v_names := r.names;
        EXIT WHEN array_position(v_ids, NULL) IS NULL;
        INSERT INTO ledger_accounts (tenant_id, id, asset, kind, owner_id)
        SELECT p_tenant, p.new_id, 'points', p.kind, p.owner_id
        FROM unnest(v_ids, v_new_ids, v_kinds, v_owners) AS p (id, new_id, kind, owner_id)
        WHERE p.id IS NULL
        ORDER BY p.kind, p.owner_id
        ON CONFLICT (tenant_id, asset, kind, owner_id) DO NOTHING;
    END LOOP;
    FOR r IN
        SELECT a.id, a.balance, a.version FROM ledger_accounts a
        WHERE a.tenant_id = p_tenant AND a.id = ANY (v_ids)
        ORDER BY a.id
        FOR NO KEY UPDATE
    LOOP
        v_party := array_position(v_ids, r.id);
        v_balances[v_party] := r.balance;
        v_versions[v_party] := r.version;
    END LOOP;

    -- What the accounts allow, one item after the other.
    FOREACH v_place IN ARRAY v_open LOOP
        c := items[v_place];
        v_shortage := NULL;
        FOR i IN 1..cardinality(c.leg_owners) LOOP
            v_party := array_position(v_owners, c.leg_owners[i]);
            IF c.leg_kinds[i] <> 'issuing_community' AND v_balances[v_party] + c.leg_amounts[i] < 0 THEN
                v_shortage := v_balances[v_party];
            END IF;
        END LOOP;
        IF v_shortage IS NOT NULL THEN
            v_status[v_place] := 409;
            v_body[v_place] := json_build_object('code', 'insufficient_points', 'balance', v_shortage);
            CONTINUE;
        END IF;
        v_legs := '{}';
        FOR i IN 1..cardinality(c.leg_owners) LOOP
            v_party := array_position(v_owners, c.leg_owners[i]);
            v_balances[v_party] := v_balances[v_party] + c.leg_amounts[i];
            v_versions[v_party] := v_versions[v_party] + 1;
            v_entries := v_entries || ROW(
                p_tenant, v_ids[v_party], v_versions[v_party], c.id, c.leg_amounts[i], v_balances[v_party]
            )::ledger_entries;
            v_legs := v_legs || ledger_leg_json(c.leg_kinds[i], c.leg_owners[i], v_names[v_party], c.leg_amounts[i]);
        END LOOP;
        posted := ROW(
            p_tenant, c.id, c.kind, c.source_kind, c.source_id, c.reason, c.effective_at, now(), c.account,
            COALESCE(c.details, '{}')
        )::ledger_transactions;
        v_transactions := v_transactions || posted;
        v_status[v_place] := 201;
        v_body[v_place] := ledger_posting_json(posted, array_to_json(v_legs));
    END LOOP;

    INSERT INTO ledger_transactions SELECT t.* FROM unnest(v_transactions) AS t;
    UPDATE ledger_accounts a SET balance = p.balance, version = p.version
    FROM unnest(v_ids, v_balances, v_versions) AS p (id, balance, version)
    WHERE a.tenant_id = p_tenant AND a.id = p.id AND a.version <> p.version;
    INSERT INTO ledger_entries SELECT e.* FROM unnest(v_entries) AS e;
    INSERT INTO idempotency_keys (tenant_id, service, account_id, key, request_hash, status, body)
    SELECT
        p_tenant, CURRENT_USER, i.account, i.idempotency_key, decode(i.request_hash, 'hex'),
        v_status[i.ordinality], v_body[i.ordinality]
    FROM unnest(items) WITH ORDINALITY AS i
    WHERE i.idempotency_key IS NOT NULL AND NOT v_is_stored[i.ordinality] AND v_status[i.ordinality] IS NOT NULL;
    RETURN QUERY SELECT * FROM unnest(v_status, v_body, v_replayed);
END $$
