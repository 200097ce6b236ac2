"""Service clocks: work calendars, policies, the clocks of each order, and what feeds and keeps them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.functions import create_function
from migrations.row_security import allow, protect, refuse_changes

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

APPEND_ONLY = (
    "work_calendars",
    "work_hours",
    "clock_policies",
    "order_clock_pauses",
    "clock_extensions",
    "clock_extension_decisions",
    "order_clock_firings",
)
DERIVED = ("order_clocks", "order_clock_work", "clock_recounts")
"""Computed, or taken and done with: nothing here is known nowhere else."""
FUNCTIONS = ("clock_due_tenants", "clock_follow_history", "clock_load_national", "clock_list")


def upgrade() -> None:
    op.create_table(
        "national_calendars",
        sa.Column("year", sa.SmallInteger(), nullable=False),
        sa.Column("days", postgresql.JSONB(), nullable=False),
        sa.Column("source", sa.String(length=60), nullable=False),
        sa.Column("loaded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("year", name=op.f("pk_national_calendars")),
    )
    op.create_table(
        "order_clock_work",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "order_id", "sequence", name=op.f("pk_order_clock_work")),
    )
    op.create_table(
        "clock_recounts",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_clock_recounts")),
    )
    op.create_index("ix_clock_recounts_due_at", "clock_recounts", ["tenant_id", "due_at"])
    op.create_table(
        "work_calendars",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("year", sa.SmallInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("days", postgresql.JSONB(), nullable=False),
        sa.Column("note", sa.String(length=200), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("year BETWEEN 2000 AND 2199 AND version > 0", name=op.f("ck_work_calendars_year")),
        sa.PrimaryKeyConstraint("tenant_id", "year", "version", name=op.f("pk_work_calendars")),
    )
    op.create_table(
        "work_hours",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("periods", postgresql.JSONB(), nullable=False),
        sa.Column("note", sa.String(length=200), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("version > 0", name=op.f("ck_work_hours_version")),
        sa.PrimaryKeyConstraint("tenant_id", "version", name=op.f("pk_work_hours")),
    )
    op.create_table(
        "clock_policies",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("order_kind", sa.String(length=40), nullable=True),
        sa.Column("targets", postgresql.JSONB(), nullable=False),
        sa.Column("note", sa.String(length=200), nullable=False),
        sa.Column("active_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("active_from >= recorded_at", name=op.f("ck_clock_policies_not_for_the_past")),
        sa.CheckConstraint("version > 0", name=op.f("ck_clock_policies_version")),
        sa.PrimaryKeyConstraint("tenant_id", "version", name=op.f("pk_clock_policies")),
    )
    op.create_table(
        "clock_extensions",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column(
            "target",
            sa.Enum(
                "dispatch",
                "accept",
                "arrive",
                "finish",
                name="clocktarget",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("round", sa.SmallInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column(
            "unit",
            sa.Enum(
                "calendar_hours",
                "work_hours",
                "work_days",
                name="clockunit",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("reason", sa.String(length=2000), nullable=False),
        sa.Column("asked_by", sa.Uuid(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("ck_clock_extensions_amount")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_clock_extensions")),
    )
    op.create_index("ix_clock_extensions_order_id", "clock_extensions", ["tenant_id", "order_id", "id"])
    op.create_table(
        "order_clock_firings",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column(
            "target",
            sa.Enum(
                "dispatch",
                "accept",
                "arrive",
                "finish",
                name="clocktarget",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("round", sa.SmallInteger(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum("warned", "missed", name="firingkind", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "told_role",
            sa.Enum(
                "district_admin",
                "community_admin",
                "dispatcher",
                "grid_worker",
                "member",
                "volunteer",
                "property_company",
                "points_clerk",
                name="role",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("told_area_id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("fired_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint(
            "tenant_id", "order_id", "target", "round", "kind", name=op.f("pk_order_clock_firings")
        ),
    )
    op.create_table(
        "order_clock_pauses",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column(
            "action",
            sa.Enum("pause", "resume", name="pauseaction", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column("reason", sa.String(length=2000), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "sequence > 0 AND (mod(sequence, 2) = 1) = (action = 'pause')", name=op.f("ck_order_clock_pauses_in_turn")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "order_id", "sequence", name=op.f("pk_order_clock_pauses")),
    )
    op.create_table(
        "order_clocks",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column(
            "target",
            sa.Enum(
                "dispatch",
                "accept",
                "arrive",
                "finish",
                name="clocktarget",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("round", sa.SmallInteger(), nullable=False),
        sa.Column("community_id", sa.Uuid(), nullable=False),
        sa.Column("area_id", sa.Uuid(), nullable=False),
        sa.Column("assignee_id", sa.Uuid(), nullable=True),
        sa.Column(
            "state",
            sa.Enum(
                "running",
                "paused",
                "met",
                "missed",
                "stopped",
                name="clockstate",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column(
            "unit",
            sa.Enum(
                "calendar_hours",
                "work_hours",
                "work_days",
                name="clockunit",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sorts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("warn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("segments", postgresql.JSONB(), nullable=False),
        sa.Column("why", postgresql.JSONB(), nullable=False),
        sa.Column("computed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "state IN ('running', 'paused', 'missed') OR ended_at IS NOT NULL",
            name=op.f("ck_order_clocks_over_when_decided"),
        ),
        sa.CheckConstraint(
            "state NOT IN ('running', 'paused') OR ended_at IS NULL", name=op.f("ck_order_clocks_open_while_undecided")
        ),
        sa.CheckConstraint("round > 0", name=op.f("ck_order_clocks_round")),
        sa.PrimaryKeyConstraint("tenant_id", "order_id", "target", "round", name=op.f("pk_order_clocks")),
    )
    op.create_index(
        "ix_order_clocks_area",
        "order_clocks",
        ["tenant_id", "area_id", "state", "sorts_at", "order_id", "target", "round"],
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index(
        "ix_order_clocks_assignee",
        "order_clocks",
        ["tenant_id", "assignee_id", "state", "sorts_at", "order_id", "target", "round"],
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index(
        "ix_order_clocks_community",
        "order_clocks",
        ["tenant_id", "community_id", "state", "sorts_at", "order_id", "target", "round"],
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index(
        "ix_order_clocks_next_at",
        "order_clocks",
        ["tenant_id", "next_at"],
        postgresql_where=sa.text("next_at IS NOT NULL"),
    )
    op.create_table(
        "clock_extension_decisions",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("extension_id", sa.Uuid(), nullable=False),
        sa.Column("is_granted", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(length=2000), nullable=True),
        sa.Column("decided_by", sa.Uuid(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "extension_id", name=op.f("pk_clock_extension_decisions")),
    )
    op.create_foreign_key(op.f("fk_clock_recounts_tenant_id"), "clock_recounts", "tenants", ["tenant_id"], ["id"])
    op.create_foreign_key(op.f("fk_work_calendars_tenant_id"), "work_calendars", "tenants", ["tenant_id"], ["id"])
    op.create_foreign_key(op.f("fk_work_hours_tenant_id"), "work_hours", "tenants", ["tenant_id"], ["id"])
    op.create_foreign_key(
        op.f("fk_clock_policies_tenant_id_order_kind"),
        "clock_policies",
        "order_kinds",
        ["tenant_id", "order_kind"],
        ["tenant_id", "id"],
    )
    op.create_foreign_key(op.f("fk_clock_policies_tenant_id"), "clock_policies", "tenants", ["tenant_id"], ["id"])
    op.create_foreign_key(
        op.f("fk_clock_extensions_tenant_id_order_id"),
        "clock_extensions",
        "orders",
        ["tenant_id", "order_id"],
        ["tenant_id", "id"],
    )
    op.create_foreign_key(
        op.f("fk_order_clock_firings_tenant_id_order_id"),
        "order_clock_firings",
        "orders",
        ["tenant_id", "order_id"],
        ["tenant_id", "id"],
    )
    op.create_foreign_key(
        op.f("fk_order_clock_pauses_tenant_id_order_id"),
        "order_clock_pauses",
        "orders",
        ["tenant_id", "order_id"],
        ["tenant_id", "id"],
    )
    op.create_foreign_key(
        op.f("fk_order_clocks_tenant_id_order_id"),
        "order_clocks",
        "orders",
        ["tenant_id", "order_id"],
        ["tenant_id", "id"],
    )
    op.create_foreign_key(
        op.f("fk_clock_extension_decisions_tenant_id_extension_id"),
        "clock_extension_decisions",
        "clock_extensions",
        ["tenant_id", "extension_id"],
        ["tenant_id", "id"],
    )
    for table in (*APPEND_ONLY, *DERIVED):
        protect(table)
    allow("SELECT, INSERT", ", ".join(("national_calendars", *APPEND_ONLY, *DERIVED)), "orders")
    allow("UPDATE, DELETE", "order_clocks", "orders")
    allow("DELETE", "order_clock_work, clock_recounts", "orders")
    for table in ("national_calendars", *APPEND_ONLY):
        refuse_changes(table)
    for function in FUNCTIONS:
        create_function(f"{function}_v1")
    op.execute(
        "CREATE TRIGGER clock_follow_history AFTER INSERT ON order_history REFERENCING NEW TABLE AS fresh"
        " FOR EACH STATEMENT EXECUTE FUNCTION clock_follow_history()"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER clock_follow_history ON order_history")
    op.execute("DROP FUNCTION clock_list")  # it answers rows of a table that goes
    for table in (*DERIVED, "clock_extension_decisions", "clock_extensions", "order_clock_pauses"):
        op.drop_table(table)
    for table in ("order_clock_firings", "clock_policies", "work_hours", "work_calendars", "national_calendars"):
        op.drop_table(table)
    for function in ("clock_due_tenants", "clock_follow_history", "clock_load_national"):
        op.execute(f"DROP FUNCTION {function}")
