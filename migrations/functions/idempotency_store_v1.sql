-- Remembers an answer, refusal or not, in the transaction that made it true.
CREATE FUNCTION idempotency_store(p_tenant uuid, p_account uuid, p_key text, p_hash bytea, p_status smallint, p_body text)
RETURNS void LANGUAGE sql AS $$
    INSERT INTO idempotency_keys (tenant_id, service, account_id, key, request_hash, status, body)
    VALUES (p_tenant, CURRENT_USER, p_account, p_key, p_hash, p_status, p_body)
$$
