"""The ledger in full: more accounts and assets, lots, holds, settings, and the tables of the hash chain."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.row_security import allow, protect, refuse_changes

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


TABLES = (
    "ledger_account_events",
    "ledger_allocations",
    "ledger_chain",
    "ledger_chain_heads",
    "ledger_hold_ends",
    "ledger_hold_lots",
    "ledger_holds",
    "ledger_lots",
    "ledger_open_holds",
    "ledger_published_heads",
    "ledger_settings",
    "ledger_unsealed",
)
APPEND_ONLY = (
    "ledger_account_events",
    "ledger_allocations",
    "ledger_chain",
    "ledger_hold_ends",
    "ledger_hold_lots",
    "ledger_holds",
    "ledger_published_heads",
    "ledger_settings",
)
WIDENED = (
    ("ledger_accounts", "asset", ("points", "minutes")),
    (
        "ledger_accounts",
        "kind",
        ("member", "issuing_community", "merchant", "expiry", "escrow", "correction", "debt"),
    ),
    (
        "ledger_transactions",
        "kind",
        (
            "reward",
            "award",
            "service",
            "transfer",
            "redemption",
            "settlement",
            "conversion",
            "correction",
            "expiry",
            "reversal",
        ),
    ),
)
"""Table, column, and what it may now be. Only the first of a column's values were allowed before."""
CONSTRAINTS = {
    ("ledger_accounts", "asset"): "ck_ledger_accounts_asset",
    ("ledger_accounts", "kind"): "ck_ledger_accounts_ledgeraccountkind",
    ("ledger_transactions", "kind"): "ck_ledger_transactions_transactionkind",
}
NO_OVERDRAFT = (
    "CASE WHEN kind IN ('issuing_community', 'correction') THEN held = 0"
    " WHEN kind = 'debt' THEN balance <= 0 AND held = 0"
    " ELSE held >= 0 AND balance - held >= 0 END"
)
CLOSED_IS_EMPTY = "status <> 'closed' OR balance = 0"
LOTS_OF_WHAT_WAS_POSTED = """
    DO $$ DECLARE
        tenant uuid;
    BEGIN
        FOR tenant IN SELECT id FROM tenants LOOP
            EXECUTE format('SET LOCAL linli.tenant = %L', tenant);
            -- So far there were only credits, and nothing expired.
            INSERT INTO ledger_lots (tenant_id, account_id, sequence, part, amount, remaining, expires_at, issuer_id)
            SELECT e.tenant_id, e.account_id, e.sequence, 1, e.amount, e.amount, 'infinity', (
                SELECT i.owner_id FROM ledger_entries o
                JOIN ledger_accounts i ON i.tenant_id = tenant AND i.id = o.account_id
                WHERE o.tenant_id = tenant AND o.transaction_id = e.transaction_id AND i.kind = 'issuing_community'
            )
            FROM ledger_entries e
            JOIN ledger_accounts a ON a.tenant_id = tenant AND a.id = e.account_id
            WHERE e.tenant_id = tenant AND a.kind = 'member' AND e.amount > 0;
            INSERT INTO ledger_unsealed (tenant_id, record_kind, record_id)
            SELECT t.tenant_id, 'transaction', t.id FROM ledger_transactions t WHERE t.tenant_id = tenant;
        END LOOP;
        SET LOCAL linli.tenant = '';
    END $$
"""


