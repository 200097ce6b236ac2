"""Reading orders: indexes of what is open, of kinds and of words; board, map, home; who exported what."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.functions import create_function
from migrations.row_security import allow, protect, refuse_changes

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

TENANT_TABLES = ("order_word_blocks", "order_word_work", "order_exports")
FUNCTIONS = (
    "order_searched_v1",
    "order_grams_v1",
    "order_text_v1",
    "order_has_words_v1",
    "order_word_tokens_v1",
    "order_word_work_add_v1",
    "order_words_due_v1",
    "order_words_keep_v1",
    "order_places_v1",
    "order_fits_v1",
    "order_units_of_v1",
    "order_tasks_v1",
    "order_facts_of_caller_v1",
    "order_list_v3",
    "order_search_v1",
    "order_board_v1",
    "order_map_v1",
    "order_alike_v1",
    "order_home_recurring_v1",
    "order_home_v1",
)
INCLUDED = ["id", "area_id", "kind", "priority", "visibility", "lng", "lat"]


def upgrade() -> None:
    op.create_table(
        "order_words",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("tokens", postgresql.ARRAY(sa.Integer()), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "number", name=op.f("pk_order_words")),
    )
    op.create_index(
        "ix_order_words_tokens",
        "order_words",
        ["tokens"],
        postgresql_using="gin",
        postgresql_with={"fastupdate": "off"},
    )
    op.create_table(
        "order_word_blocks",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("first_number", sa.BigInteger(), nullable=False),
        sa.Column("last_number", sa.BigInteger(), nullable=False),
        sa.Column("orders", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "first_number", name=op.f("pk_order_word_blocks")),
    )
    op.create_table(
        "order_word_work",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "number", name=op.f("pk_order_word_work")),
    )
    op.create_table(
        "order_exports",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("exported_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("filters", postgresql.JSONB(), nullable=False),
        sa.Column("orders", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("orders >= 0", name=op.f("ck_order_exports_orders")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_order_exports")),
    )
    _create_indexes()
    for table in TENANT_TABLES:
        protect(table)
    allow("SELECT, INSERT", ", ".join(TENANT_TABLES), "orders")
    allow("SELECT, INSERT", "order_words", "orders")
    allow("UPDATE (tokens)", "order_words", "orders")
    allow("UPDATE (last_number, orders)", "order_word_blocks", "orders")
    allow("DELETE", "order_word_work", "orders")
    refuse_changes("order_exports")
    op.execute("DROP FUNCTION order_list")
    for function in FUNCTIONS:
        create_function(function)
    _note_the_words_there_are()
    op.execute("CREATE TRIGGER words_of_new AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION order_word_work_add()")
    op.execute(
        "CREATE TRIGGER words_changed AFTER UPDATE OF description ON orders FOR EACH ROW"
        " WHEN (OLD.description IS DISTINCT FROM NEW.description) EXECUTE FUNCTION order_word_work_add()"
    )
    op.create_foreign_key(
        op.f("fk_order_exports_tenant_id_account_id"),
        "order_exports",
        "memberships",
        ["tenant_id", "account_id"],
        ["tenant_id", "account_id"],
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER words_changed ON orders")
    op.execute("DROP TRIGGER words_of_new ON orders")
    for function in reversed(FUNCTIONS):
        op.execute(f"DROP FUNCTION {function.rpartition('_')[0]}")
    create_function("order_list_v2")
    op.drop_index("ix_areas_communities", "areas")
    op.drop_index("ix_areas_community_id", "areas")
    op.drop_index("ix_order_units_unit_id", "order_units")
    for index in ("ix_orders_escalated", "ix_orders_community_kind_number", "ix_orders_open"):
        op.drop_index(index, "orders")
    for table in ("order_exports", "order_word_work", "order_word_blocks", "order_words"):
        op.drop_table(table)


def _create_indexes() -> None:
    op.create_index(
        "ix_orders_open",
        "orders",
        ["tenant_id", "community_id", "stage", "number"],
        postgresql_include=INCLUDED,
        postgresql_where=sa.text("stage <> 'done'"),
    )
    op.create_index("ix_orders_community_kind_number", "orders", ["tenant_id", "community_id", "kind", "number"])
    op.create_index(
        "ix_orders_escalated",
        "orders",
        ["tenant_id", "community_id", "number"],
        postgresql_where=sa.text("is_escalated AND stage <> 'done'"),
    )
    op.create_index(
        "ix_order_units_unit_id",
        "order_units",
        ["tenant_id", "unit_id"],
        postgresql_where=sa.text("removed_at IS NULL"),
    )
    op.create_index("ix_areas_community_id", "areas", ["tenant_id", "community_id"])
    op.create_index("ix_areas_communities", "areas", ["tenant_id", "id"], postgresql_where=sa.text("id = community_id"))


def _note_the_words_there_are() -> None:
    """Of the orders of every tenant, one at a time: row security binds the owner too. The keeper does the rest."""
    op.execute(
        """
        DO $$ DECLARE tenant uuid; BEGIN
            FOR tenant IN SELECT id FROM tenants LOOP
                EXECUTE format('SET LOCAL linli.tenant = %L', tenant);
                INSERT INTO order_word_work (tenant_id, number)
                SELECT o.tenant_id, o.number FROM orders o WHERE o.tenant_id = tenant;
            END LOOP;
            SET LOCAL linli.tenant = '';
        END $$
        """
    )
    op.execute("SET CONSTRAINTS ALL IMMEDIATE")
