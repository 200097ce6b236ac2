"""Matching: what helpers and organisations offer, dispatch policies and plans, what automatic dispatch did."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.functions import create_function
from migrations.row_security import allow, protect, refuse_changes

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

TABLES = (
    "helper_profiles",
    "helper_absences",
    "order_kind_skills",
    "resources",
    "dispatch_plans",
    "dispatch_plan_items",
)
APPEND_ONLY = ("dispatch_policies", "automatic_dispatches")
ORDER_INDEXES = (
    ("ix_orders_open_by", ["tenant_id", "assignee_id", "number"], "stage = 'handle'"),
    ("ix_orders_done_by", ["tenant_id", "assignee_id", "kind", "completed_at"], "completed_at IS NOT NULL"),
    (
        "ix_orders_waiting",
        ["tenant_id", "community_id", "number"],
        "stage IN ('receive', 'dispatch') OR is_in_pool",
    ),
)


def upgrade() -> None:
    op.create_table(
        "helper_profiles",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("skills", sa.ARRAY(sa.String(length=30)), nullable=False),
        sa.Column("hours", postgresql.JSONB(none_as_null=True), nullable=True),
        sa.Column("max_open", sa.SmallInteger(), nullable=False),
        sa.Column("lng", sa.Float(), nullable=True),
        sa.Column("lat", sa.Float(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("(lng IS NULL) = (lat IS NULL)", name=op.f("ck_helper_profiles_home")),
        sa.CheckConstraint("max_open BETWEEN 0 AND 50", name=op.f("ck_helper_profiles_max_open")),
        sa.PrimaryKeyConstraint("tenant_id", "account_id", name=op.f("pk_helper_profiles")),
    )
    op.create_table(
        "helper_absences",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "leave",
                "ill",
                "duty",
                "other",
                name="absencekind",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("ends_at > starts_at", name=op.f("ck_helper_absences_period")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_helper_absences")),
    )
    op.create_index("ix_helper_absences_account_id", "helper_absences", ["tenant_id", "account_id", "ends_at"])
    op.create_table(
        "order_kind_skills",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("order_kind", sa.String(length=40), nullable=False),
        sa.Column("skill", sa.String(length=30), nullable=False),
        sa.Column("is_needed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "order_kind", "skill", name=op.f("pk_order_kind_skills")),
    )
    op.create_table(
        "resources",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "venue",
                "goods",
                "skill",
                "time",
                "agreement",
                "equipment",
                name="resourcekind",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("area_id", sa.Uuid(), nullable=False),
        sa.Column("owner_unit_id", sa.Uuid(), nullable=True),
        sa.Column("owner_account_id", sa.Uuid(), nullable=True),
        sa.Column("quantity", sa.BigInteger(), nullable=True),
        sa.Column("measure", sa.String(length=20), nullable=True),
        sa.Column("hours", postgresql.JSONB(none_as_null=True), nullable=True),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.Column("note", sa.String(length=2000), nullable=True),
        sa.Column("is_withdrawn", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("num_nonnulls(owner_unit_id, owner_account_id) = 1", name=op.f("ck_resources_owner")),
        sa.CheckConstraint(
            "quantity > 0 AND (quantity IS NULL) = (measure IS NULL)", name=op.f("ck_resources_quantity")
        ),
        sa.CheckConstraint("valid_until >= valid_from", name=op.f("ck_resources_validity")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_resources")),
    )
    op.create_index("ix_resources_area_id", "resources", ["tenant_id", "area_id", "id"])
    op.create_table(
        "dispatch_policies",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("order_kind", sa.String(length=40), nullable=True),
        sa.Column(
            "mode",
            sa.Enum(
                "manual",
                "suggest",
                "automatic",
                name="matchingmode",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("weights", postgresql.JSONB(), nullable=False),
        sa.Column("reach_metres", sa.BigInteger(), nullable=False),
        sa.Column("limits", postgresql.JSONB(none_as_null=True), nullable=True),
        sa.Column("note", sa.String(length=200), nullable=False),
        sa.Column("active_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("active_from >= recorded_at", name=op.f("ck_dispatch_policies_not_for_the_past")),
        sa.CheckConstraint("version > 0", name=op.f("ck_dispatch_policies_version")),
        sa.PrimaryKeyConstraint("tenant_id", "version", name=op.f("pk_dispatch_policies")),
    )
    op.create_table(
        "dispatch_plans",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("area_id", sa.Uuid(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "draft",
                "confirmed",
                "discarded",
                name="planstate",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("asked", postgresql.JSONB(), nullable=False),
        sa.Column("left_over", postgresql.JSONB(), nullable=False),
        sa.Column("helpers", sa.BigInteger(), nullable=False),
        sa.Column("made_by", sa.Uuid(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(state = 'draft') = (decided_at IS NULL)", name=op.f("ck_dispatch_plans_decided")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_dispatch_plans")),
    )
    op.create_index("ix_dispatch_plans_made_by", "dispatch_plans", ["tenant_id", "made_by", "id"])
    op.create_table(
        "dispatch_plan_items",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("plan_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("order_version", sa.BigInteger(), nullable=False),
        sa.Column("helper_id", sa.Uuid(), nullable=False),
        sa.Column("is_chosen_by_hand", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("why", postgresql.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "plan_id", "order_id", name=op.f("pk_dispatch_plan_items")),
    )
    op.create_table(
        "automatic_dispatches",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("order_version", sa.BigInteger(), nullable=False),
        sa.Column(
            "outcome",
            sa.Enum(
                "dispatched", "left", name="automaticoutcome", native_enum=False, create_constraint=True, length=40
            ),
            nullable=False,
        ),
        sa.Column("helper_id", sa.Uuid(), nullable=True),
        sa.Column("why", postgresql.JSONB(), nullable=False),
        sa.Column("policy_version", sa.BigInteger(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "order_id", "order_version", name=op.f("pk_automatic_dispatches")),
    )
    op.create_index(
        "ix_automatic_dispatches_helper_id",
        "automatic_dispatches",
        ["tenant_id", "helper_id", "decided_at"],
        postgresql_where=sa.text("outcome = 'dispatched'"),
    )
    for name, columns, condition in ORDER_INDEXES:
        op.create_index(name, "orders", columns, postgresql_where=sa.text(condition))
    op.create_foreign_key(
        op.f("fk_helper_profiles_tenant_id_account_id"),
        "helper_profiles",
        "memberships",
        ["tenant_id", "account_id"],
        ["tenant_id", "account_id"],
    )
    op.create_foreign_key(
        op.f("fk_helper_absences_tenant_id_account_id"),
        "helper_absences",
        "memberships",
        ["tenant_id", "account_id"],
        ["tenant_id", "account_id"],
    )
    op.create_foreign_key(
        op.f("fk_order_kind_skills_tenant_id_order_kind"),
        "order_kind_skills",
        "order_kinds",
        ["tenant_id", "order_kind"],
        ["tenant_id", "id"],
    )
    op.create_foreign_key(
        op.f("fk_resources_tenant_id_area_id"), "resources", "areas", ["tenant_id", "area_id"], ["tenant_id", "id"]
    )
    op.create_foreign_key(
        op.f("fk_resources_tenant_id_owner_account_id"),
        "resources",
        "memberships",
        ["tenant_id", "owner_account_id"],
        ["tenant_id", "account_id"],
    )
    op.create_foreign_key(
        op.f("fk_resources_tenant_id_owner_unit_id"),
        "resources",
        "units",
        ["tenant_id", "owner_unit_id"],
        ["tenant_id", "id"],
    )
    op.create_foreign_key(
        op.f("fk_dispatch_policies_tenant_id_order_kind"),
        "dispatch_policies",
        "order_kinds",
        ["tenant_id", "order_kind"],
        ["tenant_id", "id"],
    )
    op.create_foreign_key(op.f("fk_dispatch_policies_tenant_id"), "dispatch_policies", "tenants", ["tenant_id"], ["id"])
    op.create_foreign_key(
        op.f("fk_dispatch_plans_tenant_id_area_id"),
        "dispatch_plans",
        "areas",
        ["tenant_id", "area_id"],
        ["tenant_id", "id"],
    )
    op.create_foreign_key(
        op.f("fk_dispatch_plan_items_tenant_id_helper_id"),
        "dispatch_plan_items",
        "memberships",
        ["tenant_id", "helper_id"],
        ["tenant_id", "account_id"],
    )
    op.create_foreign_key(
        op.f("fk_dispatch_plan_items_tenant_id_order_id"),
        "dispatch_plan_items",
        "orders",
        ["tenant_id", "order_id"],
        ["tenant_id", "id"],
    )
    op.create_foreign_key(
        op.f("fk_dispatch_plan_items_tenant_id_plan_id"),
        "dispatch_plan_items",
        "dispatch_plans",
        ["tenant_id", "plan_id"],
        ["tenant_id", "id"],
    )
    op.create_foreign_key(
        op.f("fk_automatic_dispatches_tenant_id_order_id"),
        "automatic_dispatches",
        "orders",
        ["tenant_id", "order_id"],
        ["tenant_id", "id"],
    )
    for table in (*TABLES, *APPEND_ONLY):
        protect(table)
    allow("SELECT, INSERT", ", ".join((*TABLES, *APPEND_ONLY)), "orders")
    allow("UPDATE", "helper_profiles, resources, dispatch_plans", "orders")
    allow("DELETE", "helper_absences, order_kind_skills, dispatch_plan_items", "orders")
    for table in APPEND_ONLY:
        refuse_changes(table)
    create_function("dispatch_due_tenants_v1")


def downgrade() -> None:
    op.execute("DROP FUNCTION dispatch_due_tenants")
    for name, _, _ in ORDER_INDEXES:
        op.drop_index(name, "orders")
    for table in ("dispatch_plan_items", "dispatch_plans", "resources", "helper_absences", "helper_profiles"):
        op.drop_table(table)
    for table in ("order_kind_skills", *APPEND_ONLY):
        op.drop_table(table)
