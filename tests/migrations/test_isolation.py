"""Row security in action: hand-written SQL that forgets the filter sees and changes nothing of another district."""

import json
from uuid import UUID, uuid4

import asyncpg
import pytest

from migrations.row_security import ROLES
from models.base import GLOBAL_TABLES
from services.chassis.database import tenant_statement
from tests.migrations.catalog import Connection, connected, described, tables
from tests.migrations.conftest import TENANT_TABLES, Districts
from tests.migrations.test_privileges import CLEARED, PRIVILEGES, UPDATABLE_COLUMNS

OTHER_POLICIES = {
    ("memberships", "own_memberships", "PERMISSIVE", "{linli_identity}", "SELECT"),
    ("outbox_deliveries", "own_deliveries", "RESTRICTIVE", "{public}", "UPDATE"),
    *((table, "clear_old", "RESTRICTIVE", f"{{{','.join(sorted(ROLES))}}}", "DELETE") for table in CLEARED),
}
"""Every policy beside `tenant_isolation`. A PERMISSIVE one opens a door: it needs a test of its own below."""


PLAIN_OWNER = f"linli_test_owner_{uuid4().hex}"


def may(role: str, letter: str, table: str) -> bool:
    return letter in PRIVILEGES[table][ROLES.index(role)]


def cells(letter: str) -> list[tuple[str, str]]:
    """(role, table) wherever the role has that privilege on a tenant table."""
    return [(role, table) for role in ROLES for table in TENANT_TABLES if may(role, letter, table)]


UPDATES = [
    *((role, table, "tenant_id") for role, table in cells("w")),
    *((role, table, min(columns)) for (role, table), columns in UPDATABLE_COLUMNS.items() if table in TENANT_TABLES),
]
"""(role, table, a column it may write) wherever a role may change rows."""


class TestCatalog:
    async def test_every_tenant_table_is_protected(self, owner: Connection) -> None:
        """Row security is enabled and forced, on every table there is but the global ones."""
        protected = await described(
            owner,
            "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
            " AND relrowsecurity AND relforcerowsecurity",
        )
        assert {name for (name,) in protected} == await tables(owner) - GLOBAL_TABLES

    async def test_every_tenant_table_has_its_policy(self, owner: Connection) -> None:
        """`tenant_isolation` binds everyone, for every command, reading and writing; beside it only what is listed."""
        policies = await described(
            owner, "SELECT tablename::text, policyname::text, permissive, roles::text, cmd FROM pg_policies"
        )
        isolation = {(table, "tenant_isolation", "PERMISSIVE", "{public}", "ALL") for table in TENANT_TABLES}
        assert policies == isolation | OTHER_POLICIES

    async def test_the_policy_asks_for_the_tenant(self, owner: Connection) -> None:
        """The condition is the same for what is read and for what is written."""
        conditions = await described(
            owner, "SELECT qual, with_check FROM pg_policies WHERE policyname = 'tenant_isolation'"
        )
        tenant = "(tenant_id = (NULLIF(current_setting('linli.tenant'::text, true), ''::text))::uuid)"
        own_service = f"({tenant} AND ((service)::text = CURRENT_USER))"
        assert conditions == {(tenant, tenant), (own_service, own_service)}


async def ours(connection: Connection, districts: Districts) -> None:
    await connection.execute(f"BEGIN; {tenant_statement(districts.ours.tenant_id)}")


async def row_of_theirs(districts: Districts, role: str, table: str) -> str:
    """One of their rows, as JSON."""
    async with connected(districts.url, role) as connection:
        await connection.execute(tenant_statement(districts.theirs.tenant_id).replace("LOCAL ", ""))
        row = await connection.fetchval(f"SELECT to_jsonb(t) FROM {table} t LIMIT 1")
    assert json.loads(row)["tenant_id"] == str(districts.theirs.tenant_id)
    return str(row)


class TestReading:
    @pytest.mark.parametrize(("role", "table"), cells("r"))
    async def test_sees_its_own_tenant_alone(self, districts: Districts, role: str, table: str) -> None:
        """Without any WHERE: all of our rows, none of theirs."""
        async with connected(districts.url, role) as connection:
            await ours(connection, districts)
            tenants = {row["tenant_id"] for row in await connection.fetch(f"SELECT * FROM {table}")}
            asked = await connection.fetch(f"SELECT * FROM {table} WHERE tenant_id = $1", districts.theirs.tenant_id)
        assert tenants == {districts.ours.tenant_id}
        assert asked == []

    @pytest.mark.parametrize(("role", "table"), cells("r"))
    async def test_sees_nothing_without_a_tenant(self, districts: Districts, role: str, table: str) -> None:
        """Never set, or set to nothing: no row, and no error either."""
        async with connected(districts.url, role) as connection:
            assert await connection.fetch(f"SELECT * FROM {table}") == []
            await connection.execute("SET linli.tenant = ''")
            assert await connection.fetch(f"SELECT * FROM {table}") == []

    async def test_the_tenant_ends_with_its_transaction(self, districts: Districts) -> None:
        """A connection that goes back to its pool keeps nothing of the district it served."""
        async with connected(districts.url, "linli_orders") as connection:
            await ours(connection, districts)
            assert await connection.fetchval("SELECT count(*) FROM orders") == 1
            await connection.execute("COMMIT")
            assert await connection.fetchval("SELECT count(*) FROM orders") == 0


