"""Grants are the first guard: who may do what to which table, written out by hand and compared with the catalog."""

import pytest

from migrations.row_security import ROLES
from tests.migrations.catalog import Connection, described, tables

# r SELECT, a INSERT, w UPDATE of the whole row, d DELETE, as in Postgres's own ACLs.
PRIVILEGES = {
    #                       identity  grid    orders  points
    "tenants":              ("r",     "r",    "r",    "r"),
    "accounts":             ("raw",   "r",    "r",    "r"),
    "sessions":             ("rawd",  "r",    "r",    "r"),
    "memberships":          ("raw",   "r",    "r",    "r"),
    "grants":               ("raw",   "r",    "r",    "r"),
    "password_credentials": ("rawd",  "",     "",     ""),
    "wechat_identities":    ("rawd",  "",     "",     ""),
    "identity_events":      ("ra",    "",     "",     ""),
    "area_levels":          ("r",     "rawd", "r",    "r"),
    "areas":                ("r",     "rawd", "r",    "r"),
    "area_tree_versions":   ("r",     "rawd", "r",    "r"),
    "households":           ("r",     "rawd", "r",    "r"),
    "household_members":    ("r",     "rawd", "r",    "r"),
    "residents":            ("r",     "rawd", "r",    "r"),
    "posts":                ("r",     "rawd", "r",    "r"),
    "order_kinds":          ("",      "",     "raw",  ""),
    "order_kind_forms":     ("",      "",     "ra",   ""),
    "order_kind_changes":   ("",      "",     "ra",   ""),
    "orders":               ("",      "",     "raw",  ""),
    "order_lifecycles":     ("",      "",     "ra",   ""),
    "units":                ("",      "",     "raw",  ""),
    "unit_members":         ("",      "",     "raw",  ""),
    "order_helpers":        ("",      "",     "raw",  ""),
    "order_units":          ("",      "",     "raw",  ""),
    "order_history":        ("",      "",     "ra",   ""),
    "national_calendars":   ("",      "",     "ra",   ""),
    "work_calendars":       ("",      "",     "ra",   ""),
    "work_hours":           ("",      "",     "ra",   ""),
    "clock_policies":       ("",      "",     "ra",   ""),
    "order_clocks":         ("",      "",     "rawd", ""),
    "order_clock_pauses":   ("",      "",     "ra",   ""),
    "clock_extensions":     ("",      "",     "ra",   ""),
    "clock_extension_decisions": ("", "",     "ra",   ""),
    "order_clock_firings":  ("",      "",     "ra",   ""),
    "recurring_orders":     ("",      "",     "raw",  ""),
    "recurring_order_changes":     ("", "",   "ra",   ""),
    "recurring_order_exceptions":  ("", "",   "raw",  ""),
    "recurring_order_occurrences": ("", "",   "raw",  ""),
    "recurring_order_work": ("",      "",     "rad",  ""),
    "order_clock_work":     ("",      "",     "rad",  ""),
    "clock_recounts":       ("",      "",     "rad",  ""),
    "order_words":          ("",      "",     "ra",   ""),
    "order_word_blocks":    ("",      "",     "ra",   ""),
    "order_word_work":      ("",      "",     "rad",  ""),
    "order_exports":        ("",      "",     "ra",   ""),
    "order_answers":        ("",      "",     "ra",   ""),
    "follow_ups":           ("",      "",     "ra",   ""),
    "due_follow_ups":       ("",      "",     "rawd", ""),
    "rate_exclusions":      ("",      "",     "ra",   ""),
    "rate_exclusion_steps": ("",      "",     "ra",   ""),
    "helper_profiles":      ("",      "",     "raw",  ""),
    "helper_absences":      ("",      "",     "rad",  ""),
    "order_kind_skills":    ("",      "",     "rad",  ""),
    "resources":            ("",      "",     "raw",  ""),
    "dispatch_policies":    ("",      "",     "ra",   ""),
    "dispatch_plans":       ("",      "",     "raw",  ""),
    "dispatch_plan_items":  ("",      "",     "rad",  ""),
    "automatic_dispatches": ("",      "",     "ra",   ""),
    "files":                ("",      "",     "ra",   ""),
    "order_files":          ("",      "",     "ra",   ""),
    "ledger_accounts":      ("",      "",     "",     "ra"),
    "ledger_transactions":  ("",      "",     "",     "ra"),
    "ledger_entries":       ("",      "",     "",     "ra"),
    "ledger_account_events": ("",     "",     "",     "ra"),
    "ledger_allocations":   ("",      "",     "",     "ra"),
    "ledger_chain":         ("",      "",     "",     "ra"),
    "ledger_chain_heads":   ("",      "",     "",     "ra"),
    "ledger_hold_ends":     ("",      "",     "",     "ra"),
    "ledger_hold_lots":     ("",      "",     "",     "ra"),
    "ledger_holds":         ("",      "",     "",     "ra"),
    "ledger_imports":       ("",      "",     "",     "ra"),
    "ledger_lots":          ("",      "",     "",     "ra"),
    "ledger_open_holds":    ("",      "",     "",     "rad"),
    "ledger_published_heads": ("",    "",     "",     "ra"),
    "ledger_settings":      ("",      "",     "",     "ra"),
    "ledger_unsealed":      ("",      "",     "",     "rad"),
    "earning_rule_versions":     ("", "",     "",     "ra"),
    "earning_simulations":       ("", "",     "",     "ra"),
    "earning_simulation_lines":  ("", "",     "",     "ra"),
    "service_records":      ("",      "",     "",     "ra"),
    "credit_proposals":     ("",      "",     "",     "ra"),
    "anomaly_reviews":      ("",      "",     "",     "ra"),
    "outbox_events":        ("rad",   "rad",  "rad",  "rad"),
    "outbox_deliveries":    ("rad",   "rad",  "rad",  "rad"),
    "idempotency_keys":     ("rad",   "rad",  "rad",  "ra"),
    "alembic_version":      ("r",     "r",    "r",    "r"),
}  # fmt: skip

