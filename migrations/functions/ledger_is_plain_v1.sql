-- Whether a transaction is a plain credit: of each asset one community gives (its legs come first), and members get, none
-- of them in debt.
CREATE FUNCTION ledger_is_plain(c ledger_item, p_indebted uuid[]) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    v_given text[] := '{}';
BEGIN
    FOR i IN 1..cardinality(c.leg_kinds) LOOP
        IF c.leg_amounts[i] < 0 THEN
            IF c.leg_kinds[i] <> 'issuing_community' OR c.leg_assets[i] = ANY (v_given) THEN
                RETURN false;
            END IF;
            v_given := v_given || c.leg_assets[i];
        ELSIF c.leg_kinds[i] <> 'member' OR c.leg_owners[i] = ANY (p_indebted) THEN
            RETURN false;
        END IF;
    END LOOP;
    RETURN true;
END $$
