"""Passwords chosen by somebody else, suspended memberships, and who did what to whose account."""

import sqlalchemy as sa
from alembic import op

from migrations.row_security import allow, protect, refuse_changes

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("password_credentials", sa.Column("first_until", sa.DateTime(timezone=True), nullable=True))
    op.add_column("memberships", sa.Column("suspended_at", sa.DateTime(timezone=True), nullable=True))
    op.create_check_constraint(
        op.f("ck_memberships_suspension_ends"),
        "memberships",
        "suspended_at IS NULL OR suspended_at IS NOT DISTINCT FROM ended_at",
    )
    op.create_table(
        "identity_events",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "account_opened",
                "account_suspended",
                "account_reinstated",
                "password_reset",
                "password_changed",
                name="identityeventkind",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("actor_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_identity_events")),
    )
    op.create_index("ix_identity_events_account_id", "identity_events", ["tenant_id", "account_id", "id"], unique=False)
    for column in ("actor_id", "account_id"):
        op.create_foreign_key(
            op.f(f"fk_identity_events_tenant_id_{column}"),
            "identity_events",
            "memberships",
            ["tenant_id", column],
            ["tenant_id", "account_id"],
        )
    protect("identity_events")
    allow("SELECT, INSERT", "identity_events", "identity")
    refuse_changes("identity_events")


def downgrade() -> None:
    op.drop_table("identity_events")
    op.drop_constraint(op.f("ck_memberships_suspension_ends"), "memberships")
    op.drop_column("memberships", "suspended_at")
    op.drop_column("password_credentials", "first_until")
