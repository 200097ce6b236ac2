-- The pairs of neighbouring characters in a text that order_searched has tidied; none reaches across a space.
CREATE FUNCTION order_grams(p_text text) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT COALESCE(array_agg(DISTINCT pair), '{}') FROM (
        SELECT letters.all_of_them[place] || letters.all_of_them[place + 1] AS pair
        FROM (SELECT string_to_array(p_text, NULL) AS all_of_them) AS letters,
            generate_series(1, cardinality(letters.all_of_them) - 1) AS place
        WHERE letters.all_of_them[place] <> ' ' AND letters.all_of_them[place + 1] <> ' '
    ) AS pairs
$$
