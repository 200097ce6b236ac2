-- A text as searching compares it: one width, small letters, words parted by single spaces.
-- Question and answer both go through it, so that they agree on every character.
CREATE FUNCTION order_searched(p_text text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT btrim(regexp_replace(
        lower(normalize(p_text, NFKC)),
        '[\u0001-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u00bf\u2000-\u206f\u3000-\u303f\ufe30-\ufe4f\uff00-\uffef]+', ' ', 'g'
    ))
$$
