-- The ledger's clock: the database's, one for all workers, so that no worker's wrong clock lets a lot expire early.
CREATE FUNCTION ledger_now() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$
    SELECT clock_timestamp()
$$
