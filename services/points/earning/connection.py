"""One way to ask the database, in a delivery's transaction (asyncpg) and in a route's (SQLAlchemy)."""

from collections.abc import Sequence
from typing import Any, Protocol

from sqlalchemy.ext.asyncio import AsyncSession


class Connection(Protocol):
    """What an asyncpg connection offers, of which this is enough: statements with $1, $2 … in an open transaction."""

    async def fetch(self, query: str, *arguments: Any) -> Sequence[Any]:
        """Rows whose columns are asked for by name."""
        ...

    async def fetchrow(self, query: str, *arguments: Any) -> Any: ...
    async def fetchval(self, query: str, *arguments: Any) -> Any: ...
    async def execute(self, query: str, *arguments: Any) -> Any: ...


class SessionConnection:
    """A session as such a connection. Errors come as SQLAlchemy's, so that the route retries what may be retried."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def fetch(self, query: str, *arguments: Any) -> Sequence[Any]:
        connection = await self._session.connection()
        return (await connection.exec_driver_sql(query, arguments)).mappings().all()

    async def fetchrow(self, query: str, *arguments: Any) -> Any:
        connection = await self._session.connection()
        return (await connection.exec_driver_sql(query, arguments)).first()

    async def fetchval(self, query: str, *arguments: Any) -> Any:
        row = await self.fetchrow(query, *arguments)
        return None if row is None else row[0]

    async def execute(self, query: str, *arguments: Any) -> Any:
        connection = await self._session.connection()
        await connection.exec_driver_sql(query, arguments)
