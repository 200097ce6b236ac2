-- One page of orders whose words contain everything asked for, newest first, behind `before` (an order number).
-- p_query: see services/orders/reading/search.py. `areas` are the caller's own or lie inside them (checked there).
-- Flat however many orders there are: the index of words is asked block by block from the newest on, and left as soon
-- as the page is full; a word that is in no order costs one look into each block (16,384 orders).
-- Not in the index are the orders of the last seconds, words of a single character, and people's own few orders:
-- those are read themselves, the newest `most` of them.
CREATE FUNCTION order_search(p_tenant uuid, p_query jsonb) RETURNS text LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    q record;
    v_words text[];
    v_grams text[] := '{}';
    v_communities uuid[];
    v_smaller uuid[];
    v_candidates bigint[];
    v_matches bigint[];
    v_found bigint[] := '{}';
    v_block bigint;
    v_is_rare boolean;
    v_number bigint;
    v_items text;
BEGIN
    EXECUTE format('SET LOCAL linli.tenant = %L', p_tenant);
    SELECT * INTO q FROM jsonb_to_record(p_query) AS x (
        view text, account uuid, resident uuid, areas uuid[], words text, before bigint, page_size bigint, most bigint,
        few bigint, some_communities bigint
    );
    SELECT array_agg(DISTINCT word) INTO v_words FROM unnest(string_to_array(order_searched(q.words), ' ')) AS word;
    SELECT COALESCE(array_agg(DISTINCT gram), '{}') INTO v_grams
    FROM unnest(v_words) AS word, unnest(order_grams(word)) AS gram;

    IF q.view = 'area' THEN
        SELECT p.communities, p.smaller INTO v_communities, v_smaller FROM order_places(p_tenant, q.areas) AS p;
    END IF;

    -- What is read itself.
    IF q.view = 'mine' THEN
        SELECT array_agg(own.number ORDER BY own.number DESC) INTO v_found FROM (
            SELECT r.number FROM (
                SELECT o.* FROM orders o
                WHERE o.tenant_id = p_tenant AND (o.resident_id, o.number) < (q.resident, q.before)
                    AND (o.resident_id, o.number) > (q.resident, 0)
                ORDER BY o.resident_id DESC, o.number DESC LIMIT q.most
            ) r WHERE order_has_words(order_text(r), v_words)
            UNION
            SELECT p.number FROM (
                SELECT o.* FROM orders o
                WHERE o.tenant_id = p_tenant AND (o.placed_by, o.number) < (q.account, q.before)
                    AND (o.placed_by, o.number) > (q.account, 0)
                ORDER BY o.placed_by DESC, o.number DESC LIMIT q.most
            ) p WHERE order_has_words(order_text(p), v_words) AND (order_placer_is_family(p) OR EXISTS (
                SELECT FROM areas a WHERE a.tenant_id = p_tenant AND a.id = p.area_id AND a.ancestor_ids && q.areas
            ))
        ) own;
    ELSIF q.view = 'tasks' THEN
        SELECT array_agg(t.number ORDER BY t.number DESC) INTO v_found
        FROM unnest(order_tasks(p_tenant, p_query, q.most)) AS task (number)
        JOIN orders t ON t.tenant_id = p_tenant AND t.number = task.number
        WHERE order_has_words(order_text(t), v_words) AND order_sees_details(t, order_facts_of_caller(t, p_query));
    ELSE
        -- Areas inside a community are small: each is read itself.
        SELECT array_agg(s.number) INTO v_found
        FROM unnest(v_smaller) AS smaller, LATERAL (
            SELECT o.* FROM orders o
            WHERE o.tenant_id = p_tenant AND (o.area_id, o.number) < (smaller, q.before)
                AND (o.area_id, o.number) > (smaller, 0)
            ORDER BY o.area_id DESC, o.number DESC LIMIT 1 + q.most / cardinality(v_smaller)
        ) s
        WHERE order_has_words(order_text(s), v_words);
        IF cardinality(v_grams) = 0 THEN
            SELECT v_found || array_agg(c.number) INTO v_found
            FROM unnest(v_communities) AS community, LATERAL (
                SELECT o.* FROM orders o
                WHERE o.tenant_id = p_tenant AND (o.community_id, o.number) < (community, q.before)
                    AND (o.community_id, o.number) > (community, 0)
                ORDER BY o.community_id DESC, o.number DESC LIMIT 1 + q.most / cardinality(v_communities)
            ) c
            WHERE order_has_words(order_text(c), v_words);
        ELSIF v_communities IS NOT NULL THEN
            SELECT v_found || array_agg(o.number) INTO v_found
            FROM (
                SELECT w.number FROM order_word_work w
                WHERE w.tenant_id = p_tenant AND w.number < q.before ORDER BY w.number DESC LIMIT q.most
            ) waiting
            JOIN orders o ON o.tenant_id = p_tenant AND o.number = waiting.number
            WHERE o.community_id = ANY (v_communities) AND order_has_words(order_text(o), v_words);
        END IF;
        SELECT array_agg(f ORDER BY f DESC) INTO v_found FROM unnest(v_found) AS f;
    END IF;
    v_found := COALESCE(v_found, '{}');

    -- What the index knows, from the newest block on.
    IF cardinality(v_grams) > 0 AND v_communities IS NOT NULL THEN
        v_block := q.before;
        LOOP
            SELECT b.first_number INTO v_block FROM order_word_blocks b
            WHERE b.tenant_id = p_tenant AND b.first_number < v_block ORDER BY b.first_number DESC LIMIT 1;
            EXIT WHEN v_block IS NULL;
            -- What few orders of the block have needs no second look; of what many have only the communities' own.
            -- OFFSET 0 and no tenant: the planner would read all smaller numbers of the primary key beside. What chance
            -- brings in of another district is a number here, too, and looked at like the rest.
            v_candidates := NULL;
            v_is_rare := false;
            IF cardinality(v_communities) > 1 THEN
                SELECT array_agg(DISTINCT w.number ORDER BY w.number DESC) FILTER (WHERE w.number < q.before), count(*) <= q.few
                INTO v_candidates, v_is_rare
                FROM (
                    SELECT i.number FROM order_words i
                    WHERE i.tokens @> order_word_tokens(p_tenant, v_block, v_grams)
                    LIMIT CASE WHEN cardinality(v_communities) <= q.some_communities THEN q.few + 1 END OFFSET 0
                ) w;
            END IF;
            IF NOT v_is_rare AND cardinality(v_communities) <= q.some_communities THEN
                SELECT array_agg(DISTINCT w.number ORDER BY w.number DESC) INTO v_candidates
                FROM unnest(v_communities) AS community, LATERAL (
                    SELECT i.number FROM order_words i
                    WHERE i.tokens @> order_word_tokens(community, v_block, v_grams)
                    OFFSET 0
                ) w
                WHERE w.number < q.before;
            END IF;
            v_matches := '{}';
            FOREACH v_number IN ARRAY COALESCE(v_candidates, '{}') LOOP
                IF EXISTS (
                    SELECT FROM orders o
                    WHERE o.tenant_id = p_tenant AND o.number = v_number AND o.community_id = ANY (v_communities)
                        AND order_has_words(order_text(o), v_words)
                ) THEN
                    v_matches := v_matches || v_number;
                    EXIT WHEN cardinality(v_matches) > q.page_size;
                END IF;
            END LOOP;
            SELECT COALESCE(array_agg(f.number ORDER BY f.number DESC), '{}') INTO v_found FROM (
                SELECT DISTINCT unnest(v_found || v_matches) AS number ORDER BY number DESC LIMIT q.page_size + 1
            ) f;
            -- What was read itself may be older than what the next block has.
            EXIT WHEN cardinality(v_found) > q.page_size AND v_found[q.page_size + 1] >= v_block;
        END LOOP;
    END IF;

    SELECT string_agg((
        SELECT order_json_named(
            o,
            (SELECT k.name FROM order_kinds k WHERE k.tenant_id = o.tenant_id AND k.id = o.kind),
            (SELECT a.name FROM areas a WHERE a.tenant_id = o.tenant_id AND a.id = o.area_id),
            (SELECT c.name FROM accounts c WHERE c.id = o.assignee_id),
            (SELECT u.name FROM units u WHERE u.tenant_id = o.tenant_id AND u.id = o.unit_id),
            true
        )
        FROM orders o WHERE o.tenant_id = p_tenant AND o.number = page.number
    ), ',' ORDER BY page.number DESC) INTO v_items
    FROM unnest(v_found[:q.page_size]) AS page (number);
    RETURN '{"items":[' || COALESCE(v_items, '') || '],"next_cursor":'
        || CASE WHEN cardinality(v_found) > q.page_size THEN '"' || v_found[q.page_size] || '"' ELSE 'null' END || '}';
END $$
