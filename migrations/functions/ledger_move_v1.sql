-- Writes one transaction with its entries, lots and allocations, whatever it is. Everything has been decided: the
-- accounts (ledger_accounts.id, debits first) are locked, and have what goes out of them.
--   p_hold      the hold this posts
--   p_reverses  the transaction this takes back
--   p_expired   the moment at which the lots were over that this expires
-- What members get from members keeps expiry and issuer, in parts; what comes from elsewhere lives by the district's rule.
CREATE FUNCTION ledger_move(
    p_tenant uuid, p_transaction ledger_transactions, p_accounts uuid[], p_amounts bigint[],
    p_hold ledger_holds, p_reverses uuid, p_expired timestamptz
)
RETURNS void LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off AS $$
DECLARE
    account ledger_accounts;
    accounts ledger_accounts[] := '{}';
    settings ledger_settings;
    piece record;
    v_now timestamptz := p_transaction.recorded_at;
    v_before bigint;
    v_part smallint;
    v_left bigint;
    v_some bigint;
    -- What lots gave and has not been given to others yet:
    v_assets text[] := '{}';
    v_pieces bigint[] := '{}';
    v_expiries timestamptz[] := '{}';
    v_issuers uuid[] := '{}';
BEGIN
    INSERT INTO ledger_transactions SELECT p_transaction.*;
    FOR i IN 1..cardinality(p_accounts) LOOP
        UPDATE ledger_accounts a SET
            balance = a.balance + p_amounts[i],
            version = a.version + 1,
            held = a.held - CASE WHEN a.id = p_hold.account_id THEN p_hold.amount ELSE 0 END
        WHERE a.tenant_id = p_tenant AND a.id = p_accounts[i]
        RETURNING a.* INTO STRICT account;
        accounts := accounts || account;
        INSERT INTO ledger_entries (tenant_id, account_id, sequence, transaction_id, amount, balance_after)
        VALUES (p_tenant, account.id, account.version, p_transaction.id, p_amounts[i], account.balance);
    END LOOP;
    FOR i IN 1..cardinality(p_accounts) LOOP
        account := accounts[i];
        IF account.kind <> 'member' AND p_amounts[i] > 0 THEN
            CONTINUE;
        END IF;
        settings := ledger_settings_of(p_tenant, account.asset);
        v_before := (
            SELECT e.sequence FROM ledger_entries e
            WHERE e.tenant_id = p_tenant AND e.transaction_id = p_reverses AND e.account_id = account.id
        );
        IF account.kind <> 'member' THEN
            v_assets := v_assets || account.asset::text;
            v_pieces := v_pieces || -p_amounts[i];
            v_expiries := v_expiries
                || ledger_lot_expiry(settings.expiry_unit, settings.expiry_count, p_transaction.effective_at);
            v_issuers := v_issuers || COALESCE(account.community_id, account.owner_id);
        ELSIF p_amounts[i] < 0 THEN
            FOR piece IN
                SELECT * FROM ledger_take(
                    p_tenant, account.id, account.version, -p_amounts[i], v_now, p_hold.id, p_expired, v_before
                )
            LOOP
                v_assets := v_assets || account.asset::text;
                v_pieces := v_pieces || piece.amount;
                v_expiries := v_expiries || piece.expires_at;
                v_issuers := v_issuers || piece.issuer_id;
            END LOOP;
        ELSIF v_before IS NOT NULL THEN
            PERFORM ledger_give_back(
                p_tenant, account.id, account.version, v_before, p_amounts[i], v_now, settings.expired_return_days
            );
        ELSE
            v_left := p_amounts[i];
            v_part := 0;
            FOR p IN 1..cardinality(v_pieces) LOOP
                v_some := LEAST(v_left, v_pieces[p]);
                CONTINUE WHEN v_assets[p] <> account.asset OR v_some = 0;
                v_part := v_part + 1;
                INSERT INTO ledger_lots (
                    tenant_id, account_id, sequence, part, amount, remaining, expires_at, issuer_id
                )
                VALUES (p_tenant, account.id, account.version, v_part, v_some, v_some, v_expiries[p], v_issuers[p]);
                v_pieces[p] := v_pieces[p] - v_some;
                v_left := v_left - v_some;
            END LOOP;
        END IF;
    END LOOP;
    INSERT INTO ledger_unsealed (tenant_id, record_kind, record_id) VALUES (p_tenant, 'transaction', p_transaction.id);
END $$
