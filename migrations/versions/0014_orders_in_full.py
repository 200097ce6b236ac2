"""Orders in full: lifecycles as data, units and helpers, and the commands that move orders by them."""

import json
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.functions import create_function
from migrations.row_security import allow, protect, refuse_changes

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

TABLES = ("order_lifecycles", "units", "unit_members", "order_helpers", "order_units")
CHANGED = ("order_list", "order_advance", "order_place", "order_json", "order_json_named", "idempotency_recall")
OLD_FUNCTIONS = (
    "order_json_named_v1",
    "order_json_v1",
    "order_list_v1",
    "order_place_v1",
    "order_advance_v2",
    "idempotency_recall_v1",
)
FUNCTIONS = (
    "idempotency_recall_v2",
    "order_json_named_v2",
    "order_json_v2",
    "order_facts_v1",
    "order_sees_details_v1",
    "order_was_claimed_v1",
    "order_obstacle_v1",
    "order_actions_v1",
    "order_assignment_fault_v1",
    "order_answers_fault_v1",
    "order_tell_rated_v1",
    "order_put_v1",
    "order_list_v2",
    "order_place_v2",
    "order_step_v1",
    "order_advance_v3",
    "order_timers_due_v1",
)
ADDED = (
    "order_timers_due",
    "order_step",
    "order_put",
    "order_tell_rated",
    "order_answers_fault",
    "order_assignment_fault",
    "order_actions",
    "order_obstacle",
    "order_was_claimed",
    "order_sees_details",
    "order_facts",
)

STAGES = ("receive", "dispatch", "handle", "verify", "close", "follow", "done")
STAGE_OF = {
    "placed": "receive",
    "dispatched": "handle",
    "accepted": "handle",
    "in_progress": "handle",
    "completed": "verify",
    "rated": "close",
    "cancelled": "done",
}
"""Of the states there were."""
RATED_WAITS = "interval '3 days'"
COMPLETED_WAITS = "interval '15 days'"
"""Before the standard lifecycle closes them, as it was when this migration was written."""
CLOSED_HERE = '{"because": "upgrade"}'
OLD_STATES = tuple(STAGE_OF)
OLD_ACTIONS = ("place", "dispatch", "accept", "decline", "start", "complete", "rate", "cancel")
NEW_INDEXES = ("ix_orders_timer_at", "ix_orders_merged_into", "ix_orders_unit_number")
OLD_CHECKS = {
    "orderstate": f"state IN ({', '.join(repr(state) for state in OLD_STATES)})",
    "stars_when_rated": "(state = 'rated') = (stars IS NOT NULL)",
    "placed_has_no_assignee": "state <> 'placed' OR assignee_id IS NULL",
    "work_has_assignee": "state IN ('placed', 'cancelled') OR state = 'dispatched' OR assignee_id IS NOT NULL",
}
NEW_CHECKS = {
    "state": "state ~ '^[a-z][a-z0-9_]{1,39}$'",
    "stars_when_rated": "stars IS NULL OR rated_at IS NOT NULL",
    "waiting_has_no_assignee": "stage NOT IN ('receive', 'dispatch') OR assignee_id IS NULL",
    "work_has_assignee": "stage NOT IN ('verify', 'close') OR assignee_id IS NOT NULL OR merged_into IS NOT NULL",
    "helpers_wanted": "helpers_wanted BETWEEN 1 AND 200",
    "counters": "hops >= 0 AND redos >= 0",
    "timer": "(timer_at IS NULL) = (timer_action IS NULL)",
    "follows_something": "(stage = 'follow') <= (merged_into IS NOT NULL)",
    "not_into_itself": "merged_into <> id",
    "occurrence": "(recurring_order_id IS NULL) = (occurrence_on IS NULL)",
}


def _enumeration(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=40)


def _whole(name: str, default: str = "0") -> sa.Column[int]:
    return sa.Column(name, sa.SmallInteger(), server_default=default, nullable=False)


def _moment(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=True)


