"""The outbox and the answers already given."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.functions import create_function
from migrations.row_security import CURRENT_TENANT, SERVICES, allow, protect

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

FUNCTIONS = (
    "refuse_change_v1",
    "idempotency_recall_v1",
    "idempotency_store_v1",
    "outbox_record_v1",
    "outbox_due_tenants_v1",
)


def upgrade() -> None:
    op.create_table(
        "outbox_events",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=60), nullable=False),
        sa.Column("payload", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_outbox_events")),
    )
    op.create_table(
        "outbox_deliveries",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("listener", sa.String(length=40), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("last_error", sa.String(length=500), nullable=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "event_id", "listener", name=op.f("pk_outbox_deliveries")),
    )
    op.create_index(
        "ix_outbox_deliveries_due",
        "outbox_deliveries",
        ["tenant_id", "listener", "due_at"],
        unique=False,
        postgresql_where=sa.text("delivered_at IS NULL"),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("service", sa.String(length=40), server_default=sa.text("CURRENT_USER"), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("request_hash", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "service", "account_id", "key", name=op.f("pk_idempotency_keys")),
    )
    op.create_foreign_key(
        op.f("fk_outbox_deliveries_tenant_id_event_id"),
        "outbox_deliveries",
        "outbox_events",
        ["tenant_id", "event_id"],
        ["tenant_id", "id"],
    )
    protect("outbox_events")
    protect("outbox_deliveries")
    protect("idempotency_keys", f"tenant_id = {CURRENT_TENANT} AND service = CURRENT_USER")
    op.execute(
        "CREATE POLICY own_deliveries ON outbox_deliveries AS RESTRICTIVE FOR UPDATE"
        " USING ('linli_' || listener = CURRENT_USER)"
    )
    allow("SELECT, INSERT", "outbox_events, outbox_deliveries, idempotency_keys", *SERVICES)
    allow("UPDATE (attempts, last_error, due_at, delivered_at)", "outbox_deliveries", *SERVICES)
    for function in FUNCTIONS:
        create_function(function)


def downgrade() -> None:
    op.execute("DROP FUNCTION outbox_due_tenants")
    op.execute("DROP FUNCTION outbox_record")
    op.execute("DROP FUNCTION idempotency_store")
    op.execute("DROP FUNCTION idempotency_recall")
    op.drop_table("idempotency_keys")
    op.drop_table("outbox_deliveries")
    op.drop_table("outbox_events")
    op.execute("DROP FUNCTION refuse_change")
