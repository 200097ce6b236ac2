"""The functions of the ledger in full: lots, holds, reversal, expiry, bulk."""

from alembic import op

from migrations.functions import create_function

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

FUNCTIONS = (
    "ledger_now_v1",
    "ledger_settings_of_v1",
    "ledger_lot_expiry_v1",
    "ledger_available_v1",
    "ledger_legs_balance_v2",
    "ledger_owner_name_v1",
    "ledger_leg_json_v2",
    "ledger_posting_json_v2",
    "ledger_posting_v2",
    "ledger_refusal_v1",
    "ledger_concerns_v1",
    "ledger_is_plain_v1",
    "ledger_open_accounts_v1",
    "ledger_take_v1",
    "ledger_give_back_v1",
    "ledger_move_v1",
    "ledger_post_one_v1",
    "ledger_post_all_v2",
    "ledger_post_v1",
    "ledger_post_batch_v1",
    "ledger_post_bulk_v1",
    "ledger_hold_json_v1",
    "ledger_hold_concerns_v1",
    "ledger_hold_decided_v1",
    "ledger_hold_v1",
    "ledger_release_v1",
    "ledger_hold_end_decided_v1",
    "ledger_hold_end_v1",
    "ledger_reverse_decided_v1",
    "ledger_reverse_v1",
    "ledger_expire_holds_v1",
    "ledger_expire_lots_v1",
    "points_account_v2",
    "points_balance_at_v1",
    "points_statement_v2",
    "points_lots_v1",
    "points_pending_v1",
)
REPLACED = (
    "ledger_leg_json_v1",
    "ledger_posting_json_v1",
    "ledger_posting_v1",
    "ledger_legs_balance_v1",
    "ledger_post_all_v1",
    "ledger_post_v1",
    "ledger_post_batch_v1",
    "points_account_v1",
    "points_statement_v1",
)
TYPES = {
    "ledger_item": """
        account uuid, idempotency_key text, request_hash text, issuer_areas uuid[], is_gift boolean,
        id uuid, kind text, source_kind text, source_id text, reason text, effective_at timestamptz, details jsonb,
        approved_by uuid, leg_kinds text[], leg_owners uuid[], leg_assets text[], leg_amounts bigint[]
    """,
    "ledger_hold_command": """
        account uuid, idempotency_key text, request_hash text, issuer_areas uuid[],
        id uuid, owner_id uuid, asset text, amount bigint, kind text, to_kind text, to_owner_id uuid,
        source_kind text, source_id text, reason text, details jsonb, expires_at timestamptz
    """,
    "ledger_hold_end_command": """
        account uuid, idempotency_key text, request_hash text, issuer_areas uuid[],
        id uuid, hold_id uuid, outcome text, amount bigint, reason text
    """,
    "ledger_reverse_command": """
        account uuid, idempotency_key text, request_hash text, issuer_areas uuid[],
        id uuid, transaction_id uuid, reason text
    """,
}
COMMAND = """
    CREATE TYPE ledger_command AS (
        account uuid, idempotency_key text, request_hash text, issuer_areas uuid[], id uuid, kind text,
        source_kind text, source_id text, reason text, effective_at timestamptz, details jsonb,
        leg_kinds text[], leg_owners uuid[], leg_amounts bigint[], new_account_ids uuid[]
    )
"""


def upgrade() -> None:
    _drop(REPLACED)
    op.execute("DROP TYPE ledger_command")
    for name, fields in TYPES.items():
        op.execute(f"CREATE TYPE {name} AS ({fields})")
    for function in FUNCTIONS:
        create_function(function)


def downgrade() -> None:
    _drop(FUNCTIONS)
    for name in TYPES:
        op.execute(f"DROP TYPE {name}")
    op.execute(COMMAND)
    for function in REPLACED:
        create_function(function)


def _drop(functions: tuple[str, ...]) -> None:
    for function in reversed(functions):
        op.execute(f"DROP FUNCTION {function.rpartition('_')[0]}")
