-- After an order of a recurring order came back from its helper: the keeper looks for somebody else. One row per version
-- of the order, so that nobody waits for the keeper here.
CREATE FUNCTION recurring_follow_orders() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO recurring_order_work (tenant_id, recurring_order_id, order_id, order_version)
    VALUES (NEW.tenant_id, NEW.recurring_order_id, NEW.id, NEW.version)
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$
