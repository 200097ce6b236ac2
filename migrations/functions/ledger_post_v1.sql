-- Posts one transaction to the ledger: ledger_post_all of one item, which therefore has an answer at once.
CREATE FUNCTION ledger_post(p_tenant uuid, p_command jsonb)
RETURNS TABLE (status smallint, body text, replayed boolean) LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT * FROM ledger_post_all(p_tenant, ARRAY[p_command]);
END $$
