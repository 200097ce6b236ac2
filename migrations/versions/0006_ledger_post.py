"""The functions that write the ledger and read it."""

from alembic import op

from migrations.functions import function_source

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

FUNCTIONS = (
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


def upgrade() -> None:
    op.execute(
        """
        CREATE TYPE ledger_command AS (
            account uuid,
            idempotency_key text,
            request_hash text,
            issuer_areas uuid[],
            id uuid,
            kind text,
            source_kind text,
            source_id text,
            reason text,
            effective_at timestamptz,
            details jsonb,
            leg_kinds text[],
            leg_owners uuid[],
            leg_amounts bigint[],
            new_account_ids uuid[]
        )
        """
    )
    for function in FUNCTIONS:
        op.execute(function_source(function))


def downgrade() -> None:
    for function in reversed(FUNCTIONS):
        op.execute(f"DROP FUNCTION {function.removesuffix('_v1')}")
    op.execute("DROP TYPE ledger_command")
