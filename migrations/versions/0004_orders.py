"""Orders, their kinds, history and files, and the commands that move them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.functions import create_function
from migrations.row_security import allow, protect, refuse_changes

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TABLES = ("order_kinds", "orders", "order_history", "files", "order_files")
FUNCTIONS = (
    "order_number_v1",
    "order_placer_is_family_v1",
    "order_json_named_v1",
    "order_json_v1",
    "order_list_v1",
    "order_place_v1",
    "order_advance_v1",
)


def upgrade() -> None:
    op.execute("CREATE SEQUENCE order_numbers START 10000000")
    op.create_table(
        "order_kinds",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("category", sa.String(length=40), nullable=False),
        sa.Column("evidence_required", sa.SmallInteger(), server_default="1", nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_order_kinds")),
    )
    op.create_table(
        "orders",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), server_default=sa.text("nextval('order_numbers')"), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "placed",
                "dispatched",
                "accepted",
                "in_progress",
                "completed",
                "rated",
                "cancelled",
                name="orderstate",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            server_default="placed",
            nullable=False,
        ),
        sa.Column("version", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("area_id", sa.Uuid(), nullable=False),
        sa.Column("community_id", sa.Uuid(), nullable=False),
        sa.Column("household_id", sa.Uuid(), nullable=True),
        sa.Column("resident_id", sa.Uuid(), nullable=False),
        sa.Column("placed_by", sa.Uuid(), nullable=False),
        sa.Column("assignee_id", sa.Uuid(), nullable=True),
        sa.Column("description", sa.String(length=2000), nullable=False),
        sa.Column("contact_name", sa.String(length=60), nullable=False),
        sa.Column("contact_phone", sa.String(length=20), nullable=True),
        sa.Column("address", sa.String(length=200), nullable=False),
        sa.Column("wanted_from", sa.DateTime(timezone=True), nullable=True),
        sa.Column("wanted_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lng", sa.Float(), nullable=True),
        sa.Column("lat", sa.Float(), nullable=True),
        sa.Column("placed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("dispatched_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("completion_note", sa.String(length=2000), nullable=True),
        sa.Column("stars", sa.SmallInteger(), nullable=True),
        sa.Column("solved", sa.Boolean(), nullable=True),
        sa.Column("rating_comment", sa.String(length=2000), nullable=True),
        sa.CheckConstraint("(state = 'rated') = (stars IS NOT NULL)", name=op.f("ck_orders_stars_when_rated")),
        sa.CheckConstraint("state <> 'placed' OR assignee_id IS NULL", name=op.f("ck_orders_placed_has_no_assignee")),
        sa.CheckConstraint(
            "state IN ('placed', 'cancelled') OR state = 'dispatched' OR assignee_id IS NOT NULL",
            name=op.f("ck_orders_work_has_assignee"),
        ),
        sa.CheckConstraint("(lng IS NULL) = (lat IS NULL)", name=op.f("ck_orders_point")),
        sa.CheckConstraint("(stars IS NULL) = (solved IS NULL)", name=op.f("ck_orders_stars_with_solved")),
        sa.CheckConstraint("stars BETWEEN 1 AND 5", name=op.f("ck_orders_stars_range")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_orders")),
        sa.UniqueConstraint("tenant_id", "number", name=op.f("uq_orders_tenant_id_number")),
    )
    op.create_index("ix_orders_area_number", "orders", ["tenant_id", "area_id", "number"], unique=False)
    op.create_index(
        "ix_orders_assignee_number",
        "orders",
        ["tenant_id", "assignee_id", "number"],
        unique=False,
        postgresql_where=sa.text("assignee_id IS NOT NULL"),
    )
    op.create_index("ix_orders_community_number", "orders", ["tenant_id", "community_id", "number"], unique=False)
    op.create_index(
        "ix_orders_community_state_number", "orders", ["tenant_id", "community_id", "state", "number"], unique=False
    )
    op.create_index("ix_orders_placed_by_number", "orders", ["tenant_id", "placed_by", "number"], unique=False)
    op.create_index(
        "ix_orders_pool",
        "orders",
        ["tenant_id", "community_id", "number"],
        unique=False,
        postgresql_where=sa.text("state = 'dispatched' AND assignee_id IS NULL"),
    )
    op.create_index("ix_orders_resident_number", "orders", ["tenant_id", "resident_id", "number"], unique=False)
    op.create_table(
        "order_history",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column(
            "action",
            sa.Enum(
                "place",
                "dispatch",
                "accept",
                "decline",
                "start",
                "complete",
                "rate",
                "cancel",
                name="orderaction",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column(
            "from_state",
            sa.Enum(
                "placed",
                "dispatched",
                "accepted",
                "in_progress",
                "completed",
                "rated",
                "cancelled",
                name="from_state",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=True,
        ),
        sa.Column(
            "to_state",
            sa.Enum(
                "placed",
                "dispatched",
                "accepted",
                "in_progress",
                "completed",
                "rated",
                "cancelled",
                name="to_state",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("actor_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("note", sa.String(length=2000), nullable=True),
        sa.Column("details", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "order_id", "sequence", name=op.f("pk_order_history")),
    )
    op.create_table(
        "files",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("uploaded_by", sa.Uuid(), nullable=False),
        sa.Column("media_type", sa.String(length=40), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("width", sa.BigInteger(), nullable=False),
        sa.Column("height", sa.BigInteger(), nullable=False),
        sa.Column("uploaded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_files")),
    )
    op.create_table(
        "order_files",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("file_id", sa.Uuid(), nullable=False),
        sa.Column(
            "purpose",
            sa.Enum("request", "evidence", name="filepurpose", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("tenant_id", "order_id", "file_id", name=op.f("pk_order_files")),
        sa.UniqueConstraint("tenant_id", "file_id", name=op.f("uq_order_files_tenant_id_file_id")),
    )
    op.create_foreign_key(
        op.f("fk_files_tenant_id_uploaded_by"),
        "files",
        "memberships",
        ["tenant_id", "uploaded_by"],
        ["tenant_id", "account_id"],
    )
    op.create_foreign_key(
        op.f("fk_order_files_tenant_id_file_id"), "order_files", "files", ["tenant_id", "file_id"], ["tenant_id", "id"]
    )
    op.create_foreign_key(
        op.f("fk_order_files_tenant_id_order_id"),
        "order_files",
        "orders",
        ["tenant_id", "order_id"],
        ["tenant_id", "id"],
    )
    op.create_foreign_key(
        op.f("fk_order_history_tenant_id_order_id"),
        "order_history",
        "orders",
        ["tenant_id", "order_id"],
        ["tenant_id", "id"],
    )
    op.create_foreign_key(op.f("fk_order_kinds_tenant_id"), "order_kinds", "tenants", ["tenant_id"], ["id"])
    op.create_foreign_key(
        op.f("fk_orders_tenant_id_area_id"), "orders", "areas", ["tenant_id", "area_id"], ["tenant_id", "id"]
    )
    op.create_foreign_key(
        op.f("fk_orders_tenant_id_assignee_id"),
        "orders",
        "memberships",
        ["tenant_id", "assignee_id"],
        ["tenant_id", "account_id"],
    )
    op.create_foreign_key(
        op.f("fk_orders_tenant_id_community_id"), "orders", "areas", ["tenant_id", "community_id"], ["tenant_id", "id"]
    )
    op.create_foreign_key(
        op.f("fk_orders_tenant_id_household_id"),
        "orders",
        "households",
        ["tenant_id", "household_id"],
        ["tenant_id", "id"],
    )
    op.create_foreign_key(
        op.f("fk_orders_tenant_id_kind"), "orders", "order_kinds", ["tenant_id", "kind"], ["tenant_id", "id"]
    )
    op.create_foreign_key(
        op.f("fk_orders_tenant_id_placed_by"),
        "orders",
        "memberships",
        ["tenant_id", "placed_by"],
        ["tenant_id", "account_id"],
    )
    op.create_foreign_key(
        op.f("fk_orders_tenant_id_resident_id"),
        "orders",
        "residents",
        ["tenant_id", "resident_id"],
        ["tenant_id", "id"],
    )
    for table in TABLES:
        protect(table)
    allow("SELECT, INSERT", ", ".join(TABLES), "orders")
    allow("UPDATE", "order_kinds, orders", "orders")
    op.execute("GRANT USAGE ON SEQUENCE order_numbers TO linli_orders")
    refuse_changes("order_history")
    for function in FUNCTIONS:
        create_function(function)


def downgrade() -> None:
    op.execute("DROP FUNCTION order_advance")
    op.execute("DROP FUNCTION order_place")
    op.execute("DROP FUNCTION order_list")
    op.execute("DROP FUNCTION order_json")
    op.execute("DROP FUNCTION order_json_named")
    op.execute("DROP FUNCTION order_placer_is_family")
    op.execute("DROP FUNCTION order_number")
    op.drop_table("order_files")
    op.drop_table("files")
    op.drop_table("order_history")
    op.drop_table("orders")
    op.drop_table("order_kinds")
    op.execute("DROP SEQUENCE order_numbers")
