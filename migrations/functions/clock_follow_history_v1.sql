-- Whatever happens to an order moves its clocks: the keeper is told, in the transaction of what happened.
-- Every history row has a row of its own here, so that nobody who acts ever waits for the keeper.
-- A district that promises nothing has no clocks to keep.
CREATE FUNCTION clock_follow_history() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO order_clock_work (tenant_id, order_id, sequence)
    SELECT f.tenant_id, f.order_id, f.sequence FROM fresh f
    WHERE EXISTS (SELECT FROM clock_policies p WHERE p.tenant_id = f.tenant_id);
    RETURN NULL;
END $$
