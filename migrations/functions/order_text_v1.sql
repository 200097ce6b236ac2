-- The words an order is found by. Of an anonymous one not whose need it is.
CREATE FUNCTION order_text(o orders) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT order_searched(
        CASE WHEN o.is_anonymous THEN o.description ELSE o.contact_name || ' ' || o.address || ' ' || o.description END
    )
$$
