-- The first moment at which a credit of `p_moment` is over; infinity = never. Ends of months and years are Shanghai's.
CREATE FUNCTION ledger_lot_expiry(p_unit text, p_count bigint, p_moment timestamptz)
RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT CASE p_unit
        WHEN 'days' THEN p_moment + p_count * interval '24 hours'
        WHEN 'months' THEN (
            date_trunc('month', p_moment AT TIME ZONE 'Asia/Shanghai') + (p_count + 1) * interval '1 month'
        ) AT TIME ZONE 'Asia/Shanghai'
        WHEN 'years' THEN (
            date_trunc('year', p_moment AT TIME ZONE 'Asia/Shanghai') + (p_count + 1) * interval '1 year'
        ) AT TIME ZONE 'Asia/Shanghai'
        ELSE 'infinity'
    END
$$
