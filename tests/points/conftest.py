"""The points service alone, and a database on which nobody delivers. Every test ends with sound books."""

from collections.abc import AsyncIterator

import httpx2
import pytest
from starlette.types import ASGIApp

from services.chassis.database import Database
from services.chassis.settings import Settings
from services.points.main import create_app
from tests.conftest import TestServer, make_settings, running_app
from tests.points.books import Books
from tests.world import World, make_world


@pytest.fixture(scope="session")
def points_settings(postgres: TestServer, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return make_settings(postgres.clone(), tmp_path_factory.mktemp("files"))


@pytest.fixture(scope="session")
async def points(points_settings: Settings) -> AsyncIterator[ASGIApp]:
    """The points service as a process of its own would be."""
    async with running_app(create_app(points_settings)) as app:
        yield app


@pytest.fixture(scope="session")
async def points_database(points_settings: Settings) -> AsyncIterator[Database]:
    database = Database(points_settings.database_url, service="points", pool_size=20)
    await database.open()
    yield database
    await database.close()


@pytest.fixture
async def world(points: ASGIApp, points_settings: Settings, points_database: Database) -> AsyncIterator[World]:
    """A district of this test's own before the points service."""
    fresh = await make_world(points_settings, httpx2.ASGITransport(points))
    yield fresh
    assert await Books(fresh, points_database).broken() == []
    await fresh.close()


@pytest.fixture
async def other_world(points: ASGIApp, points_settings: Settings, points_database: Database) -> AsyncIterator[World]:
    fresh = await make_world(points_settings, httpx2.ASGITransport(points))
    yield fresh
    assert await Books(fresh, points_database).broken() == []
    await fresh.close()


@pytest.fixture
async def books(world: World, points_database: Database) -> Books:
    return Books(world, points_database)


@pytest.fixture
async def other_books(other_world: World, points_database: Database) -> Books:
    return Books(other_world, points_database)


async def own_books(postgres: TestServer, settings: Settings) -> AsyncIterator[Books]:
    """Books in a database of their own, with no service running on it."""
    quiet = settings.model_copy(update={"database_url": postgres.clone()})
    database = Database(quiet.database_url, service="points", pool_size=30)
    await database.open()
    world = await make_world(quiet, httpx2.MockTransport(lambda _request: httpx2.Response(404)))
    yield Books(world, database)
    await world.close()
    await database.close()


@pytest.fixture
async def quiet_books(postgres: TestServer, points_settings: Settings) -> AsyncIterator[Books]:
    async for books in own_books(postgres, points_settings):
        yield books
        assert await books.broken() == []


@pytest.fixture
async def spoilt_books(postgres: TestServer, points_settings: Settings) -> AsyncIterator[Books]:
    """Books that a test takes the guards off: nobody asks whether they are sound in the end."""
    async for books in own_books(postgres, points_settings):
        yield books