UPDATABLE_COLUMNS = {
    **{(role, "outbox_deliveries"): {"attempts", "last_error", "due_at", "delivered_at"} for role in ROLES},
    ("linli_orders", "order_words"): {"tokens"},
    ("linli_orders", "order_word_blocks"): {"last_number", "orders"},
    ("linli_points", "ledger_accounts"): {"balance", "version", "held", "status"},
    ("linli_points", "ledger_lots"): {"remaining", "held"},
    ("linli_points", "ledger_chain_heads"): {"position", "hash", "sealed_at"},
    ("linli_points", "ledger_imports"): {
        *("source_code", "source_name", "exported_at", "position", "head_position", "head_hash", "completed_at"),
    },
    ("linli_points", "earning_rule_versions"): {
        *("state", "terms", "note", "drafted_by", "drafted_at"),
        *("simulated_at", "active_from", "activated_by", "activated_at"),
    },
    ("linli_points", "credit_proposals"): {"state", "decided_by", "decided_at", "reason", "result"},
}
"""Where a service may change some columns of a row and no others."""

APPEND_ONLY = [
    "order_lifecycles",
    "order_exports",
    "national_calendars",
    "work_calendars",
    "work_hours",
    "clock_policies",
    "order_clock_pauses",
    "clock_extensions",
    "clock_extension_decisions",
    "order_clock_firings",
    "order_answers",
    "follow_ups",
    "rate_exclusions",
    "rate_exclusion_steps",
    "order_kind_forms",
    "order_kind_changes",
    "recurring_order_changes",
    "dispatch_policies",
    "automatic_dispatches",
    "service_records",
    "earning_simulations",
    "earning_simulation_lines",
    "anomaly_reviews",
    "identity_events",
    "ledger_account_events",
    "ledger_allocations",
    "ledger_chain",
    "ledger_entries",
    "ledger_hold_ends",
    "ledger_hold_lots",
    "ledger_holds",
    "ledger_published_heads",
    "ledger_settings",
    "ledger_transactions",
    "order_history",
]
CLEARED = ["outbox_events", "outbox_deliveries", "idempotency_keys"]
"""Tables a service may clear of what is old, by a policy that lets it have nothing else."""
CREDENTIALS = ["password_credentials", "wechat_identities"]
LETTERS = {"r": "SELECT", "a": "INSERT", "w": "UPDATE", "d": "DELETE"}
NEVER = ["TRUNCATE", "REFERENCES", "TRIGGER"]
"""Nobody needs these at run time."""


@pytest.mark.parametrize("role", ROLES)
async def test_the_catalog_grants_what_the_table_says(owner: Connection, role: str) -> None:
    """Table by table: every privilege the role has, and none it should not have."""
    column = ROLES.index(role)
    found = {table: await _letters(owner, role, table) for table in {*await tables(owner), "alembic_version"}}
    assert found == {table: row[column] for table, row in PRIVILEGES.items()}


async def _letters(connection: Connection, role: str, table: str) -> str:
    held = await connection.fetchrow(
        "SELECT " + ", ".join(f"has_table_privilege($1, $2, '{name}')" for name in LETTERS.values()), role, table
    )
    assert held is not None
    return "".join(letter for letter, has in zip(LETTERS, held, strict=True) if has)


@pytest.mark.parametrize("role", ROLES)
async def test_columns_that_may_change_are_named(owner: Connection, role: str) -> None:
    """A grant on columns is written out too, so that no service can rewrite an amount, a key or a payload."""
    found: dict[tuple[str, str], set[str]] = {}
    for table, column in await described(owner, _UPDATABLE.replace("$1", f"'{role}'")):
        found.setdefault((role, table), set()).add(column)
    assert found == {key: columns for key, columns in UPDATABLE_COLUMNS.items() if key[0] == role}


_UPDATABLE = """
SELECT c.relname::text, a.attname::text
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
    AND has_column_privilege($1, c.oid, a.attnum, 'UPDATE') AND NOT has_table_privilege($1, c.oid, 'UPDATE')
"""


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("privilege", NEVER)
async def test_what_nobody_needs_nobody_has(owner: Connection, role: str, privilege: str) -> None:
    granted = f"""
        SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
            AND has_table_privilege('{role}', oid, '{privilege}')
    """
    assert await described(owner, granted) == set()


