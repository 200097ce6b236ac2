-- For tables whose rows may change only while their state is TG_ARGV[0], and are never deleted.
CREATE FUNCTION refuse_change_once_decided() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND (OLD.state = TG_ARGV[0] OR NEW IS NOT DISTINCT FROM OLD) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION '% are not changed once they are decided, nor deleted', TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$
