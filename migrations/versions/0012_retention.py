"""Services clear what nobody needs any more, and the database lets them have nothing younger than a week."""

from alembic import op

from migrations.row_security import SERVICES, allow

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

YOUNGEST = "interval '7 days'"
OLD = {
    "outbox_deliveries": f"delivered_at < now() - {YOUNGEST} AND 'linli_' || listener = CURRENT_USER",
    "outbox_events": f"occurred_at < now() - {YOUNGEST}",
    "idempotency_keys": f"created_at < now() - {YOUNGEST}",
}
"""What may go. An event that is still to be delivered stays by its foreign key."""
KEEPING_ANSWERS = ("identity", "grid", "orders")
"""Not points: whoever repeats a posting, years later, gets the answer of then."""
ROLES = ", ".join(f"linli_{service}" for service in SERVICES)


def upgrade() -> None:
    for table, condition in OLD.items():
        op.execute(f"CREATE POLICY clear_old ON {table} AS RESTRICTIVE FOR DELETE TO {ROLES} USING ({condition})")
    allow("DELETE", "outbox_events, outbox_deliveries", *SERVICES)
    allow("DELETE", "idempotency_keys", *KEEPING_ANSWERS)
    allow("DELETE", "sessions", "identity")


def downgrade() -> None:
    op.execute(f"REVOKE DELETE ON sessions, idempotency_keys, outbox_deliveries, outbox_events FROM {ROLES}")
    for table in OLD:
        op.execute(f"DROP POLICY clear_old ON {table}")
