"""The ledger of points and the reward rules."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.row_security import allow, protect, refuse_changes

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TABLES = ("ledger_accounts", "ledger_transactions", "ledger_entries", "reward_rules")


def upgrade() -> None:
    op.create_table(
        "ledger_accounts",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "asset",
            sa.Enum("points", name="asset", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column(
            "kind",
            sa.Enum(
                "member",
                "issuing_community",
                name="ledgeraccountkind",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("balance", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("version", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint("abs(balance) < 9007199254740992", name=op.f("ck_ledger_accounts_balance_exact_in_json")),
        sa.CheckConstraint("balance >= 0 OR kind = 'issuing_community'", name=op.f("ck_ledger_accounts_no_overdraft")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_ledger_accounts")),
        sa.UniqueConstraint(
            "tenant_id", "asset", "kind", "owner_id", name=op.f("uq_ledger_accounts_tenant_id_asset_kind_owner_id")
        ),
    )
    op.create_table(
        "ledger_transactions",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum("reward", "award", name="transactionkind", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column("source_kind", sa.String(length=40), nullable=False),
        sa.Column("source_id", sa.String(length=128), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("effective_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=True),
        sa.Column("details", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_ledger_transactions")),
        sa.UniqueConstraint(
            "tenant_id", "source_kind", "source_id", name=op.f("uq_ledger_transactions_tenant_id_source_kind_source_id")
        ),
    )
    op.create_table(
        "ledger_entries",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("transaction_id", sa.Uuid(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("balance_after", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount <> 0", name=op.f("ck_ledger_entries_amount")),
        sa.PrimaryKeyConstraint("tenant_id", "account_id", "sequence", name=op.f("pk_ledger_entries")),
    )
    op.create_index("ix_ledger_entries_transaction_id", "ledger_entries", ["tenant_id", "transaction_id"], unique=False)
    op.create_table(
        "reward_rules",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("order_kind", sa.String(length=40), nullable=True),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("min_stars", sa.SmallInteger(), nullable=False),
        sa.Column("bonus_points", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("bonus_stars", sa.SmallInteger(), server_default="5", nullable=False),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid_to", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "min_stars BETWEEN 1 AND 5 AND bonus_stars BETWEEN 1 AND 5", name=op.f("ck_reward_rules_stars")
        ),
        sa.CheckConstraint(
            "points BETWEEN 0 AND 1000 AND bonus_points BETWEEN 0 AND 1000", name=op.f("ck_reward_rules_points")
        ),
        sa.CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name=op.f("ck_reward_rules_term")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_reward_rules")),
    )
    op.create_index("ix_reward_rules_kind", "reward_rules", ["tenant_id", "order_kind", "valid_from"], unique=False)
    op.create_foreign_key(op.f("fk_ledger_accounts_tenant_id"), "ledger_accounts", "tenants", ["tenant_id"], ["id"])
    op.create_foreign_key(
        op.f("fk_ledger_entries_tenant_id_account_id"),
        "ledger_entries",
        "ledger_accounts",
        ["tenant_id", "account_id"],
        ["tenant_id", "id"],
    )
    op.create_foreign_key(
        op.f("fk_ledger_entries_tenant_id_transaction_id"),
        "ledger_entries",
        "ledger_transactions",
        ["tenant_id", "transaction_id"],
        ["tenant_id", "id"],
    )
    op.create_foreign_key(op.f("fk_reward_rules_tenant_id"), "reward_rules", "tenants", ["tenant_id"], ["id"])
    for table in TABLES:
        protect(table)
    allow("SELECT, INSERT", ", ".join(TABLES), "points")
    allow("UPDATE (balance, version)", "ledger_accounts", "points")
    allow("UPDATE (valid_to)", "reward_rules", "points")
    refuse_changes("ledger_transactions")
    refuse_changes("ledger_entries")


def downgrade() -> None:
    op.drop_table("reward_rules")
    op.drop_table("ledger_entries")
    op.drop_table("ledger_transactions")
    op.drop_table("ledger_accounts")
