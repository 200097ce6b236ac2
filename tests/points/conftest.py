"""The points service alone, and a database on which nobody delivers. Every test ends with sound books."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest
from starlette.types import ASGIApp

from services.chassis.database import Database
from services.chassis.settings import Settings
from services.points.main import create_app
from tests.conftest import TestServer, make_settings, running_app
from tests.points.audit import complaints_about_books
from tests.points.books import Books
from tests.points.desk import Desk
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
async def books(points: ASGIApp, points_settings: Settings, points_database: Database) -> AsyncIterator[Books]:
    """The ledger of a district of this test's own."""
    async with _audited(await make_world(points_settings, httpx2.ASGITransport(points)), points_database) as books:
        yield books


@pytest.fixture
async def other_books(points: ASGIApp, points_settings: Settings, points_database: Database) -> AsyncIterator[Books]:
    async with _audited(await make_world(points_settings, httpx2.ASGITransport(points)), points_database) as books:
        yield books


@pytest.fixture
async def world(books: Books) -> World:
    """The district, before the points service."""
    return books.world


@pytest.fixture
async def other_world(other_books: Books) -> World:
    return other_books.world


@pytest.fixture
async def quiet_books(postgres: TestServer, points_settings: Settings) -> AsyncIterator[Books]:
    """In a database of their own, with no service running on it."""
    async with _quiet(postgres, points_settings) as (world, database), _audited(world, database) as books:
        yield books


@pytest.fixture(scope="session")
async def _service_without_bookkeeping(
    postgres: TestServer, points_settings: Settings
) -> AsyncIterator[tuple[Settings, ASGIApp, Database]]:
    own = points_settings.model_copy(update={"database_url": postgres.clone(), "ledger_poll_seconds": 86400.0})
    database = Database(own.database_url, service="points", pool_size=10)
    await database.open()
    async with running_app(create_app(own)) as app:
        yield own, app, database
    await database.close()


@pytest.fixture
async def dated_books(
    _service_without_bookkeeping: tuple[Settings, ASGIApp, Database],
) -> AsyncIterator[Books]:
    """Before the points service, on a database whose clock a test may set, and where it keeps the books itself."""
    own, app, database = _service_without_bookkeeping
    async with _audited(await make_world(own, httpx2.ASGITransport(app)), database) as books:
        yield books
        await books.now()


@pytest.fixture
async def neighbour_district(
    _service_without_bookkeeping: tuple[Settings, ASGIApp, Database],
) -> AsyncIterator[World]:
    """Another district before the same service as `desk`."""
    own, app, database = _service_without_bookkeeping
    async with _audited(await make_world(own, httpx2.ASGITransport(app)), database) as books:
        yield books.world


@pytest.fixture
async def desk(dated_books: Books) -> Desk:
    """The points API of a district with a clock of its own."""
    return Desk(dated_books)


@pytest.fixture
async def spoilt_books(postgres: TestServer, points_settings: Settings) -> AsyncIterator[Books]:
    """The same for a test that takes guards off: nobody asks whether they are sound in the end."""
    async with _quiet(postgres, points_settings) as (world, database):
        yield Books(world, database)
        await world.close()


@asynccontextmanager
async def _audited(world: World, database: Database) -> AsyncIterator[Books]:
    books = Books(world, database)
    try:
        yield books
        assert await complaints_about_books(database, world) == []
    finally:
        await world.close()


@asynccontextmanager
async def _quiet(postgres: TestServer, settings: Settings) -> AsyncIterator[tuple[World, Database]]:
    own = settings.model_copy(update={"database_url": postgres.clone()})
    database = Database(own.database_url, service="points", pool_size=30)
    await database.open()
    try:
        yield await make_world(own, httpx2.MockTransport(lambda _request: httpx2.Response(404))), database
    finally:
        await database.close()
