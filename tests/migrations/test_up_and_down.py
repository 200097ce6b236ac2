"""Migrations go up, down to nothing and up again, and say what the models say."""

import asyncio
import subprocess
import sys
from typing import Any
from uuid import uuid4

import pytest
from alembic import command
from alembic.util import CommandError
from sqlalchemy import create_mock_engine

from launcher.database import alembic_config, migrate
from launcher.folders import PROJECT
from migrations.row_security import ROLES
from models import Base
from tests.conftest import TestServer
from tests.migrations.catalog import connected, described, shape, tables, whole


async def _downgrade(url: str) -> None:
    await asyncio.to_thread(command.downgrade, alembic_config(url), "base")


async def test_down_leaves_nothing_and_up_again_brings_the_same(postgres: TestServer) -> None:
    """Down to base: no table, function, policy or sequence is left behind. Up again: the same catalog to the letter."""
    url = postgres.clone()
    async with connected(url) as connection:
        before = await whole(connection)
        await _downgrade(url)
        assert await tables(connection) == set()
        left = await whole(connection)
        assert {name for name in ("policies", "functions", "triggers", "sequences") if left[name]} == set()

        await asyncio.to_thread(migrate, url)
        assert await whole(connection) == before


async def test_the_models_say_what_the_migrations_made(postgres: TestServer) -> None:
    """Down to every CHECK, default and index, which `alembic check` does not compare."""
    migrated, declared = postgres.clone(), postgres.clone()
    await _downgrade(declared)
    async with connected(migrated) as connection:
        expected = await shape(connection)
    async with connected(declared) as connection:
        await connection.execute(_statements_of_the_models())
        found = await shape(connection)
    assert found == expected


def _statements_of_the_models() -> str:
    statements: list[str] = []
    engine = create_mock_engine("postgresql://", lambda ddl, *_, **__: statements.append(compiled(ddl)))

    def compiled(ddl: Any) -> str:
        return str(ddl.compile(dialect=engine.dialect))

    Base.metadata.create_all(engine, checkfirst=False)
    return ";\n".join(statements)


class TestAlembicCheck:
    def test_finds_nothing_to_do(self, postgres: TestServer) -> None:
        """Nobody changed a model without a migration."""
        command.check(alembic_config(postgres.clone()))

    async def test_finds_a_difference(self, postgres: TestServer) -> None:
        """The check above can fail: a column the models do not know is noticed."""
        url = postgres.clone()
        async with connected(url) as connection:
            await connection.execute("ALTER TABLE orders ADD COLUMN surplus text")
        with pytest.raises(CommandError, match="New upgrade operations detected"):
            await asyncio.to_thread(command.check, alembic_config(url))


async def test_an_owner_without_powers_may_migrate(postgres: TestServer) -> None:
    """Where an administrator made the roles and granted them, the owner of the database may be nobody special."""
    url, owner = postgres.clone(), f"linli_test_owner_{uuid4().hex}"
    await _downgrade(url)
    async with connected(url) as administrator:
        await administrator.execute(f"""
            DROP TABLE alembic_version;
            CREATE ROLE {owner} NOLOGIN NOSUPERUSER NOCREATEROLE;
            GRANT {", ".join(ROLES)} TO {owner};
            GRANT {owner} TO CURRENT_USER;
            GRANT CREATE ON SCHEMA public TO {owner};
        """)
        try:
            await asyncio.to_thread(migrate, f"{url}{'&' if '?' in url else '?'}role={owner}")
            owners = await described(administrator, "SELECT tableowner FROM pg_tables WHERE schemaname = 'public'")
            assert owners == {(owner,)}
        finally:
            await administrator.execute(f"""
                REVOKE CREATE ON SCHEMA public FROM {owner};
                DROP OWNED BY {owner} CASCADE;
                DROP ROLE {owner};
            """)


async def test_several_processes_may_migrate_at_once(postgres: TestServer) -> None:
    """One of them does it, the others wait for it and find it done."""
    url = postgres.clone()
    await _downgrade(url)
    starts = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", f"from launcher.database import migrate; migrate({url!r})",
            cwd=PROJECT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )
        for _ in range(3)
    ]  # fmt: skip
    ends = await asyncio.gather(*(process.communicate() for process in starts))
    assert [process.returncode for process in starts] == [0, 0, 0], [error for _, error in ends]
    async with connected(url) as connection:
        assert await connection.fetchval("SELECT count(*) FROM alembic_version") == 1
