-- Whom to call follows the orders: a completion is to be asked about, one that is done again is not any more.
-- Nobody knows whom to call about an anonymous order.
-- Of a row that is new OLD is NULL: what comes in completed is to be asked about too.
CREATE FUNCTION follow_up_track() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.completed_at IS NULL OR NEW.stage NOT IN ('verify', 'close', 'done') OR NEW.cancelled_at IS NOT NULL THEN
        DELETE FROM due_follow_ups f WHERE f.tenant_id = NEW.tenant_id AND f.order_id = NEW.id;
    ELSIF NEW.completed_at IS DISTINCT FROM OLD.completed_at AND NOT NEW.is_anonymous THEN
        INSERT INTO due_follow_ups (tenant_id, order_id, community_id, area_id, cause, completed_at, due_at)
        VALUES (
            NEW.tenant_id, NEW.id, NEW.community_id, NEW.area_id, 'unanswered', NEW.completed_at, NEW.completed_at
        )
        ON CONFLICT (tenant_id, order_id) DO UPDATE SET
            cause = 'unanswered', completed_at = NEW.completed_at, due_at = NEW.completed_at, attempts = 0;
    END IF;
    RETURN NULL;
END $$
