"""Earning rules as versions, records of service, certification, proposals and anomalies."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.functions import create_function
from migrations.row_security import allow, protect, refuse_changes

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

APPEND_ONLY = ("service_records", "earning_simulations", "earning_simulation_lines", "anomaly_reviews")
DECIDED_ONCE = {"earning_rule_versions": "draft", "credit_proposals": "pending"}
"""Tables whose rows change only while their state is this."""

TERMS = """
    jsonb_build_object(
        'fixed_points', points, 'rate', NULL, 'min_minutes', 0, 'credits_minutes', false, 'min_stars', min_stars,
        'bonus', CASE WHEN bonus_points > 0 THEN jsonb_build_object('points', bonus_points, 'stars', bonus_stars) END
    )
"""
"""What a rule of before says, as services/points/earning/terms.py writes it."""
VERSIONS_OF_RULES = f"""
    DO $$ DECLARE
        tenant uuid;
        moment timestamptz;
        v_version bigint;
    BEGIN
        FOR tenant IN SELECT id FROM tenants LOOP
            EXECUTE format('SET LOCAL linli.tenant = %L', tenant);
            v_version := 0;
            -- A version wherever a rule began or ended.
            FOR moment IN
                SELECT r.valid_from FROM reward_rules r WHERE r.tenant_id = tenant
                UNION SELECT r.valid_to FROM reward_rules r WHERE r.tenant_id = tenant AND r.valid_to IS NOT NULL
                ORDER BY 1
            LOOP
                v_version := v_version + 1;
                INSERT INTO earning_rule_versions (
                    tenant_id, version, state, terms, note, drafted_at, active_from, activated_at
                )
                SELECT
                    tenant, v_version, 'active', jsonb_build_object(
                        'orders', jsonb_build_object(
                            'general', (array_agg(r.terms) FILTER (WHERE r.order_kind IS NULL))[1],
                            'kinds', COALESCE(
                                jsonb_object_agg(r.order_kind, r.terms) FILTER (WHERE r.order_kind IS NOT NULL),
                                jsonb_build_object()
                            )
                        ),
                        'services', jsonb_build_object('general', NULL, 'kinds', jsonb_build_object()),
                        'caps', jsonb_build_object('per_activity', NULL, 'per_day', NULL, 'per_month', NULL)
                    ),
                    '由原积分规则转入', moment, moment, now()
                FROM (
                    SELECT DISTINCT ON (order_kind) order_kind, {TERMS} AS terms
                    FROM reward_rules
                    WHERE tenant_id = tenant AND valid_from <= moment AND (valid_to IS NULL OR moment < valid_to)
                    ORDER BY order_kind, valid_from DESC, id DESC
                ) AS r;
            END LOOP;
        END LOOP;
        SET LOCAL linli.tenant = '';
    END $$
"""
RECORDS_OF_WHAT_WAS_RATED = """
    DO $$ DECLARE
        tenant uuid;
    BEGIN
        FOR tenant IN SELECT id FROM tenants LOOP
            EXECUTE format('SET LOCAL linli.tenant = %L', tenant);
            -- What has been delivered and is still there. How long it took nobody said.
            INSERT INTO service_records (
                tenant_id, id, account_id, sequence, source_kind, source_id, service_kind, community_id, served_on,
                stars, solved, judged_at, recorded_at, rule_version, points, minutes_credited, details, transaction_id
            )
            SELECT
                tenant, o.event_id, o.assignee_id,
                row_number() OVER (PARTITION BY o.assignee_id ORDER BY o.rated_at, o.event_id),
                'order_rated', o.order_id, o.order_kind, o.community_id,
                (o.rated_at AT TIME ZONE 'Asia/Shanghai')::date, o.stars, o.solved, o.rated_at,
                COALESCE(t.recorded_at, o.delivered_at),
                (
                    SELECT v.version FROM earning_rule_versions v
                    WHERE v.tenant_id = tenant AND v.active_from <= o.rated_at
                    ORDER BY v.active_from DESC, v.version DESC LIMIT 1
                ),
                COALESCE((
                    SELECT e.amount FROM ledger_entries e
                    JOIN ledger_accounts a ON a.tenant_id = tenant AND a.id = e.account_id AND a.kind = 'member'
                    WHERE e.tenant_id = tenant AND e.transaction_id = t.id
                ), 0),
                0, jsonb_build_object('sum', COALESCE(t.details->>'sum', '不计分')), t.id
            FROM (
                SELECT DISTINCT ON (e.payload->>'order_id')
                    e.id AS event_id, d.delivered_at,
                    (e.payload->>'order_id')::uuid AS order_id, e.payload->>'order_kind' AS order_kind,
                    (e.payload->>'community_id')::uuid AS community_id,
                    (e.payload->>'assignee_id')::uuid AS assignee_id,
                    (e.payload->>'stars')::smallint AS stars, (e.payload->>'solved')::boolean AS solved,
                    (e.payload->>'rated_at')::timestamptz AS rated_at
                FROM outbox_events e
                JOIN outbox_deliveries d ON d.tenant_id = tenant AND d.event_id = e.id AND d.listener = 'points'
                WHERE e.tenant_id = tenant AND e.kind = 'order_rated' AND d.delivered_at IS NOT NULL
                ORDER BY e.payload->>'order_id', e.id
            ) AS o
            JOIN memberships m ON m.tenant_id = tenant AND m.account_id = o.assignee_id
            LEFT JOIN ledger_transactions t ON t.tenant_id = tenant AND t.source_kind = 'order_rated'
                AND t.source_id = o.order_id::text;
        END LOOP;
        SET LOCAL linli.tenant = '';
    END $$
