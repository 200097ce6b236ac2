-- What the index of words knows pairs of characters by: hashes that hold for one area and one block of orders alone.
-- Chance may give two pairs the same one: who finds by them looks at the text, too.
CREATE FUNCTION order_word_tokens(p_area uuid, p_block bigint, p_grams text[])
RETURNS integer[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT COALESCE(
        array_agg(((hashtextextended(gram, hashtextextended(p_area::text, p_block)) & 4294967295) - 2147483648)::integer),
        '{}'
    )
    FROM unnest(p_grams) AS gram
$$
