-- ledger_post_all for items of any tenants, tenant by tenant, until each has its answer.
CREATE FUNCTION ledger_post_batch(p_tenants uuid[], p_commands jsonb[])
RETURNS TABLE (status smallint, body text, replayed boolean) LANGUAGE plpgsql AS $$
DECLARE
    answer record;
    v_tenant uuid;
    v_open int[];
    v_status smallint[];
    v_body text[];
    v_replayed boolean[];
BEGIN
    FOR v_tenant IN SELECT DISTINCT t.id FROM unnest(p_tenants) AS t (id) ORDER BY t.id LOOP
        v_open := ARRAY(
            SELECT t.place FROM unnest(p_tenants) WITH ORDINALITY AS t (id, place)
            WHERE t.id = v_tenant ORDER BY t.place
        );
        WHILE cardinality(v_open) > 0 LOOP
            FOR answer IN
                SELECT a.* FROM ROWS FROM (
                    ledger_post_all(v_tenant, ARRAY(SELECT p_commands[o.place] FROM unnest(v_open) AS o (place))),
                    unnest(v_open)
                ) AS a (status, body, replayed, place)
                WHERE a.status IS NOT NULL
            LOOP
                v_status[answer.place] := answer.status;
                v_body[answer.place] := answer.body;
                v_replayed[answer.place] := answer.replayed;
                v_open := array_remove(v_open, answer.place::int);
            END LOOP;
        END LOOP;
    END LOOP;
    RETURN QUERY SELECT * FROM unnest(v_status, v_body, v_replayed);
END $$
