-- Records a fact with one delivery per listener, and wakes the listeners once it has committed.
CREATE FUNCTION outbox_record(p_tenant uuid, p_id uuid, p_kind text, p_payload jsonb, p_listeners text[], p_now timestamptz)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO outbox_events (tenant_id, id, kind, payload, occurred_at) VALUES (p_tenant, p_id, p_kind, p_payload, p_now);
    INSERT INTO outbox_deliveries (tenant_id, event_id, listener, due_at)
    SELECT p_tenant, p_id, listener, p_now FROM unnest(p_listeners) AS listener;
    PERFORM pg_notify('linli_outbox', '');
END $$