class TestWriting:
    @pytest.mark.parametrize(("role", "table"), cells("a"))
    async def test_cannot_insert_for_another_tenant(self, districts: Districts, role: str, table: str) -> None:
        """A complete row of theirs, written by us or by nobody."""
        theirs = await row_of_theirs(districts, role, table)
        async with connected(districts.url, role) as connection:
            for begin in (f"BEGIN; {tenant_statement(districts.ours.tenant_id)}", "BEGIN"):
                await connection.execute(begin)
                with pytest.raises(asyncpg.InsufficientPrivilegeError, match="violates row-level security"):
                    await connection.execute(
                        f"INSERT INTO {table} SELECT * FROM jsonb_populate_record(NULL::{table}, $1)", theirs
                    )
                await connection.execute("ROLLBACK")

    @pytest.mark.parametrize(("role", "table", "column"), UPDATES)
    async def test_updates_nothing_of_another_tenant(
        self, districts: Districts, role: str, table: str, column: str
    ) -> None:
        """UPDATE without a WHERE reaches our rows only; with theirs in the WHERE it reaches none."""
        async with connected(districts.url, role) as connection:
            await ours(connection, districts)
            reached = await connection.fetch(f"UPDATE {table} SET {column} = {column} RETURNING tenant_id")
            asked = await connection.execute(
                f"UPDATE {table} SET {column} = {column} WHERE tenant_id = $1", districts.theirs.tenant_id
            )
            await connection.execute("ROLLBACK")
            without_tenant = await connection.execute(f"UPDATE {table} SET {column} = {column}")
        assert {row["tenant_id"] for row in reached} == {districts.ours.tenant_id}
        assert (asked, without_tenant) == ("UPDATE 0", "UPDATE 0")

    @pytest.mark.parametrize(("role", "table"), [(role, table) for role, table, _ in UPDATES])
    async def test_cannot_give_a_row_away(self, districts: Districts, role: str, table: str) -> None:
        """An UPDATE that would move our row into their district is refused."""
        refusal = "violates row-level security" if may(role, "w", table) else "permission denied"
        async with connected(districts.url, role) as connection:
            await ours(connection, districts)
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match=refusal):
                await connection.execute(f"UPDATE {table} SET tenant_id = $1", districts.theirs.tenant_id)

    @pytest.mark.parametrize(("role", "table"), cells("d"))
    async def test_deletes_nothing_of_another_tenant(self, districts: Districts, role: str, table: str) -> None:
        """Not even when it names them, and nothing at all while no tenant is set."""
        async with connected(districts.url, role) as connection:
            await ours(connection, districts)
            asked = await connection.execute(f"DELETE FROM {table} WHERE tenant_id = $1", districts.theirs.tenant_id)
            await connection.execute("ROLLBACK")
            without_tenant = await connection.execute(f"DELETE FROM {table}")
        assert (asked, without_tenant) == ("DELETE 0", "DELETE 0")


class TestTheOwner:
    async def test_the_owner_of_a_table_is_bound_too(self, owner: Connection, districts: Districts) -> None:
        """Row security is forced: an owner who is no superuser, and forgets the filter, sees one tenant or none."""
        await owner.execute(f"""
            CREATE ROLE {PLAIN_OWNER} NOLOGIN;
            GRANT {PLAIN_OWNER} TO CURRENT_USER;
            GRANT CREATE ON SCHEMA public TO {PLAIN_OWNER};
        """)
        for table in TENANT_TABLES:
            await owner.execute(f"ALTER TABLE {table} OWNER TO {PLAIN_OWNER}")
        await owner.execute(f"SET LOCAL ROLE {PLAIN_OWNER}")
        for table in TENANT_TABLES:
            tenants = {row[0] for row in await owner.fetch(f"SELECT tenant_id FROM {table}")}
            assert tenants <= {districts.ours.tenant_id}, table
        await owner.execute("SET LOCAL linli.tenant = ''")
        for table in TENANT_TABLES:
            assert await owner.fetch(f"SELECT * FROM {table}") == [], table


