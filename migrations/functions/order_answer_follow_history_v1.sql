-- A rating is an answer to the round of work before it: recorded beside the history, in the same transaction.
CREATE FUNCTION order_answer_follow_history() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM order_answer_record(
        NEW.tenant_id, NEW.order_id, 'resident', (NEW.details->>'solved')::boolean,
        (NEW.details->>'stars')::smallint, NEW.note, NEW.actor_id, NEW.at
    );
    RETURN NULL;
END $$
