-- Takes up to p_most new orders of a tenant into the index of words; how many. One worker at a time: another gets 0.
-- Blocks are runs of order numbers, so that a search goes from the newest block to the oldest and stops with its page.
CREATE FUNCTION order_words_keep(p_tenant uuid, p_most bigint, p_block_size bigint)
RETURNS bigint LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    v_numbers bigint[];
    newest record;
BEGIN
    EXECUTE format('SET LOCAL linli.tenant = %L', p_tenant);
    IF NOT pg_try_advisory_xact_lock(hashtextextended('words of ' || p_tenant, 0)) THEN
        RETURN 0;
    END IF;
    WITH oldest AS (
        SELECT w.number FROM order_word_work w WHERE w.tenant_id = p_tenant ORDER BY w.number LIMIT p_most
    ), taken AS (
        DELETE FROM order_word_work w USING oldest
        WHERE w.tenant_id = p_tenant AND w.number = oldest.number RETURNING w.number
    )
    SELECT array_agg(number ORDER BY number) INTO v_numbers FROM taken;
    IF v_numbers IS NULL THEN
        RETURN 0;
    END IF;

    SELECT b.first_number, b.last_number, b.orders INTO newest FROM order_word_blocks b
    WHERE b.tenant_id = p_tenant ORDER BY b.first_number DESC LIMIT 1;
    IF newest.first_number IS NULL OR newest.orders >= p_block_size THEN
        INSERT INTO order_word_blocks (tenant_id, first_number, last_number, orders)
        VALUES (p_tenant, COALESCE(newest.last_number + 1, 0), COALESCE(newest.last_number + 1, 0), 0)
        RETURNING first_number, last_number, orders INTO newest;
    END IF;
    INSERT INTO order_words (tenant_id, number, tokens)
    SELECT p_tenant, o.number,
        order_word_tokens(p_tenant, b.first_number, g.grams) || order_word_tokens(o.community_id, b.first_number, g.grams)
    FROM unnest(v_numbers) AS taken (number)
    JOIN orders o ON o.tenant_id = p_tenant AND o.number = taken.number,
    LATERAL (
        SELECT b.first_number FROM order_word_blocks b
        WHERE b.tenant_id = p_tenant AND b.first_number <= o.number ORDER BY b.first_number DESC LIMIT 1
    ) AS b,
    LATERAL (SELECT order_grams(order_text(o)) AS grams OFFSET 0) AS g
    ON CONFLICT (tenant_id, number) DO UPDATE SET tokens = EXCLUDED.tokens;
    UPDATE order_word_blocks b
    SET last_number = GREATEST(b.last_number, v_numbers[cardinality(v_numbers)]), orders = b.orders + cardinality(v_numbers)
    WHERE b.tenant_id = p_tenant AND b.first_number = newest.first_number;
    RETURN cardinality(v_numbers);
END $$