def test_every_table_has_one_writer() -> None:
    """Only the owner writes a table; the outbox and the stored answers are everybody's own rows (see row security)."""
    shared = {"outbox_events", "outbox_deliveries", "idempotency_keys"}
    for table, row in PRIVILEGES.items():
        writers = [letters for letters in row if set(letters) - {"r"}]
        assert len(writers) <= 1 or table in shared, table


@pytest.mark.parametrize("table", CREDENTIALS)
def test_credentials_are_read_by_identity_alone(table: str) -> None:
    assert PRIVILEGES[table][1:] == ("", "", "")


@pytest.mark.parametrize("table", APPEND_ONLY)
def test_no_service_may_rewrite_what_only_grows(table: str) -> None:
    """UPDATE and DELETE are granted to nobody, whole rows or columns. TRUNCATE: see above."""
    assert not set("".join(PRIVILEGES[table])) & {"w", "d"}
    assert not any(name == table for _, name in UPDATABLE_COLUMNS)


def test_no_service_may_rewrite_what_it_may_clear() -> None:
    """Of a delivery what became of it is written; of an event or an answer nothing ever is."""
    assert not any("w" in letters for table in CLEARED for letters in PRIVILEGES[table])
    assert {table for _, table in UPDATABLE_COLUMNS} & set(CLEARED) == {"outbox_deliveries"}


def test_points_keep_every_answer() -> None:
    """A posting that is repeated years later gets the answer of then."""
    assert PRIVILEGES["idempotency_keys"][ROLES.index("linli_points")] == "ra"


async def test_numbers_of_orders_are_drawn_by_orders_alone(owner: Connection) -> None:
    drawing = [await owner.fetchval("SELECT has_sequence_privilege($1, 'order_numbers', 'USAGE')", r) for r in ROLES]
    assert drawing == [False, False, True, False]
    setting = [await owner.fetchval("SELECT has_sequence_privilege($1, 'order_numbers', 'UPDATE')", r) for r in ROLES]
    assert not any(setting)


class TestRoles:
    @pytest.mark.parametrize("role", ROLES)
    async def test_a_service_role_has_no_powers_of_its_own(self, owner: Connection, role: str) -> None:
        """Nobody signs in as it, and nothing lets it around row security."""
        powers = await owner.fetchrow(
            "SELECT rolcanlogin, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication"
            " FROM pg_roles WHERE rolname = $1",
            role,
        )
        assert powers is not None
        assert not any(powers)

    @pytest.mark.parametrize("role", ROLES)
    async def test_a_service_role_owns_nothing(self, owner: Connection, role: str) -> None:
        """An owner could switch row security off, or drop the table."""
        owned = await owner.fetchval(
            "SELECT count(*) FROM pg_shdepend WHERE refobjid = $1::regrole AND deptype = 'o'", role
        )
        assert owned == 0

    @pytest.mark.parametrize("role", ROLES)
    async def test_a_service_role_is_nobody_else(self, owner: Connection, role: str) -> None:
        """Membership of another role would lend its privileges."""
        assert await owner.fetchval("SELECT count(*) FROM pg_auth_members WHERE member = $1::regrole", role) == 0

    @pytest.mark.parametrize("role", ROLES)
    async def test_a_service_role_makes_nothing(self, owner: Connection, role: str) -> None:
        """A table or function of its own in `public` could shadow or bypass ours."""
        assert not await owner.fetchval("SELECT has_schema_privilege($1, 'public', 'CREATE')", role)
        assert not await owner.fetchval("SELECT has_database_privilege($1, current_database(), 'CREATE')", role)


class TestNoWayAround:
    async def test_no_function_runs_with_the_rights_of_its_owner(self, owner: Connection) -> None:
        """SECURITY DEFINER would lend the owner's rights to whoever calls it."""
        question = "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosecdef"
        assert await described(owner, question) == set()

    async def test_no_view_reads_with_the_rights_of_its_owner(self, owner: Connection) -> None:
        """A view, materialized view or foreign table would show rows past the policies of what it reads."""
        question = f"SELECT relname {_OUR_RELATIONS} AND relkind IN ('v', 'm', 'f')"
        assert await described(owner, question) == set()

    async def test_nothing_is_granted_to_everybody(self, owner: Connection) -> None:
        """PUBLIC may read no table: a new role starts with nothing."""
        question = f"SELECT relname {_OUR_RELATIONS} AND EXISTS (SELECT FROM aclexplode(relacl) a WHERE a.grantee = 0)"
        assert await described(owner, question) == set()


_OUR_RELATIONS = "FROM pg_class WHERE relnamespace = 'public'::regnamespace"


def test_the_columns_of_the_table_are_the_roles() -> None:
    """The literal table above is read in this order."""
    assert ROLES == ("linli_identity", "linli_grid", "linli_orders", "linli_points")
