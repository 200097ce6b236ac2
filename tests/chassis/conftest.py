"""The probe service on a database of its own, with small districts that have people and nothing else."""

import itertools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import asyncpg
import httpx2
import hypothesis
import pytest
from fastapi import FastAPI

from services.chassis.database import Database, driver_url, tenant_statement
from services.chassis.schemas import new_id
from services.chassis.settings import Settings
from tests.chassis.probe import SERVICE, create_probe
from tests.conftest import TestServer, make_settings, running_app
from tests.migrations.catalog import connected
from tests.world import ARRANGER, World

SEEDED = hypothesis.settings(
    derandomize=True, deadline=None, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
"""For every property: the same examples each time, however busy the machine is."""

_codes = itertools.count(800_000)


@pytest.fixture(scope="session")
async def probe_settings(postgres: TestServer, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = make_settings(postgres.clone(), tmp_path_factory.mktemp("files"))
    async with connected(settings.database_url) as connection:
        await connection.execute(Path(__file__).with_name("probe.sql").read_text("utf-8"))
    return settings


@pytest.fixture(scope="session")
async def probe(probe_settings: Settings) -> AsyncIterator[FastAPI]:
    app = create_probe(probe_settings)
    async with running_app(app):
        await _warm_up(app.state.database)
        yield app


async def _warm_up(database: Database) -> None:
    """Opens every connection of the hot pool: what shall collide may not wait for a connection first."""
    async with AsyncExitStack() as stack:
        for _ in range(database.pool.get_max_size()):
            await stack.enter_async_context(database.pool.acquire())


@pytest.fixture(scope="session")
async def database(probe: FastAPI) -> Database:
    """The probe's own."""
    opened: Database = probe.state.database
    return opened


@pytest.fixture
async def world(probe_settings: Settings, probe: FastAPI) -> AsyncIterator[World]:
    """A district of this test's own: Mr Zhang, his daughter, no areas and no orders."""
    fresh = await make_district(probe_settings, httpx2.ASGITransport(probe))
    yield fresh
    await fresh.close()


@pytest.fixture
async def other_world(probe_settings: Settings, probe: FastAPI) -> AsyncIterator[World]:
    fresh = await make_district(probe_settings, httpx2.ASGITransport(probe))
    yield fresh
    await fresh.close()


async def make_district(settings: Settings, transport: httpx2.AsyncBaseTransport) -> World:
    connection = await asyncpg.connect(driver_url(settings.database_url), server_settings={"role": ARRANGER})
    world = World(new_id(), connection, settings, transport)
    await connection.execute(tenant_statement(world.tenant_id).replace("LOCAL ", ""))
    await connection.execute(
        "INSERT INTO tenants (id, code, name) VALUES ($1, $2, '源城区')", world.tenant_id, str(next(_codes))
    )
    await world.add_person("zhang", "张德明")
    await world.add_person("daughter", "张丽华")
    return world


async def effects_of(world: World) -> list[str]:
    """The notes of what really happened in this district."""
    return [row["note"] for row in await world.fetch("SELECT note FROM effects ORDER BY note")]


async def end_sessions(connection: asyncpg.Connection, application: str = f"linli-{SERVICE}") -> int:
    """pg_terminate_backend for every session of a service; how many there were."""
    ended = await connection.fetch(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = $1 AND datname = current_database()",
        application,
    )
    return len(ended)
