"""The database a command works on: a real server by DATABASE_URL, else the embedded one of the data folder."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import asyncpg
from alembic import command
from alembic.config import Config

from launcher.folders import PROJECT, data_folder
from launcher.postgres import EmbeddedPostgres
from launcher.terminal import CannotStart, say
from services.chassis.database import driver_url

OLDEST_SERVER = 15
CONNECT_TIMEOUT_SECONDS = 10
DATABASE_NAME = "linli"


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
    """Bring the database to the newest migration; nothing happens when it is there. Not inside an event loop."""
    command.upgrade(alembic_config(url), "head")


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


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
