"""The functions that write the ledger."""

from alembic import op

from migrations.functions import function_source

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

FUNCTIONS = (
    "ledger_posting_json_v1",
    "ledger_legs_balance_v1",
    "ledger_clerk_refusal_v1",
    "ledger_post_v1",
    "ledger_post_batch_v1",
)


def upgrade() -> None:
    for function in FUNCTIONS:
        op.execute(function_source(function))


def downgrade() -> None:
    op.execute("DROP FUNCTION ledger_post_batch")
    op.execute("DROP FUNCTION ledger_post")
    op.execute("DROP FUNCTION ledger_clerk_refusal")
    op.execute("DROP FUNCTION ledger_legs_balance")
    op.execute("DROP FUNCTION ledger_posting_json")