class TestOwnMemberships:
    """At sign-in there is no tenant yet: identity asks which tenants an account belongs to."""

    @pytest.fixture
    async def in_both(self, districts: Districts) -> UUID:
        """An account that belongs to both districts."""
        account = districts.ours.zhang.account_id
        if not await districts.theirs.fetch_value("SELECT true FROM memberships WHERE account_id = $1", account):
            await districts.theirs.insert("memberships", account_id=account)
        return account

    async def test_identity_sees_those_of_the_account_it_names(self, districts: Districts, in_both: UUID) -> None:
        """In every tenant, and nobody else's."""
        async with connected(districts.url, "linli_identity") as connection, connection.transaction():
            await connection.execute(f"SET LOCAL linli.account = '{in_both}'")
            rows = await connection.fetch("SELECT tenant_id, account_id FROM memberships")
        assert {tuple(row) for row in rows} == {
            (districts.ours.tenant_id, in_both),
            (districts.theirs.tenant_id, in_both),
        }

    async def test_it_sees_nothing_else(self, districts: Districts, in_both: UUID) -> None:
        """The door leads to memberships alone, not to grants."""
        async with connected(districts.url, "linli_identity") as connection, connection.transaction():
            await connection.execute(f"SET LOCAL linli.account = '{in_both}'")
            assert await connection.fetch("SELECT * FROM grants") == []

    async def test_it_changes_nothing(self, districts: Districts, in_both: UUID) -> None:
        """Reading is not writing: without the tenant no membership can be ended or made."""
        async with connected(districts.url, "linli_identity") as connection, connection.transaction():
            await connection.execute(f"SET LOCAL linli.account = '{in_both}'")
            assert await connection.execute("UPDATE memberships SET ended_at = now()") == "UPDATE 0"

    @pytest.mark.parametrize("role", [role for role in ROLES if role != "linli_identity"])
    async def test_no_other_service_sees_them(self, districts: Districts, in_both: UUID, role: str) -> None:
        async with connected(districts.url, role) as connection, connection.transaction():
            await connection.execute(f"SET LOCAL linli.account = '{in_both}'")
            assert await connection.fetch("SELECT * FROM memberships") == []


class TestStoredAnswers:
    """Every service keeps its answers in one table and knows only its own."""

    @pytest.mark.parametrize("role", ROLES)
    async def test_a_service_sees_its_own(self, districts: Districts, role: str) -> None:
        async with connected(districts.url, role) as connection:
            await ours(connection, districts)
            assert {row["service"] for row in await connection.fetch("SELECT service FROM idempotency_keys")} == {role}

    async def test_a_service_cannot_answer_for_another(self, districts: Districts) -> None:
        """Else points could make orders repeat an answer it never gave."""
        async with connected(districts.url, "linli_points") as connection:
            await ours(connection, districts)
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="violates row-level security"):
                await connection.execute(
                    "INSERT INTO idempotency_keys (tenant_id, service, account_id, key, request_hash, status, body)"
                    " VALUES ($1, 'linli_orders', $2, 'k', '', 200, '{}')",
                    districts.ours.tenant_id,
                    uuid4(),
                )


class TestDeliveries:
    """A listener marks what it was delivered, and nothing else."""

    @pytest.mark.parametrize("role", ROLES)
    async def test_a_service_changes_its_own(self, districts: Districts, role: str) -> None:
        async with connected(districts.url, role) as connection:
            await ours(connection, districts)
            changed = await connection.fetch("UPDATE outbox_deliveries SET delivered_at = now() RETURNING listener")
        assert [row["listener"] for row in changed] == [role.removeprefix("linli_")]

    @pytest.mark.parametrize("role", ROLES)
    async def test_a_service_locks_its_own(self, districts: Districts, role: str) -> None:
        """FOR UPDATE is as good as an UPDATE: it would keep the listener from its own row."""
        async with connected(districts.url, role) as connection:
            await ours(connection, districts)
            locked = await connection.fetch("SELECT listener FROM outbox_deliveries FOR UPDATE")
        assert [row["listener"] for row in locked] == [role.removeprefix("linli_")]

    async def test_a_service_cannot_pass_its_own_on(self, districts: Districts) -> None:
        """Nor rewrite what was said: neither the listener nor the event's payload."""
        async with connected(districts.url, "linli_points") as connection:
            for change in (
                "UPDATE outbox_deliveries SET listener = 'grid'",
                "UPDATE outbox_events SET payload = '{}'",
            ):
                await ours(connection, districts)
                with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied"):
                    await connection.execute(change)
                await connection.execute("ROLLBACK")