def _order_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("stage", _enumeration("orderstage", *STAGES), nullable=True),
        sa.Column("lifecycle_version", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("unit_id", sa.Uuid(), nullable=True),
        sa.Column("is_in_pool", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        _whole("helpers_wanted", "1"),
        sa.Column(
            "priority",
            _enumeration("priority", "low", "normal", "high", "urgent"),
            server_default="normal",
            nullable=False,
        ),
        sa.Column(
            "visibility", _enumeration("visibility", "private", "community"), server_default="private", nullable=False
        ),
        sa.Column("is_anonymous", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("answers", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("form_version", sa.BigInteger(), nullable=True),
        _whole("hops"),
        _whole("redos"),
        sa.Column("is_escalated", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        _moment("timer_at"),
        sa.Column("timer_action", sa.String(length=40), nullable=True),
        sa.Column("resumes_to", sa.String(length=40), nullable=True),
        sa.Column("merged_into", sa.Uuid(), nullable=True),
        sa.Column("recurring_order_id", sa.Uuid(), nullable=True),
        sa.Column("occurrence_on", sa.Date(), nullable=True),
        _moment("triaged_at"),
        _moment("verified_at"),
        _moment("closed_at"),
        _moment("rewarded_at"),
    ]


def upgrade() -> None:
    op.create_table(
        "order_lifecycles",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("order_kind", sa.String(length=40), nullable=True),
        sa.Column("definition", postgresql.JSONB(), nullable=False),
        sa.Column("compiled", postgresql.JSONB(), nullable=False),
        sa.Column("note", sa.String(length=200), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("version > 0", name=op.f("ck_order_lifecycles_version")),
        sa.PrimaryKeyConstraint("tenant_id", "version", name=op.f("pk_order_lifecycles")),
    )
    op.create_table(
        "units",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", _enumeration("unitkind", "team", "organization", "department"), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("area_id", sa.Uuid(), nullable=False),
        sa.Column("phone", sa.String(length=20), nullable=True),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_units")),
        sa.UniqueConstraint("tenant_id", "area_id", "name", name=op.f("uq_units_tenant_id_area_id_name")),
    )
    op.create_table(
        "unit_members",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("unit_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("is_leader", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "unit_id", "account_id", name=op.f("pk_unit_members")),
    )
    op.create_index("ix_unit_members_account_id", "unit_members", ["tenant_id", "account_id"])
    op.create_table(
        "order_helpers",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("task", sa.String(length=60), nullable=True),
        sa.Column("joined_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("left_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("minutes", sa.SmallInteger(), nullable=True),
        sa.CheckConstraint("minutes BETWEEN 1 AND 1440", name=op.f("ck_order_helpers_minutes")),
        sa.PrimaryKeyConstraint("tenant_id", "order_id", "account_id", name=op.f("pk_order_helpers")),
    )
    op.create_index(
        "ix_order_helpers_account_id",
        "order_helpers",
        ["tenant_id", "account_id"],
        postgresql_where=sa.text("left_at IS NULL"),
    )
    op.create_table(
        "order_units",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("unit_id", sa.Uuid(), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "order_id", "unit_id", name=op.f("pk_order_units")),
    )
    op.add_column("order_kinds", sa.Column("lifecycle_version", sa.BigInteger(), server_default="1", nullable=False))
    _give_orders_their_columns()
    _give_every_tenant_the_standard()
    for table, column, target, target_column in (
        ("order_lifecycles", "tenant_id", "tenants", "id"),
        ("units", "area_id", "areas", "id"),
        ("unit_members", "unit_id", "units", "id"),
        ("unit_members", "account_id", "memberships", "account_id"),
        ("order_helpers", "order_id", "orders", "id"),
        ("order_helpers", "account_id", "memberships", "account_id"),
        ("order_units", "order_id", "orders", "id"),
        ("order_units", "unit_id", "units", "id"),
        ("order_kinds", "lifecycle_version", "order_lifecycles", "version"),
        ("orders", "lifecycle_version", "order_lifecycles", "version"),
        ("orders", "unit_id", "units", "id"),
        ("orders", "merged_into", "orders", "id"),
    ):
        _reference(table, column, target, target_column)
    for table in TABLES:
        protect(table)
    allow("SELECT, INSERT", ", ".join(TABLES), "orders")
    allow("UPDATE", "units, unit_members, order_helpers, order_units", "orders")
    refuse_changes("order_lifecycles")
    for function in CHANGED:
        op.execute(f"DROP FUNCTION {function}")
    for function in FUNCTIONS:
        create_function(function)


def downgrade() -> None:
    for function in (*ADDED, *CHANGED):
        op.execute(f"DROP FUNCTION {function}")
    _open_what_was_closed()
    _refuse_what_is_new()
    for constraint in (
        "fk_orders_tenant_id_merged_into",
        "fk_orders_tenant_id_unit_id",
        "fk_orders_tenant_id_lifecycle_version",
    ):
        op.drop_constraint(constraint, "orders")
    op.drop_constraint("fk_order_kinds_tenant_id_lifecycle_version", "order_kinds")
    _take_orders_their_columns()
    op.drop_column("order_kinds", "lifecycle_version")
    for table in ("order_units", "order_helpers", "unit_members", "units", "order_lifecycles"):
        op.drop_table(table)
    for function in OLD_FUNCTIONS:
        create_function(function)


def _take_orders_their_columns() -> None:
    for index in NEW_INDEXES:
        op.drop_index(index, "orders")
    op.drop_index("ix_orders_pool", "orders")
    for name in NEW_CHECKS:
        op.drop_constraint(f"ck_orders_{name}", "orders")
    for column in _order_columns():
        op.drop_column("orders", column.name)
    for name, condition in OLD_CHECKS.items():
        op.create_check_constraint(op.f(f"ck_orders_{name}"), "orders", condition)
    op.create_index(
        "ix_orders_pool",
        "orders",
        ["tenant_id", "community_id", "number"],
        postgresql_where=sa.text("state = 'dispatched' AND assignee_id IS NULL"),
    )
    op.alter_column("orders", "state", server_default="placed")
    op.alter_column("order_history", "actor_id", nullable=False)
    for check, checked, values in (
        ("orderaction", "action", OLD_ACTIONS),
        ("from_state", "from_state", OLD_STATES),
        ("to_state", "to_state", OLD_STATES),
    ):
        listed = ", ".join(repr(value) for value in values)
        op.create_check_constraint(op.f(f"ck_order_history_{check}"), "order_history", f"{checked} IN ({listed})")


def _give_orders_their_columns() -> None:
    for column in _order_columns():
        op.add_column("orders", column)
    for name in OLD_CHECKS:
        op.drop_constraint(f"ck_orders_{name}", "orders")
    for name in ("orderaction", "from_state", "to_state"):
        op.drop_constraint(f"ck_order_history_{name}", "order_history")
    op.alter_column("order_history", "actor_id", nullable=True)
    op.alter_column("orders", "state", server_default=None)
    stages = " ".join(f"WHEN '{state}' THEN '{stage}'" for state, stage in STAGE_OF.items())
    _in_every_tenant(
        f"UPDATE orders SET stage = CASE state {stages} END,"
        " is_in_pool = state = 'dispatched' AND assignee_id IS NULL,"
        " closed_at = CASE WHEN state = 'cancelled' THEN cancelled_at END,"
        " rewarded_at = CASE WHEN state = 'rated' THEN rated_at END"
        " WHERE tenant_id = tenant"
    )
    _let_orders_close()
    op.alter_column("orders", "stage", nullable=False)
    for name, condition in NEW_CHECKS.items():
        op.create_check_constraint(op.f(f"ck_orders_{name}"), "orders", condition)
    op.drop_index("ix_orders_pool", "orders")
    op.create_index(
        "ix_orders_pool", "orders", ["tenant_id", "community_id", "number"], postgresql_where=sa.text("is_in_pool")
    )
    for name, columns, condition in (
        ("ix_orders_timer_at", ["tenant_id", "timer_at"], "timer_at IS NOT NULL"),
        ("ix_orders_merged_into", ["tenant_id", "merged_into"], "merged_into IS NOT NULL"),
        ("ix_orders_unit_number", ["tenant_id", "unit_id", "number"], "unit_id IS NOT NULL"),
    ):
        op.create_index(name, "orders", columns, postgresql_where=sa.text(condition))
    op.alter_column("orders", "lifecycle_version", server_default=None)


def _let_orders_close() -> None:
    """What the standard lifecycle would have closed by now is closed, as by its rule; the rest is closed in its time.

    Nobody is hurried: what is done and not judged yet stays open for at least a week from now.
    """
    _in_every_tenant(
        f"""
        WITH over AS (
            UPDATE orders SET state = 'closed', stage = 'done', closed_at = rated_at + {RATED_WAITS},
                version = version + 1
            WHERE tenant_id = tenant AND state = 'rated' AND rated_at <= now() - {RATED_WAITS}
            RETURNING id, version, closed_at
        )
        INSERT INTO order_history (tenant_id, order_id, sequence, action, from_state, to_state, at, details)
        SELECT tenant, id, version, 'close', 'rated', 'closed', closed_at, '{CLOSED_HERE}' FROM over
        """
    )
    _in_every_tenant(
        f"""
        UPDATE orders SET timer_action = 'close', timer_at = CASE state
            WHEN 'rated' THEN rated_at + {RATED_WAITS}
            ELSE GREATEST(completed_at + {COMPLETED_WAITS}, now() + interval '7 days')
        END
        WHERE tenant_id = tenant AND state IN ('rated', 'completed')
        """
    )


def _open_what_was_closed() -> None:
    """The closing above taken back, and nothing else: the older version knows these orders as rated."""
    op.execute("ALTER TABLE order_history DISABLE TRIGGER USER")
    _in_every_tenant(
        f"""
        WITH mine AS (
            DELETE FROM order_history h USING orders o
            WHERE h.tenant_id = tenant AND o.tenant_id = tenant AND o.id = h.order_id AND o.version = h.sequence
                AND h.details = '{CLOSED_HERE}'
            RETURNING h.order_id
        )
        UPDATE orders o SET state = 'rated', stage = 'close', closed_at = NULL, version = version - 1
        FROM mine WHERE o.tenant_id = tenant AND o.id = mine.order_id
        """
    )
    op.execute("ALTER TABLE order_history ENABLE TRIGGER USER")


def _give_every_tenant_the_standard() -> None:
    """As it was when this migration was written: what a version says never changes."""
    standard = json.loads((Path(__file__).parents[1] / "data" / "standard_lifecycle_1.json").read_text("utf-8"))
    op.get_bind().execute(
        sa.text(
            "INSERT INTO order_lifecycles (tenant_id, version, definition, compiled, note, recorded_at)"
            " SELECT id, 1, CAST(:definition AS jsonb), CAST(:compiled AS jsonb), '标准流程', now() FROM tenants"
        ),
        {name: json.dumps(standard[name], ensure_ascii=False) for name in ("definition", "compiled")},
    )


def _refuse_what_is_new() -> None:
    """Nothing is forgotten silently: where orders have lived by the new rules there is no way back."""
    listed = ", ".join(repr(state) for state in OLD_STATES)
    _in_every_tenant(
        f"IF EXISTS (SELECT FROM order_history WHERE to_state NOT IN ({listed}) OR actor_id IS NULL) THEN"
        " RAISE EXCEPTION 'orders have states that the older version does not know'; END IF",
    )


def _in_every_tenant(statement: str) -> None:
    """`statement` sees the rows of one tenant at a time, `tenant`: the owner is bound by row security too."""
    op.execute(
        f"""
        DO $$ DECLARE tenant uuid; BEGIN
            FOR tenant IN SELECT id FROM tenants LOOP
                EXECUTE format('SET LOCAL linli.tenant = %L', tenant);
                {statement};
            END LOOP;
            SET LOCAL linli.tenant = '';
        END $$
        """
    )


def _reference(table: str, column: str, target: str, target_column: str) -> None:
    name = op.f(f"fk_{table}_tenant_id" if column == "tenant_id" else f"fk_{table}_tenant_id_{column}")
    columns = [column] if column == "tenant_id" else ["tenant_id", column]
    targets = [target_column] if column == "tenant_id" else ["tenant_id", target_column]
    op.create_foreign_key(name, table, target, columns, targets)
