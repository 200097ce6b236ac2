-- Whether legs make a transaction: two or more, each on an account of its own, none zero, all together zero.
-- The limit of one leg keeps every sum far from the end of bigint.
CREATE FUNCTION ledger_legs_balance(p_kinds text[], p_owners uuid[], p_amounts bigint[])
RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN (
        SELECT count(*) >= 2
            AND count(DISTINCT l.kind || l.owner_id) = count(*)
            AND bool_and(l.amount <> 0 AND abs(l.amount) <= 1000000000)
            AND sum(l.amount) = 0
        FROM unnest(p_kinds, p_owners, p_amounts) AS l (kind, owner_id, amount)
    );
END $$
