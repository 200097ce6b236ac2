-- Why a person may not post this (`issuer_areas`: a clerk of these areas; `is_gift`: a member gives their own), as the
-- code of the refusal; NULL when they may. Credits of so many points or minutes need a second person.
CREATE FUNCTION ledger_refusal(p_tenant uuid, i ledger_item, p_points_from bigint, p_minutes_from bigint)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_gives boolean := false;
    v_gets boolean := false;
BEGIN
    IF i.is_gift IS NOT TRUE THEN
        IF cardinality(i.issuer_areas) = 0 THEN
            RETURN 'forbidden';
        ELSIF i.leg_kinds && ARRAY['issuing_community', 'correction'] AND EXISTS (
            SELECT FROM unnest(i.leg_kinds, i.leg_owners) AS l (kind, owner_id)
            WHERE l.kind IN ('issuing_community', 'correction') AND NOT EXISTS (
                SELECT FROM areas a
                WHERE a.tenant_id = p_tenant AND a.id = l.owner_id AND a.community_id = a.id
                    AND a.valid_to IS NULL AND a.ancestor_ids && i.issuer_areas
            )
        ) THEN
            RETURN 'community_not_found';
        ELSIF i.leg_kinds && ARRAY['merchant', 'escrow'] AND EXISTS (
            SELECT FROM unnest(i.leg_kinds, i.leg_owners, i.leg_assets) AS l (kind, owner_id, asset)
            WHERE l.kind IN ('merchant', 'escrow') AND NOT EXISTS (
                SELECT FROM ledger_accounts m
                JOIN areas a ON a.tenant_id = p_tenant AND a.id = m.community_id
                WHERE m.tenant_id = p_tenant AND m.asset = l.asset AND m.kind = l.kind AND m.owner_id = l.owner_id
                    AND a.ancestor_ids && i.issuer_areas
            )
        ) THEN
            RETURN 'points_account_not_found';
        ELSIF i.account = ANY (i.leg_owners) THEN
            RETURN 'own_points';
        ELSIF EXISTS (
            SELECT FROM unnest(i.leg_kinds, i.leg_owners, i.leg_assets, i.leg_amounts) AS l (kind, owner_id, asset, amount)
            WHERE l.kind = 'member' AND l.amount < 0 AND (
                EXISTS (  -- what people give each other they give themselves
                    SELECT FROM unnest(i.leg_kinds, i.leg_assets, i.leg_amounts) AS o (kind, asset, amount)
                    WHERE o.kind = 'member' AND o.asset = l.asset AND o.amount > 0
                ) OR NOT EXISTS (  -- a clerk spends points of their communities only; others are held by their owner
                    SELECT FROM ledger_accounts m
                    JOIN ledger_lots t ON t.tenant_id = p_tenant AND t.account_id = m.id AND t.remaining > 0
                    JOIN areas a ON a.tenant_id = p_tenant AND a.id = t.issuer_id AND a.ancestor_ids && i.issuer_areas
                    WHERE m.tenant_id = p_tenant AND m.asset = l.asset AND m.kind = 'member'
                        AND m.owner_id = l.owner_id AND m.stripe = 0
                ) AND EXISTS (  -- who has nothing is told so below
                    SELECT FROM ledger_accounts m
                    JOIN ledger_lots t ON t.tenant_id = p_tenant AND t.account_id = m.id AND t.remaining > 0
                    WHERE m.tenant_id = p_tenant AND m.asset = l.asset AND m.kind = 'member'
                        AND m.owner_id = l.owner_id AND m.stripe = 0
                )
            )
        ) THEN
            RETURN 'forbidden';
        ELSIF i.effective_at > ledger_now() + interval '1 minute' THEN
            RETURN 'effective_in_future';
        END IF;
    END IF;
    IF EXISTS (
        SELECT FROM unnest(i.leg_kinds, i.leg_owners) AS l (kind, owner_id)
        WHERE l.kind = 'member' AND NOT EXISTS (
            SELECT FROM memberships m
            WHERE m.tenant_id = p_tenant AND m.account_id = l.owner_id AND m.ended_at IS NULL
        )
    ) THEN
        RETURN 'recipient_not_a_member';
    END IF;
    IF i.is_gift IS TRUE OR i.approved_by IS NOT NULL THEN
        RETURN NULL;
    END IF;
    FOR k IN 1..cardinality(i.leg_kinds) LOOP
        v_gives := v_gives OR i.leg_kinds[k] <> 'member' AND i.leg_amounts[k] < 0;
        v_gets := v_gets OR i.leg_kinds[k] IN ('member', 'merchant', 'escrow') AND COALESCE(
            i.leg_amounts[k] >= CASE i.leg_assets[k] WHEN 'minutes' THEN p_minutes_from ELSE p_points_from END, false
        );
    END LOOP;
    RETURN CASE WHEN v_gives AND v_gets THEN 'second_person_needed' END;
END $$
