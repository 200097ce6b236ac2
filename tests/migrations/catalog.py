"""What a database says of itself."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from migrations.row_security import ROLES
from services.chassis.database import driver_url

Connection = asyncpg.Connection


@asynccontextmanager
async def connected(url: str, role: str = "") -> AsyncIterator[Connection]:
    """A connection as the owner of the database, or as a service's role."""
    connection = await asyncpg.connect(driver_url(url), server_settings={"role": role} if role else {})
    try:
        yield connection
    finally:
        await connection.close()


async def described(connection: Connection, question: str) -> set[tuple[Any, ...]]:
    return {tuple(row) for row in await connection.fetch(question)}


async def shape(connection: Connection) -> dict[str, set[tuple[Any, ...]]]:
    """Columns, constraints and indexes: what a model can say."""
    return {name: await described(connection, question) for name, question in _SHAPE.items()}


async def whole(connection: Connection) -> dict[str, set[tuple[Any, ...]]]:
    """The shape, and what only migrations say: policies, privileges, functions, triggers, sequences."""
    rest = {name: await described(connection, question) for name, question in _REST.items()}
    return {**await shape(connection), **rest}


async def tables(connection: Connection) -> set[str]:
    """Every table but Alembic's own."""
    return {str(row[0]) for row in await described(connection, _TABLES)} - {"alembic_version"}


_TABLES = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
_SHAPE = {
    "columns": """
        SELECT c.table_name::text, c.column_name::text, c.data_type::text, c.character_maximum_length::int,
            c.is_nullable::text, c.column_default::text
        FROM information_schema.columns c WHERE c.table_schema = 'public' AND c.table_name <> 'alembic_version'
    """,
    "constraints": """
        SELECT conrelid::regclass::text, conname::text, pg_get_constraintdef(oid)
        FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text <> 'alembic_version'
    """,
    "indexes": "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'alembic_version'",
}
_REST = {
    "row security": """
        SELECT relname::text, relrowsecurity, relforcerowsecurity FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
    """,
    "policies": """
        SELECT tablename::text, policyname::text, permissive, roles::text, cmd, qual, with_check
        FROM pg_policies WHERE schemaname = 'public'
    """,
    "privileges": """
        SELECT c.relname::text, a.grantee::regrole::text, a.privilege_type, ''
        FROM pg_class c, aclexplode(c.relacl) a
        WHERE c.relnamespace = 'public'::regnamespace AND a.grantee::regrole::text = ANY ($ROLES)
        UNION ALL
        SELECT c.relname::text, a.grantee::regrole::text, a.privilege_type, t.attname::text
        FROM pg_attribute t JOIN pg_class c ON c.oid = t.attrelid, aclexplode(t.attacl) a
        WHERE c.relnamespace = 'public'::regnamespace AND a.grantee::regrole::text = ANY ($ROLES)
    """.replace("$ROLES", f"ARRAY{list(ROLES)}"),
    "functions": """
        SELECT proname::text, pg_get_function_arguments(oid), pg_get_function_result(oid), prosrc
        FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    """,
    "triggers": """
        SELECT tgrelid::regclass::text, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
    """,
    "sequences": "SELECT sequencename::text, start_value FROM pg_sequences WHERE schemaname = 'public'",
}
