"""The database a command works on: a real server by DATABASE_URL, else the embedded one of the data folder."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import asyncpg
from alembic import command
from alembic.config import Config
from sqlalchemy.exc import DBAPIError

from launcher.folders import PROJECT, data_folder
from launcher.postgres import EmbeddedPostgres
from launcher.serving import stopping_later
from launcher.terminal import CannotStart, say
from migrations.row_security import ROLES
from services.chassis.database import driver_url

OLDEST_SERVER = 15
CONNECT_TIMEOUT_SECONDS = 10
DATABASE_NAME = "linli"
INSUFFICIENT_PRIVILEGE = "42501"


@contextmanager
def product_database() -> Iterator[str]:
    """The URL of the product's database, which answers but may not be migrated. Raises CannotStart.

    An embedded server is kept running, and is stopped on leaving unless another process started it.
    """
    if url := os.environ.get("DATABASE_URL"):
        check_server(url)
        yield url
        return
    say("Starting the database")
    server = EmbeddedPostgres(data_folder() / "postgres", say=say)
    server.start()
    try:
        server.watch()
        yield server.ensure_database(DATABASE_NAME)
    finally:
        server.stop()


@contextmanager
def scratch_database() -> Iterator[str]:
    """The URL of a migrated, empty database that nobody else sees and that is gone on leaving. Raises CannotStart."""
    with EmbeddedPostgres.ephemeral() as server:
        url = server.create_database(DATABASE_NAME)
        migrate(url)
        yield url


def check_server(url: str) -> None:
    """Raises CannotStart when the server does not answer or is too old."""
    try:
        version = asyncio.run(_server_version(url))
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        reason = str(error) or type(error).__name__
        raise CannotStart(f"The database of DATABASE_URL ({_without_password(url)}) refuses: {reason}") from error
    if version // 10000 < OLDEST_SERVER:
        raise CannotStart(
            f"Linli needs Postgres {OLDEST_SERVER} or newer; DATABASE_URL is Postgres {version // 10000}."
        )


def migrate(url: str) -> None:
    """Bring the database to the newest migration; nothing happens when it is there. Not inside an event loop.

    Who asks to stop meanwhile is heard when it is done.
    Raises CannotStart, with the SQL that helps, when the user of the URL may not do what migrations do.
    """
    try:
        with stopping_later():
            command.upgrade(alembic_config(url), "head")
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != INSUFFICIENT_PRIVILEGE:
            raise
        raise CannotStart(_told(asyncio.run(_missing_powers(url)), error)) from error


def alembic_config(url: str) -> Config:
    """Alembic as `alembic.ini` sets it up, on this database."""
    config = Config(PROJECT / "alembic.ini")
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config


async def _server_version(url: str) -> int:
    connection = await asyncpg.connect(driver_url(url), timeout=CONNECT_TIMEOUT_SECONDS)
    try:
        return int(await connection.fetchval("SHOW server_version_num"))
    finally:
        await connection.close()


def _told(remedies: list[str], error: DBAPIError) -> str:
    if not remedies:
        reason = str(error.orig).partition(": ")[2] or str(error.orig)
        return f"The user of DATABASE_URL may not do what the migrations do ({reason}): use the owner of the tables."
    statements = "\n".join(f"  {statement};" for statement in remedies)
    return (
        "The user of DATABASE_URL lacks what the migrations need, and nothing was changed. Every service has a database"
        f" role of its own; an administrator of the server has to run in this database:\n{statements}\n"
        "Then start this again."
    )


async def _missing_powers(url: str) -> list[str]:
    """The statements by which an administrator gives the user what a migration needs; none if that is all there."""
    connection = await asyncpg.connect(driver_url(url), timeout=CONNECT_TIMEOUT_SECONDS)
    try:
        user = await connection.fetchval("SELECT quote_ident(current_user)")
        version = int(await connection.fetchval("SHOW server_version_num"))
        there = {row["rolname"] for row in await connection.fetch(_ROLES_THERE, list(ROLES))}
        may_become = "SET" if version >= 160_000 else "MEMBER"
        held = {role for role in there if await connection.fetchval("SELECT pg_has_role($1, $2)", role, may_become)}
        may_create = await connection.fetchval("SELECT has_schema_privilege('public', 'CREATE')")
    finally:
        await connection.close()
    remedies = [f"CREATE ROLE {role} NOLOGIN" for role in ROLES if role not in there]
    if ungranted := [role for role in ROLES if role not in held]:
        remedies.append(f"GRANT {', '.join(ungranted)} TO {user}")
    if not may_create:
        remedies.append(f"GRANT CREATE ON SCHEMA public TO {user}")
    return remedies


_ROLES_THERE = "SELECT rolname FROM pg_roles WHERE rolname = ANY ($1::text[])"


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
