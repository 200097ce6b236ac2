"""After the work: answers by round, call-backs, exclusions from the rates, and what the three rates are read by."""

import sqlalchemy as sa
from alembic import op

from migrations.functions import create_function
from migrations.row_security import allow, protect, refuse_changes

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

APPEND_ONLY = ("order_answers", "follow_ups", "rate_exclusions", "rate_exclusion_steps")
DERIVED = "due_follow_ups"
FUNCTIONS = (
    "order_round",
    "order_answer_record",
    "order_answer_follow_history",
    "order_unsolved",
    "follow_up_track",
    "follow_up_list",
)
INDEXES = ("ix_orders_community_placed_at", "ix_orders_community_completed_at")

WHAT_THERE_WAS = """
    DO $$ DECLARE
        tenant uuid;
    BEGIN
        FOR tenant IN SELECT id FROM tenants LOOP
            EXECUTE format('SET LOCAL linli.tenant = %L', tenant);
            -- Until now an order was rated once, after it was completed once.
            INSERT INTO order_answers (
                tenant_id, order_id, sequence, round, completed_at, source, solved, stars, words, account_id, at
            )
            SELECT
                tenant, h.order_id, 1, 1, o.completed_at, 'resident', (h.details->>'solved')::boolean,
                (h.details->>'stars')::smallint, h.note, h.actor_id, h.at
            FROM order_history h JOIN orders o ON o.tenant_id = tenant AND o.id = h.order_id
            WHERE h.tenant_id = tenant AND h.action = 'rate';
            INSERT INTO due_follow_ups (tenant_id, order_id, community_id, area_id, cause, completed_at, due_at)
            SELECT tenant, o.id, o.community_id, o.area_id, 'unanswered', o.completed_at, o.completed_at
            FROM orders o
            WHERE o.tenant_id = tenant AND o.stage = 'verify' AND o.completed_at > now() - interval '90 days';
            INSERT INTO due_follow_ups (tenant_id, order_id, community_id, area_id, cause, completed_at, due_at)
            SELECT tenant, o.id, o.community_id, o.area_id, 'unsolved', o.completed_at, o.rated_at
            FROM orders o
            WHERE o.tenant_id = tenant AND o.solved IS FALSE AND o.stage IN ('close', 'done')
                AND o.completed_at > now() - interval '90 days';
        END LOOP;
        SET LOCAL linli.tenant = '';
    END $$
"""


