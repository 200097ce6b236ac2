"""Long reads of one moment, outside the pools: a slow download or a long check takes no connection from the others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any
from uuid import UUID

from fastapi.responses import StreamingResponse

from services.chassis.database import Database, tenant_statement

AT_ONCE = 4
"""More of them wait in line."""


class Snapshots:
    """Read-only transactions that see the data of one tenant as they were at one moment."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._turns = asyncio.Semaphore(AT_ONCE)

    @asynccontextmanager
    async def of(self, tenant_id: UUID) -> AsyncIterator[Any]:
        """A connection of its own whose tenant is set. Writes nothing and locks nothing."""
        async with self._turns:
            connection = await self._database.connect()
            try:
                async with connection.transaction(isolation="repeatable_read", readonly=True):
                    await connection.execute(tenant_statement(tenant_id))
                    yield connection
            finally:
                connection.terminate()


async def streamed(chunks: AsyncIterator[bytes], *, media_type: str, filename: str) -> StreamingResponse:
    """An answer that is sent as it is made. What is refused is refused before its first byte."""
    first = await anext(chunks, b"")

    async def body() -> AsyncIterator[bytes]:
        async with aclosing(chunks):  # type: ignore[type-var]
            yield first
            async for chunk in chunks:
                yield chunk

    return StreamingResponse(
        body(), media_type=media_type, headers={"Content-Disposition": f'attachment; filename="{filename}"'}
    )
