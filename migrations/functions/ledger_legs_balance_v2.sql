-- Whether legs make a transaction: two or more, each on an account of its own, none zero, zero per asset in sum.
-- The limit of one leg keeps every sum far from the end of bigint.
CREATE FUNCTION ledger_legs_balance(p_kinds text[], p_owners uuid[], p_assets text[], p_amounts bigint[])
RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    v_points bigint := 0;
    v_minutes bigint := 0;
BEGIN
    IF NOT COALESCE(
        cardinality(p_amounts) BETWEEN 2 AND 100
            AND ARRAY[cardinality(p_kinds), cardinality(p_owners), cardinality(p_assets)]
                = array_fill(cardinality(p_amounts), ARRAY[3]),
        false
    ) THEN
        RETURN false;
    END IF;
    FOR i IN 1..cardinality(p_amounts) LOOP
        IF p_amounts[i] IS NULL OR p_amounts[i] = 0 OR abs(p_amounts[i]) > 1000000000 THEN
            RETURN false;
        END IF;
        FOR j IN i + 1..cardinality(p_amounts) LOOP
            IF p_owners[i] = p_owners[j] AND p_kinds[i] = p_kinds[j] AND p_assets[i] = p_assets[j] THEN
                RETURN false;
            END IF;
        END LOOP;
        IF p_assets[i] = 'minutes' THEN
            v_minutes := v_minutes + p_amounts[i];
        ELSE
            v_points := v_points + p_amounts[i];
        END IF;
    END LOOP;
    RETURN v_points = 0 AND v_minutes = 0;
END $$
