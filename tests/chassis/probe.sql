-- What the probe service owns (see tests/chassis/conftest.py): effects that can be counted, and commands that fail on demand.
CREATE TABLE effects (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    note text NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
ALTER TABLE effects ENABLE ROW LEVEL SECURITY;
ALTER TABLE effects FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON effects USING (tenant_id = NULLIF(current_setting('linli.tenant', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE ON effects TO linli_grid, linli_points;
GRANT ALL ON effects TO linli_test;

CREATE FUNCTION refuse_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'too late'; END $$;
CREATE CONSTRAINT TRIGGER refuse_commit AFTER INSERT ON effects DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW WHEN (NEW.note = 'fails at commit') EXECUTE FUNCTION refuse_commit();

-- Sequences do not roll back: they count attempts across retries.
CREATE SEQUENCE attempts;
GRANT USAGE, UPDATE ON attempts TO linli_grid, linli_test;

-- Raises `p_sqlstate` on every call but each third.
CREATE FUNCTION stumble(p_sqlstate text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF nextval('attempts') % 3 <> 0 THEN
        RAISE EXCEPTION 'stumbled' USING ERRCODE = p_sqlstate;
    END IF;
END $$;

-- Only the owner of the database may end its sessions, a service's own included.
CREATE FUNCTION end_this_session() RETURNS boolean LANGUAGE sql SECURITY DEFINER AS $$
    SELECT pg_terminate_backend(pg_backend_pid())
$$;

-- A hot command as services.chassis.commands wants it. The note says what happens.
CREATE FUNCTION effect_make(p_tenant uuid, p_command jsonb)
RETURNS TABLE (status smallint, body text, replayed boolean) LANGUAGE plpgsql AS $$
DECLARE
    c record;
    known record;
    v_status smallint := 201;
    v_answer text;
BEGIN
    EXECUTE format('SET LOCAL linli.tenant = %L', p_tenant);
    SELECT * INTO c FROM jsonb_to_record(p_command) AS x (
        account uuid, idempotency_key text, request_hash text, note text
    );
    SELECT * INTO known FROM idempotency_recall(p_tenant, c.account, c.idempotency_key, decode(c.request_hash, 'hex'));
    IF FOUND THEN
        RETURN QUERY SELECT known.status, known.body, true;
        RETURN;
    END IF;
    IF c.note = 'raise' THEN
        RAISE EXCEPTION 'a bug in the command';
    ELSIF c.note = 'deadlock' THEN
        PERFORM stumble('40P01');
    ELSIF c.note = 'lost' AND nextval('attempts') % 2 = 1 THEN
        PERFORM end_this_session();
    ELSIF c.note = 'silent' THEN
        RETURN;
    END IF;
    IF EXISTS (SELECT FROM effects e WHERE e.tenant_id = p_tenant AND e.note = 'closed') THEN
        v_status := 409;
        v_answer := '{"code":"probe_closed","reason":"stocktaking"}';
    ELSE
        INSERT INTO effects (tenant_id, note) VALUES (p_tenant, c.note)
        RETURNING json_build_object('id', id, 'note', note)::text INTO v_answer;
    END IF;
    PERFORM idempotency_store(p_tenant, c.account, c.idempotency_key, decode(c.request_hash, 'hex'), v_status, v_answer);
    RETURN QUERY SELECT v_status, v_answer, false;
END $$;
