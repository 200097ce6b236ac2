-- Posts transactions of one tenant to the ledger, each as if alone and in the order given, and answers in that order:
-- an item is posted with all of its legs or not at all, once per source, and once per idempotency key if it has one.
-- Never raises for a refusal. An item that shares its key or its source with one before it is answered with status
-- NULL: to be given again. p_commands: services/points/ledger/posting.py PostCommand.
--
-- A plain credit (one community gives of each asset, members in no debt get) is decided in plain arithmetic, and runs of them are
-- written together: the database is asked two dozen times however many items there are. Anything that takes points out
-- of lots is posted by ledger_post_one, in its turn.
-- Everybody takes locks in one order: keys, sources, accounts (FOR NO KEY UPDATE), each kind sorted, so that nobody
-- waits in a circle. They are held until the transaction ends, and nothing is committed here.
-- One community's accounts without a lower limit come in stripes; a call uses one, drawn by the id of its first item,
-- so that calls seldom wait for each other.
-- Generic plans over indexes: planning for the two legs of an item costs more than reading them, and a plan that was
-- made while a table was small must not stay.
CREATE FUNCTION ledger_post_all(p_tenant uuid, p_commands jsonb[])
RETURNS TABLE (status smallint, body text, replayed boolean) LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off AS $$
DECLARE
    items ledger_item[];
    c ledger_item;
    r record;
    known record;
    account ledger_accounts;
    points ledger_settings;
    minutes ledger_settings;
    settings ledger_settings;
    -- An element per item:
    v_status smallint[] := array_fill(NULL::smallint, ARRAY[cardinality(p_commands)]);
    v_body text[] := array_fill(NULL::text, ARRAY[cardinality(p_commands)]);
    v_replayed boolean[] := array_fill(false, ARRAY[cardinality(p_commands)]);
    v_is_stored boolean[] := array_fill(false, ARRAY[cardinality(p_commands)]);
    v_sources text[] := '{}';
    v_keys text[] := '{}';
    v_open int[] := '{}';
    -- An element per leg of the open items, one item after the other:
    v_kinds text[] := '{}';
    v_owners uuid[] := '{}';
    v_assets text[] := '{}';
    v_leg_ids uuid[];
    v_leg_names text[];
    -- An element per account, in the order of ids:
    v_ids uuid[] := '{}';
    v_balances bigint[] := '{}';
    v_versions bigint[] := '{}';
    v_statuses text[] := '{}';
    v_caps bigint[] := '{}';
    v_indebted uuid[] := '{}';
    v_touched uuid[] := '{}';
    -- What is written, rows in the order of their tables' columns:
    posted ledger_transactions;
    v_transactions ledger_transactions[];
    v_entries ledger_entries[];
    v_lots ledger_lots[];
    v_legs json[];
    v_is_again boolean;
    v_stripe int;
    v_now timestamptz;
    v_place int;
    v_turn int := 1;
    v_leg int := 0;
    v_party int;
    v_refusal json;
