-- Every order is to be found by its words, as they are: noted with the order, done by the keeper soon after.
CREATE FUNCTION order_word_work_add() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO order_word_work (tenant_id, number) VALUES (NEW.tenant_id, NEW.number) ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$