def upgrade() -> None:
    op.create_table(
        "ledger_chain",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column(
            "record_kind",
            sa.Enum(
                "transaction",
                "hold",
                "hold_end",
                name="ledgerrecord",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("record_id", sa.Uuid(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "position", name=op.f("pk_ledger_chain")),
        sa.UniqueConstraint(
            "tenant_id", "record_kind", "record_id", name=op.f("uq_ledger_chain_tenant_id_record_kind_record_id")
        ),
    )
    op.create_table(
        "ledger_published_heads",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("published_on", sa.Date(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "published_on", name=op.f("pk_ledger_published_heads")),
    )
    op.create_table(
        "ledger_settings",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column(
            "asset",
            sa.Enum("points", "minutes", name="asset", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column(
            "expiry_unit",
            sa.Enum(
                "none",
                "days",
                "months",
                "years",
                name="expiryunit",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("expiry_count", sa.BigInteger(), nullable=False),
        sa.Column("expired_return_days", sa.BigInteger(), nullable=False),
        sa.Column(
            "spent_earning",
            sa.Enum("refuse", "debt", name="spentearning", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column("hold_days", sa.BigInteger(), nullable=False),
        sa.Column("member_cap", sa.BigInteger(), nullable=True),
        sa.Column("second_person_from", sa.BigInteger(), nullable=True),
        sa.Column("may_transfer", sa.Boolean(), nullable=False),
        sa.Column("minutes_per_point", sa.BigInteger(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "expired_return_days BETWEEN 0 AND 3650", name=op.f("ck_ledger_settings_expired_return_days")
        ),
        sa.CheckConstraint("expiry_count BETWEEN 0 AND 36500", name=op.f("ck_ledger_settings_expiry_count")),
        sa.CheckConstraint("hold_days BETWEEN 1 AND 365", name=op.f("ck_ledger_settings_hold_days")),
        sa.CheckConstraint("member_cap BETWEEN 1 AND 9007199254740991", name=op.f("ck_ledger_settings_member_cap")),
        sa.CheckConstraint(
            "minutes_per_point BETWEEN 1 AND 1000000", name=op.f("ck_ledger_settings_minutes_per_point")
        ),
        sa.CheckConstraint(
            "second_person_from BETWEEN 1 AND 9007199254740991", name=op.f("ck_ledger_settings_second_person_from")
        ),
        sa.CheckConstraint("version > 0", name=op.f("ck_ledger_settings_version")),
        sa.PrimaryKeyConstraint("tenant_id", "asset", "version", name=op.f("pk_ledger_settings")),
    )
    op.create_table(
        "ledger_unsealed",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column(
            "record_kind",
            sa.Enum(
                "transaction",
                "hold",
                "hold_end",
                name="ledgerrecord",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("record_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "record_kind", "record_id", name=op.f("pk_ledger_unsealed")),
    )
    op.create_table(
        "ledger_chain_heads",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("pk_ledger_chain_heads")),
    )
    op.create_table(
        "ledger_account_events",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "action",
            sa.Enum(
                "open",
                "freeze",
                "unfreeze",
                "close",
                "reopen",
                name="accountaction",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "account_id", "id", name=op.f("pk_ledger_account_events")),
    )
    op.create_table(
        "ledger_holds",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "reward",
                "award",
                "service",
                "transfer",
                "redemption",
                "settlement",
                "conversion",
                "correction",
                "expiry",
                "reversal",
                name="transactionkind",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column(
            "to_kind",
            sa.Enum(
                "member",
                "issuing_community",
                "merchant",
                "expiry",
                "escrow",
                "correction",
                "debt",
                name="to_kind",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("to_owner_id", sa.Uuid(), nullable=False),
        sa.Column("source_kind", sa.String(length=40), nullable=False),
        sa.Column("source_id", sa.String(length=128), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("details", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint("amount > 0", name=op.f("ck_ledger_holds_amount")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_ledger_holds")),
        sa.UniqueConstraint(
            "tenant_id", "source_kind", "source_id", name=op.f("uq_ledger_holds_tenant_id_source_kind_source_id")
        ),
    )
    op.create_table(
        "ledger_hold_ends",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("hold_id", sa.Uuid(), nullable=False),
        sa.Column(
            "outcome",
            sa.Enum(
                "posted", "voided", "expired", name="holdoutcome", native_enum=False, create_constraint=True, length=40
            ),
            nullable=False,
        ),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("transaction_id", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "(outcome = 'posted') = (transaction_id IS NOT NULL) AND (outcome = 'posted') = (amount > 0)",
            name=op.f("ck_ledger_hold_ends_posted_has_transaction"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "hold_id", name=op.f("pk_ledger_hold_ends")),
    )
    op.create_table(
        "ledger_lots",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("part", sa.SmallInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("remaining", sa.BigInteger(), nullable=False),
        sa.Column("held", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("issuer_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "amount > 0 AND held >= 0 AND held <= remaining AND remaining <= amount",
            name=op.f("ck_ledger_lots_amounts"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "account_id", "sequence", "part", name=op.f("pk_ledger_lots")),
    )
    op.create_index(
        "ix_ledger_lots_due",
        "ledger_lots",
        ["tenant_id", "expires_at"],
        unique=False,
        postgresql_where=sa.text("remaining > 0"),
    )
    op.create_index(
        "ix_ledger_lots_left",
        "ledger_lots",
        ["tenant_id", "account_id", "expires_at", "sequence", "part"],
        unique=False,
        postgresql_where=sa.text("remaining > 0"),
    )
    op.create_table(
        "ledger_open_holds",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("hold_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "hold_id", name=op.f("pk_ledger_open_holds")),
    )
    op.create_index(
        "ix_ledger_open_holds_account", "ledger_open_holds", ["tenant_id", "account_id", "expires_at"], unique=False
    )
    op.create_index("ix_ledger_open_holds_due", "ledger_open_holds", ["tenant_id", "expires_at"], unique=False)
    op.create_table(
        "ledger_allocations",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("lot_sequence", sa.BigInteger(), nullable=False),
        sa.Column("lot_part", sa.SmallInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount <> 0", name=op.f("ck_ledger_allocations_amount")),
        sa.PrimaryKeyConstraint(
            "tenant_id", "account_id", "sequence", "lot_sequence", "lot_part", name=op.f("pk_ledger_allocations")
        ),
    )
    op.create_index(
        "ix_ledger_allocations_lot",
        "ledger_allocations",
        ["tenant_id", "account_id", "lot_sequence", "lot_part"],
        unique=False,
    )
    op.create_table(
        "ledger_hold_lots",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("hold_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("lot_sequence", sa.BigInteger(), nullable=False),
        sa.Column("lot_part", sa.SmallInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("ck_ledger_hold_lots_amount")),
        sa.PrimaryKeyConstraint("tenant_id", "hold_id", "lot_sequence", "lot_part", name=op.f("pk_ledger_hold_lots")),
    )
    op.add_column("ledger_accounts", sa.Column("stripe", sa.SmallInteger(), server_default="0", nullable=False))
    op.add_column("ledger_accounts", sa.Column("held", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column(
        "ledger_accounts",
        sa.Column(
            "status",
            sa.Enum(
                "open", "frozen", "closed", name="accountstatus", native_enum=False, create_constraint=True, length=40
            ),
            server_default="open",
            nullable=False,
        ),
    )
    op.add_column("ledger_accounts", sa.Column("name", sa.String(length=60), nullable=True))
    op.add_column("ledger_accounts", sa.Column("community_id", sa.Uuid(), nullable=True))
    op.drop_constraint(op.f("uq_ledger_accounts_tenant_id_asset_kind_owner_id"), "ledger_accounts", type_="unique")
    op.create_unique_constraint(
        op.f("uq_ledger_accounts_tenant_id_asset_kind_owner_id_stripe"),
        "ledger_accounts",
        ["tenant_id", "asset", "kind", "owner_id", "stripe"],
    )
    op.add_column("ledger_transactions", sa.Column("approved_by", sa.Uuid(), nullable=True))
    for table, kind, values in WIDENED:
        _allow_values(table, kind, values)
    op.drop_constraint(op.f("ck_ledger_accounts_no_overdraft"), "ledger_accounts")
    op.create_check_constraint(op.f("ck_ledger_accounts_no_overdraft"), "ledger_accounts", NO_OVERDRAFT)
    op.create_check_constraint(op.f("ck_ledger_accounts_closed_is_empty"), "ledger_accounts", CLOSED_IS_EMPTY)
    op.create_foreign_key(
        op.f("fk_ledger_chain_heads_tenant_id"), "ledger_chain_heads", "tenants", ["tenant_id"], ["id"]
    )
    op.create_foreign_key(
        op.f("fk_ledger_account_events_tenant_id_account_id"),
        "ledger_account_events",
        "ledger_accounts",
        ["tenant_id", "account_id"],
        ["tenant_id", "id"],
    )
    op.create_foreign_key(
        op.f("fk_ledger_holds_tenant_id_account_id"),
        "ledger_holds",
        "ledger_accounts",
        ["tenant_id", "account_id"],
        ["tenant_id", "id"],
    )
    op.create_foreign_key(
        op.f("fk_ledger_hold_ends_tenant_id_hold_id"),
        "ledger_hold_ends",
        "ledger_holds",
        ["tenant_id", "hold_id"],
        ["tenant_id", "id"],
    )
    op.create_foreign_key(
        op.f("fk_ledger_hold_ends_tenant_id_transaction_id"),
        "ledger_hold_ends",
        "ledger_transactions",
        ["tenant_id", "transaction_id"],
        ["tenant_id", "id"],
    )
    op.create_foreign_key(
        op.f("fk_ledger_lots_tenant_id_account_id_sequence"),
        "ledger_lots",
        "ledger_entries",
        ["tenant_id", "account_id", "sequence"],
        ["tenant_id", "account_id", "sequence"],
    )
    op.create_foreign_key(
        op.f("fk_ledger_open_holds_tenant_id_hold_id"),
        "ledger_open_holds",
        "ledger_holds",
        ["tenant_id", "hold_id"],
        ["tenant_id", "id"],
    )
    op.create_foreign_key(
        op.f("fk_ledger_allocations_lot"),
        "ledger_allocations",
        "ledger_lots",
        ["tenant_id", "account_id", "lot_sequence", "lot_part"],
        ["tenant_id", "account_id", "sequence", "part"],
    )
    op.create_foreign_key(
        op.f("fk_ledger_allocations_tenant_id_account_id_sequence"),
        "ledger_allocations",
        "ledger_entries",
        ["tenant_id", "account_id", "sequence"],
        ["tenant_id", "account_id", "sequence"],
    )
    op.create_foreign_key(
        op.f("fk_ledger_hold_lots_lot"),
        "ledger_hold_lots",
        "ledger_lots",
        ["tenant_id", "account_id", "lot_sequence", "lot_part"],
        ["tenant_id", "account_id", "sequence", "part"],
    )
    op.create_foreign_key(
        op.f("fk_ledger_hold_lots_tenant_id_hold_id"),
        "ledger_hold_lots",
        "ledger_holds",
        ["tenant_id", "hold_id"],
        ["tenant_id", "id"],
    )
    op.create_foreign_key(
        op.f("fk_ledger_accounts_tenant_id_community_id"),
        "ledger_accounts",
        "areas",
        ["tenant_id", "community_id"],
        ["tenant_id", "id"],
    )
    for table in TABLES:
        protect(table)
    allow("SELECT, INSERT", ", ".join(TABLES), "points")
    allow("UPDATE (balance, version, held, status)", "ledger_accounts", "points")
    allow("UPDATE (remaining, held)", "ledger_lots", "points")
    allow("DELETE", "ledger_unsealed, ledger_open_holds", "points")
    allow("UPDATE (position, hash, sealed_at)", "ledger_chain_heads", "points")
    for table in APPEND_ONLY:
        refuse_changes(table)
    op.execute(LOTS_OF_WHAT_WAS_POSTED)


def downgrade() -> None:
    op.drop_constraint(op.f("ck_ledger_accounts_closed_is_empty"), "ledger_accounts")
    op.drop_constraint(op.f("ck_ledger_accounts_no_overdraft"), "ledger_accounts")
    op.create_check_constraint(
        op.f("ck_ledger_accounts_no_overdraft"), "ledger_accounts", "balance >= 0 OR kind = 'issuing_community'"
    )
    _allow_values("ledger_transactions", "kind", ("reward", "award"))
    _allow_values("ledger_accounts", "kind", ("member", "issuing_community"))
    _allow_values("ledger_accounts", "asset", ("points",))
    op.drop_column("ledger_transactions", "approved_by")
    op.drop_constraint(op.f("fk_ledger_accounts_tenant_id_community_id"), "ledger_accounts", type_="foreignkey")
    op.drop_constraint(
        op.f("uq_ledger_accounts_tenant_id_asset_kind_owner_id_stripe"), "ledger_accounts", type_="unique"
    )
    op.create_unique_constraint(
        op.f("uq_ledger_accounts_tenant_id_asset_kind_owner_id"),
        "ledger_accounts",
        ["tenant_id", "asset", "kind", "owner_id"],
        postgresql_nulls_not_distinct=False,
    )
    op.drop_column("ledger_accounts", "community_id")
    op.drop_column("ledger_accounts", "name")
    op.drop_column("ledger_accounts", "status")
    op.drop_column("ledger_accounts", "held")
    op.drop_column("ledger_accounts", "stripe")
    op.drop_table("ledger_hold_lots")
    op.drop_index("ix_ledger_allocations_lot", table_name="ledger_allocations")
    op.drop_table("ledger_allocations")
    op.drop_index("ix_ledger_open_holds_due", table_name="ledger_open_holds")
    op.drop_index("ix_ledger_open_holds_account", table_name="ledger_open_holds")
    op.drop_table("ledger_open_holds")
    op.drop_index("ix_ledger_lots_left", table_name="ledger_lots", postgresql_where=sa.text("remaining > 0"))
    op.drop_index("ix_ledger_lots_due", table_name="ledger_lots", postgresql_where=sa.text("remaining > 0"))
    op.drop_table("ledger_lots")
    op.drop_table("ledger_hold_ends")
    op.drop_table("ledger_holds")
    op.drop_table("ledger_account_events")
    op.drop_table("ledger_chain_heads")
    op.drop_table("ledger_unsealed")
    op.drop_table("ledger_settings")
    op.drop_table("ledger_published_heads")
    op.drop_table("ledger_chain")


def _allow_values(table: str, column: str, values: tuple[str, ...]) -> None:
    """The CHECK of an enumeration, as SQLAlchemy writes it."""
    name = op.f(CONSTRAINTS[table, column])
    op.drop_constraint(name, table)
    listed = ", ".join(f"'{value}'" for value in values)
    op.create_check_constraint(name, table, f"{column} IN ({listed})")
