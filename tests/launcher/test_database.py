"""A user who may not migrate is told what an administrator has to run; having run it, they may."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import asyncpg
import pytest

from launcher.database import migrate
from launcher.terminal import CannotStart
from migrations.row_security import ROLES
from services.chassis.database import driver_url
from tests.conftest import TestServer


def execute(url: str, statements: str) -> None:
    """As the administrator of the server, outside of the loop the tests run in."""

    async def run() -> None:
        connection = await asyncpg.connect(driver_url(url))
        await connection.execute(statements)
        await connection.close()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, run()).result()


@pytest.fixture
def url(postgres: TestServer) -> str:
    """An empty database, never migrated, on a server where the services' roles are there already."""
    return postgres._create(f"linli_test_{uuid4().hex}")


@pytest.fixture
def powerless(url: str) -> Iterator[str]:
    """The URL for a user who may sign in, and that is all."""
    user = f"Linli test {uuid4().hex}"
    execute(url, f'CREATE ROLE "{user}" NOLOGIN NOSUPERUSER NOCREATEROLE; GRANT "{user}" TO CURRENT_USER')
    yield f"{url}{'&' if '?' in url else '?'}role={user.replace(' ', '%20')}"
    execute(url, f'DROP OWNED BY "{user}" CASCADE; DROP ROLE "{user}"')


def test_what_an_administrator_has_to_run_is_told_and_helps(url: str, powerless: str) -> None:
    with pytest.raises(CannotStart, match="an administrator of the server has to run") as refusal:
        migrate(powerless)

    statements = [line.strip() for line in str(refusal.value).splitlines() if line.endswith(";")]
    assert [statement.split(" TO ")[0] for statement in statements] == [
        f"GRANT {', '.join(ROLES)}",
        "GRANT CREATE ON SCHEMA public",
    ]
    execute(url, "".join(statements))
    migrate(powerless)


def test_roles_that_are_missing_are_named(url: str, powerless: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server of the tests has the real ones, which other tests need: here the services are others."""
    strangers = ("linli_stranger", "linli_newcomer")
    monkeypatch.setattr("launcher.database.ROLES", strangers)

    with pytest.raises(CannotStart) as refusal:
        migrate(powerless)

    for role in strangers:
        assert f"CREATE ROLE {role} NOLOGIN;" in str(refusal.value)
    assert f"GRANT {', '.join(strangers)} TO" in str(refusal.value)


def test_somebody_who_does_not_own_the_tables_is_told(postgres: TestServer, powerless: str, url: str) -> None:
    """Everything an administrator could grant is there, and yet the tables are another's."""
    with pytest.raises(CannotStart) as refusal:
        migrate(powerless)
    execute(url, "".join(line for line in str(refusal.value).splitlines() if line.endswith(";")))
    execute(url, "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)")

    with pytest.raises(CannotStart, match="use the owner of the tables"):
        migrate(powerless)
