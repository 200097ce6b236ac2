"""What the bookkeeping waits for, and books that come from elsewhere."""

import sqlalchemy as sa
from alembic import op

from migrations.functions import create_function
from migrations.row_security import allow, protect

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "ledger_imports",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("source_code", sa.String(length=40), nullable=False),
        sa.Column("source_name", sa.String(length=60), nullable=False),
        sa.Column("exported_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("head_position", sa.BigInteger(), nullable=False),
        sa.Column("head_hash", sa.LargeBinary(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_by", sa.Uuid(), nullable=False),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("pk_ledger_imports")),
    )
    op.create_foreign_key(op.f("fk_ledger_imports_tenant_id"), "ledger_imports", "tenants", ["tenant_id"], ["id"])
    protect("ledger_imports")
    allow("SELECT, INSERT", "ledger_imports", "points")
    allow(
        "UPDATE (source_code, source_name, exported_at, position, head_position, head_hash, completed_at)",
        "ledger_imports",
        "points",
    )
    create_function("ledger_due_work_v1")
    create_function("ledger_is_importing_v1")


def downgrade() -> None:
    op.execute("DROP FUNCTION ledger_is_importing")
    op.execute("DROP FUNCTION ledger_due_work")
    op.drop_table("ledger_imports")