"""


def upgrade() -> None:
    op.create_table(
        "anomaly_reviews",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("anomaly_id", sa.String(length=120), nullable=False),
        sa.Column(
            "verdict",
            sa.Enum("explained", "wrong", name="anomalyverdict", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column("note", sa.String(length=200), nullable=False),
        sa.Column("reviewed_by", sa.Uuid(), nullable=False),
        sa.Column("reviewed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_anomaly_reviews")),
    )
    op.create_index("ix_anomaly_reviews_anomaly_id", "anomaly_reviews", ["tenant_id", "anomaly_id", "id"])
    op.create_table(
        "earning_rule_versions",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column(
            "state",
            sa.Enum("draft", "active", name="rulestate", native_enum=False, create_constraint=True, length=40),
            server_default="draft",
            nullable=False,
        ),
        sa.Column("terms", postgresql.JSONB(), nullable=False),
        sa.Column("note", sa.String(length=200), nullable=False),
        sa.Column("drafted_by", sa.Uuid(), nullable=True),
        sa.Column("drafted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("simulated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("active_from", sa.DateTime(timezone=True), nullable=True),
        sa.Column("activated_by", sa.Uuid(), nullable=True),
        sa.Column("activated_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(state = 'active') = (active_from IS NOT NULL) AND (state = 'active') = (activated_at IS NOT NULL)",
            name=op.f("ck_earning_rule_versions_active_since"),
        ),
        sa.CheckConstraint(
            "state = 'draft' OR drafted_by IS NULL OR simulated_at IS NOT NULL AND activated_by IS NOT NULL",
            name=op.f("ck_earning_rule_versions_simulated_first"),
        ),
        sa.CheckConstraint("activated_by <> drafted_by", name=op.f("ck_earning_rule_versions_second_person")),
        sa.CheckConstraint("version > 0", name=op.f("ck_earning_rule_versions_version")),
        sa.PrimaryKeyConstraint("tenant_id", "version", name=op.f("pk_earning_rule_versions")),
    )
    op.create_index(
        "ix_earning_rule_versions_active_from",
        "earning_rule_versions",
        ["tenant_id", "active_from", "version"],
        unique=False,
        postgresql_where=sa.text("state = 'active'"),
    )
    op.create_table(
        "earning_simulations",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("terms", postgresql.JSONB(), nullable=False),
        sa.Column("period_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("period_to", sa.DateTime(timezone=True), nullable=False),
        sa.Column("records", sa.BigInteger(), nullable=False),
        sa.Column("points_before", sa.BigInteger(), nullable=False),
        sa.Column("points_after", sa.BigInteger(), nullable=False),
        sa.Column("minutes_before", sa.BigInteger(), nullable=False),
        sa.Column("minutes_after", sa.BigInteger(), nullable=False),
        sa.Column("kinds", postgresql.JSONB(), nullable=False),
        sa.Column("simulated_by", sa.Uuid(), nullable=False),
        sa.Column("simulated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("period_from < period_to", name=op.f("ck_earning_simulations_period")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_earning_simulations")),
    )
    op.create_index("ix_earning_simulations_version", "earning_simulations", ["tenant_id", "version", "id"])
    op.create_table(
        "credit_proposals",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "award",
                "transaction",
                "certification",
                name="proposalkind",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("community_id", sa.Uuid(), nullable=False),
        sa.Column("body", postgresql.JSONB(), nullable=False),
        sa.Column("proposed_by", sa.Uuid(), nullable=False),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "pending",
                "approved",
                "rejected",
                name="proposalstate",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            server_default="pending",
            nullable=False,
        ),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.String(length=200), nullable=True),
        sa.Column("result", postgresql.JSONB(), nullable=True),
        sa.CheckConstraint(
            "(state = 'approved') = (result IS NOT NULL)", name=op.f("ck_credit_proposals_approved_with_result")
        ),
        sa.CheckConstraint(
            "(state = 'pending') = (decided_at IS NULL) AND (state = 'pending') = (decided_by IS NULL)",
            name=op.f("ck_credit_proposals_decided"),
        ),
        sa.CheckConstraint(
            "(state = 'rejected') = (reason IS NOT NULL)", name=op.f("ck_credit_proposals_rejected_with_reason")
        ),
        sa.CheckConstraint(
            "state <> 'approved' OR decided_by <> proposed_by", name=op.f("ck_credit_proposals_second_person")
        ),
        sa.CheckConstraint("decided_at < expires_at", name=op.f("ck_credit_proposals_decided_in_time")),
        sa.CheckConstraint("proposed_at < expires_at", name=op.f("ck_credit_proposals_term")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_credit_proposals")),
    )
    op.create_index("ix_credit_proposals_community", "credit_proposals", ["tenant_id", "community_id", "id"])
    op.create_index("ix_credit_proposals_proposed_by", "credit_proposals", ["tenant_id", "proposed_by", "id"])
    op.create_table(
        "earning_simulation_lines",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("simulation_id", sa.Uuid(), nullable=False),
        sa.Column("place", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("records", sa.BigInteger(), nullable=False),
        sa.Column("points_before", sa.BigInteger(), nullable=False),
        sa.Column("points_after", sa.BigInteger(), nullable=False),
        sa.Column("minutes_before", sa.BigInteger(), nullable=False),
        sa.Column("minutes_after", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "simulation_id", "place", name=op.f("pk_earning_simulation_lines")),
    )
    op.create_table(
        "service_records",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column(
            "source_kind",
            sa.Enum(
                "order_rated",
                "service_certified",
                name="servicesource",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("activity_name", sa.String(length=60), nullable=True),
        sa.Column("service_kind", sa.String(length=40), nullable=False),
        sa.Column("community_id", sa.Uuid(), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("minutes", sa.SmallInteger(), nullable=True),
        sa.Column("served_on", sa.Date(), nullable=False),
        sa.Column("stars", sa.SmallInteger(), nullable=True),
        sa.Column("solved", sa.Boolean(), nullable=True),
        sa.Column("judged_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=True),
        sa.Column("approved_by", sa.Uuid(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("rule_version", sa.BigInteger(), nullable=True),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("minutes_credited", sa.BigInteger(), nullable=False),
        sa.Column("details", postgresql.JSONB(), nullable=False),
        sa.Column("transaction_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "(transaction_id IS NULL) = (points = 0 AND minutes_credited = 0)",
            name=op.f("ck_service_records_credited_is_posted"),
        ),
        sa.CheckConstraint("approved_by <> recorded_by", name=op.f("ck_service_records_second_person")),
        sa.CheckConstraint("began_at <= ended_at", name=op.f("ck_service_records_times")),
        sa.CheckConstraint("minutes BETWEEN 0 AND 1440", name=op.f("ck_service_records_minutes")),
        sa.CheckConstraint("points >= 0 AND minutes_credited >= 0", name=op.f("ck_service_records_credited")),
        sa.CheckConstraint("sequence > 0", name=op.f("ck_service_records_sequence")),
        sa.CheckConstraint(
            "stars BETWEEN 1 AND 5 AND (stars IS NULL) = (solved IS NULL)", name=op.f("ck_service_records_rating")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_service_records")),
        sa.UniqueConstraint(
            "tenant_id", "account_id", "sequence", name=op.f("uq_service_records_tenant_id_account_id_sequence")
        ),
        sa.UniqueConstraint(
            "tenant_id",
            "source_kind",
            "source_id",
            "account_id",
            name=op.f("uq_service_records_tenant_id_source_kind_source_id_account_id"),
        ),
    )
    op.create_index("ix_service_records_ended_at", "service_records", ["tenant_id", "ended_at"])
    op.create_index("ix_service_records_judged_at", "service_records", ["tenant_id", "judged_at"])
    op.create_index("ix_service_records_recorded_by", "service_records", ["tenant_id", "recorded_by", "recorded_at"])
    op.create_index("ix_service_records_served_on", "service_records", ["tenant_id", "account_id", "served_on"])
    op.create_foreign_key(op.f("fk_anomaly_reviews_tenant_id"), "anomaly_reviews", "tenants", ["tenant_id"], ["id"])
    op.create_foreign_key(
        op.f("fk_earning_rule_versions_tenant_id"), "earning_rule_versions", "tenants", ["tenant_id"], ["id"]
    )
    op.create_foreign_key(
        op.f("fk_earning_simulations_tenant_id_version"),
        "earning_simulations",
        "earning_rule_versions",
        ["tenant_id", "version"],
        ["tenant_id", "version"],
    )
    op.create_foreign_key(
        op.f("fk_credit_proposals_tenant_id_community_id"),
        "credit_proposals",
        "areas",
        ["tenant_id", "community_id"],
        ["tenant_id", "id"],
    )
    op.create_foreign_key(
        op.f("fk_earning_simulation_lines_tenant_id_simulation_id"),
        "earning_simulation_lines",
        "earning_simulations",
        ["tenant_id", "simulation_id"],
        ["tenant_id", "id"],
    )
    op.create_foreign_key(
        op.f("fk_service_records_tenant_id_account_id"),
        "service_records",
        "memberships",
        ["tenant_id", "account_id"],
        ["tenant_id", "account_id"],
    )
    op.create_foreign_key(
        op.f("fk_service_records_tenant_id_community_id"),
        "service_records",
        "areas",
        ["tenant_id", "community_id"],
        ["tenant_id", "id"],
    )
    op.create_foreign_key(
        op.f("fk_service_records_tenant_id_rule_version"),
        "service_records",
        "earning_rule_versions",
        ["tenant_id", "rule_version"],
        ["tenant_id", "version"],
    )
    op.create_foreign_key(
        op.f("fk_service_records_tenant_id_transaction_id"),
        "service_records",
        "ledger_transactions",
        ["tenant_id", "transaction_id"],
        ["tenant_id", "id"],
    )
    for table in (*APPEND_ONLY, *DECIDED_ONCE):
        protect(table)
    allow("SELECT, INSERT", ", ".join((*APPEND_ONLY, *DECIDED_ONCE)), "points")
    allow(
        "UPDATE (state, terms, note, drafted_by, drafted_at, simulated_at, active_from, activated_by, activated_at)",
        "earning_rule_versions",
        "points",
    )
    allow("UPDATE (state, decided_by, decided_at, reason, result)", "credit_proposals", "points")
    op.execute(VERSIONS_OF_RULES)
    op.execute(RECORDS_OF_WHAT_WAS_RATED)
    for table in APPEND_ONLY:
        refuse_changes(table)
    create_function("refuse_change_once_decided_v1")
    for table, undecided in DECIDED_ONCE.items():
        op.execute(
            f"CREATE TRIGGER decided_once BEFORE UPDATE OR DELETE ON {table}"
            f" FOR EACH ROW EXECUTE FUNCTION refuse_change_once_decided('{undecided}')"
        )
        op.execute(
            f"CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    op.drop_table("reward_rules")
    op.execute("DROP FUNCTION order_advance")
    create_function("order_advance_v2")


def downgrade() -> None:
    """The table of the rules before comes back empty: it cannot say what versions say."""
    op.execute("DROP FUNCTION order_advance")
    create_function("order_advance_v1")
    op.create_table(
        "reward_rules",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("order_kind", sa.String(length=40), nullable=True),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("min_stars", sa.SmallInteger(), nullable=False),
        sa.Column("bonus_points", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("bonus_stars", sa.SmallInteger(), server_default="5", nullable=False),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid_to", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "min_stars BETWEEN 1 AND 5 AND bonus_stars BETWEEN 1 AND 5", name=op.f("ck_reward_rules_stars")
        ),
        sa.CheckConstraint(
            "points BETWEEN 0 AND 1000 AND bonus_points BETWEEN 0 AND 1000", name=op.f("ck_reward_rules_points")
        ),
        sa.CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name=op.f("ck_reward_rules_term")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_reward_rules")),
    )
    op.create_index("ix_reward_rules_kind", "reward_rules", ["tenant_id", "order_kind", "valid_from"])
    op.create_foreign_key(op.f("fk_reward_rules_tenant_id"), "reward_rules", "tenants", ["tenant_id"], ["id"])
    protect("reward_rules")
    allow("SELECT, INSERT", "reward_rules", "points")
    allow("UPDATE (valid_to)", "reward_rules", "points")
    op.drop_table("service_records")
    op.drop_table("earning_simulation_lines")
    op.drop_table("credit_proposals")
    op.drop_table("earning_simulations")
    op.drop_table("earning_rule_versions")
    op.drop_table("anomaly_reviews")
    op.execute("DROP FUNCTION refuse_change_once_decided")
