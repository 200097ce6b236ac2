"""Recurring orders: what is ordered again and again, its exceptions and changes, and what became of each occurrence."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.functions import create_function
from migrations.row_security import allow, protect, refuse_changes

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

TABLES = (
    "recurring_order_work",
    "recurring_order_occurrences",
    "recurring_order_exceptions",
    "recurring_order_changes",
    "recurring_orders",
)


def upgrade() -> None:
    op.create_table(
        "recurring_orders",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("description", sa.String(length=2000), nullable=False),
        sa.Column("resident_id", sa.Uuid(), nullable=False),
        sa.Column("household_id", sa.Uuid(), nullable=True),
        sa.Column("place_id", sa.Uuid(), nullable=True),
        sa.Column("area_id", sa.Uuid(), nullable=False),
        sa.Column("community_id", sa.Uuid(), nullable=False),
        sa.Column("placed_by", sa.Uuid(), nullable=False),
        sa.Column("contact_name", sa.String(length=60), nullable=True),
        sa.Column("contact_phone", sa.String(length=20), nullable=True),
        sa.Column("address", sa.String(length=200), nullable=True),
        sa.Column("answers", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("lng", sa.Float(), nullable=True),
        sa.Column("lat", sa.Float(), nullable=True),
        sa.Column("rule", sa.String(length=200), nullable=False),
        sa.Column("first_on", sa.Date(), nullable=False),
        sa.Column("from_time", sa.Time(), nullable=False),
        sa.Column("until_time", sa.Time(), nullable=False),
        sa.Column(
            "holiday_policy",
            sa.Enum(
                "keep",
                "skip",
                "before",
                "after",
                name="holidaypolicy",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column(
            "cover_policy",
            sa.Enum(
                "familiar",
                "pool",
                "dispatcher",
                name="coverpolicy",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("helper_id", sa.Uuid(), nullable=True),
        sa.Column("horizon_days", sa.SmallInteger(), nullable=False),
        sa.Column("paused_from", sa.Date(), nullable=True),
        sa.Column("paused_until", sa.Date(), nullable=True),
        sa.Column("pause_reason", sa.String(length=2000), nullable=True),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column("end_reason", sa.String(length=2000), nullable=True),
        sa.Column("holds_since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("kept_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("arranged_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("(lng IS NULL) = (lat IS NULL)", name=op.f("ck_recurring_orders_point")),
        sa.CheckConstraint("from_time < until_time", name=op.f("ck_recurring_orders_window")),
        sa.CheckConstraint("horizon_days BETWEEN 1 AND 60", name=op.f("ck_recurring_orders_horizon")),
        sa.CheckConstraint(
            "paused_from IS NOT NULL OR paused_until IS NULL", name=op.f("ck_recurring_orders_pause_begins")
        ),
        sa.CheckConstraint("paused_until >= paused_from", name=op.f("ck_recurring_orders_pause")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_recurring_orders")),
    )
    op.create_index("ix_recurring_orders_community", "recurring_orders", ["tenant_id", "community_id", "id"])
    op.create_index(
        "ix_recurring_orders_helper",
        "recurring_orders",
        ["tenant_id", "helper_id", "id"],
        postgresql_where=sa.text("helper_id IS NOT NULL"),
    )
    op.create_index("ix_recurring_orders_household", "recurring_orders", ["tenant_id", "household_id", "id"])
    op.create_index(
        "ix_recurring_orders_next_at",
        "recurring_orders",
        ["tenant_id", "next_at"],
        postgresql_where=sa.text("next_at IS NOT NULL"),
    )
    op.create_index("ix_recurring_orders_placed_by", "recurring_orders", ["tenant_id", "placed_by", "id"])
    op.create_index("ix_recurring_orders_resident", "recurring_orders", ["tenant_id", "resident_id", "id"])
    op.create_table(
        "recurring_order_changes",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("recurring_order_id", sa.Uuid(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column(
            "action",
            sa.Enum(
                "arrange",
                "edit",
                "skip",
                "move",
                "pause",
                "resume",
                "end",
                "change_helper",
                "run_out",
                name="recurringchange",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.String(length=2000), nullable=True),
        sa.Column("details", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "recurring_order_id", "sequence", name=op.f("pk_recurring_order_changes")),
    )
    op.create_table(
        "recurring_order_exceptions",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("recurring_order_id", sa.Uuid(), nullable=False),
        sa.Column("occurrence_on", sa.Date(), nullable=False),
        sa.Column("moved_on", sa.Date(), nullable=True),
        sa.Column("from_time", sa.Time(), nullable=True),
        sa.Column("until_time", sa.Time(), nullable=True),
        sa.CheckConstraint(
            "num_nonnulls(moved_on, from_time, until_time) IN (0, 3) AND (moved_on IS NULL OR from_time < until_time)",
            name=op.f("ck_recurring_order_exceptions_moved_or_skipped"),
        ),
        sa.PrimaryKeyConstraint(
            "tenant_id", "recurring_order_id", "occurrence_on", name=op.f("pk_recurring_order_exceptions")
        ),
    )
    op.create_table(
        "recurring_order_occurrences",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("recurring_order_id", sa.Uuid(), nullable=False),
        sa.Column("occurrence_on", sa.Date(), nullable=False),
        sa.Column("planned_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("planned_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=True),
        sa.Column(
            "outcome",
            sa.Enum(
                "made",
                "moved",
                "skipped",
                "withdrawn",
                "failed",
                name="occurrenceoutcome",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("reason", sa.String(length=60), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(outcome IN ('made', 'moved', 'withdrawn')) = (order_id IS NOT NULL)",
            name=op.f("ck_recurring_order_occurrences_order"),
        ),
        sa.CheckConstraint("planned_from < planned_until", name=op.f("ck_recurring_order_occurrences_window")),
        sa.PrimaryKeyConstraint(
            "tenant_id", "recurring_order_id", "occurrence_on", name=op.f("pk_recurring_order_occurrences")
        ),
    )
    op.create_index(
        "ix_recurring_order_occurrences_failed",
        "recurring_order_occurrences",
        ["tenant_id", "recurring_order_id"],
        postgresql_where=sa.text("outcome = 'failed'"),
    )
    op.create_index(
        "ix_recurring_order_occurrences_order_id",
        "recurring_order_occurrences",
        ["tenant_id", "order_id"],
        unique=True,
        postgresql_where=sa.text("order_id IS NOT NULL"),
    )
    op.create_table(
        "recurring_order_work",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("recurring_order_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("order_version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "tenant_id", "recurring_order_id", "order_id", "order_version", name=op.f("pk_recurring_order_work")
        ),
    )
    op.create_foreign_key(
        op.f("fk_recurring_orders_tenant_id_area_id"),
        "recurring_orders",
        "areas",
        ["tenant_id", "area_id"],
        ["tenant_id", "id"],
    )
    op.create_foreign_key(
        op.f("fk_recurring_orders_tenant_id_community_id"),
        "recurring_orders",
        "areas",
        ["tenant_id", "community_id"],
        ["tenant_id", "id"],
    )
    op.create_foreign_key(
        op.f("fk_recurring_orders_tenant_id_helper_id"),
        "recurring_orders",
        "memberships",
        ["tenant_id", "helper_id"],
        ["tenant_id", "account_id"],
    )
    op.create_foreign_key(
        op.f("fk_recurring_orders_tenant_id_household_id"),
        "recurring_orders",
        "households",
        ["tenant_id", "household_id"],
        ["tenant_id", "id"],
    )
    op.create_foreign_key(
        op.f("fk_recurring_orders_tenant_id_kind"),
        "recurring_orders",
        "order_kinds",
        ["tenant_id", "kind"],
        ["tenant_id", "id"],
    )
    op.create_foreign_key(
        op.f("fk_recurring_orders_tenant_id_place_id"),
        "recurring_orders",
        "areas",
        ["tenant_id", "place_id"],
        ["tenant_id", "id"],
    )
    op.create_foreign_key(
        op.f("fk_recurring_orders_tenant_id_placed_by"),
        "recurring_orders",
        "memberships",
        ["tenant_id", "placed_by"],
        ["tenant_id", "account_id"],
    )
    op.create_foreign_key(
        op.f("fk_recurring_orders_tenant_id_resident_id"),
        "recurring_orders",
        "residents",
        ["tenant_id", "resident_id"],
        ["tenant_id", "id"],
    )
    op.create_foreign_key(
        op.f("fk_recurring_order_changes_tenant_id_recurring_order_id"),
        "recurring_order_changes",
        "recurring_orders",
        ["tenant_id", "recurring_order_id"],
        ["tenant_id", "id"],
    )
    op.create_foreign_key(
        op.f("fk_recurring_order_exceptions_tenant_id_recurring_order_id"),
        "recurring_order_exceptions",
        "recurring_orders",
        ["tenant_id", "recurring_order_id"],
        ["tenant_id", "id"],
    )
    op.create_foreign_key(
        op.f("fk_recurring_order_occurrences_tenant_id_order_id"),
        "recurring_order_occurrences",
        "orders",
        ["tenant_id", "order_id"],
        ["tenant_id", "id"],
    )
    op.create_foreign_key(
        op.f("fk_recurring_order_occurrences_tenant_id_recurring_order_id"),
        "recurring_order_occurrences",
        "recurring_orders",
        ["tenant_id", "recurring_order_id"],
        ["tenant_id", "id"],
    )
    for table in TABLES:
        protect(table)
    allow("SELECT, INSERT", ", ".join(TABLES), "orders")
    allow("UPDATE", "recurring_orders, recurring_order_exceptions, recurring_order_occurrences", "orders")
    allow("DELETE", "recurring_order_work", "orders")
    refuse_changes("recurring_order_changes")
    create_function("recurring_due_tenants_v1")
    create_function("recurring_follow_orders_v1")
    op.execute(
        "CREATE TRIGGER recurring_follow_orders AFTER UPDATE OF stage ON orders FOR EACH ROW"
        " WHEN (NEW.recurring_order_id IS NOT NULL AND OLD.stage = 'handle' AND NEW.stage = 'dispatch')"
        " EXECUTE FUNCTION recurring_follow_orders()"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER recurring_follow_orders ON orders")
    for table in TABLES:
        op.drop_table(table)
    for function in ("recurring_due_tenants", "recurring_follow_orders"):
        op.execute(f"DROP FUNCTION {function}")
