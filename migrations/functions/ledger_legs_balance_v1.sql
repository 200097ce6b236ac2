-- Whether legs make a transaction: two or more, on different accounts, none of them zero, all together zero.
-- The limit keeps every sum far from the end of bigint.
CREATE FUNCTION ledger_legs_balance(p_legs jsonb) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN (
        SELECT count(*) >= 2
            AND count(DISTINCT (l.kind, l.owner_id)) = count(*)
            AND bool_and(l.amount <> 0 AND abs(l.amount) <= 1000000000)
            AND sum(l.amount) = 0
        FROM jsonb_to_recordset(p_legs) AS l (kind text, owner_id uuid, amount bigint)
    );
END $$
