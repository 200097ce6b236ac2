"""The demo district in a migrated database."""

import asyncio

import asyncpg

from demo.places import TENANT_ID, TENANT_NAME
from demo.seed import load
from launcher.terminal import say
from services.chassis.database import driver_url


def fill(database_url: str) -> None:
    """Load the demo district unless it is there. Not inside an event loop."""
    if not asyncio.run(_is_there(database_url)):
        say(f"Loading the demo district {TENANT_NAME}")
        asyncio.run(load(database_url))


async def _is_there(database_url: str) -> bool:
    connection = await asyncpg.connect(driver_url(database_url))
    try:
        return bool(await connection.fetchval("SELECT EXISTS (SELECT FROM tenants WHERE id = $1)", TENANT_ID))
    finally:
        await connection.close()
