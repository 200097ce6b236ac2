"""The driver's connection behind a route's transaction: the keeper runs the same statements without a session.

Such a connection decodes JSON, the keeper's does not: statements ask for it as text.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession


@asynccontextmanager
async def driving(transaction: AsyncSession) -> AsyncIterator[Any]:
    """Its errors leave as the session's own would, so that the route knows what to retry. The route commits."""
    try:
        yield (await (await transaction.connection()).get_raw_connection()).driver_connection
    except asyncpg.PostgresError as error:
        raise DBAPIError(None, None, error) from error