def upgrade() -> None:
    op.create_table(
        "due_follow_ups",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("community_id", sa.Uuid(), nullable=False),
        sa.Column("area_id", sa.Uuid(), nullable=False),
        sa.Column(
            "cause",
            sa.Enum(
                "unanswered", "unsolved", name="followupcause", native_enum=False, create_constraint=True, length=40
            ),
            nullable=False,
        ),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.SmallInteger(), server_default="0", nullable=False),
        sa.CheckConstraint("attempts >= 0", name=op.f("ck_due_follow_ups_attempts")),
        sa.PrimaryKeyConstraint("tenant_id", "order_id", name=op.f("pk_due_follow_ups")),
    )
    op.create_index("ix_due_follow_ups_area", "due_follow_ups", ["tenant_id", "area_id", "cause", "due_at", "order_id"])
    op.create_index(
        "ix_due_follow_ups_community", "due_follow_ups", ["tenant_id", "community_id", "cause", "due_at", "order_id"]
    )
    op.create_index("ix_due_follow_ups_completed_at", "due_follow_ups", ["tenant_id", "completed_at"])
    op.create_table(
        "follow_ups",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("round", sa.SmallInteger(), nullable=False),
        sa.Column("is_reached", sa.Boolean(), nullable=False),
        sa.Column(
            "unreachable_because",
            sa.Enum(
                "no_answer",
                "switched_off",
                "wrong_number",
                "declined",
                "inconvenient",
                name="unreachablebecause",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=True,
        ),
        sa.Column("answer_sequence", sa.BigInteger(), nullable=True),
        sa.Column("words", sa.String(length=2000), nullable=True),
        sa.Column("next_call_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("called_by", sa.Uuid(), nullable=False),
        sa.Column("called_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "answer_sequence IS NULL OR is_reached AND next_call_at IS NULL", name=op.f("ck_follow_ups_answered")
        ),
        sa.CheckConstraint("is_reached = (unreachable_because IS NULL)", name=op.f("ck_follow_ups_reached_or_why_not")),
        sa.CheckConstraint("next_call_at > called_at", name=op.f("ck_follow_ups_next_call")),
        sa.CheckConstraint("sequence > 0 AND round > 0", name=op.f("ck_follow_ups_numbers")),
        sa.PrimaryKeyConstraint("tenant_id", "order_id", "sequence", name=op.f("pk_follow_ups")),
    )
    op.create_table(
        "order_answers",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("round", sa.SmallInteger(), nullable=False),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "source",
            sa.Enum("resident", "follow_up", name="answersource", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column("solved", sa.Boolean(), nullable=False),
        sa.Column("stars", sa.SmallInteger(), nullable=True),
        sa.Column("words", sa.String(length=2000), nullable=True),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "source <> 'resident' OR stars IS NOT NULL", name=op.f("ck_order_answers_residents_give_stars")
        ),
        sa.CheckConstraint("sequence > 0 AND round > 0", name=op.f("ck_order_answers_numbers")),
        sa.CheckConstraint("stars BETWEEN 1 AND 5", name=op.f("ck_order_answers_stars_range")),
        sa.PrimaryKeyConstraint("tenant_id", "order_id", "sequence", name=op.f("pk_order_answers")),
    )
    op.create_table(
        "rate_exclusions",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column(
            "reason_code",
            sa.Enum(
                "unreasonable",
                "unreachable",
                "duplicate",
                "outside_remit",
                "malicious",
                "force_majeure",
                "withdrawn_by_resident",
                "other",
                name="exclusionreason",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("words", sa.String(length=2000), nullable=False),
        sa.Column("asked_by", sa.Uuid(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_rate_exclusions")),
    )
    op.create_index("ix_rate_exclusions_order_id", "rate_exclusions", ["tenant_id", "order_id", "id"])
    op.create_table(
        "rate_exclusion_steps",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("exclusion_id", sa.Uuid(), nullable=False),
        sa.Column("sequence", sa.SmallInteger(), nullable=False),
        sa.Column(
            "outcome",
            sa.Enum(
                "approved",
                "refused",
                "withdrawn",
                name="exclusionoutcome",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("reason", sa.String(length=2000), nullable=False),
        sa.Column("decided_by", sa.Uuid(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "sequence = 1 OR sequence = 2 AND outcome = 'withdrawn'", name=op.f("ck_rate_exclusion_steps_in_turn")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "exclusion_id", "sequence", name=op.f("pk_rate_exclusion_steps")),
    )
    op.create_index(
        "ix_orders_community_completed_at",
        "orders",
        ["tenant_id", "community_id", "completed_at"],
        postgresql_where=sa.text("completed_at IS NOT NULL"),
    )
    op.create_index("ix_orders_community_placed_at", "orders", ["tenant_id", "community_id", "placed_at"])
    op.create_foreign_key(
        op.f("fk_due_follow_ups_tenant_id_order_id"),
        "due_follow_ups",
        "orders",
        ["tenant_id", "order_id"],
        ["tenant_id", "id"],
    )
    op.create_foreign_key(
        op.f("fk_follow_ups_tenant_id_order_id"), "follow_ups", "orders", ["tenant_id", "order_id"], ["tenant_id", "id"]
    )
    op.create_foreign_key(
        op.f("fk_order_answers_tenant_id_order_id"),
        "order_answers",
        "orders",
        ["tenant_id", "order_id"],
        ["tenant_id", "id"],
    )
    op.create_foreign_key(
        op.f("fk_rate_exclusions_tenant_id_order_id"),
        "rate_exclusions",
        "orders",
        ["tenant_id", "order_id"],
        ["tenant_id", "id"],
    )
    op.create_foreign_key(
        op.f("fk_rate_exclusion_steps_tenant_id_exclusion_id"),
        "rate_exclusion_steps",
        "rate_exclusions",
        ["tenant_id", "exclusion_id"],
        ["tenant_id", "id"],
    )
    for table in (*APPEND_ONLY, DERIVED):
        protect(table)
    allow("SELECT, INSERT", ", ".join((*APPEND_ONLY, DERIVED)), "orders")
    allow("UPDATE, DELETE", DERIVED, "orders")
    for function in FUNCTIONS:
        create_function(f"{function}_v1")
    op.execute(WHAT_THERE_WAS)
    for table in APPEND_ONLY:
        refuse_changes(table)
    op.execute(
        "CREATE TRIGGER order_answer_follow_history AFTER INSERT ON order_history FOR EACH ROW"
        " WHEN (NEW.action = 'rate') EXECUTE FUNCTION order_answer_follow_history()"
    )
    op.execute(
        "CREATE TRIGGER follow_up_track AFTER UPDATE ON orders FOR EACH ROW"
        " WHEN ((OLD.completed_at IS NOT NULL OR NEW.completed_at IS NOT NULL)"
        " AND (OLD.completed_at IS DISTINCT FROM NEW.completed_at OR OLD.stage <> NEW.stage))"
        " EXECUTE FUNCTION follow_up_track()"
    )
    op.execute(  # what is taken over from elsewhere
        "CREATE TRIGGER follow_up_track_new AFTER INSERT ON orders FOR EACH ROW"
        " WHEN (NEW.completed_at IS NOT NULL AND NEW.stage IN ('verify', 'close'))"
        " EXECUTE FUNCTION follow_up_track()"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER follow_up_track_new ON orders")
    op.execute("DROP TRIGGER follow_up_track ON orders")
    op.execute("DROP TRIGGER order_answer_follow_history ON order_history")
    for function in reversed(FUNCTIONS):
        op.execute(f"DROP FUNCTION {function}")
    for table in ("rate_exclusion_steps", "rate_exclusions", DERIVED, "follow_ups", "order_answers"):
        op.drop_table(table)
    for index in INDEXES:
        op.drop_index(index, table_name="orders")
