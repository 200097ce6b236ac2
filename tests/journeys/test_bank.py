"""The bank of eight accounts and twenty clients while the product breaks: its processes, its database, its sessions."""

import asyncio
import os
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from random import Random

import asyncpg
import httpx2
import pytest

from launcher.postgres import EmbeddedPostgres
from services.chassis.database import driver_url
from tests.bank import open_bank
from tests.conftest import TestServer, make_settings
from tests.deployment import Deployment, deployed
from tests.world import make_world

SECONDS = 6.0

Trouble = Callable[[Deployment, EmbeddedPostgres, Random], Awaitable[None]]


@pytest.fixture(scope="module")
def own_postgres() -> Iterator[EmbeddedPostgres]:
    """A server that may be broken, and is started again whenever it ends."""
    with EmbeddedPostgres.ephemeral() as server:
        server.watch()
        yield server


@pytest.fixture(scope="module")
def databases(own_postgres: EmbeddedPostgres) -> TestServer:
    return TestServer(own_postgres)


@pytest.fixture(scope="module", params=["all-in-one", "separate"])
async def fragile(
    request: pytest.FixtureRequest, databases: TestServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Deployment]:
    """The product on real processes, on a database whose commits survive the server's death.

    What a test server saves by not waiting for the disk would be lost with the server itself.
    """
    url = databases.clone()
    owner = await asyncpg.connect(driver_url(url))
    name = await owner.fetchval("SELECT current_database()")
    await owner.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = on')
    await owner.close()
    settings = make_settings(url, tmp_path_factory.mktemp("files"))
    with tempfile.TemporaryDirectory() as sockets:  # short: a socket's path may not be long
        async with deployed(request.param, settings, Path(sockets)) as running:
            yield running


async def kill_workers(product: Deployment, _server: EmbeddedPostgres, chance: Random) -> None:
    """kill -9 of the points service or of the gateway, each as soon as the last is back."""
    for name in ("points", "gateway"):
        await asyncio.sleep(chance.uniform(0.5, 1.0))
        product.kill(name)
        await product.until_ready()


async def restart_database(product: Deployment, server: EmbeddedPostgres, chance: Random) -> None:
    """What `pg_ctl restart -m immediate` does: everything is dropped, and recovered from the log."""
    for _ in range(2):
        await asyncio.sleep(chance.uniform(0.8, 1.5))
        process_id = server.process_id
        assert process_id is not None
        os.kill(process_id, signal.SIGQUIT)
        gives_up_at = time.monotonic() + 30
        while server.process_id in {process_id, None}:
            assert time.monotonic() < gives_up_at
            await asyncio.sleep(0.05)
        await product.until_ready()


async def terminate_sessions(product: Deployment, _server: EmbeddedPostgres, chance: Random) -> None:
    """pg_terminate_backend of half of the product's sessions, again and again."""
    owner = await asyncpg.connect(driver_url(product.settings.database_url))
    for _ in range(12):
        await asyncio.sleep(chance.uniform(0.1, 0.4))
        await owner.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name LIKE 'linli-%' AND datname = current_database() AND random() < 0.5"
        )
    await owner.close()


@pytest.mark.parametrize("trouble", [kill_workers, restart_database, terminate_sessions])
async def test_every_read_is_whole_and_every_transfer_happens_once(
    fragile: Deployment, own_postgres: EmbeddedPostgres, trouble: Trouble
) -> None:
    await fragile.until_ready()
    async with httpx2.AsyncHTTPTransport(limits=httpx2.Limits(max_connections=64)) as transport:
        world = await make_world(fragile.settings, transport, base_url=fragile.base_url)
        bank = await open_bank(world, seed=2)
        await asyncio.gather(bank.run_for(SECONDS), trouble(fragile, own_postgres, Random(3)))
        await fragile.until_ready()
        await bank.settle()
        await world.close()
