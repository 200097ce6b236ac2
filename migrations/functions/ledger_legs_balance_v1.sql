-- Whether legs make a transaction: two or more, each with an owner of its own, none zero, all together zero.
-- The limit of one leg keeps every sum far from the end of bigint.
CREATE FUNCTION ledger_legs_balance(p_owners uuid[], p_amounts bigint[])
RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    v_sum bigint := 0;
BEGIN
    FOR i IN 1..cardinality(p_amounts) LOOP
        IF p_amounts[i] = 0 OR abs(p_amounts[i]) > 1000000000 OR p_owners[i] = ANY (p_owners[i + 1:]) THEN
            RETURN false;
        END IF;
        v_sum := v_sum + p_amounts[i];
    END LOOP;
    RETURN v_sum = 0 AND cardinality(p_amounts) >= 2 AND cardinality(p_owners) = cardinality(p_amounts);
END $$
