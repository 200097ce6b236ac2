-- One leg of a transaction as the API answers it (services/points/ledger/schemas.py LegRead).
CREATE FUNCTION ledger_leg_json(
    p_asset text, p_account_kind text, p_owner uuid, p_owner_name text, p_amount bigint
)
RETURNS json LANGUAGE sql STABLE AS $$
    SELECT json_build_object(
        'asset', p_asset,
        'account_kind', p_account_kind,
        'owner_id', p_owner,
        'owner_name', p_owner_name,
        'amount', p_amount
    )
$$
