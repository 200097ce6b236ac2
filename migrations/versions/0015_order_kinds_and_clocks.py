"""Kinds of order in full: what they ask, whom they are for, who changed them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.functions import create_function
from migrations.row_security import allow, protect, refuse_changes

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

APPEND_ONLY = ("order_kind_forms", "order_kind_changes")
FUNCTIONS = ("order_answer_fault", "order_form_faults")
CHANGED = ("order_answers_fault", "order_put")
"""From their first version to their second: orders are placed by what their kind says."""


def upgrade() -> None:
    _add_columns()
    op.create_table(
        "order_kind_forms",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("questions", postgresql.JSONB(), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("version > 0", name=op.f("ck_order_kind_forms_version")),
        sa.CheckConstraint("jsonb_typeof(questions) = 'array'", name=op.f("ck_order_kind_forms_questions")),
        sa.PrimaryKeyConstraint("tenant_id", "kind", "version", name=op.f("pk_order_kind_forms")),
    )
    op.create_table(
        "order_kind_changes",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("before", postgresql.JSONB(), nullable=True),
        sa.Column("after", postgresql.JSONB(), nullable=False),
        sa.Column("changed_by", sa.Uuid(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("version > 0", name=op.f("ck_order_kind_changes_version")),
        sa.PrimaryKeyConstraint("tenant_id", "kind", "version", name=op.f("pk_order_kind_changes")),
    )
    for table in APPEND_ONLY:
        op.create_foreign_key(
            op.f(f"fk_{table}_tenant_id_kind"), table, "order_kinds", ["tenant_id", "kind"], ["tenant_id", "id"]
        )
        protect(table)
        allow("SELECT, INSERT", table, "orders")
        refuse_changes(table)
    for function in FUNCTIONS:
        create_function(f"{function}_v1")
    for function in CHANGED:
        op.execute(f"DROP FUNCTION {function}")
        create_function(f"{function}_v2")


def _add_columns() -> None:
    for column in (
        sa.Column("description", sa.String(length=500), server_default="", nullable=False),
        sa.Column("default_priority", sa.String(length=40), server_default="normal", nullable=False),
        sa.Column("default_visibility", sa.String(length=40), server_default="private", nullable=False),
        sa.Column("helpers_wanted", sa.SmallInteger(), server_default="1", nullable=False),
        sa.Column("allows_anonymous", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("form_version", sa.BigInteger(), nullable=True),
        sa.Column("position", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("version", sa.BigInteger(), server_default="1", nullable=False),
    ):
        op.add_column("order_kinds", column)
    for name, condition in {
        "priority": "default_priority IN ('low', 'normal', 'high', 'urgent')",
        "visibility": "default_visibility IN ('private', 'community')",
        "helpers_wanted": "helpers_wanted BETWEEN 1 AND 200",
    }.items():
        op.create_check_constraint(op.f(f"ck_order_kinds_{name}"), "order_kinds", condition)


def downgrade() -> None:
    for function in CHANGED:
        op.execute(f"DROP FUNCTION {function}")
        create_function(f"{function}_v1")
    for function in reversed(FUNCTIONS):
        op.execute(f"DROP FUNCTION {function}")
    for table in reversed(APPEND_ONLY):
        op.drop_table(table)
    for name in ("priority", "visibility", "helpers_wanted"):
        op.drop_constraint(f"ck_order_kinds_{name}", "order_kinds")
    for column in (
        *("description", "default_priority", "default_visibility", "helpers_wanted", "allows_anonymous"),
        *("form_version", "position", "version"),
    ):
        op.drop_column("order_kinds", column)
