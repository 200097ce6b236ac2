-- Whether every one of the words is in the text, wherever.
CREATE FUNCTION order_has_words(p_text text, p_words text[]) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT bool_and(strpos(p_text, word) > 0) FROM unnest(p_words) AS word
$$
