"""What a turn of the keeper of words does, called by hand."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from services.chassis.database import Database
from services.chassis.settings import Settings
from services.orders.reading.words import BATCH
from tests.world import World

Index = Callable[..., Awaitable[None]]


@pytest.fixture(scope="session")
async def orders_database(settings: Settings) -> AsyncIterator[Database]:
    database = Database(settings.database_url, service="orders", pool_size=4)
    await database.open()
    yield database
    await database.close()


@pytest.fixture
async def index(world: World, orders_database: Database) -> Index:
    """Takes every order of the world into the index of words, in small blocks; the product's own keeper may help."""

    async def indexed(block_orders: int = 4) -> None:
        while await world.fetch_value("SELECT count(*) FROM order_word_work"):
            await orders_database.pool.fetchval(
                "SELECT order_words_keep($1, $2, $3)", world.tenant_id, min(block_orders, BATCH), block_orders
            )

    return indexed
