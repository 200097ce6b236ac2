"""Alembic's entry: migrates the database DATABASE_URL names, one process at a time."""

import asyncio
import os

import asyncpg
from alembic import context
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from models import Base
from services.chassis.database import driver_url

LOCK = 7_208_812_261_004_126_041
"""An advisory lock: several processes may start at once, one migrates, the others find it done."""


def _migrate(connection: Connection) -> None:
    context.configure(
        connection=connection, target_metadata=Base.metadata, compare_type=True, compare_server_default=False
    )
    with context.begin_transaction():
        connection.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))
        context.run_migrations()


async def _connect_and_migrate(url: str) -> None:
    engine = create_async_engine(
        "postgresql+asyncpg://", async_creator=lambda: asyncpg.connect(driver_url(url)), poolclass=NullPool
    )
    async with engine.connect() as connection:
        await connection.run_sync(_migrate)
        await connection.commit()
    await engine.dispose()


if context.is_offline_mode():
    raise SystemExit("Linli migrates a living database only: set DATABASE_URL.")
asyncio.run(_connect_and_migrate(context.config.get_main_option("sqlalchemy.url") or os.environ["DATABASE_URL"]))