BEGIN
    EXECUTE format('SET LOCAL linli.tenant = %L', p_tenant);
    IF ledger_is_importing(p_tenant) THEN  -- for a while: nothing is stored under any key
        RETURN QUERY SELECT 409::smallint, '{"code":"import_under_way"}', false FROM unnest(p_commands);
        RETURN;
    END IF;
    items := ARRAY(
        SELECT jsonb_populate_record(NULL::ledger_item, j.command)
        FROM unnest(p_commands) WITH ORDINALITY AS j (command, place) ORDER BY j.place
    );
    points := ledger_settings_of(p_tenant, 'points');
    FOR i IN 1..cardinality(items) LOOP
        IF items[i].leg_assets IS NULL THEN  -- from a process of before there were assets
            items[i].leg_assets := array_fill('points'::text, ARRAY[cardinality(items[i].leg_owners)]);
        ELSIF minutes.version IS NULL AND 'minutes' = ANY (items[i].leg_assets) THEN
            minutes := ledger_settings_of(p_tenant, 'minutes');
        END IF;
    END LOOP;

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
            CASE
                WHEN NOT ledger_legs_balance(i.leg_kinds, i.leg_owners, i.leg_assets, i.leg_amounts)
                    THEN 'unbalanced_legs'
                WHEN i.is_gift AND NOT (CASE i.leg_assets[1] WHEN 'minutes' THEN minutes ELSE points END).may_transfer
                    THEN 'transfers_not_allowed'
                WHEN i.kind = 'conversion' AND NOT EXISTS (  -- who gives the points is who got the service
                    SELECT FROM unnest(i.leg_kinds, i.leg_owners) AS l (kind, owner_id)
                    JOIN areas a ON a.tenant_id = p_tenant AND a.id = l.owner_id AND a.valid_to IS NULL
                    JOIN ledger_accounts m ON m.tenant_id = p_tenant AND m.asset = 'minutes' AND m.kind = 'member'
                        AND m.owner_id = i.account AND m.stripe = 0
                    JOIN ledger_lots t ON t.tenant_id = p_tenant AND t.account_id = m.id AND t.issuer_id = a.id
                    WHERE l.kind = 'issuing_community'
                ) THEN 'community_not_found'
                WHEN i.kind = 'conversion' AND i.details->>'minutes_per_point' IS NULL THEN 'not_convertible'
                WHEN i.issuer_areas IS NULL AND i.is_gift IS NOT TRUE THEN NULL
                ELSE ledger_refusal(
                    p_tenant, items[i.ordinality], points.second_person_from, minutes.second_person_from
                )
            END AS refusal
        FROM unnest(items) WITH ORDINALITY AS i
        WHERE v_status[i.ordinality] IS NULL
        ORDER BY i.ordinality
    LOOP
        v_is_again := r.source = ANY (v_sources) OR r.key = ANY (v_keys);
        v_sources := v_sources || r.source;
        v_keys := v_keys || r.key;
        CONTINUE WHEN v_is_again;
        IF r.existing_id IS NOT NULL AND items[r.place].issuer_areas IS NOT NULL
            AND NOT ledger_concerns(p_tenant, r.existing_id, items[r.place].issuer_areas)
        THEN  -- naming its source shows nobody a transaction that is not theirs to see
            r.existing_id := NULL;
            r.refusal := 'forbidden';
        END IF;
        IF r.existing_id IS NOT NULL THEN
            v_status[r.place] := 201;
            v_body[r.place] := ledger_posting(p_tenant, r.existing_id);
            v_replayed[r.place] := true;
        ELSIF r.refusal IS NOT NULL THEN
            v_status[r.place] := CASE
                WHEN r.refusal IN ('community_not_found', 'points_account_not_found') THEN 404
                WHEN r.refusal IN ('unbalanced_legs', 'recipient_not_a_member', 'effective_in_future') THEN 422
                WHEN r.refusal = 'not_convertible' THEN 409
                ELSE 403
            END;
            v_body[r.place] := json_build_object('code', r.refusal);
        ELSE
            c := items[r.place];
            v_open := v_open || r.place::int;
            v_kinds := v_kinds || c.leg_kinds;
            v_owners := v_owners || c.leg_owners;
            v_assets := v_assets || c.leg_assets;
        END IF;
    END LOOP;

    -- The accounts, opened where there is none, and locked; then what is left to decide, item by item. What an item
    -- that was posted by itself has touched is read again.
    IF cardinality(v_open) > 0 THEN
        v_stripe := get_byte(uuid_send(items[v_open[1]].id), 15) & 15;
        v_leg_ids := ledger_open_accounts(p_tenant, v_kinds, v_owners, v_assets, v_stripe);
        v_leg_names := ARRAY(
            SELECT CASE l.kind
                WHEN 'member' THEN (SELECT a.name FROM accounts a WHERE a.id = l.owner_id)
                ELSE (SELECT a.name FROM areas a WHERE a.tenant_id = p_tenant AND a.id = l.owner_id)
            END
            FROM unnest(v_kinds, v_owners) WITH ORDINALITY AS l (kind, owner_id, place) ORDER BY l.place
        );
        FOR account IN
            SELECT a.* FROM ledger_accounts a
            WHERE a.tenant_id = p_tenant AND a.id = ANY (v_leg_ids)
            ORDER BY a.id
            FOR NO KEY UPDATE
        LOOP
            v_ids := v_ids || account.id;
            v_balances := v_balances || account.balance;
            v_versions := v_versions || account.version;
            v_statuses := v_statuses || account.status::text;
            v_caps := v_caps || CASE
                WHEN account.kind <> 'member' THEN NULL
                WHEN account.asset = 'minutes' THEN minutes.member_cap
                ELSE points.member_cap
            END;
        END LOOP;
        -- A debt changes only under the lock of its owner's account, which we hold.
        v_indebted := ARRAY(
            SELECT d.owner_id FROM unnest(v_kinds, v_owners, v_assets) AS l (kind, owner_id, asset)
            JOIN ledger_accounts d ON d.tenant_id = p_tenant AND d.asset = l.asset AND d.kind = 'debt'
                AND d.owner_id = l.owner_id AND d.stripe = 0 AND d.balance < 0
            WHERE l.kind = 'member'
        );
    END IF;
    WHILE v_turn <= cardinality(v_open) LOOP
        FOR account IN
            SELECT a.* FROM ledger_accounts a WHERE a.tenant_id = p_tenant AND a.id = ANY (v_touched)
        LOOP
            v_party := array_position(v_ids, account.id);
            v_balances[v_party] := account.balance;
            v_versions[v_party] := account.version;
        END LOOP;
        v_touched := '{}';
        v_now := ledger_now();
        v_transactions := '{}';
        v_entries := '{}';
        v_lots := '{}';
        WHILE v_turn <= cardinality(v_open) AND ledger_is_plain(items[v_open[v_turn]], v_indebted) LOOP
            v_place := v_open[v_turn];
            c := items[v_place];
            v_refusal := NULL;
            FOR i IN 1..cardinality(c.leg_owners) LOOP
                v_party := array_position(v_ids, v_leg_ids[v_leg + i]);
                IF v_statuses[v_party] = 'closed' OR v_statuses[v_party] = 'frozen' AND c.leg_amounts[i] < 0 THEN
                    v_refusal := json_build_object('code', 'account_' || v_statuses[v_party]);
                ELSIF v_balances[v_party] + c.leg_amounts[i] > v_caps[v_party] THEN
                    v_refusal := json_build_object(
                        'code', 'balance_cap_reached', 'cap', v_caps[v_party], 'balance', v_balances[v_party]
                    );
                END IF;
            END LOOP;
            IF v_refusal IS NOT NULL THEN
                v_status[v_place] := 409;
                v_body[v_place] := v_refusal;
            ELSE
                posted := ROW(
                    p_tenant, c.id, c.kind, c.source_kind, c.source_id, c.reason, COALESCE(c.effective_at, v_now),
                    v_now, c.account, COALESCE(c.details, '{}'), c.approved_by
                )::ledger_transactions;
                v_transactions := v_transactions || posted;
                v_legs := '{}';
                FOR i IN 1..cardinality(c.leg_owners) LOOP
                    v_party := array_position(v_ids, v_leg_ids[v_leg + i]);
                    v_balances[v_party] := v_balances[v_party] + c.leg_amounts[i];
                    v_versions[v_party] := v_versions[v_party] + 1;
                    v_entries := v_entries || ROW(
                        p_tenant, v_ids[v_party], v_versions[v_party], c.id, c.leg_amounts[i], v_balances[v_party]
                    )::ledger_entries;
                    IF c.leg_kinds[i] = 'member' THEN
                        settings := CASE c.leg_assets[i] WHEN 'minutes' THEN minutes ELSE points END;
                        v_lots := v_lots || ROW(
                            p_tenant, v_ids[v_party], v_versions[v_party], 1, c.leg_amounts[i], c.leg_amounts[i], 0,
                            ledger_lot_expiry(settings.expiry_unit, settings.expiry_count, posted.effective_at),
                            c.leg_owners[array_position(c.leg_assets, c.leg_assets[i])]
                        )::ledger_lots;
                    END IF;
                    v_legs := v_legs || ledger_leg_json(
                        c.leg_assets[i], c.leg_kinds[i], c.leg_owners[i], v_leg_names[v_leg + i], c.leg_amounts[i]
                    );
                END LOOP;
                v_status[v_place] := 201;
                v_body[v_place] := ledger_posting_json(posted, array_to_json(v_legs), NULL);
            END IF;
            v_leg := v_leg + cardinality(c.leg_owners);
            v_turn := v_turn + 1;
        END LOOP;
        IF cardinality(v_transactions) > 0 THEN
            INSERT INTO ledger_transactions SELECT t.* FROM unnest(v_transactions) AS t;
            UPDATE ledger_accounts a SET balance = p.balance, version = p.version
            FROM unnest(v_ids, v_balances, v_versions) AS p (id, balance, version)
            WHERE a.tenant_id = p_tenant AND a.id = p.id AND a.version <> p.version;
            INSERT INTO ledger_entries SELECT e.* FROM unnest(v_entries) AS e;
            INSERT INTO ledger_lots SELECT l.* FROM unnest(v_lots) AS l;
            INSERT INTO ledger_unsealed (tenant_id, record_kind, record_id)
            SELECT p_tenant, 'transaction', t.id FROM unnest(v_transactions) AS t;
        END IF;
        WHILE v_turn <= cardinality(v_open) AND NOT ledger_is_plain(items[v_open[v_turn]], v_indebted) LOOP
            v_place := v_open[v_turn];
            c := items[v_place];
            SELECT o.status, o.body INTO r FROM ledger_post_one(
                p_tenant, c, v_leg_ids[v_leg + 1:v_leg + cardinality(c.leg_owners)], NULL, ledger_now()
            ) AS o;
            v_status[v_place] := r.status;
            v_body[v_place] := r.body;
            v_touched := v_touched || v_leg_ids[v_leg + 1:v_leg + cardinality(c.leg_owners)];
            v_leg := v_leg + cardinality(c.leg_owners);
            v_turn := v_turn + 1;
        END LOOP;
    END LOOP;

    INSERT INTO idempotency_keys (tenant_id, service, account_id, key, request_hash, status, body)
    SELECT
        p_tenant, CURRENT_USER, i.account, i.idempotency_key, decode(i.request_hash, 'hex'),
        v_status[i.ordinality], v_body[i.ordinality]
    FROM unnest(items) WITH ORDINALITY AS i
    WHERE i.idempotency_key IS NOT NULL AND NOT v_is_stored[i.ordinality] AND v_status[i.ordinality] IS NOT NULL;
    RETURN QUERY SELECT * FROM unnest(v_status, v_body, v_replayed);
END $$
