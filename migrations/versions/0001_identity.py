"""Accounts, sign-ins, memberships and grants."""

import sqlalchemy as sa
from alembic import op

from migrations.row_security import SERVICES, allow, create_roles, protect

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_roles()
    op.create_table(
        "tenants",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(length=6), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tenants")),
        sa.UniqueConstraint("code", name=op.f("uq_tenants_code")),
    )
    op.create_table(
        "accounts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("suspended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
    )
    op.create_table(
        "password_credentials",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("username", sa.String(length=64), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("failed_attempts", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("locked_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_password_credentials")),
        sa.UniqueConstraint("username", name=op.f("uq_password_credentials_username")),
    )
    op.create_table(
        "wechat_identities",
        sa.Column("app_id", sa.String(length=64), nullable=False),
        sa.Column("openid", sa.String(length=128), nullable=False),
        sa.Column("unionid", sa.String(length=128), nullable=True),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("app_id", "openid", name=op.f("pk_wechat_identities")),
    )
    op.create_index(op.f("ix_wechat_identities_account_id"), "wechat_identities", ["account_id"], unique=False)
    op.create_table(
        "sessions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column(
            "method",
            sa.Enum(
                "password", "wechat", "demo", name="signinmethod", native_enum=False, create_constraint=True, length=40
            ),
            nullable=False,
        ),
        sa.Column("generation", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("sign_in_request", sa.String(length=64), nullable=True),
        sa.Column("rotation_key", sa.String(length=64), nullable=True),
        sa.Column("rotated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("end_reason", sa.String(length=40), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
        sa.UniqueConstraint("sign_in_request", name=op.f("uq_sessions_sign_in_request")),
    )
    op.create_index(op.f("ix_sessions_account_id"), "sessions", ["account_id"], unique=False)
    op.create_table(
        "memberships",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("joined_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "account_id", name=op.f("pk_memberships")),
    )
    op.create_index("ix_memberships_account_id", "memberships", ["account_id"], unique=False)
    op.create_table(
        "grants",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column(
            "role",
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
        sa.Column("area_id", sa.Uuid(), nullable=False),
        sa.Column("valid_from", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("valid_to", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name=op.f("ck_grants_term")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_grants")),
        sa.UniqueConstraint(
            "tenant_id",
            "account_id",
            "role",
            "area_id",
            "valid_from",
            name=op.f("uq_grants_tenant_id_account_id_role_area_id_valid_from"),
        ),
    )
    op.create_index("ix_grants_account_id", "grants", ["tenant_id", "account_id"], unique=False)
    op.create_foreign_key(
        op.f("fk_grants_tenant_id_account_id"),
        "grants",
        "memberships",
        ["tenant_id", "account_id"],
        ["tenant_id", "account_id"],
    )
    op.create_foreign_key(op.f("fk_memberships_account_id"), "memberships", "accounts", ["account_id"], ["id"])
    op.create_foreign_key(op.f("fk_memberships_tenant_id"), "memberships", "tenants", ["tenant_id"], ["id"])
    op.create_foreign_key(
        op.f("fk_password_credentials_account_id"), "password_credentials", "accounts", ["account_id"], ["id"]
    )
    op.create_foreign_key(op.f("fk_sessions_account_id"), "sessions", "accounts", ["account_id"], ["id"])
    op.create_foreign_key(op.f("fk_sessions_tenant_id"), "sessions", "tenants", ["tenant_id"], ["id"])
    op.create_foreign_key(
        op.f("fk_wechat_identities_account_id"), "wechat_identities", "accounts", ["account_id"], ["id"]
    )
    for table in ("memberships", "grants"):
        protect(table)
    op.execute(
        "CREATE POLICY own_memberships ON memberships FOR SELECT TO linli_identity"
        " USING (account_id = NULLIF(current_setting('linli.account', true), '')::uuid)"
    )
    allow("SELECT", "tenants, accounts, sessions, memberships, grants", *SERVICES)
    allow("INSERT, UPDATE", "accounts, sessions, memberships, grants", "identity")
    allow("SELECT, INSERT, UPDATE, DELETE", "password_credentials, wechat_identities", "identity")
    allow("SELECT", "alembic_version", *SERVICES)


def downgrade() -> None:
    op.drop_table("grants")
    op.drop_table("memberships")
    op.drop_table("sessions")
    op.drop_table("wechat_identities")
    op.drop_table("password_credentials")
    op.drop_table("accounts")
    op.drop_table("tenants")
