-- The number people read out: the order's own number with two check digits (ISO 7064 MOD 97-10) behind it.
CREATE FUNCTION order_number(p_number bigint) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT p_number::text || lpad((98 - (p_number * 100) % 97)::text, 2, '0')
$$
