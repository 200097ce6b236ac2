"""What migrations say again and again: who owns a table, who may read it, and that a tenant's rows stay its own."""

from alembic import op

SERVICES = ("identity", "grid", "orders", "points")
ROLES = tuple(f"linli_{service}" for service in SERVICES)

CURRENT_TENANT = "NULLIF(current_setting('linli.tenant', true), '')::uuid"


_MAY_BECOME = "CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END"


def create_roles() -> None:
    """One role per service. Roles belong to the whole server, so they may be there already; they are never dropped.

    Where an administrator made them and granted them to the owner of the database, the owner needs no CREATEROLE.
    """
    for role in ROLES:
        op.execute(
            f"""
            DO $$ BEGIN
                IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') THEN
                    CREATE ROLE {role} NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS;
                END IF;
                IF NOT pg_has_role('{role}', {_MAY_BECOME}) THEN
                    GRANT {role} TO CURRENT_USER;
                END IF;
            EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;  -- another database is being migrated now
            END $$
            """
        )
        op.execute(f"GRANT USAGE ON SCHEMA public TO {role}")


def protect(table: str, condition: str = f"tenant_id = {CURRENT_TENANT}") -> None:
    """Row security, forced on the owner too: without a tenant set, nothing is seen and nothing can be written."""
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY tenant_isolation ON {table} USING ({condition}) WITH CHECK ({condition})")


def allow(privileges: str, table: str, *services: str) -> None:
    """`allow("SELECT, INSERT", "orders", "orders")`."""
    roles = ", ".join(f"linli_{service}" for service in services)
    op.execute(f"GRANT {privileges} ON {table} TO {roles}")


def refuse_changes(table: str) -> None:
    """Append-only twice over: no grant allows it, and a trigger refuses it to everyone."""
    op.execute(
        f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        f"CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON {table}"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
