"""The area tree, households, residents and posts."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.row_security import SERVICES, allow, protect

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLES = ("area_levels", "areas", "area_tree_versions", "households", "residents", "household_members", "posts")


def upgrade() -> None:
    op.create_table(
        "area_levels",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("level", sa.String(length=40), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("depth", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "level", name=op.f("pk_area_levels")),
        sa.UniqueConstraint("tenant_id", "depth", name=op.f("uq_area_levels_tenant_id_depth")),
    )
    op.create_table(
        "areas",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("parent_id", sa.Uuid(), nullable=True),
        sa.Column("level", sa.String(length=40), nullable=False),
        sa.Column("code", sa.String(length=24), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("ancestor_ids", sa.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("community_id", sa.Uuid(), nullable=True),
        sa.Column("boundary", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("boundary_original", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column(
            "boundary_crs",
            sa.Enum(
                "wgs84", "gcj02", "bd09", "cgcs2000", name="crs", native_enum=False, create_constraint=True, length=40
            ),
            nullable=True,
        ),
        sa.Column("registered_population", sa.BigInteger(), nullable=True),
        sa.Column("resident_population", sa.BigInteger(), nullable=True),
        sa.Column("valid_from", sa.Date(), server_default=sa.text("CURRENT_DATE"), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.CheckConstraint("code ~ '^[0-9]{6,24}$'", name=op.f("ck_areas_code")),
        sa.CheckConstraint("(boundary IS NULL) = (boundary_crs IS NULL)", name=op.f("ck_areas_boundary_names_crs")),
        sa.CheckConstraint("ancestor_ids[cardinality(ancestor_ids)] = id", name=op.f("ck_areas_ancestors_end_here")),
        sa.CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name=op.f("ck_areas_validity")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_areas")),
        sa.UniqueConstraint("tenant_id", "code", name=op.f("uq_areas_tenant_id_code")),
    )
    op.create_index("ix_areas_ancestor_ids", "areas", ["ancestor_ids"], unique=False, postgresql_using="gin")
    op.create_index("ix_areas_parent_id", "areas", ["tenant_id", "parent_id"], unique=False)
    op.create_table(
        "area_tree_versions",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("pk_area_tree_versions")),
    )
    op.create_table(
        "households",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("area_id", sa.Uuid(), nullable=False),
        sa.Column("dwelling", sa.String(length=40), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_households")),
        sa.UniqueConstraint("tenant_id", "area_id", "dwelling", name=op.f("uq_households_tenant_id_area_id_dwelling")),
    )
    op.create_table(
        "residents",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column(
            "sex",
            sa.Enum("0", "1", "2", "9", name="sex", native_enum=False, create_constraint=True, length=40),
            server_default="0",
            nullable=False,
        ),
        sa.Column("birth_date", sa.Date(), nullable=True),
        sa.Column("phone", sa.String(length=20), nullable=True),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_residents")),
        sa.UniqueConstraint("tenant_id", "account_id", name=op.f("uq_residents_tenant_id_account_id")),
    )
    op.create_index("ix_residents_name", "residents", ["tenant_id", "name"], unique=False)
    op.create_table(
        "household_members",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("household_id", sa.Uuid(), nullable=False),
        sa.Column("resident_id", sa.Uuid(), nullable=False),
        sa.Column(
            "relation",
            sa.Enum(
                "0",
                "1",
                "2",
                "3",
                "4",
                "5",
                "6",
                "7",
                "8",
                name="relation",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            server_default="8",
            nullable=False,
        ),
        sa.Column("is_registered_here", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("lives_here", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "household_id", "resident_id", name=op.f("pk_household_members")),
    )
    op.create_index("ix_household_members_resident_id", "household_members", ["tenant_id", "resident_id"], unique=False)
    op.create_table(
        "posts",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("area_id", sa.Uuid(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "building_leader",
                "grid_leader",
                "party_group_leader",
                "responsible_person",
                "guarantor_cadre",
                "guarantor_leader",
                name="postkind",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("holder_name", sa.String(length=60), nullable=False),
        sa.Column("duty_phone", sa.String(length=20), nullable=True),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("valid_from", sa.Date(), server_default=sa.text("CURRENT_DATE"), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.CheckConstraint("valid_to IS NULL OR valid_to >= valid_from", name=op.f("ck_posts_term")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_posts")),
    )
    op.create_index("ix_posts_area_id", "posts", ["tenant_id", "area_id"], unique=False)
    op.create_foreign_key(op.f("fk_area_levels_tenant_id"), "area_levels", "tenants", ["tenant_id"], ["id"])
    op.create_foreign_key(
        op.f("fk_area_tree_versions_tenant_id"), "area_tree_versions", "tenants", ["tenant_id"], ["id"]
    )
    op.create_foreign_key(op.f("fk_areas_tenant_id"), "areas", "tenants", ["tenant_id"], ["id"])
    op.create_foreign_key(
        op.f("fk_areas_tenant_id_level"), "areas", "area_levels", ["tenant_id", "level"], ["tenant_id", "level"]
    )
    op.create_foreign_key(
        op.f("fk_areas_tenant_id_parent_id"), "areas", "areas", ["tenant_id", "parent_id"], ["tenant_id", "id"]
    )
    op.create_foreign_key(
        op.f("fk_household_members_tenant_id_household_id"),
        "household_members",
        "households",
        ["tenant_id", "household_id"],
        ["tenant_id", "id"],
    )
    op.create_foreign_key(
        op.f("fk_household_members_tenant_id_resident_id"),
        "household_members",
        "residents",
        ["tenant_id", "resident_id"],
        ["tenant_id", "id"],
    )
    op.create_foreign_key(
        op.f("fk_households_tenant_id_area_id"), "households", "areas", ["tenant_id", "area_id"], ["tenant_id", "id"]
    )
    op.create_foreign_key(
        op.f("fk_posts_tenant_id_account_id"),
        "posts",
        "memberships",
        ["tenant_id", "account_id"],
        ["tenant_id", "account_id"],
    )
    op.create_foreign_key(
        op.f("fk_posts_tenant_id_area_id"), "posts", "areas", ["tenant_id", "area_id"], ["tenant_id", "id"]
    )
    op.create_foreign_key(
        op.f("fk_residents_tenant_id_account_id"),
        "residents",
        "memberships",
        ["tenant_id", "account_id"],
        ["tenant_id", "account_id"],
    )
    op.create_foreign_key(
        op.f("fk_grants_tenant_id_area_id"), "grants", "areas", ["tenant_id", "area_id"], ["tenant_id", "id"]
    )
    for table in TABLES:
        protect(table)
    allow("SELECT", ", ".join(TABLES), *SERVICES)
    allow("INSERT, UPDATE, DELETE", ", ".join(TABLES), "grid")


def downgrade() -> None:
    op.drop_constraint("fk_grants_tenant_id_area_id", "grants")
    op.drop_table("posts")
    op.drop_table("household_members")
    op.drop_table("residents")
    op.drop_table("households")
    op.drop_table("area_tree_versions")
    op.drop_table("areas")
    op.drop_table("area_levels")
