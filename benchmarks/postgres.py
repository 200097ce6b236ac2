"""The Postgres that is measured: an embedded one of its own, durable and on its own core, or that of DATABASE_URL."""

import asyncio
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg

from benchmarks.cores import pinned_to
from benchmarks.processes import children_of, processor_seconds
from launcher.database import check_server, migrate
from launcher.folders import data_folder
from launcher.postgres import EmbeddedPostgres
from services.chassis.database import driver_url

DATABASE = "linli_benchmarks"


@dataclass(frozen=True)
class Postgres:
    """A server with a migrated, empty database for the benchmarks."""

    url: str
    folder: Path
    """On the disk it writes to, as far as that is known."""
    pgbench: Path | None = None
    process_id: int | None = None
    """Of the server, when it runs here."""
    counts_statements: bool = False
    """Whether pg_stat_statements may be used."""

    def processor_seconds(self) -> float | None:
        """What its processes have used up to now; None when they cannot be seen."""
        return processor_seconds(children_of(self.process_id)) if self.process_id else None


@contextmanager
def benchmark_postgres(*, core: int | None) -> Iterator[Postgres]:
    """Removed on leaving, with all that was in the database. Raises CannotStart."""
    server_url = os.environ.get("DATABASE_URL")
    with _external(server_url) if server_url else _embedded(core) as postgres:
        migrate(postgres.url)
        yield postgres


@contextmanager
def _embedded(core: int | None) -> Iterator[Postgres]:
    server = EmbeddedPostgres(data_folder() / "benchmarks")
    with pinned_to(core):
        server.start()
        _execute(server.url(), "ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'")
        _execute(server.url(), "ALTER SYSTEM SET pg_stat_statements.track = 'none'")
        server.stop()
        server.start()
    try:
        server.drop_database(DATABASE)
        url = server.create_database(DATABASE)
        yield Postgres(url, server.folder, server.program("pgbench"), server.process_id, counts_statements=True)
    finally:
        server.stop()
        shutil.rmtree(server.folder, ignore_errors=True)


@contextmanager
def _external(server_url: str) -> Iterator[Postgres]:
    check_server(server_url)
    _execute(server_url, f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
    _execute(server_url, f"CREATE DATABASE {DATABASE}")
    try:
        yield Postgres(urlsplit(server_url)._replace(path=f"/{DATABASE}").geturl(), data_folder())
    finally:
        _execute(server_url, f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")


def _execute(url: str, statement: str) -> None:
    async def execute() -> None:
        connection = await asyncpg.connect(driver_url(url))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(execute())
