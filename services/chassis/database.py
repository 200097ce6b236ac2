"""The database as one service sees it: its own role, the tenant set per transaction, two pools.

Sessions (SQLAlchemy) serve the cold paths, `pool` (asyncpg) the hot commands of `services.chassis.commands`.
"""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

RETRIED_SQLSTATES = frozenset({"40001", "40P01"})
"""Serialization failure and deadlock: nobody's fault, tried again."""

LOCK_TIMEOUT_SECONDS = 2
"""Two people who act on one thing wait for each other briefly; who waits longer is told so (Busy)."""
LOCK_NOT_AVAILABLE = "55P03"

CONNECTION_LOST = (
    ConnectionError,
    FileNotFoundError,
    socket.gaierror,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
)
"""The server went away or is coming back: what was sent may or may not have been committed."""


class NothingCommitted(RuntimeError):
    """COMMIT of a transaction in which a statement failed rolls back, and says so only in passing."""


class Database:
    """Connections of one service, all under the Postgres role `linli_<service>`, which row security binds."""

    def __init__(self, url: str, *, service: str, pool_size: int) -> None:
        self.url = driver_url(url)
        self._server_settings = {
            "role": f"linli_{service}",
            "application_name": f"linli-{service}",
            "jit": "off",
            "lock_timeout": f"{LOCK_TIMEOUT_SECONDS}s",
        }
        self._pool_size = pool_size
        self._pool: asyncpg.Pool | None = None
        self._engine: AsyncEngine | None = None
        self._turns = asyncio.Semaphore(pool_size)

    async def open(self) -> None:
        self._pool = await asyncpg.create_pool(
            self.url,
            min_size=1,
            max_size=self._pool_size,
            server_settings=self._server_settings,
            reset=_keep,
            command_timeout=60,
        )
        self._engine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=self.connect,
            pool_size=self._pool_size,
            max_overflow=0,
            pool_pre_ping=True,
        )
        self._sessions = async_sessionmaker(self._engine, expire_on_commit=False, autoflush=True)

    async def close(self) -> None:
        if self._engine is not None:
            await self._engine.dispose()
        if self._pool is not None:
            await self._pool.close()

    @property
    def pool(self) -> "asyncpg.Pool[asyncpg.Record]":
        assert self._pool is not None, "the database is not open"
        return self._pool

    async def connect(self) -> "asyncpg.Connection[asyncpg.Record]":
        """A connection of its own, outside the pools: for LISTEN and for the engine."""
        return await asyncpg.connect(self.url, server_settings=self._server_settings, command_timeout=60)

    @asynccontextmanager
    async def transaction(self, tenant_id: UUID | None) -> AsyncIterator[AsyncSession]:
        """A session in one transaction of one tenant: committed on leaving, rolled back on an error.

        Without a tenant only the global tables answer. Waits in line for a connection.
        """
        async with self._turns, self._sessions() as session, session.begin():
            if tenant_id is not None:
                await session.execute(text(tenant_statement(tenant_id)))
            yield session

    @asynccontextmanager
    async def hot_transaction(self, tenant_id: UUID) -> AsyncIterator[Any]:
        """The same on a connection of the hot pool. BEGIN and the tenant go in one round trip.

        Raises NothingCommitted when a statement had failed in it and nobody noticed.
        """
        async with self.pool.acquire() as connection:
            await connection.execute(f"BEGIN; {tenant_statement(tenant_id)}")
            try:
                yield connection
            except BaseException:
                await connection.execute("ROLLBACK")
                raise
            if await connection.execute("COMMIT") != "COMMIT":
                raise NothingCommitted


def tenant_statement(tenant_id: UUID) -> str:
    """`SET LOCAL`, never `set_config()`: only the former reaches the workers of a distributed Postgres."""
    return f"SET LOCAL linli.tenant = '{UUID(str(tenant_id))}'"


def driver_url(url: str) -> str:
    """DATABASE_URL as asyncpg wants it, whatever driver its scheme names."""
    scheme, separator, rest = url.partition("://")
    return f"{scheme.partition('+')[0]}{separator}{rest}"


def is_retried(error: BaseException) -> bool:
    """Whether the transaction may simply be run again."""
    return getattr(getattr(error, "orig", error), "sqlstate", None) in RETRIED_SQLSTATES


def is_connection_lost(error: BaseException) -> bool:
    """Whether the database went away, be it told by asyncpg or by SQLAlchemy."""
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or isinstance(error.orig and error.orig.__cause__, CONNECTION_LOST)
    return isinstance(error, CONNECTION_LOST)


async def _keep(connection: Any) -> None:
    """Nothing to reset: every setting is LOCAL, and a transaction that was left open asyncpg ends itself."""
